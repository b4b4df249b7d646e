"""The emulated watcher over a real folder (`docsyncd emulate watcher --root DIR`): each sub-folder is a case file.

The folder's own file system gives sizes, times and identity (device and inode); USNs are counted here, one for each difference
that is noticed. The journal's id is new at each start, as after `fsutil usn deletejournal`. What is replaced moves into the
sub-folder `.quarantine`, which is no case file.
"""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from blake3 import blake3

from docsyncd_watcher.emulator import names
from docsyncd_watcher.emulator.disk import ARCHIVE, FOLDER, REPARSE_POINT, Journal, Refused, Seen

QUARANTINE = ".quarantine"

_Stamp = tuple[int, int, int, int, int]


class Folder:
    """Satisfies `Disk`. Names that are not UTF-8 on the disk cannot be NTFS names and are left out, with a count."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve(strict=True)
        if not self.root.is_dir():
            raise NotADirectoryError(20, os.strerror(20), str(root))
        self.left_out = 0
        self._journal_id = uuid.uuid4().hex[:16]
        self._next_usn = 0
        self._known: dict[Path, tuple[_Stamp, int, str]] = {}

    @property
    def serial(self) -> str:
        return f"{self.root.stat().st_dev:016x}"

    @property
    def journal(self) -> Journal:
        return Journal(id=self._journal_id, first_usn=0, next_usn=self._next_usn)

    def root_id(self, case_file: str) -> str | None:
        folder = self._folder(case_file)
        return None if folder is None else f"{folder.stat().st_ino:016x}"

    def listing(self, case_file: str) -> Sequence[Seen]:
        folder = self._folder(case_file)
        return [] if folder is None else [self._seen(path, folder) for path in self._walk(folder)]

    def find(self, case_file: str, path: str) -> Seen | None:
        folder = self._folder(case_file)
        place = None if folder is None else self._place(folder, path)
        return None if folder is None or place is None or place.is_dir() else self._seen(place, folder)

    def require_readable(self, case_file: str, path: str) -> Seen:
        found = self.find(case_file, path)
        if found is None:
            raise Refused("absent", "there is no such file")
        if not os.access(found.bytes_at, os.R_OK):
            raise Refused("denied", "the watcher's account may not open this file")
        return found

    def require_writable(self, case_file: str, path: str) -> None:
        for part in (case_file, *path.split("/")):
            reason = names.refusal(part)
            if reason is not None:
                raise Refused("bad-name", reason)
        folder = self._folder(case_file)
        place = None if folder is None else self._place(folder, path)
        if place is not None and (place.is_dir() or place.is_symlink()):
            raise Refused("denied", "a folder or a link")

    def spool(self) -> Path:
        quarantine = self.root / QUARANTINE
        quarantine.mkdir(exist_ok=True)
        return quarantine / uuid.uuid4().hex

    def commit(self, case_file: str, path: str, spooled: Path, blake3: str, size: int) -> tuple[Seen, str | None]:
        folder = self._folder(case_file) or self.root / case_file
        folder.mkdir(exist_ok=True)
        place = self._place(folder, path)
        reference = None
        if place is not None:
            reference = uuid.uuid4().hex
            os.link(place, self.root / QUARANTINE / reference)
        else:
            place = self._new_place(folder, path)
        spooled.replace(place)
        seen = self._seen(place, folder)
        if (seen.blake3, seen.size) != (blake3, size):
            raise Refused("busy", "the file was changed while it was put in place")
        return seen, reference

    def _folder(self, case_file: str) -> Path | None:
        if case_file.startswith(".") or names.refusal(case_file) is not None:
            return None
        found = self._child(self.root, case_file)
        return found if found is not None and found.is_dir() and not found.is_symlink() else None

    def _place(self, folder: Path, path: str) -> Path | None:
        """Where the path leads, in whatever case it is written; never out of the folder, for no part is `..`."""
        at: Path | None = folder
        for part in path.split("/"):
            at = None if at is None or names.refusal(part) else self._child(at, part)
        return at

    def _new_place(self, folder: Path, path: str) -> Path:
        *folders, name = path.split("/")
        at = folder
        for part in folders:
            at = self._child(at, part) or at / part
            at.mkdir(exist_ok=True)
        return at / name

    def _child(self, folder: Path, name: str) -> Path | None:
        if not folder.is_dir():
            return None
        exact = folder / name
        if os.path.lexists(exact):
            return exact
        key = names.upcase(name)
        return next((entry for entry in folder.iterdir() if names.upcase(entry.name) == key), None)

    def _walk(self, folder: Path) -> Iterator[Path]:
        for entry in sorted(folder.iterdir()):
            try:
                entry.name.encode("utf-8")
            except UnicodeEncodeError:
                self.left_out += 1
                continue
            yield entry
            if entry.is_dir() and not entry.is_symlink():
                yield from self._walk(entry)

    def _seen(self, place: Path, folder: Path) -> Seen:
        entry = place.lstat()
        usn, digest = self._noticed(place, entry)
        is_folder, is_link = stat.S_ISDIR(entry.st_mode), stat.S_ISLNK(entry.st_mode)
        return Seen(
            path=place.relative_to(folder).as_posix(),
            file_id=f"{entry.st_ino:016x}",
            parent_id=f"{place.parent.stat().st_ino:016x}",
            usn=usn,
            size=0 if is_folder else entry.st_size,
            modified=datetime.fromtimestamp(entry.st_mtime_ns / 1e9, UTC),
            changed=datetime.fromtimestamp(entry.st_ctime_ns / 1e9, UTC),
            attributes=(FOLDER if is_folder else ARCHIVE) | (REPARSE_POINT if is_link else 0),
            links=1 if is_folder else entry.st_nlink,
            open_state="closed",
            blake3=digest,
            bytes_at=place,
        )

    def _noticed(self, place: Path, entry: os.stat_result) -> tuple[int, str]:
        """USN and hash: as they were while inode, size and both times are the same."""
        stamp = (entry.st_dev, entry.st_ino, entry.st_size, entry.st_mtime_ns, entry.st_ctime_ns)
        known = self._known.get(place)
        if known is not None and known[0] == stamp:
            return known[1], known[2]
        usn, self._next_usn = self._next_usn, self._next_usn + 80
        digest = _digest(place) if stat.S_ISREG(entry.st_mode) and os.access(place, os.R_OK) else ""
        self._known[place] = (stamp, usn, digest)
        return usn, digest


def _digest(place: Path) -> str:
    hasher = blake3()
    hasher.update_mmap(place)
    return hasher.hexdigest()
