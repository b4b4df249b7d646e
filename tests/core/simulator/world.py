"""What exists: a Windows folder on NTFS, the documents in EspoCRM, the History; and which texts somebody still counts on.

Does nothing by itself. A text is a letter or word that stands for its own hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from docsyncd.core.model import (
    Agreed,
    CaseFileStage,
    ContentHash,
    FileState,
    JournalEntry,
    RelativePath,
    Revision,
    Volume,
)
from docsyncd.core.paths import NtfsKey, ntfs_key
from docsyncd.core.snapshot import Level

START = datetime(2026, 11, 21, 9, tzinfo=UTC)
SIZE = 1000
EMPTY = "nothing"
"""The text of a file that a crash has emptied."""


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@dataclass(slots=True)
class File:
    """A Windows file. `versions` are the people's texts that it embodies."""

    id: int
    path: str
    text: str
    mtime: float
    usn: int
    versions: frozenset[int]
    locked: bool = False
    shadow: frozenset[int] = frozenset()
    """What a restored backup hid: whoever writes over the old text has written over that, too."""

    @property
    def size(self) -> int:
        return 0 if self.text == EMPTY else SIZE

    def state(self, level: Level, *, read: bool) -> FileState:
        return FileState(
            path=RelativePath(self.path),
            revision=Revision(str(self.usn)),
            size=self.size,
            modified_at=at(self.mtime),
            content=ContentHash(self.text) if read and not self.locked else None,
            file_id=str(self.id) if level is Level.EXTENDED else None,
        )


@dataclass(slots=True)
class Document:
    """A record in EspoCRM. Each content is another attachment."""

    id: int
    name: str
    text: str
    attachment: int
    created: float
    versions: frozenset[int]
    agreed: Agreed | None = None
    deleted: bool = False

    def state(self) -> FileState:
        return FileState(
            path=RelativePath(self.name),
            revision=Revision(str(self.attachment)),
            size=0 if self.text == EMPTY else SIZE,
            modified_at=at(self.created),
            content=ContentHash(self.text),
            file_id=f"d{self.id:03}",
            agreed=self.agreed,
        )


@dataclass(slots=True)
class Entry:
    """One entry of the History; `marker` if we made it."""

    number: int
    path: str
    marker: str = ""

    def state(self) -> JournalEntry:
        return JournalEntry(number=self.number, path=RelativePath(self.path), kind=None, text=None, date=None)


@dataclass(slots=True)
class Effect:
    """What the daemon did to a remote."""

    what: str
    side: str
    path: str
    before: str | None
    after: str | None
    fence: int


