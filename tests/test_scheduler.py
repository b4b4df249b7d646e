"""Polls and sweeps: once per interval, again after a failure, and never the end of the daemon."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from docsyncd.clock import SystemClock
from docsyncd.errors import QueueUnavailable, RequestFailed, SafetyHalt, Unavailable
from docsyncd.scheduler import Job, Wake, poll_forever
from docsyncd.work.connection import ConnectionSettings, connect
from docsyncd.work.embedded import EmbeddedServer, EmbeddedSettings, embedded_server
from docsyncd.work.intervals import Intervals
from tests.work.workplace import binary

RARELY = 8.0
"""Seconds: longer than any story here, and looked at every 0.8 s."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with embedded_server(tmp_path, settings=EmbeddedSettings(binary=binary("valkey"))) as running:
        yield running


@pytest.fixture
async def redis(server: EmbeddedServer) -> AsyncIterator[Redis]:
    async with connect(server.url, settings=ConnectionSettings(reply_timeout=0.2, retries=0)) as client:
        yield client


class Runs:
    """A job's runs: each takes the next of these endings, the last one for ever."""

    def __init__(self, *endings: Exception | int) -> None:
        self.endings = endings
        self.count = 0

    async def run(self) -> int:
        ending = self.endings[min(self.count, len(self.endings) - 1)]
        self.count += 1
        if isinstance(ending, Exception):
            raise ending
        return ending

    async def reached(self, count: int) -> None:
        with anyio.fail_after(RARELY - 1):
            while True:
                if self.count >= count:
                    return
                await anyio.sleep(0.01)


async def at_once() -> None:
    return


@asynccontextmanager
async def scheduled(
    redis: Redis, runs: Runs, *, every: float = RARELY, ready: Callable[[], Awaitable[None]] = at_once
) -> AsyncIterator[Wake]:
    """One job under way."""
    wake = Wake()
    job = Job(name="sweep.test", interval="sweep.test", every=every, run=runs.run, wake=wake)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(poll_forever, job, Intervals(redis), SystemClock(), ready)
        yield wake
        tasks.cancel_scope.cancel()


async def test_a_job_runs_once_per_interval(redis: Redis) -> None:
    runs = Runs(0)
    async with scheduled(redis, runs, every=0.5):
        await runs.reached(3)


async def test_two_daemons_share_one_interval(redis: Redis) -> None:
    here, there = Runs(0), Runs(0)
    async with scheduled(redis, here), scheduled(redis, there):
        await anyio.sleep(2.0)
    assert here.count + there.count == 1


async def test_a_wake_is_not_held_up_by_the_interval(redis: Redis) -> None:
    runs = Runs(0)
    async with scheduled(redis, runs) as wake:
        await runs.reached(1)
        wake.set()
        await runs.reached(2)


async def test_a_job_waits_until_its_remotes_are_well(redis: Redis) -> None:
    well = anyio.Event()
    runs = Runs(0)
    async with scheduled(redis, runs, every=0.5, ready=well.wait):
        await anyio.sleep(0.3)
        assert runs.count == 0
        well.set()
        await runs.reached(1)


@pytest.mark.parametrize(
    "failure", [Unavailable("502", remote="espocrm"), RequestFailed("500", remote="espocrm"), QueueUnavailable("away")]
)
async def test_a_job_that_failed_is_due_again_long_before_its_next_turn(redis: Redis, failure: Exception) -> None:
    runs = Runs(failure, 0)
    async with scheduled(redis, runs):
        await runs.reached(2)


@pytest.mark.parametrize(
    ("ending", "event"), [(SafetyHalt("nothing listed", valve="empty-index"), "job.held"), (KeyError("id"), "job.bug")]
)
async def test_a_valve_and_a_bug_wait_for_the_next_turn_and_end_nothing(
    redis: Redis, ending: Exception, event: str
) -> None:
    runs = Runs(ending, 0)
    with capture_logs() as logs:
        async with scheduled(redis, runs) as wake:
            await runs.reached(1)
            await anyio.sleep(1.0)
            assert runs.count == 1
            wake.set()
            await runs.reached(2)
    assert event in [log["event"] for log in logs]


async def test_a_redis_that_is_away_in_the_middle_of_a_sweep_costs_no_turn(
    server: EmbeddedServer, redis: Redis
) -> None:
    class Interrupted(Runs):
        async def run(self) -> int:
            if self.count == 0:
                os.kill(server.pid, signal.SIGSTOP)
            return await super().run()

    runs = Interrupted(QueueUnavailable("away"), 0)
    try:
        async with scheduled(redis, runs):
            await runs.reached(1)
            await anyio.sleep(2.5)
            os.kill(server.pid, signal.SIGCONT)
            await runs.reached(2)
    finally:
        os.kill(server.pid, signal.SIGCONT)
