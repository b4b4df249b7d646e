"""The `Catalog` contract, over the real EspoCRM that the environment names, or over its emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from docsyncd.testing.contracts.catalog import CatalogContract, CatalogWorld
from tests.live.espocrm_world import connected_world
from tests.live.remotes import EspoRemote

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


class TestLiveCatalog(CatalogContract):
    """Each story creates its own records, acting as people do, and deletes them."""

    @pytest.fixture
    async def world(self, espocrm: EspoRemote) -> AsyncIterator[CatalogWorld]:
        async with connected_world(espocrm) as world:
            yield world
