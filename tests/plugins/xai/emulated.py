"""A connection to the xAI emulator, and the emulator as a world of the `Index` contract."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from docsyncd.api import Clock, CollectionId, ContentHash, DocumentId, Index, IndexFileId, Ports, Secret, SystemClock
from docsyncd.testing.emulation import serve_emulator
from docsyncd.testing.host import PlainHost
from docsyncd_xai.client import connect
from docsyncd_xai.config import XaiConfig
from docsyncd_xai.emulator import API_KEY, MANAGEMENT_KEY, Behaviour, XaiEmulator

DOCUMENT = DocumentId("65f0c2a1b3d4e5f60")
CONTENT = ContentHash("0123456789ab" + "c" * 52)
TAG = "[65f0c2a1b3d4e5f60-0123456789ab]"
NAME = f"Klage {TAG}.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulated:
    """The emulator, served, and the connector's ports on it. Also an `IndexWorld`."""

    emulator: XaiEmulator
    urls: Mapping[str, str]
    ports: Ports
    config: XaiConfig
    patience: float = 15.0

    @property
    def index(self) -> Index:
        assert self.ports.index is not None
        return self.ports.index

    def document(self) -> DocumentId:
        return DocumentId(secrets.token_hex(8) + "0")

    def collection(self) -> CollectionId:
        return CollectionId(self.emulator.world.create_collection("Akte 12/26"))

    def file(self, name: str = NAME, content: bytes = b"Klage") -> IndexFileId:
        """A file that another client uploaded."""
        return IndexFileId(self.emulator.world.add_file(name, content))

    async def make_collection(self) -> CollectionId:
        return self.collection()

    async def remove_collection(self, collection: CollectionId) -> None:
        del self.emulator.world.collections[collection]

    async def contents(self, collection: CollectionId) -> Mapping[IndexFileId, str]:
        members = self.emulator.world.collections[collection].members
        return {IndexFileId(file): member.file.name for file, member in members.items()}


@asynccontextmanager
async def emulated(
    behaviour: Behaviour | None = None,
    *,
    clock: Clock | None = None,
    api_key: str = API_KEY,
    management_key: str = MANAGEMENT_KEY,
    **settings: Any,
) -> AsyncIterator[Emulated]:
    """Serve a fresh emulator and connect to it. `settings` are keys of the connector's table."""
    emulator = XaiEmulator(behaviour=behaviour or Behaviour(index_seconds=0.05), clock=clock)
    with TemporaryDirectory() as folder:
        keys = {"api_key": api_key, "management_key": management_key}
        for name, value in keys.items():
            (Path(folder) / name).write_text(value, encoding="utf-8")
        async with serve_emulator(emulator) as urls:
            config = XaiConfig(
                api_key=Secret(file=Path(folder) / "api_key"),
                management_key=Secret(file=Path(folder) / "management_key"),
                **{**urls, **settings},
            )
            host = PlainHost(clock=clock or SystemClock())
            async with connect("xai", config, host) as ports:
                yield Emulated(emulator=emulator, urls=urls, ports=ports, config=config)
