"""The work queue on Redis: each method is one Lua script. What it promises is in `docs/explanation/queue.md`.

All times are the server's; hosts' clocks are never compared. Redis Cluster is not supported: one script touches keys of
many slots, and the legacy keys have no hash tag.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import anyio
from redis.asyncio import Redis

from docsyncd.core.model import CaseFileNumber, Lane, WorkKey
from docsyncd.errors import LeaseLost, QueueUnavailable
from docsyncd.work.queue import Claim, Counts, Entry, KeyState, LeaseToken, Offer, Verdict
from docsyncd.work.scripts import Scripts, redis_errors
from docsyncd.work.shared_set import LegacySets

SECOND: Final = 1_000_000
"""Scripts count in microseconds, Redis TIME's unit."""

ERROR_LIMIT: Final = 2000
"""Characters of an error that are kept: a remote's HTML page is no reason."""

DEFAULT_PREFIX: Final = "docsyncd:"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """The queue's times and limits. All daemons that share a Redis should have the same."""

    lease: float = 60.0
    """Seconds until a silent worker counts as dead. Long enough for a stalled disk or a paused machine, short enough
    that a crash delays a document by a minute only."""
    renew_every: float = 20.0
    """Seconds between renewals by the worker: a third of the lease, so that two may fail."""
    margin: float = 10.0
    """Seconds before the lease's end from which a worker starts no further effect: longer than any single request's
    reply is waited for by Redis, shorter than what remains after one failed renewal."""
    backoff: float = 5.0
    """Seconds that the first retry waits at most; doubles with each attempt, full jitter."""
    backoff_cap: float = 900.0
    """Seconds that any retry waits at most: a remote that is mended is noticed within a quarter of an hour."""
    attempts: int = 8
    """Failures until a key is parked: with the two settings above about 20 minutes, at most 41."""
    parked_retry: float = 86_400.0
    """Seconds until a parked key tries once by itself: what was mended without a word to us is found within a day."""
    parked_add: float = 900.0
    """Seconds that a key stays parked at least when it is added again, so that a busy poison key stays cheap."""
    group_limit: int = 4
    """Keys of one case file at a time: a bulk change of one does not starve the others, nor hammer one folder."""
    poll: float = 1.0
    """Seconds that `wait` sleeps at most: hints by pub/sub may be lost, and delays end without a hint."""


