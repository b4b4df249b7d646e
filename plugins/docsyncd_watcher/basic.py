"""Level basic: the seed's three endpoints, `guard=checked`.

Nothing at this watcher makes a write conditional. So what is to be replaced is read and hashed immediately before the upload, the
answer is compared, and what stands there afterwards is read and hashed again. Between the first look and the upload a user's save
can still be overwritten: the version store has what was read then, not that. Only level extended closes this gap.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Literal

import anyio
import anyio.to_thread
import structlog
import tenacity
from blake3 import blake3

from docsyncd.api import (
    Absent,
    CaseFileNumber,
    ContentHash,
    CorruptContent,
    Download,
    FileState,
    OutcomeUnknown,
    PreconditionFailed,
    ProtocolViolation,
    Rejected,
    RelativePath,
    Reply,
    RequestFailed,
    Revision,
    Scan,
    Staged,
)
from docsyncd_watcher import basic_wire, names
from docsyncd_watcher.lines import Lines

log = structlog.get_logger(__name__)

GUARD: Final = "checked"


class BasicLevel:
    """One watcher of this level."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._told: frozenset[str] = frozenset()

    async def scan(self, case_file: CaseFileNumber) -> Scan:
        """A case file that the watcher says not to know is `Rejected`: nobody has said that 404 means "no files"."""
        config = self._lines.config
        reply = await self._lines.ask("GET", names.listing_path(case_file), accept={404})
        if reply.status == 404:
            raise Rejected(f"knows no case file {case_file}", remote=self._lines.remote)
        scan = partial(
            basic_wire.basic_scan, reply, case_file, keys=config.keys, zone=config.zone, remote=self._lines.remote
        )
        listing = await anyio.to_thread.run_sync(scan)  # a quarter of a second for 10,000 files
        if not listing.unknown <= self._told:
            self._told |= listing.unknown
            log.info("watcher.unknown_keys", remote=self._lines.remote, keys=sorted(listing.unknown))
        return listing.scan

    @asynccontextmanager
    async def read(self, case_file: CaseFileNumber, file: FileState) -> AsyncIterator[Download]:
        path = names.file_path(case_file, file.path, remote=self._lines.remote)
        async with self._lines.get(path) as (reply, chunks):
            if reply.status == 404:
                raise PreconditionFailed("the file is gone", remote=self._lines.remote)
            self._require_a_file(reply, file.path)
            name = file.path.rpartition("/")[2]
            yield Download(name=name, size=self._size(reply, file.size), chunks=chunks)

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
        """`operation` and `fence` have no place in this protocol: the look before each try does what it can in their stead."""
        del operation, fence
        remote = self._lines.remote
        if names.has_folder(path):
            raise Rejected(f"{names.SUBFOLDER}: this watcher takes bare names only", remote=remote)
        wanted = staged.digests.blake3
        async for tried in tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self._lines.config.attempts),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=5.0),
            retry=tenacity.retry_if_exception_type(OutcomeUnknown),
            sleep=anyio.sleep,
            reraise=True,
        ):
            with tried:
                stands = await self._content(case_file, path)
                if stands != wanted:
                    self._require_expected(stands, expect)
                    await self._upload(case_file, path, staged)
                break
        if await self._content(case_file, path) != wanted:
            raise PreconditionFailed("other bytes stand there than were just written", remote=remote)
        return FileState(
            path=path,
            revision=Revision(""),
            size=staged.size,
            modified_at=None,
            content=wanted,
            file_id=None,
        )

    async def _upload(self, case_file: CaseFileNumber, path: RelativePath, staged: Staged) -> None:
        """Once. If the answer is lost, `OutcomeUnknown`: the next try begins by looking."""
        address = names.upload_path(case_file, path, remote=self._lines.remote)
        reply = await self._lines.put(address, staged, repeatable=False)
        told = basic_wire.told_hash(reply, self._lines.config.keys)
        if told not in (None, staged.digests.blake3):
            raise CorruptContent("the watcher stored other bytes than were sent", remote=self._lines.remote)

    def _require_expected(self, stands: ContentHash | None, expect: FileState | Literal[Absent.ABSENT]) -> None:
        expected = None if isinstance(expect, Absent) else known_content(expect)
        if stands != expected:
            raise PreconditionFailed(_changed(stands, expected), remote=self._lines.remote)

    async def _content(self, case_file: CaseFileNumber, path: RelativePath) -> ContentHash | None:
        """What stands there now, read and hashed; None if there is nothing."""
        async with self._lines.get(names.file_path(case_file, path, remote=self._lines.remote)) as (reply, chunks):
            if reply.status == 404:
                return None
            self._require_a_file(reply, path)
            hasher, size = blake3(), 0
            async for chunk in chunks:
                hasher.update(chunk)
                size += len(chunk)
            announced = _announced(reply)
            if announced not in (None, size):
                raise RequestFailed(f"{size} bytes came of {announced}", remote=self._lines.remote)
            return ContentHash(hasher.hexdigest())

    def _require_a_file(self, reply: Reply, path: RelativePath) -> None:
        """A login page is no document, whatever its status."""
        kind = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind == "text/html" and not path.lower().endswith((".htm", ".html", ".xhtml", ".mht")):
            raise ProtocolViolation("an HTML page came instead of the file", remote=self._lines.remote)

    def _size(self, reply: Reply, listed: int | None) -> int:
        """Bytes that must come: as announced, else as listed."""
        size = _announced(reply)
        size = listed if size is None else size
        if size is None:
            raise ProtocolViolation("neither listing nor download tells the file's size", remote=self._lines.remote)
        return size


def known_content(expect: FileState) -> ContentHash:
    """`ValueError` without one: what nobody has read was not kept, and must not be replaced."""
    if expect.content is None:
        raise ValueError("a file whose content is unknown was to be replaced")
    return expect.content


def _announced(reply: Reply) -> int | None:
    """The body's length; a compressed body's header tells another."""
    raw = reply.headers.get("Content-Length", "")
    return int(raw) if raw.isdigit() and not reply.headers.get("Content-Encoding") else None


def _changed(stands: ContentHash | None, expected: ContentHash | None) -> str:
    if stands is None:
        return "the file is gone"
    return "there is a file already" if expected is None else "the file was changed meanwhile"
