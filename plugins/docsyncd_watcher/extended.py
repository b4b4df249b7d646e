"""Level extended: every write is conditional at the watcher itself, `guard=enforced` (docs/reference/watcher-protocol.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import anyio.to_thread
import structlog
from blake3 import blake3

from docsyncd.api import (
    Absent,
    CaseFileNumber,
    ContentHash,
    CorruptContent,
    Download,
    FileState,
    LeaseLost,
    PreconditionFailed,
    RelativePath,
    RemoteError,
    Reply,
    Scan,
    Staged,
)
from docsyncd_watcher import names, wire
from docsyncd_watcher.basic import known_content
from docsyncd_watcher.lines import Lines
from docsyncd_watcher.refusals import STALE_FENCE, classify, code, explain

log = structlog.get_logger(__name__)

GUARD: Final = "enforced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the watcher says of a file that it has just looked at."""

    state: wire.WireState
    content: ContentHash | None


class ExtendedLevel:
    """One watcher of this level."""

    def __init__(self, lines: Lines, instance: str) -> None:
        self._lines = lines
        self.instance = instance

    async def scan(self, case_file: CaseFileNumber) -> Scan:
        reply = await self._lines.ask("GET", names.listing_path(case_file))
        scan = partial(wire.extended_scan, reply, case_file, instance=self.instance, remote=self._lines.remote)
        return await anyio.to_thread.run_sync(scan)  # a quarter of a second for 10,000 files

    @asynccontextmanager
    async def read(self, case_file: CaseFileNumber, file: FileState) -> AsyncIterator[Download]:
        """What was listed, or nothing: by file id, size and hash. A USN that moved alone is no other content."""
        remote = self._lines.remote
        path = names.file_path(case_file, file.path, remote=remote)
        async with self._lines.get(path) as (reply, chunks):
            if reply.status == 404:
                raise PreconditionFailed("the file is gone", remote=remote)
            state = wire.read_state(reply, remote=remote)
            told = wire.content_hash(reply.headers.get("X-Blake3-Hash"))
            if not _is_what_was_listed(file, state, told):
                raise PreconditionFailed("the file was changed since it was listed", remote=remote)
            name = file.path.rpartition("/")[2]
            yield Download(name=name, size=state.size, chunks=self._verified(path, state, chunks))

    async def _verified(self, path: str, began: wire.WireState, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The bytes; at the end, or where they break off, the watcher is asked what stands there now."""
        hasher = blake3()
        try:
            async for chunk in chunks:
                hasher.update(chunk)
                yield chunk
        except RemoteError:
            now = await self._look(path)
            if now is None or now.state != began:
                raise self._changed_meanwhile() from None
            raise
        now = await self._look(path)
        if now is None or now.state.file_id != began.file_id:
            raise self._changed_meanwhile()
        if now.content != hasher.hexdigest():
            if now.state != began:
                raise self._changed_meanwhile()
            raise CorruptContent("other bytes came than the watcher has", remote=self._lines.remote)

    async def write(
        self,
        case_file: CaseFileNumber,
        path: RelativePath,
        staged: Staged,
        *,
        expect: FileState | Literal[Absent.ABSENT],
        operation: str,
        fence: int,
    ) -> FileState:
        remote = self._lines.remote
        condition = {"If-None-Match": "*"} if isinstance(expect, Absent) else {"If-Match": f'"{known_content(expect)}"'}
        reply = await self._lines.put(
            names.upload_path(case_file, path, remote=remote),
            staged,
            repeatable=True,
            headers={**condition, "X-Operation-Id": operation, "X-Fence": str(fence)},
            accept={409},
        )
        if reply.status == 409:
            raise self._conflict(reply)
        written = wire.read(wire.WireWritten, reply, remote=remote)
        if wire.content_hash(written.file.blake3_hash) != staged.digests.blake3:
            raise CorruptContent("the watcher stored other bytes than were sent", remote=remote)
        log.info(
            "watcher.wrote",
            remote=remote,
            operation=operation,
            quarantine=written.quarantine,
            replayed=written.replayed,
        )
        return await self._read_back(case_file, relative_of(written, path), staged)

    async def _read_back(self, case_file: CaseFileNumber, path: RelativePath, staged: Staged) -> FileState:
        """The watcher reads and hashes once more what it serves now; a person may have saved since."""
        now = await self._look(names.file_path(case_file, path, remote=self._lines.remote))
        if now is None or now.content != staged.digests.blake3:
            raise PreconditionFailed("other bytes stand there than were just written", remote=self._lines.remote)
        return FileState(
            path=path,
            revision=now.state.revision(),
            size=now.state.size,
            modified_at=now.state.modified,
            content=now.content,
            file_id=now.state.file_id,
        )

    async def _look(self, path: str) -> Standing | None:
        reply = await self._lines.ask("HEAD", path, accept={404})
        if reply.status == 404:
            return None
        state = wire.read_state(reply, remote=self._lines.remote)
        return Standing(state=state, content=wire.content_hash(reply.headers.get("X-Blake3-Hash")))

    def _conflict(self, reply: Reply) -> Exception:
        if code(reply) == STALE_FENCE:
            return LeaseLost(f"{self._lines.remote}: a newer lease has written already: {explain(reply)}")
        known = classify(reply, remote=self._lines.remote)
        return known or PreconditionFailed(explain(reply), remote=self._lines.remote)

    def _changed_meanwhile(self) -> PreconditionFailed:
        return PreconditionFailed("the file was changed while it was read", remote=self._lines.remote)


def relative_of(written: wire.WireWritten, path: RelativePath) -> RelativePath:
    """As the disk spells it: a file that is replaced keeps the case of its name."""
    told = names.relative(written.file.path)
    return told if told.casefold() == path.casefold() else path


def _is_what_was_listed(file: FileState, state: wire.WireState, told: ContentHash | None) -> bool:
    same_file = file.file_id in (None, state.file_id) and file.size in (None, state.size)
    return same_file and (file.content is None or told is None or file.content == told)