class RedisQueue:
    """`WorkQueue` on one Redis or Valkey. `listen`, in the daemon's task group, makes `wait` return at once.

    :param prefix: in front of every key that the queue owns.
    :param legacy: the sets that tools outside fill and read; None mirrors nothing (`locking = "global"`).
    :param jitter: a number in [0, 1) that a back-off is multiplied by.
    """

    def __init__(
        self,
        client: Redis,
        *,
        prefix: str = DEFAULT_PREFIX,
        settings: QueueSettings | None = None,
        legacy: LegacySets | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings or QueueSettings()
        self._client = client
        self._jitter = jitter
        self._channel = f"{prefix}wakeup"
        names = legacy or LegacySets()
        scripts = Scripts(
            client,
            [prefix, names.pending, names.processing],
            constants=_constants(self.settings, mirror=legacy is not None),
        )
        self._run = scripts.run
        self._hint = anyio.Event()

    async def add(self, offers: Sequence[Offer]) -> int:
        requests = [(offer.key, offer.lane, offer.group, _micros(offer.delay)) for offer in offers]
        return int(await self._run("add", requests)) if requests else 0

    async def claim(self, token: LeaseToken, *, worker: str) -> Claim | None:
        if self._hint.is_set():
            self._hint = anyio.Event()
        reply = await self._run("claim", token, worker)
        if reply is None:
            return None
        key, fence, attempt, lane, group, trace, insisted = reply
        return Claim(
            key=WorkKey(key),
            token=token,
            fence=int(fence),
            attempt=attempt,
            lane=Lane(lane),
            group=group or key,
            trace=trace,
            insisted=bool(insisted),
        )

    async def renew(self, claims: Sequence[Claim]) -> frozenset[WorkKey]:
        requests = [(claim.key, claim.token, str(claim.fence)) for claim in claims]
        return frozenset(map(WorkKey, await self._run("renew", *requests))) if requests else frozenset()

    async def finish(self, claim: Claim, verdict: Verdict, *, error: str = "", delay: float = 0.0) -> KeyState | None:
        jitter = self._jitter() if verdict is Verdict.RETRY else 0.0
        state = await self._run(
            "finish", claim.key, claim.token, str(claim.fence), verdict, _printable(error), _micros(delay), jitter
        )
        if state == "lost":
            raise LeaseLost(f"The lease of {claim.key} (fence {claim.fence}) is not ours any more.")
        return None if state == "gone" else KeyState(state)

    async def wait(self, timeout: float) -> None:
        with anyio.move_on_after(min(timeout, self.settings.poll)):
            await self._hint.wait()

    async def listen(self) -> None:
        """Hear the hints of all daemons, until cancelled. A Redis that is away is the business of `claim`, which says so;
        here it only means that there are no hints for a while, and `wait` polls anyway."""
        while True:
            try:
                await self._listen_once()
            except QueueUnavailable:
                await anyio.sleep(self.settings.poll)

    async def _listen_once(self) -> None:
        with redis_errors():
            async with self._client.pubsub(ignore_subscribe_messages=True) as hints:
                await hints.subscribe(self._channel)
                self._hint.set()  # for what was said while nobody listened
                while True:
                    if await hints.get_message(timeout=self.settings.poll) is not None:
                        self._hint.set()

    async def retry(self, key: WorkKey) -> bool:
        return bool(await self._run("retry", key))

    async def retry_all(self) -> int:
        return int(await self._run("retry"))

    async def drop(self, key: WorkKey) -> bool:
        return bool(await self._run("drop", key))

    async def pause(self, paused: bool) -> None:
        await self._run("pause", paused)

    async def show(self, key: WorkKey) -> Entry | None:
        rows = await self._run("show", key)
        return _entry(rows[0]) if rows else None

    async def list(self, state: KeyState, *, limit: int = 100) -> Sequence[Entry]:
        return [_entry(row) for row in await self._run("show", state, limit)]

    async def counts(self) -> Counts:
        paused, *rows = await self._run("counts")
        by_lane = dict(zip(Lane, rows, strict=True))
        return Counts(
            depth={lane: dict(zip(KeyState, row[:4], strict=True)) for lane, row in by_lane.items()},
            oldest={lane: int(row[4]) / SECOND for lane, row in by_lane.items() if int(row[4]) >= 0},
            paused=bool(paused),
        )

    async def intake(self, source: str, *, lane: Lane = Lane.NORMAL) -> Sequence[CaseFileNumber]:
        return [CaseFileNumber(number) for number in await self._run("intake", source, lane)]


def _printable(error: str) -> str:
    """Cut, and without the lone surrogates by which Python names undecodable bytes: JSON cannot carry them."""
    return error[:ERROR_LIMIT].encode("utf-8", "backslashreplace").decode("utf-8")


def _micros(seconds: float) -> int:
    return round(seconds * SECOND)


def _constants(settings: QueueSettings, *, mirror: bool) -> dict[str, int | float | bool]:
    return {
        "LEASE": _micros(settings.lease),
        "BACKOFF": _micros(settings.backoff),
        "BACKOFF_CAP": _micros(settings.backoff_cap),
        "ATTEMPTS": settings.attempts,
        "PARKED_RETRY": _micros(settings.parked_retry),
        "PARKED_ADD": _micros(settings.parked_add),
        "GROUP_LIMIT": settings.group_limit,
        "MIRROR": mirror,
    }


def _entry(row: Sequence[Any]) -> Entry:
    key, state, lane, group, attempts, since, due, error, worker, again = row
    return Entry(
        key=WorkKey(key),
        state=KeyState(state),
        lane=Lane(lane),
        group=group or key,
        attempts=attempts,
        since=int(since) / SECOND,
        due=None if state == KeyState.ACTIVE else int(due) / SECOND,
        error=error or None,
        worker=worker or None,
        again=bool(again),
    )
