"""Every test of the queue runs on the bundled Valkey and on Debian's Redis, and must leave nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from redis.asyncio import Redis

from docsyncd.work.connection import connect
from docsyncd.work.embedded import EmbeddedServer, EmbeddedSettings, embedded_server
from docsyncd.work.redis_queue import QueueSettings, RedisQueue
from docsyncd.work.shared_set import LegacySets
from tests.work.workplace import PATIENT, MakeQueue, binary, wind_up


@dataclass(slots=True)
class Leftovers:
    """Patterns of keys that may remain, each with its reason."""

    allowed: dict[str, str] = field(
        default_factory=lambda: {
            "docsyncd:fence": "the fencing number never goes back",
            "docsyncd:ended:*": "how a run ended, for one lease; expires by itself",
        }
    )

    def allow(self, pattern: str, reason: str) -> None:
        self.allowed[pattern] = reason


@pytest.fixture(scope="session", params=["valkey", "redis"])
async def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[EmbeddedServer]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    async with embedded_server(folder, settings=EmbeddedSettings(binary=binary(request.param))) as running:
        yield running


@pytest.fixture
def leftovers() -> Leftovers:
    return Leftovers()


@pytest.fixture
async def client(server: EmbeddedServer, leftovers: Leftovers) -> AsyncIterator[Redis]:
    async with connect(server.url) as client:
        await client.flushall()
        yield client
        await wind_up(client)
        remaining = {str(name) for name in await client.keys("*")}
        leaked = {name for name in remaining if not any(fnmatchcase(name, allowed) for allowed in leftovers.allowed)}
        assert not leaked, f"left behind: {sorted(leaked)}"


@pytest.fixture
def make_queue(client: Redis) -> MakeQueue:
    """A daemon's queue; call it twice for two daemons. Back-offs last as long as they can."""

    def make(settings: QueueSettings) -> RedisQueue:
        return RedisQueue(client, settings=settings, legacy=LegacySets(), jitter=lambda: 1.0)

    return make


@pytest.fixture
def queue(make_queue: MakeQueue) -> RedisQueue:
    return make_queue(PATIENT)
