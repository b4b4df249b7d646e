"""The `Catalog` contract over every installed connector that offers one, each against its emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from docsyncd import registry
from docsyncd.secrets import Secret
from docsyncd.testing.contracts.catalog import CatalogContract, CatalogWorld
from docsyncd.testing.emulation import serve_emulator
from docsyncd.testing.host import PlainHost
from docsyncd_espocrm.client import connect
from docsyncd_espocrm.config import EspoConfig
from docsyncd_espocrm.emulator import EspoEmulator
from tests.live.espocrm_world import espo_world

UNDER_CONTRACT = {"espocrm"}


def test_every_catalog_is_under_contract() -> None:
    offered = {name for name, connector in registry.load().connectors.items() if "catalog" in connector.offers}
    assert offered == UNDER_CONTRACT


async def _world(
    emulator: EspoEmulator, folder: Path, *, profile: str, consent_field: str
) -> AsyncIterator[CatalogWorld]:
    """Pages of two records: every list of a story needs several."""
    key = folder / "api-key"
    key.write_text(emulator.api_key, encoding="utf-8")
    async with serve_emulator(emulator) as urls:
        config = EspoConfig(
            url=urls["url"],
            api_key=Secret(file=key),
            profile=profile,
            consent_field=consent_field,
            page_size=2,
            upload_chunk=64 * 1024,
        )
        async with connect("espocrm", config, PlainHost()) as ports:
            assert ports.catalog is not None
            async with espo_world(
                urls["url"],
                api_key=emulator.api_key,
                login=("admin", "admin"),
                profile=config.resolved,
                catalog=ports.catalog,
                consent_field=consent_field,
            ) as world:
                yield world


class TestEspoCrmSeed(CatalogContract):
    """The default profile, with consent."""

    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[CatalogWorld]:
        emulator = EspoEmulator(profile="seed", webhook_period=None)
        async for world in _world(emulator, tmp_path, profile="seed", consent_field="aiFreigabe"):
            yield world


class TestEspoCrmSeedWithVersions(CatalogContract):
    """The default profile, with optimistic concurrency control switched on."""

    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[CatalogWorld]:
        emulator = EspoEmulator(profile="seed", webhook_period=None)
        emulator.world.entity("Document").optimistic_concurrency = True
        async for world in _world(emulator, tmp_path, profile="seed", consent_field="aiFreigabe"):
            yield world


class TestEspoCrmJunction(CatalogContract):
    """The installation with rows between document and collection, and without consent."""

    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[CatalogWorld]:
        emulator = EspoEmulator(profile="vmh-2026-03-23", webhook_period=None)
        async for world in _world(emulator, tmp_path, profile="vmh-2026-03-23", consent_field=""):
            yield world
