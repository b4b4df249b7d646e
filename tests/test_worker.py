"""What the worker makes of each ending, on the real queue: what counts, what waits, what parks, and that it lives on."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import pytest
from anyio.abc import TaskGroup
from redis.asyncio import Redis
from structlog.testing import capture_logs

from docsyncd.breaker import Breaker
from docsyncd.clock import SystemClock
from docsyncd.core.model import Lane, WorkKey
from docsyncd.engine.lease import Lease
from docsyncd.engine.outcome import Done, LookAgain, Outcome
from docsyncd.errors import (
    CollectionGone,
    CorruptContent,
    CredentialsRefused,
    DiskFull,
    FileGone,
    LeaseLost,
    NotReady,
    OutcomeUnknown,
    PreconditionFailed,
    ProtocolViolation,
    QueueUnavailable,
    Rejected,
    RequestFailed,
    SafetyHalt,
    Unavailable,
)
from docsyncd.testing.host import HandClock
from docsyncd.work.connection import ConnectionSettings, connect
from docsyncd.work.embedded import EmbeddedServer, EmbeddedSettings, embedded_server
from docsyncd.work.queue import Claim, Entry, KeyState, LeaseToken, Offer, Verdict
from docsyncd.work.redis_queue import QueueSettings, RedisQueue
from docsyncd.worker import DISK_PAUSE, RELEASED, Ending, Gate, Workers, ending_after, ending_of
from tests.work.workplace import PATIENT, binary

KEY = WorkKey("doc:65f0c2a1b3d4e5f60")

CLAIM = Claim(
    key=KEY,
    token=LeaseToken("token"),
    fence=1,
    attempt=1,
    lane=Lane.NORMAL,
    group="7",
    trace="trace",
    insisted=False,
)


def ending(verdict: Verdict, error: str, delay: float = 0.0) -> Ending:
    return Ending(verdict=verdict, error=error, delay=delay)


ENDINGS: list[tuple[Exception, Ending | None]] = [
    (LeaseLost("taken over"), None),
    (Unavailable("502", remote="xai"), ending(Verdict.RELEASE, "xai: 502", RELEASED)),
    (Unavailable("429", remote="xai", retry_after=30.0), ending(Verdict.RELEASE, "xai: 429", RELEASED)),
    (CredentialsRefused("401", remote="xai"), ending(Verdict.RELEASE, "xai: 401", RELEASED)),
    (QueueUnavailable("Redis is away"), ending(Verdict.RELEASE, "Redis is away", RELEASED)),
    (NotReady("uploading", remote="espocrm", retry_after=3.0), ending(Verdict.AGAIN, "espocrm: uploading", 3.0)),
    (DiskFull("no room"), ending(Verdict.AGAIN, "no room", DISK_PAUSE)),
    (OSError(errno.ENOSPC, "No space left"), ending(Verdict.AGAIN, "[Errno 28] No space left", DISK_PAUSE)),
    (OSError(errno.EDQUOT, "Quota"), ending(Verdict.AGAIN, "[Errno 122] Quota", DISK_PAUSE)),
    (OSError(errno.EACCES, "Permission denied"), ending(Verdict.RETRY, "[Errno 13] Permission denied")),
    (OSError(), ending(Verdict.RETRY, "OSError")),
    (RequestFailed("500", remote="xai"), ending(Verdict.RETRY, "xai: 500")),
    (OutcomeUnknown("cut", remote="xai"), ending(Verdict.RETRY, "xai: cut")),
    (PreconditionFailed("changed", remote="espocrm"), ending(Verdict.RETRY, "espocrm: changed")),
    (FileGone("f1", remote="xai"), ending(Verdict.RETRY, "xai: file f1 does not exist any more")),
    (CorruptContent("short", remote="espocrm"), ending(Verdict.RETRY, "espocrm: short")),
    (Rejected("too large", remote="xai"), ending(Verdict.PARK, "xai: too large")),
    (CollectionGone("C1", remote="xai"), ending(Verdict.PARK, "xai: collection C1 does not exist any more")),
    (ProtocolViolation("HTML", remote="xai"), ending(Verdict.PARK, "xai: HTML")),
    (SafetyHalt("21 vanished", valve="mass-deletion"), ending(Verdict.PARK, "mass-deletion: 21 vanished")),
    (KeyError("fileId"), ending(Verdict.PARK, "a bug: KeyError: 'fileId'")),
    (AssertionError(), ending(Verdict.PARK, "a bug: AssertionError: ")),
]


@pytest.mark.parametrize(("error", "told"), ENDINGS, ids=[repr(row[0])[:40] for row in ENDINGS])
def test_each_error_ends_a_run_by_the_table(error: Exception, told: Ending | None) -> None:
    assert ending_after(error, CLAIM) == told


def test_corrupt_content_is_fetched_once_more_and_then_parked() -> None:
    error = CorruptContent("short", remote="espocrm")
    assert ending_after(error, replace(CLAIM, attempt=2)) == ending(Verdict.PARK, "espocrm: short")


def test_a_run_that_came_to_its_end_is_done_or_looks_again() -> None:
    assert ending_of(Done(summary="indexed")) == Ending(verdict=Verdict.DONE)
    assert ending_of(LookAgain(delay=2.0, reason="indexing")) == ending(Verdict.AGAIN, "indexing", 2.0)


def test_every_error_class_stands_in_the_documented_table() -> None:
    table = (Path(__file__).parents[1] / "docs/explanation/errors.md").read_text(encoding="utf-8")
    for error, _ in ENDINGS:
        if type(error).__module__ == "docsyncd.errors":
            assert f"`{type(error).__name__}`" in table


@pytest.fixture(scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServer]:
    folder = tmp_path_factory.mktemp("server")
    async with embedded_server(folder, settings=EmbeddedSettings(binary=binary("valkey"))) as running:
        yield running


IMPATIENT = ConnectionSettings(reply_timeout=0.2, retries=0)
"""A Redis that stands still is away after 0.2 s, so that stories about it are short."""


@pytest.fixture
async def redis(server: EmbeddedServer) -> AsyncIterator[Redis]:
    async with connect(server.url, settings=IMPATIENT) as client:
        await client.flushall()
        yield client


Handle = Callable[[WorkKey, Lease, Callable[[str], None]], Awaitable[Outcome]]


async def until(happened: Callable[[], bool]) -> None:
    """Returns soon after it happened."""
    with anyio.fail_after(10):
        while True:
            if happened():
                return
            await anyio.sleep(0.01)


@dataclass(slots=True, kw_only=True)
class Workplace:
    """Workers under way on one queue, and what they told of each run."""

    queue: RedisQueue
    gate: Gate
    workers: Workers
    tasks: TaskGroup
    told: list[tuple[WorkKey, str, str]]
    steps: list[tuple[WorkKey, str]]

    async def offer(self, *keys: str) -> None:
        await self.queue.add([Offer(key=WorkKey(key), lane=Lane.NORMAL) for key in keys or (KEY,)])

    async def ended(self, runs: int) -> list[str]:
        """The words of the first runs, once there are so many."""
        await until(lambda: len(self.told) >= runs)
        return [word for _, word, _ in self.told[:runs]]

    async def entry(self, key: str = KEY) -> Entry:
        entry = await self.queue.show(WorkKey(key))
        assert entry is not None, f"the queue does not know {key}"
        return entry


@asynccontextmanager
async def work(
    redis: Redis,
    handle: Handle,
    *,
    breakers: tuple[Breaker, ...] = (),
    settings: QueueSettings = PATIENT,
    lease: float | None = None,
    slots: int = 2,
) -> AsyncIterator[Workplace]:
    queue = RedisQueue(redis, settings=settings)
    gate = Gate(breakers=breakers)
    told: list[tuple[WorkKey, str, str]] = []
    steps: list[tuple[WorkKey, str]] = []
    workers = Workers(
        queue,
        lambda: {"doc": handle},
        gate,
        SystemClock(),
        name="tester",
        slots=slots,
        lease=lease or settings.lease,
        reported=lambda key, step: steps.append((key, step)),
        finished=lambda key, word, detail: told.append((key, word, detail)),
    )
    gate.open.set()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(workers.run)
        yield Workplace(queue=queue, gate=gate, workers=workers, tasks=tasks, told=told, steps=steps)
        tasks.cancel_scope.cancel()


async def test_a_run_that_is_done_leaves_the_queue(redis: Redis) -> None:
    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        report("indexing")
        return Done(summary="indexed", detail="place f1 in C1")

    async with work(redis, handle) as place:
        await place.offer()
        assert await place.ended(1) == ["indexed"]
        assert await place.queue.show(KEY) is None
        assert place.told == [(KEY, "indexed", "place f1 in C1")]


async def test_what_is_under_way_can_be_seen_with_its_step(redis: Redis) -> None:
    go_on = anyio.Event()

    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        report("upload")
        await go_on.wait()
        return Done(summary="indexed")

    async with work(redis, handle) as place:
        await place.offer()
        await until(lambda: place.steps == [(KEY, "upload")])
        assert place.workers.running[KEY].step == "upload"
        go_on.set()
        await place.ended(1)
        with anyio.fail_after(5):
            await place.workers.drained()


async def test_a_remote_that_is_away_costs_no_attempt_and_stops_the_claiming(redis: Redis) -> None:
    breaker = Breaker("xai", SystemClock())
    runs: list[WorkKey] = []

    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        runs.append(key)
        if len(runs) == 1:
            breaker.trip(away := Unavailable("502", remote="xai"))
            raise away
        return Done(summary="indexed")

    async with work(redis, handle, breakers=(breaker,), slots=1) as place:
        await place.offer("doc:a", "doc:b", "doc:c")
        assert await place.ended(1) == ["remote_away"]
        await anyio.sleep(0.3)
        assert len(runs) == 1, "claimed while the breaker was open"
        for key, state in (("doc:a", KeyState.DELAYED), ("doc:b", KeyState.READY), ("doc:c", KeyState.READY)):
            entry = await place.entry(key)
            assert (entry.state, entry.attempts) == (state, 0)
        breaker.reset()
        assert await place.ended(4) == ["remote_away", "indexed", "indexed", "indexed"]


async def test_a_run_that_outlived_its_lease_is_not_done_but_released(redis: Redis) -> None:
    runs: list[WorkKey] = []

    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        runs.append(key)
        if len(runs) == 1:
            lease.lose()
        return Done(summary="indexed")

    async with work(redis, handle, slots=1) as place:
        await place.offer("doc:a")
        assert await place.ended(2) == ["lease_lost", "indexed"]


async def test_refused_credentials_park_nothing_until_the_key_changes(redis: Redis) -> None:
    old, new = Breaker("xai", SystemClock()), Breaker("xai", SystemClock())
    refused = CredentialsRefused("401", remote="xai")

    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        if place.gate.breakers == (new,):
            return Done(summary="indexed")
        old.trip(refused)
        raise refused

    async with work(redis, handle, breakers=(old,), slots=1) as place:
        await place.offer()
        assert await place.ended(1) == ["credentials_refused"]
        entry = await place.entry()
        assert (entry.state, entry.attempts, entry.error) == (KeyState.DELAYED, 0, "xai: 401")
        place.gate.replace((new,))
        assert await place.ended(2) == ["credentials_refused", "indexed"]


async def test_a_bug_parks_its_key_with_a_traceback_and_the_worker_lives(redis: Redis) -> None:
    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        if key == KEY:
            raise KeyError("fileId")
        return Done(summary="indexed")

    with capture_logs() as logs:
        async with work(redis, handle, slots=1) as place:
            await place.offer(KEY, "doc:other")
            assert await place.ended(2) == ["parked", "indexed"]
            entry = await place.entry()
    assert (entry.state, entry.error) == (KeyState.PARKED, "a bug: KeyError: 'fileId'")
    [bug] = [log for log in logs if log["event"] == "work.bug"]
    assert bug["exc_info"]
    assert bug["log_level"] == "error"


async def test_a_failure_of_the_key_counts_and_parks_after_the_last_attempt(redis: Redis) -> None:
    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        raise RequestFailed("500", remote="espocrm")

    async with work(redis, handle) as place:
        await place.offer()
        assert await place.ended(PATIENT.attempts) == ["failed"] * (PATIENT.attempts - 1) + ["parked"]
        entry = await place.entry()
        assert (entry.state, entry.attempts) == (KeyState.PARKED, PATIENT.attempts)


async def test_what_is_not_ready_looks_again_without_an_attempt(redis: Redis) -> None:
    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        raise NotReady("upload under way", remote="espocrm", retry_after=60.0)

    async with work(redis, handle) as place:
        await place.offer()
        assert await place.ended(1) == ["again"]
        entry = await place.entry()
        assert (entry.state, entry.attempts) == (KeyState.DELAYED, 0)


async def test_a_key_of_a_flow_that_is_not_configured_is_parked_with_the_reason(redis: Redis) -> None:
    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        raise AssertionError("not this key's handler")

    async with work(redis, handle) as place:
        await place.offer("case:7")
        assert await place.ended(1) == ["parked"]
        assert (await place.entry("case:7")).error == "this daemon has no flow for case: keys"


async def test_a_lease_is_renewed_for_as_long_as_the_run_takes(redis: Redis) -> None:
    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        await anyio.sleep(1.2)
        lease.require()
        return Done(summary="indexed")

    async with work(redis, handle, settings=replace(PATIENT, lease=0.6)) as place:
        before = place.workers.beat
        await place.offer()
        assert await place.ended(1) == ["indexed"]
        assert place.workers.beat > before


async def test_a_lost_lease_cancels_the_run_and_says_nothing_to_the_queue(redis: Redis) -> None:
    seen: list[str] = []

    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        seen.append("began")
        if len(seen) > 1:
            return Done(summary="indexed")
        try:
            await anyio.sleep_forever()
        finally:
            with pytest.raises(LeaseLost):
                lease.require()
            seen.append("cancelled")
        raise AssertionError("nobody wakes it")

    async with work(redis, handle, settings=replace(PATIENT, lease=0.6), slots=1) as place:
        await place.offer()
        await until(lambda: bool(seen))
        await redis.flushall()  # Redis was lost, and with it every lease
        assert await place.ended(1) == ["lease_lost"]
        assert seen == ["began", "cancelled"]
        await place.offer()
        assert await place.ended(2) == ["lease_lost", "indexed"]


async def test_a_handler_that_finds_its_lease_lost_leaves_the_key_to_its_successor(redis: Redis) -> None:
    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        raise LeaseLost("a later lease has written")

    async with work(redis, handle, slots=1) as place:
        await place.offer()
        assert await place.ended(1) == ["lease_lost"]
        assert (await place.entry()).state is KeyState.ACTIVE


async def test_a_redis_that_is_away_while_a_run_ends_is_told_again(server: EmbeddedServer, redis: Redis) -> None:
    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        os.kill(server.pid, signal.SIGSTOP)
        return Done(summary="indexed")

    async with work(redis, handle, slots=1) as place:
        try:
            await place.offer()
            await anyio.sleep(1.0)
            assert place.told == [], "it gave up"
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert await place.ended(1) == ["indexed"]
        assert await place.queue.show(KEY) is None


async def test_a_redis_that_is_away_while_claiming_is_asked_again(server: EmbeddedServer, redis: Redis) -> None:
    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        return Done(summary="indexed")

    with capture_logs() as logs:
        async with work(redis, handle, slots=1) as place:
            try:
                os.kill(server.pid, signal.SIGSTOP)
                await until(lambda: any(log["event"] == "queue.away" for log in logs))
            finally:
                os.kill(server.pid, signal.SIGCONT)
            await place.offer()
            assert await place.ended(1) == ["indexed"]


async def test_a_drain_claims_nothing_more_and_lets_runs_end(redis: Redis) -> None:
    began, go_on = anyio.Event(), anyio.Event()

    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        began.set()
        await go_on.wait()
        return Done(summary="indexed")

    async with work(redis, handle, slots=1) as place:
        await place.offer("doc:a", "doc:b")
        await began.wait()
        place.gate.stopping = True
        go_on.set()
        with anyio.fail_after(5):
            await place.workers.drained()
        assert await place.ended(1) == ["indexed"]
        await anyio.sleep(0.2)
        assert (await place.entry("doc:b")).state is KeyState.READY


async def test_a_run_that_outlasts_the_drain_is_released_without_an_attempt(redis: Redis) -> None:
    began = anyio.Event()

    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        began.set()
        await anyio.sleep_forever()
        raise AssertionError("nobody wakes it")

    async with work(redis, handle) as place:
        await place.offer()
        await began.wait()
        place.gate.stopping = True
        place.tasks.cancel_scope.cancel()
    assert [word for _, word, _ in place.told] == ["released"]
    entry = await place.entry()
    assert (entry.state, entry.attempts) == (KeyState.READY, 0)


async def test_a_stop_while_a_remote_is_away_claims_nothing_when_it_comes_back(redis: Redis) -> None:
    breaker = Breaker("xai", SystemClock())
    breaker.trip(Unavailable("502", remote="xai"))

    async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
        return Done(summary="indexed")

    async with work(redis, handle, breakers=(breaker,)) as place:
        await place.offer()
        await anyio.sleep(0.1)
        place.gate.stopping = True
        breaker.reset()
        await anyio.sleep(0.3)
        assert place.told == []
        assert (await place.entry()).state is KeyState.READY


def test_a_lease_holds_until_its_margin() -> None:
    clock = HandClock()
    lease = Lease(CLAIM, clock, seconds=60.0)
    clock.pass_by(50.0)
    lease.require()
    clock.pass_by(0.1)
    with pytest.raises(LeaseLost, match="may have run out"):
        lease.require()
    lease.renewed(50.0)
    lease.require()
    lease.lose()
    with pytest.raises(LeaseLost):
        lease.require()
