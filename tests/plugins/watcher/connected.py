"""A connection to the watcher's emulator, and the emulator as a world of the `Replica` contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from blake3 import blake3

from docsyncd.api import (
    CaseFileNumber,
    Clock,
    FileState,
    Ports,
    RelativePath,
    Replica,
    Scan,
    Secret,
    Staged,
    SystemClock,
)
from docsyncd.hashing import digest_file
from docsyncd.testing.emulation import serve_emulator
from docsyncd.testing.host import PlainHost
from docsyncd_watcher.client import connect
from docsyncd_watcher.config import WatcherConfig
from docsyncd_watcher.emulator import TOKEN, Behaviour, WatcherEmulator, World

AKTE = CaseFileNumber("12345")
NAME = RelativePath("Klage.docx")


def basic(**switches: Any) -> Behaviour:
    return Behaviour(level="basic", **switches)


def hash_of(content: bytes) -> str:
    return blake3(content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """The emulator, served, and the connector's ports on it. Also a `ReplicaWorld`."""

    emulator: WatcherEmulator
    urls: Mapping[str, str]
    ports: Ports
    folder: Path
    removes: bool = False
    numbers: count[int] = field(default_factory=lambda: count(1))

    @property
    def replica(self) -> Replica:
        assert self.ports.replica is not None
        return self.ports.replica

    @property
    def world(self) -> World:
        return self.emulator.world

    async def add_case_file(self) -> CaseFileNumber:
        number = CaseFileNumber(str(70_000 + next(self.numbers)))
        self.world.open_case_file(number)
        return number

    async def put(self, case_file: CaseFileNumber, path: RelativePath, content: bytes) -> None:
        self.world.save(case_file, path, content)

    async def take_away(self, case_file: CaseFileNumber, path: RelativePath) -> None:
        self.world.delete(case_file, path)

    async def contents(self, case_file: CaseFileNumber) -> Mapping[RelativePath, bytes]:
        return {RelativePath(path): content for path, content in self.world.contents(case_file).items()}

    def staged(self, content: bytes) -> Staged:
        path = self.folder / f"staged-{next(self.numbers)}"
        path.write_bytes(content)
        return Staged(path=path, digests=digest_file(path))

    async def scan(self) -> Scan:
        return await self.replica.scan(AKTE)

    async def state(self, path: str = NAME) -> FileState:
        """The one file of this path in a fresh listing."""
        (found,) = [file for file in (await self.scan()).files if file.path == path]
        return found

    async def read(self, file: FileState) -> bytes:
        async with self.replica.read(AKTE, file) as download:
            body = b"".join([chunk async for chunk in download.chunks])
            assert len(body) == download.size
            return body

    async def write(
        self, content: bytes, expect: Any, *, path: str = NAME, operation: str = "", fence: int = 1
    ) -> FileState:
        return await self.replica.write(
            AKTE,
            RelativePath(path),
            self.staged(content),
            expect=expect,
            operation=operation or f"op-{next(self.numbers)}",
            fence=fence,
        )


@asynccontextmanager
async def connected(
    behaviour: Behaviour | None = None, *, clock: Clock | None = None, token: str = TOKEN, **settings: Any
) -> AsyncIterator[Connected]:
    """Serve a fresh emulator and connect to it. `settings` are keys of the connector's table."""
    emulator = WatcherEmulator(behaviour=behaviour, clock=clock)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "token").write_text(token, encoding="utf-8")
        async with serve_emulator(emulator) as urls:
            config = WatcherConfig(token=Secret(file=folder / "token"), **{**urls, **settings})
            async with connect("watcher", config, PlainHost(clock=clock or SystemClock())) as ports:
                yield Connected(emulator=emulator, urls=urls, ports=ports, folder=folder)
