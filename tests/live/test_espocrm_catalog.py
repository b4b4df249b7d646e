"""The `Catalog` contract, over the real EspoCRM that the environment names, or over its emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from docsyncd.testing.contracts.catalog import CatalogContract, CatalogWorld
from docsyncd.testing.host import PlainHost
from docsyncd_espocrm.client import connect
from tests.live.espocrm_world import espo_world
from tests.live.remotes import EspoRemote

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


class TestLiveCatalog(CatalogContract):
    """Each story creates its own records, acting as people do, and deletes them."""

    @pytest.fixture
    async def world(self, espocrm: EspoRemote) -> AsyncIterator[CatalogWorld]:
        config, account = espocrm.config, espocrm.account
        async with connect("espocrm", config, PlainHost()) as ports:
            assert ports.catalog is not None
            async with espo_world(
                account.url,
                api_key=account.api_key,
                login=account.login,
                profile=config.resolved,
                catalog=ports.catalog,
                consent_field=config.consent_field,
            ) as world:
                yield world
