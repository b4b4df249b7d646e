"""Promises 3 and 4: one worker per key while leases hold, take-over when one is lost, fencing of what comes late."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest
from redis.asyncio import Redis

from docsyncd.errors import LeaseLost
from docsyncd.work.queue import KeyState, Verdict
from docsyncd.work.redis_queue import RedisQueue
from tests.work.workplace import LEASE, PATIENT, MakeQueue, claim, claim_within, key, nothing_to_claim, offer


@pytest.fixture
def short(make_queue: MakeQueue) -> RedisQueue:
    return make_queue(replace(PATIENT, lease=LEASE))


async def test_a_key_that_is_worked_on_is_not_given_to_another(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    await claim(queue)
    assert await nothing_to_claim(queue)


async def test_a_lost_workers_key_is_taken_over_and_the_loss_counts(short: RedisQueue) -> None:
    await short.add([offer("a")])
    lost = await claim(short)
    took_over = await claim_within(short, 5)
    assert (took_over.key, took_over.attempt) == (lost.key, 2)
    entry = await short.show(lost.key)
    assert entry is not None
    assert entry.error == "worker lost"


async def test_a_key_that_kills_its_workers_is_parked(short: RedisQueue) -> None:
    await short.add([offer("a")])
    for _ in range(PATIENT.attempts):
        await claim_within(short, 5)
    await anyio.sleep(LEASE)
    assert await nothing_to_claim(short)
    [parked] = await short.list(KeyState.PARKED)
    assert (parked.key, parked.attempts, parked.error) == (key("a"), PATIENT.attempts, "worker lost")


async def test_a_renewed_lease_holds(make_queue: MakeQueue) -> None:
    queue = make_queue(replace(PATIENT, lease=0.6))
    await queue.add([offer("a")])
    run = await claim(queue)
    for _ in range(10):
        await anyio.sleep(0.1)
        assert await queue.renew([run]) == {run.key}
    assert await nothing_to_claim(queue)


async def test_renewal_says_which_keys_are_still_ours(short: RedisQueue) -> None:
    await short.add([offer("a")])
    lost = await claim(short)
    await claim_within(short, 5)
    await short.add([offer("b")])
    held = await claim_within(short, 5)
    assert await short.renew([lost, held]) == {held.key}
    assert await short.renew([]) == frozenset()


@pytest.mark.parametrize("verdict", list(Verdict))
async def test_a_worker_that_comes_back_late_commits_nothing(short: RedisQueue, verdict: Verdict) -> None:
    await short.add([offer("a")])
    late = await claim(short)
    holder = await claim_within(short, 5)
    assert holder.fence > late.fence
    with pytest.raises(LeaseLost):
        await short.finish(late, verdict, error="late")
    assert await short.renew([holder]) == {holder.key}


async def test_fences_grow_with_every_claim_of_any_key(queue: RedisQueue) -> None:
    await queue.add([offer(number) for number in range(20)])
    fences = [(await claim(queue)).fence for _ in range(20)]
    assert fences == sorted(set(fences))


async def test_a_fence_that_a_failover_lost_does_not_go_back(queue: RedisQueue, client: Redis) -> None:
    await queue.add([offer("a"), offer("b")])
    before = (await claim(queue)).fence
    await client.delete("docsyncd:fence")
    assert (await claim(queue)).fence > before


async def test_a_fence_does_not_go_back_with_the_servers_clock(queue: RedisQueue, client: Redis) -> None:
    tomorrow = (int((await client.time())[0]) + 86_400) * 1_000_000
    await client.set("docsyncd:fence", tomorrow)
    await queue.add([offer("a"), offer("b")])
    assert [(await claim(queue)).fence for _ in range(2)] == [tomorrow + 1, tomorrow + 2]


async def test_a_key_added_while_its_worker_dies_runs_again_without_more_ado(short: RedisQueue) -> None:
    await short.add([offer("a")])
    await claim(short)
    await short.add([offer("a")])
    run = await claim_within(short, 5)
    assert await short.finish(run, Verdict.DONE) is None
