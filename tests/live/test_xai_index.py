"""The `Index` contract and the self-check, over a real xAI."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from docsyncd.api import Severity
from docsyncd.testing.contracts.index import IndexContract
from tests.live.xai_world import LiveXai, missing, xai_world

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(missing()), reason=f"not set: {', '.join(missing())}"),
]


@pytest.fixture
async def world() -> AsyncIterator[LiveXai]:
    async with xai_world() as world:
        yield world


class TestLiveIndex(IndexContract):
    async def test_the_account_can_be_used(self, world: LiveXai) -> None:
        findings = await world.ports.check()
        assert [finding for finding in findings if finding.severity is not Severity.OK] == []
