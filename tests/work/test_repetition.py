"""redis-py repeats a call whose reply was lost: each transition, done twice, is as if done once."""

from __future__ import annotations

import anyio
import pytest

from docsyncd.errors import LeaseLost
from docsyncd.work.queue import KeyState, Verdict
from docsyncd.work.redis_queue import RedisQueue
from tests.work.workplace import PATIENT, PENDING, claim, fresh_token, key, nothing_to_claim, offer


async def test_a_claim_asked_for_again_is_the_same_claim(queue: RedisQueue) -> None:
    await queue.add([offer("a"), offer("b")])
    token = fresh_token()
    first = await queue.claim(token, worker="tester")
    assert first is not None
    assert await queue.claim(token, worker="tester") == first
    assert (await claim(queue)).key != first.key


async def test_a_claim_can_be_asked_for_again_while_the_queue_is_paused(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    token = fresh_token()
    first = await queue.claim(token, worker="tester")
    await queue.pause(True)
    assert await queue.claim(token, worker="tester") == first
    await queue.pause(False)


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (Verdict.DONE, None),
        (Verdict.RETRY, KeyState.DELAYED),
        (Verdict.AGAIN, KeyState.DELAYED),
        (Verdict.PARK, KeyState.PARKED),
        (Verdict.RELEASE, KeyState.DELAYED),
    ],
)
async def test_a_run_finished_twice_ends_once_and_says_the_same(
    queue: RedisQueue, verdict: Verdict, outcome: KeyState | None
) -> None:
    await queue.add([offer("a", group="7")])
    run = await claim(queue)
    assert await queue.finish(run, verdict, error="e", delay=0.05) is outcome
    after = await queue.show(run.key)
    assert await queue.finish(run, verdict, error="e", delay=0.05) is outcome
    assert await queue.show(run.key) == after


async def test_a_repeated_finish_does_not_touch_the_run_that_came_after(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    run = await claim(queue)
    await queue.add([offer("a")])
    assert await queue.finish(run, Verdict.DONE) is KeyState.READY
    next_run = await claim(queue)
    assert await queue.finish(run, Verdict.DONE) is KeyState.READY
    assert await queue.renew([next_run]) == {next_run.key}


async def test_a_token_used_anew_does_not_answer_for_its_earlier_run(queue: RedisQueue) -> None:
    await queue.add([offer("a"), offer("b")])
    token = fresh_token()
    first = await queue.claim(token, worker="tester")
    assert first is not None
    await queue.finish(first, Verdict.DONE)
    second = await queue.claim(token, worker="tester")
    assert second is not None
    assert await queue.finish(second, Verdict.RELEASE) is KeyState.READY
    with pytest.raises(LeaseLost):
        await queue.finish(first, Verdict.DONE)


async def test_everything_else_may_be_repeated_too(queue: RedisQueue) -> None:
    await queue.add([offer("a", group="7")])
    run = await claim(queue)
    assert await queue.renew([run]) == await queue.renew([run])
    await queue.finish(run, Verdict.PARK, error="e")
    assert await queue.retry(key("a"))
    once = await queue.show(key("a"))
    assert await queue.retry(key("a"))
    assert await queue.show(key("a")) == once
    for paused in (True, True, False, False):
        await queue.pause(paused)
        assert (await queue.counts()).paused is paused
    assert await queue.intake(PENDING) == []
    assert await queue.drop(key("a"))
    assert not await queue.drop(key("a"))
    assert await nothing_to_claim(queue)


async def test_workers_who_ask_at_the_same_time_get_different_keys(queue: RedisQueue) -> None:
    await queue.add([offer(number) for number in range(200)])
    claimed: list[str] = []

    async def work() -> None:
        while (run := await queue.claim(fresh_token(), worker="tester")) is not None:
            claimed.append(run.key)
            assert await queue.finish(run, Verdict.DONE) is None

    async with anyio.create_task_group() as tasks:
        for _ in range(PATIENT.attempts * 8):
            tasks.start_soon(work)
    assert sorted(claimed) == sorted(key(number) for number in range(200))


async def test_a_sender_that_is_cancelled_does_not_take_the_others_along(queue: RedisQueue) -> None:
    added: list[int] = []

    async def add(number: int, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await queue.add([offer(number)])
            added.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(add, number, 0.0 if number % 3 == 0 else 30.0)
    assert set(added) >= {number for number in range(100) if number % 3}
    for number in added:
        assert await queue.show(key(number)) is not None
