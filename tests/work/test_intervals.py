"""Polls and sweeps: once per interval in the whole group; how far they have come."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest
from redis.asyncio import Redis

from docsyncd.work.intervals import Intervals


@pytest.fixture
async def intervals(client: Redis) -> AsyncIterator[Intervals]:
    yield Intervals(client)
    await client.delete("docsyncd:intervals", "docsyncd:cursors")


async def test_one_daemon_of_many_gets_each_interval(client: Redis, intervals: Intervals) -> None:
    granted: list[bool] = []

    async def ask(daemon: Intervals) -> None:
        granted.append(await daemon.due("poll", 60))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask, Intervals(client))
    assert sorted(granted) == [False] * 19 + [True]
    assert await intervals.due("sweep", 60)


async def test_an_interval_ends(intervals: Intervals) -> None:
    assert await intervals.due("poll", 0.1)
    assert not await intervals.due("poll", 0.1)
    await anyio.sleep(0.11)
    assert await intervals.due("poll", 0.1)


async def test_a_shortened_interval_counts_at_once(intervals: Intervals) -> None:
    assert await intervals.due("poll", 86_400)
    await anyio.sleep(0.02)
    assert await intervals.due("poll", 0.01)


async def test_a_failed_run_is_due_again_at_once(client: Redis, intervals: Intervals) -> None:
    assert await intervals.due("poll", 60)
    assert await intervals.release("poll")
    assert await Intervals(client).due("poll", 60)


async def test_only_the_run_that_was_granted_can_be_given_back(client: Redis, intervals: Intervals) -> None:
    other = Intervals(client)
    assert await intervals.due("poll", 0.01)
    await anyio.sleep(0.02)
    assert await other.due("poll", 0.01)
    assert not await intervals.release("poll")
    assert not await Intervals(client).release("poll")
    assert not await intervals.due("poll", 60)


async def test_a_server_whose_clock_was_set_back_does_not_stop_the_polls(client: Redis, intervals: Intervals) -> None:
    tomorrow = (int((await client.time())[0]) + 86_400) * 1_000_000
    await client.hset("docsyncd:intervals", "poll", f"{tomorrow} somebody")
    assert await intervals.due("poll", 60)


async def test_a_cursor_is_what_was_set_last(intervals: Intervals) -> None:
    assert await intervals.cursor("poll") is None
    await intervals.set_cursor("poll", "2026-11-21 08:00:00/6a1b")
    await intervals.set_cursor("poll", "2026-11-21 09:00:00/6a1c")
    assert await intervals.cursor("poll") == "2026-11-21 09:00:00/6a1c"
    assert await intervals.cursor("sweep") is None
