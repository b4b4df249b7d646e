"""The work queue's promises, as a protocol. `redis_queue` keeps them; there is no in-memory twin.

A key is level-triggered: it says "look at this", never what happened, so adding it twice is harmless and losing the
whole queue costs time but no change (polls and sweeps rebuild it). The ten promises are in `docs/explanation/queue.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, Protocol

from docsyncd.core.model import CaseFileNumber, Lane, WorkKey

LeaseToken = NewType("LeaseToken", str)
"""Chosen by the caller before `claim`: asking again with it gives the same answer, so a lost reply loses nothing."""


class KeyState(StrEnum):
    """READY waits for a worker, DELAYED for its due time, ACTIVE is being worked on, PARKED waits for a person."""

    READY = "ready"
    DELAYED = "delayed"
    ACTIVE = "active"
    PARKED = "parked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to work on one key until its lease runs out.

    :param fence: grows with every claim of any key; a commit with a lower one is refused.
    :param attempt: 1 for the first try since the last success.
    :param insisted: an operator asked for this run by `retry`; valves that hold it let it pass once.
    """

    key: WorkKey
    token: LeaseToken
    fence: int
    attempt: int
    lane: Lane
    group: str
    trace: str
    insisted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key as the queue sees it, for people. Times are seconds since the epoch, by the server's clock."""

    key: WorkKey
    state: KeyState
    lane: Lane
    group: str
    attempts: int
    since: float
    due: float | None
    error: str | None
    worker: str | None
    again: bool
    """It was added while being worked on, and will run once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Depth per lane and state, and the age in seconds of the oldest key that waits to run, per lane."""

    depth: Mapping[Lane, Mapping[KeyState, int]]
    oldest: Mapping[Lane, float]
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One key to add. `delay` is seconds from now; `group` limits how many keys of one case file run at once."""

    key: WorkKey
    lane: Lane
    group: str = ""
    delay: float = 0.0


class Verdict(StrEnum):
    """How a run ended, for `finish`."""

    DONE = "done"
    RETRY = "retry"
    AGAIN = "again"
    PARK = "park"
    RELEASE = "release"


class WorkQueue(Protocol):
    """Every method is one atomic transition, repeatable after a lost reply; `QueueUnavailable` if Redis is away."""

    async def add(self, offers: Sequence[Offer]) -> int:
        """Make keys due; the number that were not waiting already. All or nothing."""

    async def claim(self, token: LeaseToken, *, worker: str) -> Claim | None:
        """The most urgent key that may run, or None."""

    async def renew(self, claims: Sequence[Claim]) -> frozenset[WorkKey]:
        """Extend the leases; the keys that are still ours."""

    async def finish(self, claim: Claim, verdict: Verdict, *, error: str = "", delay: float = 0.0) -> KeyState | None:
        """End the run and say what became of the key: None if it is gone, READY if it runs once more.

        RETRY counts an attempt and backs off, or parks after the last one. AGAIN looks again after `delay` seconds and
        RELEASE at once (or after `delay`), neither counting. `LeaseLost` if the lease is not ours any more.
        """

    async def wait(self, timeout: float) -> None:
        """Return when something may have become claimable, or after `timeout` seconds at the latest."""

    async def retry(self, key: WorkKey) -> bool:
        """An operator wants it now: ready, attempts 0, `insisted`; False if the queue does not know it."""

    async def retry_all(self) -> int:
        """`retry` for every parked key."""

    async def drop(self, key: WorkKey) -> bool:
        """Forget a waiting or parked key; False if it is unknown or being worked on."""

    async def pause(self, paused: bool) -> None:
        """While paused nothing is claimed; running work goes on."""

    async def show(self, key: WorkKey) -> Entry | None: ...

    async def list(self, state: KeyState, *, limit: int = 100) -> Sequence[Entry]:
        """Keys in this state, oldest first."""

    async def counts(self) -> Counts: ...

    async def intake(self, source: str, *, lane: Lane = Lane.NORMAL) -> Sequence[CaseFileNumber]:
        """Take the members of a legacy set of case-file numbers into the queue; the numbers that were added."""
