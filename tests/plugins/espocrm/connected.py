"""A connector that is connected to an emulator, and the emulator's world, for the stories of these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docsyncd.api import Catalog, Clock, Document, DocumentId, Ports, SystemClock, Transport
from docsyncd.secrets import Secret
from docsyncd.testing.emulation import serve_emulator
from docsyncd.testing.host import PlainHost
from docsyncd_espocrm.client import connect
from docsyncd_espocrm.config import EspoConfig
from docsyncd_espocrm.emulator import EspoEmulator, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """Both ends of one connection."""

    ports: Ports
    espo: EspoEmulator
    config: EspoConfig

    @property
    def catalog(self) -> Catalog:
        assert self.ports.catalog is not None
        return self.ports.catalog

    @property
    def transport(self) -> Transport:
        return self.ports.transports[0]

    @property
    def world(self) -> World:
        return self.espo.world

    async def read(self, document: str) -> Document:
        found = await self.catalog.document(DocumentId(document))
        assert found is not None
        return found

    async def content(self, document: Document) -> bytes:
        async with self.catalog.open(document) as download:
            return b"".join([chunk async for chunk in download.chunks])

    def knowledge(self, collection: str | None, stage: str = "active", **values: Any) -> str:
        """A record that stands for a collection."""
        return self.world.create(
            "CAIKnowledge", name="Wissen", datenbankId=collection, aktivierungsstatus=stage, **values
        )

    def case_file(self, number: int = 123, *, consent: bool = False) -> str:
        return self.world.create("CAkten", name=f"Akte {number}", aktennummer=number, aiFreigabe=consent)

    def link(self, document: str, holder: str) -> None:
        self.world.link(self.world.document_entity, document, "cAIKnowledges", holder)

    def requests_since(self, number: int) -> list[str]:
        return [f"{each.method} {each.path.removeprefix('/api/v1')}" for each in self.espo.requests.since(number)]


@asynccontextmanager
async def connected(
    folder: Path, espo: EspoEmulator | None = None, *, clock: Clock | None = None, key: str = "", **config: Any
) -> AsyncIterator[Connected]:
    """Serve the emulator and connect to it; `config` are keys of the connector's table."""
    emulator = espo if espo is not None else EspoEmulator(webhook_period=None)
    secret = folder / "api-key"
    secret.write_text(key or emulator.api_key, encoding="utf-8")
    async with serve_emulator(emulator) as urls:
        table = EspoConfig(
            **{"url": urls["url"], "api_key": Secret(file=secret), "profile": emulator.world.profile} | config
        )
        async with connect("espocrm", table, PlainHost(clock=clock or SystemClock())) as ports:
            yield Connected(ports=ports, espo=emulator, config=table)
