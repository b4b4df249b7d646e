"""Two slots and one key: the second run begins while the first one still waits to hear that it has ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio

from docsyncd.clock import SystemClock
from docsyncd.core.model import Lane, WorkKey
from docsyncd.engine.lease import Lease
from docsyncd.engine.outcome import Done, Outcome
from docsyncd.work.connection import connect
from docsyncd.work.embedded import embedded_server
from docsyncd.work.queue import Claim, KeyState, Offer, Verdict
from docsyncd.work.redis_queue import RedisQueue
from docsyncd.worker import Gate, Workers

KEY = WorkKey("doc:65f0000000000abcd")


class LateAnswers(RedisQueue):
    """The queue over a slow line: what `finish` did is known to others before its answer is here."""

    async def finish(self, claim: Claim, verdict: Verdict, *, error: str = "", delay: float = 0.0) -> KeyState | None:
        state = await super().finish(claim, verdict, error=error, delay=delay)
        await anyio.sleep(0.3)
        return state


async def test_a_key_that_is_claimed_anew_before_its_first_run_has_tidied_up_ends_twice(tmp_path: Path) -> None:
    ends: list[str] = []
    steps: list[str] = []
    both = anyio.Event()
    runs = 0

    def finished(key: WorkKey, word: str, detail: str) -> None:
        ends.append(f"{key} {word}{detail}")
        if len(ends) == 2:
            both.set()

    async with embedded_server(tmp_path) as server, connect(server.url) as client:
        queue = LateAnswers(client)

        async def handle(key: WorkKey, lease: Lease, report: Callable[[str], None]) -> Outcome:
            nonlocal runs
            runs += 1
            report("indexing")
            if runs == 1:
                await queue.add([Offer(key=key, lane=Lane.INTERACTIVE)])
            return Done(summary="indexed")

        gate = Gate()
        workers = Workers(
            queue,
            lambda: {"doc": handle},
            gate,
            SystemClock(),
            name="tester",
            slots=2,
            lease=10.0,
            reported=lambda key, step: steps.append(f"{key} {step}"),
            finished=finished,
        )
        gate.open.set()
        await queue.add([Offer(key=KEY, lane=Lane.INTERACTIVE)])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(workers.run)
            with anyio.fail_after(20):
                await both.wait()
                await workers.drained()
            tasks.cancel_scope.cancel()
    assert ends == [f"{KEY} indexed", f"{KEY} indexed"]
    assert steps == [f"{KEY} indexing"] * 2
    assert workers.running == {}
