"""Promise 8: lanes, oldest due first, and no more than a few keys of one case file at a time."""

from __future__ import annotations

from docsyncd.core.model import Lane
from docsyncd.work.queue import Claim, Verdict
from docsyncd.work.redis_queue import RedisQueue
from tests.work.workplace import claim, claim_within, key, nothing_to_claim, offer


async def _claim_all(queue: RedisQueue, count: int) -> list[Claim]:
    return [await claim(queue) for _ in range(count)]


async def test_an_edit_overtakes_the_poll_and_the_poll_the_sweep(queue: RedisQueue) -> None:
    await queue.add([offer("swept", Lane.BULK), offer("polled", Lane.NORMAL), offer("edited", Lane.INTERACTIVE)])
    assert [run.key for run in await _claim_all(queue, 3)] == [key("edited"), key("polled"), key("swept")]


async def test_the_oldest_due_key_of_a_lane_comes_first(queue: RedisQueue) -> None:
    await queue.add([offer("late", delay=0.02)])
    await queue.add([offer("early")])
    await claim(queue)
    await claim_within(queue, 2)
    await queue.add([offer("grouped", group="7"), offer("single"), offer("other", group="8")])
    assert [run.key for run in await _claim_all(queue, 3)] == [key("grouped"), key("single"), key("other")]


async def test_a_case_file_takes_no_more_than_its_slots(queue: RedisQueue) -> None:
    await queue.add([offer(number, group="7") for number in range(3)])
    first, second = await _claim_all(queue, 2)
    assert await nothing_to_claim(queue)
    await queue.finish(second, Verdict.DONE)
    assert (await claim(queue)).key == key(2)
    assert first.group == "7"


async def test_a_large_case_file_does_not_hold_up_the_others(queue: RedisQueue) -> None:
    await queue.add([*[offer(number, group="large") for number in range(50)], offer("small", group="small")])
    assert [run.key for run in await _claim_all(queue, 3)] == [key(0), key(1), key("small")]


async def test_slots_count_over_all_lanes(queue: RedisQueue) -> None:
    await queue.add([offer("a", Lane.BULK, group="7"), offer("b", Lane.NORMAL, group="7")])
    await _claim_all(queue, 2)
    await queue.add([offer("c", Lane.INTERACTIVE, group="7")])
    assert await nothing_to_claim(queue)


async def test_a_key_that_looks_again_frees_its_slot(queue: RedisQueue) -> None:
    await queue.add([offer(number, group="7") for number in range(3)])
    first, _ = await _claim_all(queue, 2)
    await queue.finish(first, Verdict.AGAIN, delay=60)
    assert (await claim(queue)).key == key(2)


async def test_a_key_without_a_group_is_its_own(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    assert (await claim(queue)).group == key("a")


async def test_the_case_file_last_seen_is_the_group(queue: RedisQueue) -> None:
    await queue.add([offer("a", group="7")])
    await queue.add([offer("a", group="8")])
    await queue.add([offer("a")])
    run = await claim(queue)
    assert run.group == "8"
    await queue.add([offer("a", group="9"), offer("b", group="8"), offer("c", group="8")])
    assert (await claim(queue)).key == key("b")
    assert await nothing_to_claim(queue)
    await queue.finish(run, Verdict.DONE)
    assert sorted(run.group for run in await _claim_all(queue, 2)) == ["8", "9"]
