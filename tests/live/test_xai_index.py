"""The `Index` contract and the self-check, over the real xAI that the environment names, or over its emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from docsyncd.api import Severity
from docsyncd.testing.contracts.index import IndexContract
from tests.live.remotes import XaiRemote
from tests.live.xai_world import LiveXai, xai_world

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]


@pytest.fixture
async def world(xai: XaiRemote) -> AsyncIterator[LiveXai]:
    async with xai_world(xai) as world:
        yield world


class TestLiveIndex(IndexContract):
    async def test_the_account_can_be_used(self, world: LiveXai) -> None:
        findings = await world.ports.check()
        assert [finding for finding in findings if finding.severity is not Severity.OK] == []
