"""The `Feed` contract over the connectors that declare one, on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import pytest
from redis.asyncio import Redis

from docsyncd import registry
from docsyncd.core.model import CaseFileNumber
from docsyncd.ports import Feed
from docsyncd.testing.contracts.feed import FeedContract, FeedWorld
from docsyncd.work.connection import connect
from docsyncd.work.embedded import EmbeddedServer, embedded_server
from docsyncd.work.queue import KeyState
from docsyncd.work.redis_queue import DEFAULT_PREFIX, RedisQueue
from docsyncd.work.shared_set import LegacySets
from tests.plugins.watcher.connected import connected


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisWorld:
    """A feed beside a queue on a real server."""

    feed: Feed
    client: Redis
    queue: RedisQueue
    prefix: str = DEFAULT_PREFIX

    async def announce(self, *raw: str) -> None:
        await self.client.sadd(self.feed.source, *raw)

    async def announced(self) -> Sequence[str]:
        return sorted(str(raw) for raw in await self.client.smembers(self.feed.source))

    async def intake(self) -> Sequence[CaseFileNumber]:
        return await self.queue.intake(self.feed.source)

    async def due(self) -> Sequence[str]:
        return sorted(entry.key for entry in await self.queue.list(KeyState.READY))


@asynccontextmanager
async def _watcher() -> AsyncIterator[Feed]:
    async with connected() as at:
        assert at.ports.feed is not None
        yield at.ports.feed


FEEDS: Final[dict[str, Callable[[], AbstractAsyncContextManager[Feed]]]] = {"watcher": _watcher}
"""By connector."""


def test_every_installed_feed_has_a_world() -> None:
    connectors = registry.load().connectors.values()
    assert {connector.name for connector in connectors if "feed" in connector.offers} == FEEDS.keys()


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServer]:
    async with embedded_server(tmp_path_factory.mktemp("feed")) as running:
        yield running


class TestFeed(FeedContract):
    @pytest.fixture(params=list(FEEDS.values()), ids=list(FEEDS))
    async def world(self, request: pytest.FixtureRequest, server: EmbeddedServer) -> AsyncIterator[FeedWorld]:
        make: Callable[[], AbstractAsyncContextManager[Feed]] = request.param
        async with make() as feed, connect(server.url) as client:
            await client.flushall()
            queue = RedisQueue(client, legacy=LegacySets(pending=feed.source))
            yield RedisWorld(feed=feed, client=client, queue=queue)
