"""The `Journal` contract over every installed connector that offers one, against its emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import pytest

from docsyncd import registry
from docsyncd.testing.contracts.journal import JournalContract, JournalWorld
from docsyncd_advoware.emulator import Behaviour
from tests.plugins.advoware.emulated import Emulated, emulated


def _as_documented() -> AbstractAsyncContextManager[Emulated]:
    return emulated(Behaviour(ablage="flag"))


def _as_others_saw_it() -> AbstractAsyncContextManager[Emulated]:
    """PascalCase, numbers as text, the time of day apart, dates for flags, a relay, and a search that lists everything."""
    return emulated(
        Behaviour(
            has_connector=False,
            lifetime="expires_in",
            keys="pascal",
            numbers="text",
            dates="naive",
            time_apart=True,
            ablage="date",
            akte_as_list=True,
            search_filters=False,
            create_answer="empty",
        )
    )


def _by_id() -> AbstractAsyncContextManager[Emulated]:
    """Our entries known by their file, Akten in folders that a key of the Akte names."""
    return emulated(
        Behaviour(ablage="flag", dates="zoned"),
        files={"rules": [{"root": "X:\\elsewhere\\"}, {"root": "t:/AKTEN/{Aktennummer}"}]},
        writes={"marker": "text", "file_value": "T:\\Akten\\{number}\\{path}"},
    )


WORLDS: Final[dict[str, dict[str, Callable[[], AbstractAsyncContextManager[JournalWorld]]]]] = {
    "advoware": {"as documented": _as_documented, "as others saw it": _as_others_saw_it, "other rules": _by_id},
}
"""By connector: its emulator in one or several moods."""

MOODS = [pytest.param(make, id=f"{name}: {mood}") for name, moods in WORLDS.items() for mood, make in moods.items()]


def test_every_installed_journal_has_a_world() -> None:
    connectors = registry.load().connectors.values()
    assert {connector.name for connector in connectors if "journal" in connector.offers} == WORLDS.keys()


class TestJournal(JournalContract):
    @pytest.fixture(params=MOODS)
    async def world(self, request: pytest.FixtureRequest) -> AsyncIterator[JournalWorld]:
        make: Callable[[], AbstractAsyncContextManager[JournalWorld]] = request.param
        async with make() as world:
            yield world
