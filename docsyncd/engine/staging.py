"""Bytes on their way: from a remote to the local disk, hashed as they arrive.

Memory stays flat for any size: a bounded queue of chunks between the socket and one thread that hashes and writes.
Staged files have no name of the remote's choosing and live as long as their context; what a crash leaves is removed at the start.
"""

from __future__ import annotations

import queue
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from docsyncd.errors import CorruptContent, DiskFull, DocsyncdError
from docsyncd.hashing import Hasher
from docsyncd.ports import Download, Staged
from docsyncd.tasks import task_group

QUEUED_CHUNKS = 8
"""Chunks of at most 256 KiB between socket and disk: 2 MiB hide a slow write without costing memory."""

KEEP_FREE = 64 * 1024 * 1024
"""Bytes that stay free on the disk: Redis' log and the audit chain live there, too."""


class Staging:
    """A private folder for staged files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clear(self) -> None:
        """Remove what a crash left behind, and make the folder. Only at the start, before any work."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)

    @asynccontextmanager
    async def stage(self, download: Download, *, remote: str) -> AsyncIterator[Staged]:
        """Write a download to disk. `CorruptContent` if it ends short or long, `DiskFull` before the disk is full."""
        free = shutil.disk_usage(self._folder).free
        if download.size + KEEP_FREE > free:
            raise DiskFull(f"{self._folder} has {free} bytes free, the file has {download.size}; make room there")
        with tempfile.TemporaryDirectory(dir=self._folder) as private:
            path = Path(private) / "content"
            staged = await _write(download, path)
            if staged.size != download.size:
                raise CorruptContent(f"{staged.size} bytes arrived of {download.size}", remote=remote)
            yield staged


async def _write(download: Download, path: Path) -> Staged:
    chunks: queue.Queue[bytes | None] = queue.Queue(QUEUED_CHUNKS)
    failure: list[OSError] = []
    broken: DocsyncdError | None = None
    hasher = Hasher()

    def drain() -> None:
        """In its thread: hash and write until None comes. After a failure it goes on draining, so that nobody blocks."""
        try:
            with path.open("wb") as file:
                while (chunk := chunks.get()) is not None:
                    hasher.update(chunk)
                    file.write(chunk)
        except OSError as error:
            failure.append(error)
            while chunks.get() is not None:
                pass

    async with task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, drain)
        try:
            async for chunk in download.chunks:
                await _put(chunks, chunk)
                if failure:
                    break
        except DocsyncdError as error:
            broken = error  # leaves the task group as itself, not as a group of one
        finally:
            with anyio.CancelScope(shield=True):
                await _put(chunks, None)
    if broken is not None:
        raise broken
    if failure:
        raise DiskFull(f"a download cannot be written to {path.parent.parent}: {failure[0].strerror}") from failure[0]
    return Staged(path=path, digests=hasher.digests())


async def _put(chunks: queue.Queue[bytes | None], chunk: bytes | None) -> None:
    try:
        chunks.put_nowait(chunk)
    except queue.Full:
        await anyio.to_thread.run_sync(chunks.put, chunk)
