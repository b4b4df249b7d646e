"""Claims keys, hands them to their handler, renews the leases and says how each run ended.

What a failure means is one table, `verdict_of`; nothing else decides whether an attempt counts.
"""

from __future__ import annotations

import errno
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import anyio
import structlog
from structlog.contextvars import bound_contextvars

from docsyncd.breaker import Breaker
from docsyncd.clock import Clock
from docsyncd.core.model import WorkKey
from docsyncd.engine.lease import Lease
from docsyncd.engine.outcome import Done, LookAgain, Outcome
from docsyncd.errors import (
    CorruptContent,
    CredentialsRefused,
    DiskFull,
    LeaseLost,
    NotReady,
    PreconditionFailed,
    ProtocolViolation,
    QueueUnavailable,
    Rejected,
    RequestFailed,
    SafetyHalt,
    Unavailable,
)
from docsyncd.tasks import task_group
from docsyncd.work.queue import Claim, KeyState, LeaseToken, Verdict, WorkQueue

Handler = Callable[[WorkKey, Lease, Callable[[str], None]], Awaitable[Outcome]]
"""Works on one key; told progress in words."""

IDLE = 1.0
"""Seconds between two looks at an empty queue; a hint from the queue comes sooner."""

RELEASED = 1.0
"""Seconds until a released key may be claimed again: the gate holds this daemon back, the pause holds the others."""

DISK_PAUSE = 60.0
"""Seconds until a key is looked at again that found our own disk full: no fault of the key's, so nothing is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What to tell the queue. `delay` in seconds."""

    verdict: Verdict
    error: str = ""
    delay: float = 0.0


def ending_of(outcome: Outcome) -> Ending:
    """A run that came to its end."""
    match outcome:
        case Done():
            return Ending(verdict=Verdict.DONE)
        case LookAgain():
            return Ending(verdict=Verdict.AGAIN, error=outcome.reason, delay=outcome.delay)


def ending_after(error: Exception, claim: Claim) -> Ending | None:
    """A run that was stopped, by the table of `docs/explanation/errors.md`. None: say nothing, the lease is not ours."""
    words = str(error)
    match error:
        case LeaseLost():
            return None
        case Unavailable() | QueueUnavailable():
            return Ending(verdict=Verdict.RELEASE, error=words, delay=RELEASED)
        case NotReady():
            return Ending(verdict=Verdict.AGAIN, error=words, delay=error.retry_after)
        case DiskFull():
            return Ending(verdict=Verdict.AGAIN, error=words, delay=DISK_PAUSE)
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Ending(verdict=Verdict.AGAIN, error=words, delay=DISK_PAUSE)
        case CorruptContent():
            return Ending(verdict=Verdict.RETRY if claim.attempt == 1 else Verdict.PARK, error=words)
        case Rejected() | ProtocolViolation() | SafetyHalt():
            return Ending(verdict=Verdict.PARK, error=words)
        case RequestFailed() | PreconditionFailed() | OSError():
            return Ending(verdict=Verdict.RETRY, error=words or type(error).__name__)
    return Ending(verdict=Verdict.PARK, error=f"a bug: {type(error).__name__}: {words}")


@dataclass(slots=True, kw_only=True)
class Running:
    """One run under way, for `status` and `sync --wait`."""

    lease: Lease
    scope: anyio.CancelScope
    started: float
    step: str = "starting"
    ended: bool = False
    """Its work is over and the queue is being told: a renewal that the queue refuses then means nothing."""


