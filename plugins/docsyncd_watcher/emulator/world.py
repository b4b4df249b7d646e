"""The file server's people: what they, Word, virus scanners, backups and administrators do to the case files."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from docsyncd_watcher.emulator import names
from docsyncd_watcher.emulator.disk import REPARSE_POINT, OpenState, Seen
from docsyncd_watcher.emulator.ntfs import Reason, Snapshot
from docsyncd_watcher.emulator.served import NtfsDisk, require_free

NOISE: Final[tuple[Reason, ...]] = (
    *("basic-info", "security", "hard-link", "stream", "ea", "compression", "encryption", "object-id"),
    *("reparse-point", "indexable"),
)
"""Every reason that moves a USN while the content stays (2.1)."""


class World(NtfsDisk):
    """The case files on an NTFS volume. Read it and act on it freely between requests; paths are written with `/`.

    People and their programs, each as `(case file, path, …)`:

    * `save(…, content)`: create, or write into the same file (the id stays); `append(…, content)`
    * `word_open(…)`, `word_save(…, content)`, `word_close(…)`: owner file, temporary file, rename into place: **a new file id**
    * `rename(…, to)`, `swap(…, other)`, `delete(…)`, `copy(…, to)`, `move(…, other case file, to)`
    * `lock(…)`, `lock(…, "reading" | "writing")`, `unlock(…)`: who has it open; `deny(…)`, `allow(…)`: the ACL
    * `touch(…)`, `stir(…, reason)`: the USN moves and the content stays; `mark_downloaded(…)`: the Zone.Identifier stream
    * `link_hard(…)`, `make_reparse_point(…)`: no ordinary files any more

    Administrators:

    * `reset_journal()`, `delete_journal()`, `create_journal()`, `restamp_journal()`, `wrap_journal()`
    * `replace_volume()`: other hardware, same files
    * `snapshot()` and `restore(snapshot)`: the image, so the same journal id and lower USNs; `restore_files(snapshot, case file)`:
      backup software writes the old contents over the present files, with their old times
    * `go_offline()`, `come_back()`: the volume is away
    * `reuse_file_ids(True)`: a deleted file's whole id names the next new one

    Eyes: `case_files()`, `names(case file)`, `content(…)`, `blake3(…)`, `seen(…)`, `streams(…)`, `contents(case file)`, `journal`,
    `records()`, `quarantine` (reference → bytes), `writes` (how many PUTs took effect).
    """

    # -- what people do

    def open_case_file(self, case_file: str) -> None:
        """An empty folder."""
        self.volume.make_folder([case_file])

    def save(self, case_file: str, path: str, content: bytes) -> Seen:
        """A program writes into the file, or makes it. The id stays."""
        node = self._lookup(case_file, path)
        digest, size = self.volume.keep(content)
        if node is None:
            node = self._create(case_file, path)
            self.volume.fill(node, digest, size, "data-extend")
        else:
            require_free(node)
            self.volume.fill(node, digest, size, "data-truncation", "data-extend", "data-overwrite")
        return self.seen(case_file, path)

    def append(self, case_file: str, path: str, content: bytes) -> Seen:
        """As a log or a mail archive grows."""
        node = self._node(case_file, path)
        digest, size = self.volume.keep(self.content(case_file, path) + content)
        self.volume.fill(node, digest, size, "data-extend")
        return self.seen(case_file, path)

    def word_open(self, case_file: str, path: str) -> None:
        """Word puts its owner file beside the document and keeps the document open."""
        folder, _, name = path.rpartition("/")
        node = self._node(case_file, path)
        owner = names.owner_file(name)
        self.save(case_file, f"{folder}/{owner}" if folder else owner, b"\x05Lawyer".ljust(162, b"\x00"))
        node.open_state = "writing"

    def word_save(self, case_file: str, path: str, content: bytes) -> Seen:
        """Save, as Word does it (2.4): write a temporary file, put the old one aside, rename into place, delete the old one.

        The path has another file id afterwards. Owner file and open state are as they were before.
        """
        folder, _, name = path.rpartition("/")
        prefix = f"{folder}/" if folder else ""
        digits = int(hashlib.sha256(content).hexdigest()[:4], 16) % 10_000
        fresh, aside = f"{prefix}~WRD{digits:04}.tmp", f"{prefix}~WRL{digits:04}.tmp"
        old = self._lookup(case_file, path)
        self.save(case_file, fresh, content)
        state: OpenState = "closed"
        if old is not None:
            state, old.open_state = old.open_state, "closed"
            self.rename(case_file, path, aside)
        self.rename(case_file, fresh, prefix + name)
        if old is not None:
            self.delete(case_file, aside)
        self._node(case_file, path).open_state = state
        return self.seen(case_file, path)

    def word_close(self, case_file: str, path: str) -> None:
        """The owner file goes, the document is free."""
        folder, _, name = path.rpartition("/")
        owner = names.owner_file(name)
        self.delete(case_file, f"{folder}/{owner}" if folder else owner)
        self.unlock(case_file, path)

    def rename(self, case_file: str, path: str, to: str) -> Seen:
        """Also in case only, and into another folder of the case file. `FileExistsError` if the name is taken."""
        return self.move(case_file, path, case_file, to)

    def move(self, case_file: str, path: str, other: str, to: str) -> Seen:
        """To another case file of the volume; the id stays."""
        node = self._node(case_file, path)
        require_free(node)
        folder, _, name = to.rpartition("/")
        target = self.volume.make_folder([other, *filter(None, folder.split("/"))])
        self.volume.move(self._parent(case_file, path), node, target, name)
        return self.seen(other, to)

    def swap(self, case_file: str, path: str, other: str) -> None:
        """Two files change names."""
        folder = path.rpartition("/")[0]
        aside = f"{folder}/{uuid.uuid4().hex}" if folder else uuid.uuid4().hex
        self.rename(case_file, path, aside)
        self.rename(case_file, other, path)
        self.rename(case_file, aside, other)

    def copy(self, case_file: str, path: str, to: str) -> Seen:
        """The same content under another name and id."""
        return self.save(case_file, to, self.content(case_file, path))

    def delete(self, case_file: str, path: str) -> None:
        """For good; its record number is free for the next new file."""
        node = self._node(case_file, path)
        require_free(node)
        self.volume.remove(self._parent(case_file, path), node)

    def lock(self, case_file: str, path: str, state: OpenState = "exclusive") -> None:
        """Somebody has it open: `reading` lets others write, `writing` lets others read, `exclusive` nobody."""
        self._node(case_file, path).open_state = state

    def unlock(self, case_file: str, path: str) -> None:
        self._node(case_file, path).open_state = "closed"

    def deny(self, case_file: str, path: str) -> None:
        """The watcher's account loses its rights; the listing still shows the file."""
        node = self._node(case_file, path)
        node.denied = True
        self.volume.note(node, "security", "close")

    def allow(self, case_file: str, path: str) -> None:
        node = self._node(case_file, path)
        node.denied = False
        self.volume.note(node, "security", "close")

    def touch(self, case_file: str, path: str, modified: datetime | None = None) -> Seen:
        """Another time of change, the same content."""
        node = self._node(case_file, path)
        node.modified = modified or self.volume.clock.now()
        self.volume.note(node, "basic-info", "close")
        return self.seen(case_file, path)

    def stir(self, case_file: str, path: str, reason: Reason) -> Seen:
        """Any of `NOISE`: the USN moves, the times and the content stay."""
        self.volume.note(self._node(case_file, path), reason, "close")
        return self.seen(case_file, path)

    def mark_downloaded(self, case_file: str, path: str) -> Seen:
        """The browser or the mail program adds the stream `Zone.Identifier`."""
        self._node(case_file, path).streams.add("Zone.Identifier")
        return self.stir(case_file, path, "stream")

    def link_hard(self, case_file: str, path: str) -> Seen:
        """A second name for the file, outside of the case files."""
        self._node(case_file, path).links += 1
        return self.stir(case_file, path, "hard-link")

    def make_reparse_point(self, case_file: str, path: str) -> Seen:
        """Archived to another storage: reading would fetch it, or follow a link."""
        self._node(case_file, path).attributes |= REPARSE_POINT
        return self.stir(case_file, path, "reparse-point")

    # -- what administrators do

    def reset_journal(self) -> None:
        """Deleted and made anew: all USNs are zero and the numbers begin again."""
        self.volume.delete_journal()
        self.volume.create_journal()

    def delete_journal(self) -> None:
        """Without a new one: USNs are zero and stay it."""
        self.volume.delete_journal()

    def create_journal(self) -> None:
        self.volume.create_journal()

    def restamp_journal(self) -> None:
        """A new journal id, the USNs go on."""
        self.volume.restamp_journal()

    def wrap_journal(self) -> None:
        """Its oldest records are gone; no USN changes."""
        self.volume.wrap_journal()

    def replace_volume(self) -> None:
        """Other hardware: serial, journal, ids and USNs are new; the files are the same."""
        self.volume.replace_hardware()

    def snapshot(self) -> Snapshot:
        """The disk's image."""
        return self.volume.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Everything is as it was then, the journal's end included, under the same journal id."""
        self.volume.restore(snapshot)

    def restore_files(self, snapshot: Snapshot, case_file: str | None = None) -> int:
        """As backup software does it, file by file: old contents and times come back under new USNs; what is newer than the
        backup and stands at another path stays. Returns the number of files written."""
        written = 0
        for path, old, _ in snapshot.root.walk():
            number, _, inner = path.partition("/")
            if old.folder or (case_file is not None and number != case_file):
                continue
            node = self._lookup(number, inner)
            if node is not None and node.blake3 == old.blake3:
                continue
            if node is None:
                node = self._create(number, inner)
            self.volume.fill(node, old.blake3, old.size, "data-truncation", "data-extend")
            node.modified = old.modified
            self.volume.note(node, "basic-info", "close")
            written += 1
        return written

    def go_offline(self) -> None:
        """The volume is away; the watcher still answers."""
        self.online = False

    def come_back(self) -> None:
        self.online = True

    def reuse_file_ids(self, whole: bool) -> None:
        """From now on a deleted file's id, sequence included, names the next new file."""
        self.volume.reuse_file_ids = whole

    # -- eyes

    def case_files(self) -> list[str]:
        return sorted(node.name for node in self.volume.root.children.values())

    def names(self, case_file: str) -> list[str]:
        """Paths of all files, sorted."""
        return sorted(seen.path for seen in self.listing(case_file) if not self._node(case_file, seen.path).folder)

    def content(self, case_file: str, path: str) -> bytes:
        return self.seen(case_file, path).bytes_at.read_bytes()

    def contents(self, case_file: str) -> dict[str, bytes]:
        """Every file's bytes by its path."""
        return {path: self.content(case_file, path) for path in self.names(case_file)}

    def blake3(self, case_file: str, path: str) -> str:
        return self._node(case_file, path).blake3

    def streams(self, case_file: str, path: str) -> set[str]:
        """Named streams besides the content."""
        return set(self._node(case_file, path).streams)

    def seen(self, case_file: str, path: str) -> Seen:
        """The file as a listing shows it; `KeyError` if there is none."""
        return self._seen(path, self._node(case_file, path), self._parent(case_file, path))

    def records(self) -> Sequence[tuple[int, str, str]]:
        """The journal: USN, reason and name."""
        return [(record.usn, record.reason, record.name) for record in self.volume.records]
