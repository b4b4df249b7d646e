"""What every `Feed` must do, as tests that run over a world: a connector's declaration, and a real server with a real queue.

class TestMyFeed(FeedContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[FeedWorld]:
        async with my_world() as world:
            yield world
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from docsyncd.core.model import CaseFileNumber
from docsyncd.ports import Feed


class FeedWorld(Protocol):
    """A queue, and the set beside it."""

    @property
    def feed(self) -> Feed:
        """As the connector declares it."""

    @property
    def prefix(self) -> str:
        """In front of every key that the queue owns."""

    async def announce(self, *raw: str) -> None:
        """As a tool outside does it: `SADD source number …`."""

    async def announced(self) -> Sequence[str]:
        """What stands in the set."""

    async def intake(self) -> Sequence[CaseFileNumber]:
        """One intake of the queue from the feed's set."""

    async def due(self) -> Sequence[str]:
        """The keys that are in the queue, sorted."""


class FeedContract:
    """The stories."""

    async def test_the_set_is_no_key_of_the_queue_s_own(self, world: FeedWorld) -> None:
        assert world.feed.source
        assert not world.feed.source.startswith(world.prefix)

    async def test_what_is_announced_becomes_due_and_leaves_the_set(self, world: FeedWorld) -> None:
        await world.announce("123", "456")
        assert sorted(await world.intake()) == ["123", "456"]
        assert await world.due() == ["case:123", "case:456"]
        assert await world.announced() == []

    async def test_it_is_taken_once(self, world: FeedWorld) -> None:
        await world.announce("123")
        await world.intake()
        assert await world.intake() == []
        assert await world.due() == ["case:123"]

    async def test_a_number_is_one_however_it_is_written(self, world: FeedWorld) -> None:
        await world.announce("00123", "123 ", "123")
        await world.intake()
        assert await world.due() == ["case:123"]

    async def test_an_empty_set_is_nothing_to_do(self, world: FeedWorld) -> None:
        assert await world.intake() == []
        assert await world.due() == []
