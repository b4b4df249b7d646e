"""What people do: retry, drop, pause, look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docsyncd.core.model import Lane
from docsyncd.work.queue import KeyState, Verdict
from docsyncd.work.redis_queue import RedisQueue
from tests.work.workplace import LEASE, PATIENT, MakeQueue, claim, claim_within, key, nothing_to_claim, offer, state


async def _park(queue: RedisQueue, name: str) -> None:
    await queue.add([offer(name)])
    await queue.finish(await claim(queue), Verdict.PARK, error="refused")


async def test_retry_runs_a_parked_key_at_once_and_insists(queue: RedisQueue) -> None:
    await _park(queue, "a")
    assert await queue.retry(key("a"))
    run = await claim(queue)
    assert (run.insisted, run.attempt, run.lane) == (True, 1, Lane.INTERACTIVE)


async def test_retry_gives_a_parked_key_all_its_attempts_back(queue: RedisQueue) -> None:
    await _park(queue, "a")
    await queue.retry(key("a"))
    assert await queue.finish(await claim(queue), Verdict.RETRY, error="e") is KeyState.DELAYED


async def test_retry_cuts_a_back_off_short(make_queue: MakeQueue) -> None:
    queue = make_queue(replace(PATIENT, backoff=60, backoff_cap=60))
    await queue.add([offer("a")])
    await queue.finish(await claim(queue), Verdict.RETRY, error="e")
    assert await queue.retry(key("a"))
    assert (await claim(queue)).insisted


@pytest.mark.parametrize("verdict", [Verdict.RETRY, Verdict.AGAIN, Verdict.PARK])
async def test_insisting_lasts_for_one_run(queue: RedisQueue, verdict: Verdict) -> None:
    await queue.add([offer("a")])
    await queue.retry(key("a"))
    await queue.finish(await claim(queue), verdict, error="e")
    await queue.add([offer("a")])
    assert not (await claim_within(queue, 5)).insisted


async def test_a_run_that_was_only_released_is_still_insisted(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    await queue.retry(key("a"))
    await queue.finish(await claim(queue), Verdict.RELEASE)
    assert (await claim(queue)).insisted


@pytest.mark.parametrize("verdict", list(Verdict))
async def test_retry_of_a_running_key_insists_on_the_next_run(queue: RedisQueue, verdict: Verdict) -> None:
    await queue.add([offer("a")])
    run = await claim(queue)
    assert not run.insisted
    assert await queue.retry(key("a"))
    assert await queue.finish(run, verdict, error="e", delay=60) is KeyState.READY
    again = await claim(queue)
    assert (again.insisted, again.attempt) == (True, 1)


async def test_a_worker_lost_in_an_insisted_run_does_not_insist_again(make_queue: MakeQueue) -> None:
    queue = make_queue(replace(PATIENT, lease=LEASE))
    await queue.add([offer("a")])
    await queue.retry(key("a"))
    assert (await claim(queue)).insisted
    assert not (await claim_within(queue, 5)).insisted


async def test_retry_of_an_unknown_key_says_so(queue: RedisQueue) -> None:
    assert not await queue.retry(key("nobody"))


async def test_retry_all_is_for_everything_parked(queue: RedisQueue) -> None:
    await _park(queue, "a")
    await _park(queue, "b")
    await queue.add([offer("waiting", delay=60)])
    assert await queue.retry_all() == 2
    assert {(await claim(queue)).key for _ in range(2)} == {key("a"), key("b")}
    assert await nothing_to_claim(queue)


async def test_a_waiting_delayed_or_parked_key_can_be_dropped(queue: RedisQueue) -> None:
    await _park(queue, "parked")
    await queue.add([offer("ready", group="7"), offer("delayed", delay=60)])
    for name in ("parked", "ready", "delayed"):
        assert await queue.drop(key(name))
        assert await queue.show(key(name)) is None


async def test_neither_a_running_nor_an_unknown_key_can_be_dropped(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    await claim(queue)
    assert not await queue.drop(key("a"))
    assert not await queue.drop(key("nobody"))
    assert await state(queue, "a") is KeyState.ACTIVE


async def test_a_paused_queue_gives_nothing_out_while_running_work_goes_on(queue: RedisQueue) -> None:
    await queue.add([offer("a"), offer("b")])
    run = await claim(queue)
    await queue.pause(True)
    assert (await queue.counts()).paused
    assert await nothing_to_claim(queue)
    assert await queue.renew([run]) == {run.key}
    assert await queue.finish(run, Verdict.DONE) is None
    await queue.pause(False)
    assert (await claim(queue)).key == key("b")


async def test_counts_tell_depth_and_age_by_lane(queue: RedisQueue) -> None:
    await _park(queue, "parked")
    await queue.add([offer("a", Lane.INTERACTIVE), offer("b", Lane.BULK), offer("c", Lane.BULK, delay=60)])
    await claim(queue)
    counts = await queue.counts()
    assert counts.depth[Lane.INTERACTIVE][KeyState.ACTIVE] == 1
    assert counts.depth[Lane.NORMAL][KeyState.PARKED] == 1
    assert (counts.depth[Lane.BULK][KeyState.READY], counts.depth[Lane.BULK][KeyState.DELAYED]) == (1, 1)
    assert sum(number for lane in counts.depth.values() for number in lane.values()) == 4
    assert set(counts.oldest) == {Lane.BULK}
    assert 0 <= counts.oldest[Lane.BULK] < 30
    assert not counts.paused


async def test_lists_are_oldest_first_over_all_lanes_and_limited(queue: RedisQueue) -> None:
    await queue.add([offer("a", Lane.BULK), offer("b", Lane.INTERACTIVE, group="7"), offer("c", Lane.NORMAL)])
    entries = await queue.list(KeyState.READY)
    assert [entry.key for entry in entries] == [key("a"), key("b"), key("c")]
    assert [entry.group for entry in entries] == [key("a"), "7", key("c")]
    assert [entry.key for entry in await queue.list(KeyState.READY, limit=2)] == [key("a"), key("b")]


async def test_a_running_key_shows_its_worker(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    await claim(queue)
    [entry] = await queue.list(KeyState.ACTIVE)
    assert (entry.key, entry.worker, entry.due, entry.again) == (key("a"), "tester", None, False)
