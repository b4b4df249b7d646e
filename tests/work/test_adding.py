"""Promises 1 and 2: what adding a key means, by what the key is doing."""

from __future__ import annotations

from dataclasses import replace

import anyio
from redis.asyncio import Redis

from docsyncd.core.model import Lane
from docsyncd.work.queue import KeyState, Verdict
from docsyncd.work.redis_queue import RedisQueue
from tests.work.workplace import PATIENT, MakeQueue, claim, claim_within, key, nothing_to_claim, offer, state


async def test_a_key_that_waits_is_not_added_twice(queue: RedisQueue) -> None:
    assert await queue.add([offer("a"), offer("b")]) == 2
    assert await queue.add([offer("a"), offer("b"), offer("c")]) == 1
    for _ in range(3):
        assert await queue.finish(await claim(queue), Verdict.DONE) is None
    assert await nothing_to_claim(queue)


async def test_adding_nothing_is_nothing(queue: RedisQueue) -> None:
    assert await queue.add([]) == 0


async def test_a_waiting_key_moves_up_a_lane_but_never_down(queue: RedisQueue) -> None:
    await queue.add([offer("a", Lane.NORMAL)])
    await queue.add([offer("a", Lane.BULK)])
    entry = await queue.show(key("a"))
    assert entry is not None
    assert entry.lane is Lane.NORMAL
    assert await queue.add([offer("a", Lane.INTERACTIVE)]) == 0
    assert (await claim(queue)).lane is Lane.INTERACTIVE


async def test_a_delay_is_only_ever_shortened(queue: RedisQueue) -> None:
    await queue.add([offer("a", delay=60)])
    assert await state(queue, "a") is KeyState.DELAYED
    first = await queue.show(key("a"))
    assert await queue.add([offer("a", delay=90)]) == 0
    assert await queue.show(key("a")) == first
    assert await queue.add([offer("a", delay=0.05)]) == 1
    assert await nothing_to_claim(queue)
    await claim_within(queue, 2)


async def test_a_delayed_key_that_is_wanted_now_runs_now(queue: RedisQueue) -> None:
    await queue.add([offer("a", delay=60)])
    assert await queue.add([offer("a")]) == 1
    assert (await claim(queue)).key == key("a")


async def test_a_key_added_while_it_runs_runs_exactly_once_more(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    run = await claim(queue)
    assert [await queue.add([offer("a")]) for _ in range(3)] == [1, 0, 0]
    assert await nothing_to_claim(queue)
    entry = await queue.show(key("a"))
    assert entry is not None
    assert entry.again
    assert await queue.finish(run, Verdict.DONE) is KeyState.READY
    assert await queue.finish(await claim(queue), Verdict.DONE) is None
    assert await nothing_to_claim(queue)


async def test_the_second_run_is_as_urgent_as_the_add_that_asks_for_it(queue: RedisQueue) -> None:
    await queue.add([offer("a", Lane.INTERACTIVE)])
    run = await claim(queue)
    await queue.add([offer("a", Lane.BULK)])
    await queue.finish(run, Verdict.DONE)
    assert (await claim(queue)).lane is Lane.BULK


async def test_the_second_run_waits_for_the_delay_of_the_add_that_asks_for_it(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    run = await claim(queue)
    await queue.add([offer("a", delay=60)])
    assert await queue.finish(run, Verdict.DONE) is KeyState.DELAYED


async def test_the_second_run_starts_with_a_clean_slate(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    first = await claim(queue)
    await queue.finish(first, Verdict.RETRY, error="once")
    second = await claim_within(queue, 2)
    assert (second.attempt, second.trace) == (2, first.trace)
    await queue.add([offer("a")])
    await queue.finish(second, Verdict.DONE)
    third = await claim(queue)
    assert third.attempt == 1
    assert third.trace != first.trace


async def test_a_thousand_offers_are_added_in_one_step_and_in_order(queue: RedisQueue) -> None:
    assert await queue.add([offer(number) for number in range(1000)]) == 1000
    assert [(await claim(queue)).key for _ in range(12)] == [key(number) for number in range(12)]


async def test_two_daemons_share_one_queue(make_queue: MakeQueue) -> None:
    here, there = make_queue(PATIENT), make_queue(PATIENT)
    await here.add([offer("a")])
    run = await claim(there)
    await here.add([offer("a")])
    assert await there.finish(run, Verdict.DONE) is KeyState.READY
    assert (await claim(here)).key == key("a")


async def test_a_daemon_that_waits_hears_what_another_adds(make_queue: MakeQueue, client: Redis) -> None:
    here, there = make_queue(PATIENT), make_queue(replace(PATIENT, poll=30.0))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(there.listen)
        with anyio.fail_after(5):
            while True:
                [(_, listeners)] = await client.pubsub_numsub("docsyncd:wakeup")
                if listeners:
                    break
                await anyio.sleep(0.01)
            assert await nothing_to_claim(there)
            await here.add([offer("a")])
            await there.wait(30)
        tasks.cancel_scope.cancel()


async def test_waiting_ends_by_itself_without_a_hint(queue: RedisQueue) -> None:
    with anyio.fail_after(1):
        await queue.wait(30)
