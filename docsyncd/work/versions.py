"""The version store: every content that is about to be replaced or removed is here first, on the disk, by its own hash.

Contents lie under `contents/<first two digits>/<blake3>`, once each; what they were (case file, path, side, when, why) stands in
`journal/<case-file number>.jsonl`, one line per occasion, appended and fsynced before `keep` returns. A content without a line
is removed by `purge`, a line without its content is said so. EspoCRM cannot be this store: replacing a file removes the
previous attachment at once (reference: espocrm.md, 4.4). Design: case-file-sync.md, 9.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import anyio.to_thread
from pydantic import BaseModel, ConfigDict, ValidationError

from docsyncd.clock import Clock
from docsyncd.core.model import CaseFileNumber, ContentHash, RelativePath, Side
from docsyncd.errors import DocsyncdError, SafetyHalt
from docsyncd.hashing import digest_file
from docsyncd.ports import Staged
from docsyncd.work.durable import sync_folder

RESERVE = 0.10
"""Part of the quota that must stay free: below it nothing is replaced or removed any more (valve V14)."""

_HASH = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"[^/\x00]{1,64}")


class VersionMissing(DocsyncdError):
    """No such content is kept, or its bytes are damaged; the text says which."""


class Version(BaseModel):
    """One occasion on which a content was kept.

    :param reason: a word or two for people: `replaced by Windows`, `lost the conflict`, `deleted on Windows`.
    :param operation: the id of the operation that was about to happen; keeping twice for one operation is one line.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    case_file: CaseFileNumber
    path: RelativePath
    side: Side
    content: ContentHash
    size: int
    at: datetime
    reason: str
    operation: str


class VersionStore:
    """One folder, used by one daemon host. Blocking work runs in threads.

    :param quota: bytes of contents at most.
    :param retention: seconds that a version is kept at least.
    """

    def __init__(self, folder: Path, clock: Clock, *, quota: int, retention: float) -> None:
        self._contents = folder / "contents"
        self._journal = folder / "journal"
        self._clock = clock
        self._quota = quota
        self._retention = timedelta(seconds=retention)
        self._one_writer = anyio.Lock()
        self._used: int | None = None

    async def keep(self, staged: Staged, version: Version) -> None:
        """Returns after content and line are on the disk. `SafetyHalt` V14 if there is no room or the disk refuses."""
        if version.content != staged.digests.blake3 or version.size != staged.size:
            raise ValueError("the version does not describe the staged content")
        async with self._one_writer:
            try:
                await anyio.to_thread.run_sync(self._keep, staged, version)
            except OSError as error:
                raise SafetyHalt(f"the version store cannot be written: {error}", valve="version-store") from error

    async def require_room(self, size: int = 0) -> None:
        """Raise `SafetyHalt` unless `size` more bytes leave the reserve free."""
        try:
            used = await anyio.to_thread.run_sync(self._usage)
            free = await anyio.to_thread.run_sync(self._free)
        except OSError as error:
            raise SafetyHalt(f"the version store cannot be read: {error}", valve="version-store") from error
        if used + size > self._quota * (1 - RESERVE):
            raise SafetyHalt(f"the version store holds {used} of {self._quota} bytes", valve="version-store")
        if size > free:
            raise SafetyHalt(f"the disk of the version store has {free} bytes free", valve="version-store")

    async def versions(self, case_file: CaseFileNumber, path: RelativePath | None = None) -> Sequence[Version]:
        """What is kept of a case file, newest first."""
        found = await anyio.to_thread.run_sync(lambda: list(self._lines(self._journal_of(case_file))))
        return sorted((v for v in found if path is None or v.path == path), key=lambda v: v.at, reverse=True)

    async def content(self, content: ContentHash) -> Staged:
        """The bytes, hashed anew. `VersionMissing` if they are not there or no longer what they were."""
        return await anyio.to_thread.run_sync(self._verified, content)

    async def purge(self) -> int:
        """Forget what is past its retention; the number of contents that were removed."""
        async with self._one_writer:
            return await anyio.to_thread.run_sync(self._purge)

    def _keep(self, staged: Staged, version: Version) -> None:
        journal = self._journal_of(version.case_file)
        self._store(staged)
        if any(line.operation == version.operation and line.side == version.side for line in self._lines(journal)):
            return
        journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with journal.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0, os.SEEK_END)
            torn = file.tell() > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
            file.write((b"\n" if torn else b"") + version.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync_folder(journal.parent)

    def _store(self, staged: Staged) -> None:
        """Copy, fsync, rename: a content is there wholly or not at all."""
        place = self._place(staged.digests.blake3)
        if place.exists() and digest_file(place).blake3 == staged.digests.blake3:
            return
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".new-")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as target, staged.path.open("rb") as source:
                shutil.copyfileobj(source, target, 1024 * 1024)
                target.flush()
                os.fsync(target.fileno())
            temporary.rename(place)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(place.parent)
        sync_folder(self._contents)
        if self._used is not None:
            self._used += staged.size

    def _verified(self, content: ContentHash) -> Staged:
        place = self._place(content)
        if not place.is_file():
            raise VersionMissing(f"no version with the hash {content} is kept")
        digests = digest_file(place)
        if digests.blake3 != content:
            raise VersionMissing(f"the version {content} is damaged: its bytes hash to {digests.blake3}")
        return Staged(path=place, digests=digests)

    def _purge(self) -> int:
        horizon = self._clock.now() - self._retention
        needed: set[str] = set()
        for journal in self._journal.glob("*.jsonl"):
            lines = list(self._lines(journal))
            kept = [line for line in lines if line.at >= horizon]
            needed.update(line.content for line in kept)
            if len(kept) < len(lines):
                _replace(journal, b"".join(line.model_dump_json().encode() + b"\n" for line in kept))
        removed = 0
        for place in self._contents.glob("??/*"):
            fresh = place.stat().st_mtime > horizon.timestamp()
            if place.name not in needed and (not fresh or place.name.startswith(".new-")):
                place.unlink()
                removed += 1
        self._used = None
        return removed

    def _usage(self) -> int:
        if self._used is None:
            self._used = sum(place.stat().st_size for place in self._contents.glob("??/*"))
        return self._used

    def _free(self) -> int:
        self._contents.mkdir(mode=0o700, parents=True, exist_ok=True)
        return shutil.disk_usage(self._contents).free

    def _lines(self, journal: Path) -> Iterator[Version]:
        """Whole lines only: a torn one was never acknowledged."""
        with contextlib.suppress(FileNotFoundError), journal.open("rb") as file:
            for line in file:
                with contextlib.suppress(ValidationError):
                    yield Version.model_validate_json(line)

    def _journal_of(self, case_file: CaseFileNumber) -> Path:
        if _NUMBER.fullmatch(case_file) is None or case_file in (".", ".."):
            raise ValueError(f"{case_file!r} is no case-file number")
        return self._journal / f"{case_file}.jsonl"

    def _place(self, content: str) -> Path:
        if _HASH.fullmatch(content) is None:
            raise ValueError(f"{content!r} is no content hash")
        return self._contents / content[:2] / content


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    sync_folder(path.parent)