@dataclass(slots=True, kw_only=True)
class Gate:
    """Lets workers claim only while every remote that they need is well and nobody asked them to stop."""

    breakers: Sequence[Breaker] = ()
    open: anyio.Event = field(default_factory=anyio.Event)
    stopping: bool = False

    async def wait(self) -> None:
        """Returns when claiming makes sense."""
        await self.open.wait()
        while away := next((breaker for breaker in self.breakers if breaker.reason is not None), None):
            await away.wait_closed()

    def replace(self, breakers: Sequence[Breaker]) -> None:
        """A new generation took over: whoever waits for an old breaker looks at the new ones."""
        old, self.breakers = self.breakers, breakers
        for breaker in old:
            breaker.reset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a run under way does now, in words, for clients that wait for it."""

    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """One run that ended, for clients that wait for it."""

    word: str
    detail: str


class Workers:
    """A fixed number of slots over one queue."""

    def __init__(
        self,
        queue: WorkQueue,
        handlers: Callable[[], Mapping[str, Handler]],
        gate: Gate,
        clock: Clock,
        *,
        name: str,
        slots: int,
        lease: float,
        reported: Callable[[WorkKey, str], None],
        finished: Callable[[WorkKey, str, str], None],
    ) -> None:
        """
        :param reported: told the key and each step of its run, for waiting clients.
        :param finished: told the key, the ending's word and its detail, for counters and waiting clients.
        """
        self._queue = queue
        self._handlers = handlers
        self._gate = gate
        self._clock = clock
        self._name = name
        self._slots = slots
        self._lease = lease
        self._reported = reported
        self._finished = finished
        self.running: dict[WorkKey, Running] = {}
        self._idle = anyio.Event()
        self.beat = clock.monotonic()
        """Monotonic time of the last renewal round, for the watchdog."""

    async def run(self) -> None:
        """Until cancelled, or until the gate says `stopping` and every run has ended."""
        async with task_group() as tasks:
            tasks.start_soon(self._renew_forever)
            async with task_group() as slots:
                for number in range(self._slots):
                    slots.start_soon(self._work_forever, f"{self._name}/{number}")
            tasks.cancel_scope.cancel()

    async def drained(self) -> None:
        """Returns when nothing is being worked on."""
        while self.running:
            await self._idle.wait()

    async def _work_forever(self, worker: str) -> None:
        token = _fresh_token()
        while True:
            await self._gate.wait()
            if self._gate.stopping:
                return
            asked_at = self._clock.monotonic()
            try:
                # A claim that nobody knows of would hold its key for a whole lease.
                with anyio.CancelScope(shield=True):
                    claim = await self._queue.claim(token, worker=worker)
            except QueueUnavailable as away:
                structlog.get_logger().warning("queue.away", reason=str(away))
                await anyio.sleep(IDLE * (1 + random.random()))
                continue  # with the same token: where only the reply was lost, it is answered again
            if claim is None:
                await self._queue.wait(IDLE)
                continue
            token = _fresh_token()
            await self._one(claim, asked_at)

    async def _one(self, claim: Claim, asked_at: float) -> None:
        started = self._clock.monotonic()
        lease = Lease(claim, self._clock, seconds=self._lease)
        lease.renewed(asked_at)
        with bound_contextvars(key=claim.key, trace=claim.trace), anyio.CancelScope() as scope:
            self.running[claim.key] = run = Running(lease=lease, scope=scope, started=started)
            try:
                ending, word, detail = await self._handle(claim, lease, run)
                if ending is not None and ending.verdict is Verdict.DONE and not lease.holds():
                    # Somebody may have changed the document since: only a run inside its lease may say "done".
                    ending, word = Ending(verdict=Verdict.RELEASE), "lease_lost"
                run.ended = True
                with anyio.CancelScope(shield=True):
                    await self._finish(claim, ending, word, detail, started)
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True):
                    await self._finish(claim, Ending(verdict=Verdict.RELEASE), "released", "", started)
                raise
            finally:
                # Once the queue knows of the end, another slot may have claimed the key anew and stand here instead.
                if self.running.get(claim.key) is run:
                    del self.running[claim.key]
                if not self.running:
                    self._idle.set()
                    self._idle = anyio.Event()

    async def _handle(self, claim: Claim, lease: Lease, run: Running) -> tuple[Ending | None, str, str]:
        def report(step: str) -> None:
            run.step = step
            self._reported(claim.key, step)

        kind = claim.key.partition(":")[0]
        handler = self._handlers().get(kind)
        log = structlog.get_logger()
        if handler is None:
            return Ending(verdict=Verdict.PARK, error=f"this daemon has no flow for {kind}: keys"), "parked", ""
        try:
            outcome = await handler(claim.key, lease, report)
        except Exception as error:  # sorted by the table; what is unknown is a bug, logged with its traceback
            ending = ending_after(error, claim)
            if ending is not None and ending.error.startswith("a bug: "):
                log.exception("work.bug")
            return ending, _word_of(error), str(error)
        ending = ending_of(outcome)
        word, detail = (outcome.summary, outcome.detail) if isinstance(outcome, Done) else ("again", outcome.reason)
        return ending, word, detail

    async def _finish(self, claim: Claim, ending: Ending | None, word: str, detail: str, started: float) -> None:
        state: KeyState | None = None
        if ending is not None:
            try:
                state = await self._tell(claim, ending)
            except LeaseLost as lost:
                word, detail = "lease_lost", str(lost)
            except QueueUnavailable as away:
                word, detail = "queue_away", str(away)
        structlog.get_logger().info(
            "work.done" if word not in FAILURES else "work.failed",
            outcome=word,
            detail=detail,
            state=state,
            attempt=claim.attempt,
            lane=claim.lane,
            seconds=round(self._clock.monotonic() - started, 3),
        )
        self._finished(claim.key, "parked" if state is KeyState.PARKED else word, detail)

    async def _tell(self, claim: Claim, ending: Ending) -> KeyState | None:
        """Tell the queue, for as long as the lease may hold: a Redis that is away for a moment costs no attempt."""
        deadline = self._clock.monotonic() + self._lease
        while True:
            try:
                return await self._queue.finish(claim, ending.verdict, error=ending.error, delay=ending.delay)
            except QueueUnavailable:
                if self._gate.stopping or self._clock.monotonic() > deadline:
                    raise
                await anyio.sleep(IDLE)

    async def _renew_forever(self) -> None:
        while True:
            await anyio.sleep(self._lease / 3)
            self.beat = self._clock.monotonic()
            runs = list(self.running.values())
            if not runs:
                continue
            asked_at = self._clock.monotonic()
            try:
                held = await self._queue.renew([run.lease.claim for run in runs])
            except QueueUnavailable as away:
                structlog.get_logger().warning("queue.away", reason=str(away))
                continue
            for run in runs:
                if run.lease.claim.key in held:
                    run.lease.renewed(asked_at)
                elif not run.ended:
                    structlog.get_logger().warning("work.lease_lost", key=run.lease.claim.key)
                    run.lease.lose()
                    run.scope.cancel()


FAILURES = frozenset({"failed", "parked", "held", "bug", "lease_lost", "queue_away"})
"""Words of endings that a person may want to look at."""

_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (CredentialsRefused, "credentials_refused"),
    (Unavailable, "remote_away"),
    (NotReady, "again"),
    (SafetyHalt, "held"),
    (DiskFull, "disk_full"),
    (LeaseLost, "lease_lost"),
    (QueueUnavailable, "queue_away"),
    (Rejected, "parked"),
    (ProtocolViolation, "parked"),
    (RequestFailed, "failed"),
    (PreconditionFailed, "failed"),
    (CorruptContent, "failed"),
    (OSError, "failed"),
)


def _word_of(error: Exception) -> str:
    return next((word for kind, word in _WORDS if isinstance(error, kind)), "bug")


def _fresh_token() -> LeaseToken:
    return LeaseToken(uuid.uuid4().hex)