@dataclass(slots=True)
class World:
    """Everything outside the daemon, and the fence that tells its newest worker."""

    level: Level
    files: dict[int, File] = field(default_factory=dict)
    documents: dict[int, Document] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    heads: dict[int, str] = field(default_factory=dict)
    """Texts that nobody has edited further and nobody deleted: I1 is about these."""
    edited: set[int] = field(default_factory=set)
    unwanted: set[tuple[int, str]] = field(default_factory=set)
    vanished: frozenset[int] = frozenset()
    """Texts whose file an image restore took away, until the daemon looks."""
    renamed: dict[int, str] = field(default_factory=dict)
    """File id → document id of what was only renamed (I12)."""
    buried: dict[int, str] = field(default_factory=dict)
    """File id → text of what somebody deleted in EspoCRM and left alone on Windows (I13)."""
    now: float = 0.0
    daemon_offset: float = 0.0
    windows_offset: float = 0.0
    counter: int = 0
    next_usn: int = 100
    journal: int = 1
    image: tuple[dict[int, File], int, int] | None = None
    stage: CaseFileStage = CaseFileStage.ADMITTED
    archived: bool = False
    store_ready: bool = True
    paused: bool = False
    faults: dict[str, int] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)

    def copy(self) -> World:
        """A world of its own that starts where this one is."""
        return replace(
            self,
            files={key: replace(f) for key, f in self.files.items()},
            documents={key: replace(d) for key, d in self.documents.items()},
            entries=[replace(e) for e in self.entries],
            heads=dict(self.heads),
            unwanted=set(self.unwanted),
            edited=set(self.edited),
            renamed=dict(self.renamed),
            buried=dict(self.buried),
            faults=dict(self.faults),
            effects=list(self.effects),
        )

    # what is there

    def number(self) -> int:
        self.counter += 1
        return self.counter

    def at_path(self, path: str) -> File | None:
        key = ntfs_key(path)
        return next((f for f in self.files.values() if ntfs_key(f.path) == key), None)

    def taken(self) -> set[NtfsKey]:
        return {ntfs_key(f.path) for f in self.files.values()}

    def living(self) -> Iterator[Document]:
        return (d for d in self.documents.values() if not d.deleted)

    def document(self, file_id: str | None) -> Document | None:
        return None if file_id is None else self.documents.get(int(file_id[1:]))

    def volume(self) -> Volume | None:
        if self.level is Level.BASIC:
            return None
        return Volume(serial="disk", journal=str(self.journal), next_usn=self.next_usn)

    def texts(self) -> set[str]:
        return {f.text for f in self.files.values()} | {d.text for d in self.living()}

    # the people's texts

    def written(self, text: str, over: File | Document | None = None) -> frozenset[int]:
        """Somebody wrote this, over that: what it was is nobody's last word any more. The same text again says nothing new."""
        before = frozenset[int]() if over is None else over.versions
        if over is not None and over.text == text:
            return before
        self.dropped(before)
        version = self.number()
        self.edited |= before
        self.heads[version] = text
        return frozenset({version})

    def copied(self, place: File | Document) -> frozenset[int]:
        """A copy is a text of its own: whoever edits the one has said nothing about the other."""
        return self.written(place.text)

    def deleted(self, place: File | Document) -> None:
        """Somebody deleted it, and means it until he takes that back."""
        self.dropped(place.versions)
        self.unwanted |= {(version, type(place).__name__) for version in place.versions}

    def survives(self, text: str, versions: frozenset[int]) -> None:
        """What the daemon has just replaced lives on where the same text still is."""
        places: list[File | Document] = [*self.files.values(), *self.living()]
        for place in places:
            if place.text == text:
                place.versions |= versions

    def dropped(self, versions: Iterable[int]) -> None:
        for version in versions:
            self.heads.pop(version, None)

    def restored(self, document: Document) -> None:
        """Somebody took his deletion back. What was deleted on Windows, too, stays unwanted there."""
        for version in document.versions:
            self.unwanted.discard((version, "Document"))
            if version not in self.edited and (version, "File") not in self.unwanted:
                self.heads[version] = document.text

    def joined(self, file: File, document: Document) -> None:
        """The daemon found both equal: from now on they are one text."""
        if file.text == document.text:
            file.versions = document.versions = file.versions | document.versions

    # Windows

    def usn(self) -> int:
        self.next_usn += 10
        return self.next_usn

    def put_file(self, path: str, text: str, versions: frozenset[int]) -> File:
        made = File(
            id=self.number(),
            path=path,
            text=text,
            mtime=self.now + self.windows_offset,
            usn=self.usn(),
            versions=versions,
        )
        self.files[made.id] = made
        return made

    def change_file(self, file: File, text: str, versions: frozenset[int]) -> None:
        file.text, file.versions = text, versions
        file.mtime, file.usn = self.now + self.windows_offset, self.usn()

    def replace_file(self, file: File) -> None:
        """ReplaceFile: the replacement's file id stays, the old one is gone."""
        del self.files[file.id]
        self.renamed.pop(file.id, None)
        self.buried.pop(file.id, None)
        file.id = self.number()
        self.files[file.id] = file

    # EspoCRM

    def put_document(self, name: str, text: str, versions: frozenset[int]) -> Document:
        made = Document(
            id=self.number(), name=name, text=text, attachment=self.number(), created=self.now, versions=versions
        )
        self.documents[made.id] = made
        return made

    def change_document(self, document: Document, text: str, versions: frozenset[int]) -> None:
        document.text, document.versions = text, versions
        document.attachment, document.created = self.number(), self.now
