"""What the daemon remembers of a case file: the third tree, and what it knew when it last looked.

Does not store, load or decide. Losing it is allowed: it is rebuilt from the record's own fields (`rebuilt`), and nothing is
deleted for that. Design: case-file-sync.md, decision 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NewType

from docsyncd.core.model import ContentHash, FileState, RelativePath, Revision, Volume
from docsyncd.core.paths import NtfsKey, ntfs_key, windows_path

ItemId = NewType("ItemId", str)
"""One document in the eyes of people, whatever its names are. Opaque; made by the daemon at the first agreement."""

OLDER_KEPT: Final = 50
"""Contents that an item is remembered to have had. A backup older than fifty agreed versions of one text passes for an edit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """The Windows file is not there.

    :param since: the first complete listing without it.
    :param suspect: it vanished together with the journal's memory, or before ours began: only a person may believe that.
    """

    since: datetime
    suspect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """The last state of one item that both sides agreed on.

    One item per document, per Windows file id and per NTFS key: whoever stores ancestors enforces that (`clashes`). The path of a
    file that is missing is free for another item.

    :param content: None if nobody knows what was agreed (legacy; row 16).
    :param record: the document as it was then.
    :param replica: the Windows file as it was then; None for a copy that stays a record only.
    :param older: contents that were agreed before, newest last; they never overwrite (V10).
    :param suppressed: deleted in the record by somebody; not created again until the Windows file changes (row 12).
    :param ours: we put the Windows file there, so its History entry is ours to make (row 38).
    :param rename: the display name that the document has still to get, because its file was renamed.
    :param metadata: History fields as last agreed, by our names.
    """

    item: ItemId
    content: ContentHash | None
    record: FileState | None
    replica: FileState | None
    older: tuple[ContentHash, ...] = ()
    suppressed: bool = False
    missing: Missing | None = None
    ours: bool = False
    rename: RelativePath | None = None
    metadata: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def key(self) -> NtfsKey | None:
        return None if self.replica is None else ntfs_key(self.replica.path)

    @property
    def record_only(self) -> bool:
        """A conflict copy: it lives in the record until a person chooses."""
        return self.replica is None

    def agreeing(
        self, content: ContentHash | None, *, record: FileState | None, replica: FileState | None, ours: bool = False
    ) -> Ancestor:
        """The next ancestor, after both sides were seen or made to hold `content`."""
        older = self.older
        if self.content is not None and content != self.content:
            older = (*(c for c in older if c != self.content), self.content)[-OLDER_KEPT:]
        return replace(
            self,
            content=content,
            record=record,
            replica=replica,
            older=tuple(c for c in older if c != content),
            suppressed=False,
            missing=None,
            ours=self.ours or ours,
            rename=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMemory:
    """What is remembered of a case file as a whole. The default is first contact.

    :param settled: a run has come to its end since first contact; until then a run only creates and adopts.
    :param settings: fingerprint of mapping, filters and root; another one means one more careful run (V17).
    :param instances: who the remotes said that they are (V1); empty before the first contact.
    :param archived: what Advoware last said about the filing (row 48 acts on a change only).
    :param journal_entries: how many entries the History had when it was last believed.
    :param doubted_since: since when it has had too few of them (row 47); what it says for a day, it means.
    """

    settled: bool = False
    settings: str = ""
    instances: tuple[str, ...] = ()
    volume: Volume | None = None
    archived: bool | None = None
    journal_entries: int = 0
    doubted_since: datetime | None = None

    def seeing(self, volume: Volume) -> CaseMemory:
        """With the journal's end raised to what a write of ours was answered with; another volume or journal changes nothing."""
        known = self.volume or volume
        if (known.serial, known.journal) != (volume.serial, volume.journal):
            return self
        return replace(self, volume=replace(known, next_usn=max(known.next_usn, volume.next_usn)))


def rebuilt(documents: Iterable[FileState]) -> Iterator[Ancestor]:
    """Ancestors from what the records themselves remember, one per NTFS key, in the order of the documents.

    A record with neither hash nor path was never synced. Where two records claim one path (a duplicated record copies all
    fields), the first has it and the other is new.
    """
    taken: set[NtfsKey] = set()
    for document in documents:
        agreed = document.agreed
        if agreed is None or (agreed.content is None and agreed.path is None):
            continue
        path = agreed.path or windows_path(document.path)
        if path is None or ntfs_key(path) in taken:
            continue
        taken.add(ntfs_key(path))
        past = replace(document, content=agreed.content, agreed=None)
        yield Ancestor(
            item=ItemId(f"record-{document.file_id}"),
            content=agreed.content,
            record=past,
            replica=replace(past, path=path, revision=Revision(""), file_id=None, size=None, modified_at=None),
        )


def clashes(ancestors: Iterable[Ancestor]) -> tuple[str, ...]:
    """What two items both claim, as words; empty if the memory is sound (I11)."""
    owners: dict[tuple[str, str], set[ItemId]] = defaultdict(set)
    for ancestor in ancestors:
        for claim in _claims(ancestor):
            owners[claim].add(ancestor.item)
    return tuple(f"{what} {name}: {' and '.join(sorted(o))}" for (what, name), o in owners.items() if len(o) > 1)


def _claims(ancestor: Ancestor) -> Iterator[tuple[str, str]]:
    if ancestor.record is not None and ancestor.record.file_id is not None:
        yield "document", ancestor.record.file_id
    if ancestor.replica is not None:
        if ancestor.missing is None:
            yield "path", ntfs_key(ancestor.replica.path)
        if ancestor.replica.file_id is not None:
            yield "file", ancestor.replica.file_id


def new_item(document: str, taken: Container[ItemId]) -> ItemId:
    """An id for a document's item. A document that came back after its item went on with another one gets a second id."""
    candidate, count = ItemId(f"record-{document}"), 1
    while candidate in taken:
        count += 1
        candidate = ItemId(f"record-{document}-{count}")
    return candidate
