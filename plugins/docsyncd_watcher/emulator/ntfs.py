"""An NTFS volume in memory: what moves a USN, what keeps a file id, who has what open.

Numbers in brackets are sections of reference/advoware-windows-sync.md. Contents lie in a private folder under their hash, so
that a snapshot costs nothing and a large file no memory.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import blake3

from docsyncd.api import Clock
from docsyncd_watcher.emulator import names
from docsyncd_watcher.emulator.disk import ARCHIVE, FOLDER, Journal, OpenState, Refused

Reason = Literal[
    "create",
    "data-overwrite",
    "data-extend",
    "data-truncation",
    "rename-old",
    "rename-new",
    "delete",
    "close",
    "basic-info",
    "security",
    "hard-link",
    "stream",
    "ea",
    "compression",
    "encryption",
    "object-id",
    "reparse-point",
    "indexable",
]
"""Why a record was written; each of them moves the file's USN (2.1)."""

RECORD = 60
"""Bytes of a journal record before the name; a USN is an offset in the journal's stream (2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of the journal: the reason, never the content."""

    usn: int
    file_id: str
    reason: Reason
    name: str


@dataclass(slots=True, kw_only=True)
class Node:
    """A file or a folder. `children` by up-cased name."""

    number: int
    sequence: int
    name: str
    folder: bool
    blake3: str = ""
    size: int = 0
    usn: int = 0
    modified: datetime
    changed: datetime
    attributes: int = ARCHIVE
    links: int = 1
    open_state: OpenState = "closed"
    denied: bool = False
    streams: set[str] = field(default_factory=set)
    children: dict[str, Node] = field(default_factory=dict)

    @property
    def file_id(self) -> str:
        """Sequence and record number, as `GetFileInformationByHandle` gives them: 16 hex digits."""
        return f"{self.sequence << 48 | self.number:016x}"

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Node, Node]]:
        """Path, node and parent of everything below."""
        for node in self.children.values():
            yield prefix + node.name, node, self
            yield from node.walk(f"{prefix}{node.name}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A volume's whole state, contents by hash."""

    root: Node
    journal: Journal
    serial: str
    free: dict[int, int]
    highest: int


class Volume:
    """Nodes, file ids and the journal. Knows nothing of case files, HTTP or people."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.serial = _fresh_id()
        self.journal = Journal(id=_fresh_id(), first_usn=0, next_usn=0)
        self.records: list[Record] = []
        self.reuse_file_ids = False
        """A deleted file's whole id may name the next new file; usually only its record number does (2.2)."""
        self._free: dict[int, int] = {}
        self._highest = 4
        self.contents = Path(tempfile.mkdtemp(prefix="watcher-emulator-"))
        weakref.finalize(self, shutil.rmtree, self.contents, ignore_errors=True)
        now = self.clock.now()
        self.root = Node(number=5, sequence=5, name="", folder=True, modified=now, changed=now, attributes=FOLDER)

    # -- contents

    def keep(self, content: bytes) -> tuple[str, int]:
        """Store bytes under their hash."""
        digest = blake3.blake3(content).hexdigest()
        place = self.contents / digest
        if not place.exists():
            place.write_bytes(content)
        return digest, len(content)

    def adopt(self, spooled: Path, digest: str) -> None:
        """The same for a file that lies in `contents` already."""
        spooled.replace(self.contents / digest)

    # -- the journal

    def note(self, node: Node, *reasons: Reason) -> None:
        """One record per reason; the last one's USN is the file's (2.1: several writes may collapse, a close adds one)."""
        for reason in reasons:
            record = Record(usn=self.journal.next_usn, file_id=node.file_id, reason=reason, name=node.name)
            length = -(-(RECORD + 2 * names.units(node.name)) // 8) * 8
            if self.journal.active:
                self.records.append(record)
                node.usn = record.usn
                self.journal = Journal(
                    id=self.journal.id, first_usn=self.journal.first_usn, next_usn=record.usn + length
                )
        node.changed = self.clock.now()

    def delete_journal(self) -> None:
        """Every file's USN becomes zero (2.1), and nothing is recorded until there is a new journal."""
        for _, node, _ in self.root.walk():
            node.usn = 0
        self.records.clear()
        self.journal = Journal(id=self.journal.id, first_usn=0, next_usn=0, active=False)

    def create_journal(self) -> None:
        """A new id, beginning at zero."""
        self.journal = Journal(id=_fresh_id(), first_usn=0, next_usn=0)

    def restamp_journal(self) -> None:
        """A new id, going on where the old one was (2.1)."""
        self.journal = Journal(
            id=_fresh_id(), first_usn=self.journal.next_usn, next_usn=self.journal.next_usn, active=True
        )

    def wrap_journal(self, keep: int = 0) -> None:
        """All but the newest `keep` records are gone."""
        kept = self.records[len(self.records) - keep :]
        self.records = kept
        first = kept[0].usn if kept else self.journal.next_usn
        self.journal = Journal(id=self.journal.id, first_usn=first, next_usn=self.journal.next_usn)

    # -- nodes

    def lookup(self, parts: list[str]) -> Node | None:
        """By up-cased names; None if there is none."""
        node = self.root
        for part in parts:
            child = node.children.get(names.upcase(part))
            if child is None:
                return None
            node = child
        return node

    def make_folder(self, parts: list[str]) -> Node:
        """The folder, made with all that lead to it."""
        node = self.root
        for part in parts:
            child = node.children.get(names.upcase(part))
            if child is None:
                child = self._new(part, folder=True)
                node.children[names.upcase(part)] = child
                self.note(child, "create", "close")
            if not child.folder:
                raise Refused("denied", f"{child.name} is a file")
            node = child
        return node

    def create(self, folder: Node, name: str) -> Node:
        """An empty file; the caller writes into it and closes it."""
        reason = names.refusal(name)
        if reason is not None:
            raise Refused("bad-name", f"{name!r}: {reason}")
        if names.upcase(name) in folder.children:
            raise FileExistsError(name)
        node = self._new(name, folder=False)
        folder.children[names.upcase(name)] = node
        self.note(node, "create")
        return node

    def fill(self, node: Node, digest: str, size: int, *reasons: Reason) -> None:
        """New content into the same file: the id stays, the USN moves."""
        node.blake3, node.size = digest, size
        node.modified = self.clock.now()
        self.note(node, *reasons, "close")

    def remove(self, folder: Node, node: Node) -> None:
        """Its record number becomes free; the next new file gets it, with a higher sequence."""
        self.note(node, "delete", "close")
        node.links -= 1
        del folder.children[names.upcase(node.name)]
        self._free[node.number] = node.sequence if self.reuse_file_ids else node.sequence + 1

    def move(self, source: Node, node: Node, target: Node, name: str) -> None:
        """Rename within the volume: two records, the id stays (2.1, 2.2)."""
        reason = names.refusal(name)
        if reason is not None:
            raise Refused("bad-name", f"{name!r}: {reason}")
        key = names.upcase(name)
        if target.children.get(key, node) is not node:
            raise FileExistsError(name)
        self.note(node, "rename-old")
        del source.children[names.upcase(node.name)]
        node.name = name
        target.children[key] = node
        self.note(node, "rename-new", "close")

    def replace(self, folder: Node, old: Node, new_folder: Node, new: Node) -> None:
        """`ReplaceFile`: the new file takes the place and the name, keeps **its** id, and inherits the old one's streams and
        attributes (2.2, 2.3)."""
        new.streams, new.attributes = set(old.streams), old.attributes
        name = old.name
        self.remove(folder, old)
        self.move(new_folder, new, folder, name)

    def snapshot(self) -> Snapshot:
        return Snapshot(
            root=copy.deepcopy(self.root),
            journal=self.journal,
            serial=self.serial,
            free=dict(self._free),
            highest=self._highest,
        )

    def restore(self, snapshot: Snapshot) -> None:
        """The disk's image of then: files **and** journal go back, so the id is the same and the USNs are lower (2.1)."""
        self.root = copy.deepcopy(snapshot.root)
        self.journal, self.serial = snapshot.journal, snapshot.serial
        self._free, self._highest = dict(snapshot.free), snapshot.highest
        self.records = [record for record in self.records if record.usn < snapshot.journal.next_usn]

    def replace_hardware(self) -> None:
        """The same files on another volume: new serial, new journal, new ids, new USNs; times stay."""
        self.serial = _fresh_id()
        self.create_journal()
        self.records.clear()
        self._free.clear()
        for _, node, _ in self.root.walk():
            node.number, node.sequence = self._record_number()
            changed = node.changed
            self.note(node, "create", "close")
            node.changed = changed

    def _new(self, name: str, *, folder: bool) -> Node:
        number, sequence = self._record_number()
        now = self.clock.now()
        return Node(
            number=number,
            sequence=sequence,
            name=name,
            folder=folder,
            modified=now,
            changed=now,
            attributes=FOLDER if folder else ARCHIVE,
            blake3="" if folder else self.keep(b"")[0],
        )

    def _record_number(self) -> tuple[int, int]:
        if self._free:
            number = min(self._free)
            return number, self._free.pop(number)
        self._highest += 32
        return self._highest, 1


def _fresh_id() -> str:
    """64 bits, as volumes and journals have them."""
    return uuid.uuid4().hex[:16]
