"""Runs polls and sweeps once per interval in the whole group of daemons."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import structlog

from docsyncd.clock import Clock
from docsyncd.errors import DocsyncdError, QueueUnavailable, SafetyHalt, Unavailable
from docsyncd.work.intervals import Intervals

LOOK = 2.0
"""Seconds between two questions whether a job is due, at most; a tenth of the interval for shorter ones."""


class Wake:
    """Makes a job run now, whoever is due."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Was it set within this time?"""
        with anyio.move_on_after(seconds):
            await self._event.wait()
        if not self._event.is_set():
            return False
        self._event = anyio.Event()
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something that runs once per interval in the whole group.

    :param interval: whose interval it is: jobs of one name that do different work (`observe`, `live`) have two.
    :param every: seconds between two runs.
    :param run: one pass; the number of keys that it made due.
    """

    name: str
    interval: str
    every: float
    run: Callable[[], Awaitable[int]]
    wake: Wake


async def poll_forever(job: Job, intervals: Intervals, clock: Clock, ready: Callable[[], Awaitable[None]]) -> None:
    """Until cancelled. A failed run is due again, with the reason in the log; a closed valve or a bug waits for its next turn."""
    log = structlog.get_logger().bind(job=job.name)
    while True:
        woken = await job.wake.wait(min(LOOK, job.every / 10) * random.uniform(0.8, 1.2))
        await ready()
        begun = False
        try:
            if not (await intervals.due(job.interval, job.every) or woken):
                continue
            begun = True
            started = clock.monotonic()
            offered = await job.run()
            log.info("job.done", offered=offered, seconds=round(clock.monotonic() - started, 3))
        except SafetyHalt as halt:
            log.error("job.held", valve=halt.valve, reason=str(halt))
        except Unavailable as away:
            log.warning("job.remote_away", reason=str(away))
            await _due_again(job, intervals)
        except QueueUnavailable as away:
            log.warning("queue.away", reason=str(away))
            await anyio.sleep(LOOK)
            if (
                begun or woken
            ):  # a Redis that is away cannot give the turn back, and a sweep would wait a day for the next one
                job.wake.set()
        except DocsyncdError as error:
            log.error("job.failed", reason=str(error))
            await anyio.sleep(LOOK)
            await _due_again(job, intervals)
        except Exception:  # a bug of one job ends neither the others nor the daemon
            log.exception("job.bug")


async def _due_again(job: Job, intervals: Intervals) -> None:
    try:
        await intervals.release(job.interval)
    except QueueUnavailable as away:
        structlog.get_logger().warning("queue.away", reason=str(away))
