"""The `Index` contract over every installed connector that offers one, against its emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import pytest

from docsyncd import registry
from docsyncd.testing.contracts.index import IndexContract, IndexWorld
from docsyncd_xai.emulator import Behaviour
from tests.plugins.xai.emulated import Emulated, emulated


def _prompt() -> AbstractAsyncContextManager[Emulated]:
    return emulated(Behaviour(index_seconds=0.05))


def _slow_to_agree() -> AbstractAsyncContextManager[Emulated]:
    """Uploads and placings show late, refusals differ, tokens mislead."""
    return emulated(
        Behaviour(
            index_seconds=0.3,
            upload_lag=0.3,
            membership_lag=0.3,
            same_member="conflict",
            batch_missing="refuse",
            management_paging="always",
            management_errors="text",
            camel_case=True,
        )
    )


WORLDS: Final[dict[str, dict[str, Callable[[], AbstractAsyncContextManager[IndexWorld]]]]] = {
    "xai": {"prompt": _prompt, "slow to agree": _slow_to_agree},
}
"""By connector: its emulator in one or several moods."""

MOODS = [pytest.param(make, id=f"{name}: {mood}") for name, moods in WORLDS.items() for mood, make in moods.items()]


def test_every_installed_index_has_a_world() -> None:
    connectors = registry.load().connectors.values()
    assert {connector.name for connector in connectors if "index" in connector.offers} == WORLDS.keys()


class TestIndex(IndexContract):
    @pytest.fixture(params=MOODS)
    async def world(self, request: pytest.FixtureRequest) -> AsyncIterator[IndexWorld]:
        make: Callable[[], AbstractAsyncContextManager[IndexWorld]] = request.param
        async with make() as world:
            yield world
