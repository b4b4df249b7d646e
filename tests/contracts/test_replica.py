"""The `Replica` contract over the connectors that offer one, against their emulators."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import pytest

from docsyncd import registry
from docsyncd.testing.contracts.replica import ReplicaContract, ReplicaWorld
from docsyncd_watcher.emulator import Behaviour
from tests.plugins.watcher.connected import Connected, connected


def _extended() -> AbstractAsyncContextManager[Connected]:
    return connected(Behaviour())


def _extended_without_hashes() -> AbstractAsyncContextManager[Connected]:
    return connected(Behaviour(hashes="absent"))


def _basic() -> AbstractAsyncContextManager[Connected]:
    return connected(Behaviour(level="basic", no_folder="empty"))


def _basic_otherwise() -> AbstractAsyncContextManager[Connected]:
    """Other keys, no hashes, local times, silent answers, unannounced lengths, a careless PUT."""
    return connected(
        Behaviour(
            level="basic",
            shape="list",
            spelling="other",
            hashes="absent",
            modified="naive",
            put_answer="nothing",
            unannounced=True,
            unverified=True,
        )
    )


WORLDS: Final[dict[str, dict[str, Callable[[], AbstractAsyncContextManager[ReplicaWorld]]]]] = {
    "watcher": {
        "extended": _extended,
        "extended, without hashes": _extended_without_hashes,
        "basic": _basic,
        "basic, otherwise": _basic_otherwise,
    },
}
"""By connector: its emulator in one or several moods."""

MOODS = [pytest.param(make, id=f"{name}: {mood}") for name, moods in WORLDS.items() for mood, make in moods.items()]


def test_every_installed_replica_has_a_world() -> None:
    connectors = registry.load().connectors.values()
    assert {connector.name for connector in connectors if "replica" in connector.offers} == WORLDS.keys()


class TestReplica(ReplicaContract):
    @pytest.fixture(params=MOODS)
    async def world(self, request: pytest.FixtureRequest) -> AsyncIterator[ReplicaWorld]:
        make: Callable[[], AbstractAsyncContextManager[ReplicaWorld]] = request.param
        async with make() as world:
            yield world
