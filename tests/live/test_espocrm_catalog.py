"""The `Catalog` contract against a real EspoCRM, named by environment variables (README.md beside this file)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from docsyncd.secrets import Secret
from docsyncd.testing.contracts.catalog import CatalogContract, CatalogWorld
from docsyncd.testing.host import PlainHost
from docsyncd_espocrm.client import connect
from docsyncd_espocrm.config import EspoConfig
from tests.live.espocrm_world import espo_world

URL = "DOCSYNCD_LIVE_ESPOCRM_URL"
API_KEY = "DOCSYNCD_LIVE_ESPOCRM_API_KEY"
ADMIN_USER = "DOCSYNCD_LIVE_ESPOCRM_ADMIN_USER"
ADMIN_PASSWORD = "DOCSYNCD_LIVE_ESPOCRM_ADMIN_PASSWORD"
PROFILE = "DOCSYNCD_LIVE_ESPOCRM_PROFILE"
CONSENT_FIELD = "DOCSYNCD_LIVE_ESPOCRM_CONSENT_FIELD"


@pytest.mark.live
class TestRealEspoCrm(CatalogContract):
    """Creates its own records, acting as the administrator, and deletes them."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[CatalogWorld]:
        missing = [name for name in (URL, API_KEY, ADMIN_USER, ADMIN_PASSWORD) if not os.environ.get(name)]
        if missing:
            pytest.fail(f"a live run needs {', '.join(missing)} (tests/live/README.md)")
        config = EspoConfig(
            url=os.environ[URL],
            api_key=Secret(env=API_KEY),
            profile=os.environ.get(PROFILE) or "seed",
            consent_field=os.environ.get(CONSENT_FIELD, "aiFreigabe"),
        )
        async with connect("espocrm", config, PlainHost()) as ports:
            assert ports.catalog is not None
            async with espo_world(
                config.url,
                login=(os.environ[ADMIN_USER], os.environ[ADMIN_PASSWORD]),
                profile=config.resolved,
                catalog=ports.catalog,
                consent_field=config.consent_field,
            ) as world:
                yield world
