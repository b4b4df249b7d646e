"""The legacy sets, worked by the commands that SEED-B gives to people ("Manual Operations", "Troubleshooting")."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest
from redis import exceptions
from redis.asyncio import Redis

from docsyncd.core.model import Lane, case_file_key, normalise_case_file_number
from docsyncd.work.queue import KeyState, Verdict
from docsyncd.work.redis_queue import RedisQueue
from tests.work.conftest import Leftovers
from tests.work.workplace import (
    LEASE,
    PATIENT,
    PENDING,
    PROCESSING,
    MakeQueue,
    claim,
    claim_within,
    key,
    members,
    nothing_to_claim,
    offer,
    state,
)

CASE = "case:12345"


async def _fail(queue: RedisQueue, client: Redis) -> None:
    """The Akte is taken in, runs and fails."""
    await client.sadd(PENDING, "12345")
    await queue.intake(PENDING)
    assert await queue.finish(await claim(queue), Verdict.RETRY, error="e") is KeyState.DELAYED


@pytest.fixture
def slow(make_queue: MakeQueue) -> RedisQueue:
    """Its back-offs outlast any test."""
    return make_queue(replace(PATIENT, backoff=60, backoff_cap=60))


async def test_sadd_makes_an_akte_due(queue: RedisQueue, client: Redis) -> None:
    await client.sadd(PENDING, "12345")
    assert await queue.intake(PENDING, lane=Lane.INTERACTIVE) == ["12345"]
    assert await members(client, PENDING) == set()
    run = await claim(queue)
    assert (run.key, run.lane) == (CASE, Lane.INTERACTIVE)


async def test_processing_holds_exactly_what_is_worked_on(queue: RedisQueue, client: Redis) -> None:
    await client.sadd(PENDING, "1", "2")
    await queue.intake(PENDING)
    await queue.add([offer("document", Lane.INTERACTIVE)])
    await claim(queue)
    assert await members(client, PROCESSING) == set()
    run = await claim(queue)
    assert await members(client, PROCESSING) == {run.key.removeprefix("case:")}
    await queue.finish(run, Verdict.DONE)
    assert await members(client, PROCESSING) == set()


async def test_an_akte_that_is_done_is_in_neither(queue: RedisQueue, client: Redis) -> None:
    await client.sadd(PENDING, "12345")
    await queue.intake(PENDING)
    await queue.finish(await claim(queue), Verdict.DONE)
    assert await client.exists(PENDING, PROCESSING) == 0


@pytest.mark.parametrize(
    "raw", ["12345", " 12345\n", "0012345", "\t0012345 ", "\x1c00\u00a0", "000", "0", "A-17/26", "Ä 7", " \t", "€uro"]
)
async def test_members_are_normalised_as_everywhere_else(queue: RedisQueue, client: Redis, raw: str) -> None:
    await client.sadd(PENDING, raw)
    number = normalise_case_file_number(raw)
    assert await queue.intake(PENDING) == ([number] if number else [])
    assert await members(client, PENDING) == set()
    assert (await queue.show(case_file_key(number)) is not None) is bool(number)


async def test_two_spellings_are_one_akte(queue: RedisQueue, client: Redis) -> None:
    await client.sadd(PENDING, "12345", "0012345", " 12345 ")
    await queue.intake(PENDING)
    await queue.finish(await claim(queue), Verdict.DONE)
    assert await nothing_to_claim(queue)


@pytest.mark.parametrize("raw", [b"12\xff34", b"\xc3", b"\xed\xa0\x80", b"\xf0\xe2\x82\xac\x9f\x98\x80"])
async def test_a_member_that_is_not_text_is_seen_to_fail(queue: RedisQueue, client: Redis, raw: bytes) -> None:
    await client.sadd(PENDING, raw)
    [number] = await queue.intake(PENDING)
    assert "?" in number
    await queue.finish(await claim(queue), Verdict.PARK, error="no such case file")
    assert [entry.key for entry in await queue.list(KeyState.PARKED)] == [f"case:{number}"]


async def test_the_whole_set_is_taken_at_once(queue: RedisQueue, client: Redis) -> None:
    numbers = {str(number) for number in range(1, 2001)}
    await client.sadd(PENDING, *numbers)
    assert set(await queue.intake(PENDING)) == numbers
    assert await members(client, PENDING) == set()
    assert (await queue.counts()).depth[Lane.NORMAL][KeyState.READY] == 2000


async def test_any_other_set_can_be_taken_in_too(queue: RedisQueue, client: Redis) -> None:
    await client.sadd("firm:aktennummern", "7")
    assert await queue.intake("firm:aktennummern") == ["7"]


async def test_an_akte_that_failed_is_back_in_pending_and_its_back_off_holds(slow: RedisQueue, client: Redis) -> None:
    await _fail(slow, client)
    assert await members(client, PENDING) == {"12345"}
    assert await members(client, PROCESSING) == set()
    assert await slow.intake(PENDING) == []
    await client.sadd(PENDING, "12345")
    assert await slow.intake(PENDING) == []
    assert await nothing_to_claim(slow)


async def test_another_spelling_during_the_back_off_is_taken_away_and_changes_nothing(
    slow: RedisQueue, client: Redis
) -> None:
    await _fail(slow, client)
    await client.sadd(PENDING, "0012345")
    assert await slow.intake(PENDING) == ["12345"]
    assert await members(client, PENDING) == {"12345"}
    assert await nothing_to_claim(slow)


async def test_a_failed_akte_that_runs_again_leaves_pending(queue: RedisQueue, client: Redis) -> None:
    await _fail(queue, client)
    run = await claim_within(queue, 2)
    assert (await members(client, PENDING), await members(client, PROCESSING)) == (set(), {"12345"})
    await queue.finish(run, Verdict.DONE)
    assert await client.exists(PENDING, PROCESSING) == 0


async def test_a_failed_akte_that_is_dropped_leaves_pending(slow: RedisQueue, client: Redis) -> None:
    await _fail(slow, client)
    await slow.drop(key(CASE))
    assert await members(client, PENDING) == set()


async def test_parking_leaves_pending_so_that_a_later_sadd_earns_one_attempt(queue: RedisQueue, client: Redis) -> None:
    await client.sadd(PENDING, "12345")
    await queue.intake(PENDING)
    for _ in range(PATIENT.attempts):
        await queue.finish(await claim_within(queue, 2), Verdict.RETRY, error="e")
    assert await state(queue, CASE) is KeyState.PARKED
    assert await client.exists(PENDING, PROCESSING) == 0
    await client.sadd(PENDING, "12345")
    assert await queue.intake(PENDING) == ["12345"]
    assert await nothing_to_claim(queue)
    assert await queue.finish(await claim_within(queue, 2), Verdict.RETRY, error="e") is KeyState.PARKED
    await anyio.sleep(PATIENT.parked_add)
    assert await nothing_to_claim(queue)
    assert await client.exists(PENDING, PROCESSING) == 0


async def test_sadd_during_the_run_makes_it_run_once_more(queue: RedisQueue, client: Redis) -> None:
    await queue.add([offer(CASE)])
    run = await claim(queue)
    await client.sadd(PENDING, "12345")
    await queue.intake(PENDING)
    assert await queue.finish(run, Verdict.DONE) is KeyState.READY


async def test_sadd_just_before_the_end_of_the_run_is_not_lost(queue: RedisQueue, client: Redis) -> None:
    await queue.add([offer(CASE)])
    run = await claim(queue)
    await client.sadd(PENDING, "12345")
    assert await queue.finish(run, Verdict.DONE) is None
    assert await queue.intake(PENDING) == ["12345"]
    assert (await claim(queue)).key == CASE


async def test_sadd_brings_forward_an_akte_that_only_looks_again(queue: RedisQueue, client: Redis) -> None:
    await queue.add([offer(CASE)])
    await queue.finish(await claim(queue), Verdict.AGAIN, delay=60)
    await client.sadd(PENDING, "12345")
    await queue.intake(PENDING)
    assert (await claim(queue)).key == CASE


async def test_smove_by_hand_during_a_run_requeues_and_does_no_harm(queue: RedisQueue, client: Redis) -> None:
    await queue.add([offer(CASE)])
    run = await claim(queue)
    assert await client.smove(PROCESSING, PENDING, "12345")
    await queue.intake(PENDING)
    assert await nothing_to_claim(queue)
    assert (await members(client, PENDING), await members(client, PROCESSING)) == (set(), {"12345"})
    assert await queue.finish(run, Verdict.DONE) is KeyState.READY
    assert await queue.finish(await claim(queue), Verdict.DONE) is None


async def test_smove_of_what_the_old_system_left_behind_makes_it_due(queue: RedisQueue, client: Redis) -> None:
    await client.sadd(PROCESSING, "12345")
    assert await client.smove(PROCESSING, PENDING, "12345")
    assert await queue.intake(PENDING) == ["12345"]


async def test_a_lost_workers_akte_counts_as_failed(make_queue: MakeQueue, client: Redis) -> None:
    queue = make_queue(replace(PATIENT, lease=LEASE))
    await queue.add([offer(CASE)])
    await claim(queue)
    await queue.pause(True)
    await anyio.sleep(LEASE)
    assert await nothing_to_claim(queue)
    assert (await members(client, PENDING), await members(client, PROCESSING)) == ({"12345"}, set())
    await queue.pause(False)
    await claim(queue)
    assert (await members(client, PENDING), await members(client, PROCESSING)) == (set(), {"12345"})


async def test_beside_the_old_system_nothing_is_mirrored(client: Redis, leftovers: Leftovers) -> None:
    leftovers.allow(PROCESSING, "it is the old system's here")
    queue = RedisQueue(client, settings=PATIENT, legacy=None)
    await client.sadd(PROCESSING, "9")
    await client.sadd(PENDING, "12345")
    assert await queue.intake(PENDING) == ["12345"]
    run = await claim(queue)
    assert await members(client, PROCESSING) == {"9"}
    await queue.finish(run, Verdict.RETRY, error="e")
    assert (await members(client, PENDING), await members(client, PROCESSING)) == (set(), {"9"})


async def test_a_legacy_key_of_the_wrong_type_refuses_the_step_and_changes_nothing(
    queue: RedisQueue, client: Redis
) -> None:
    await client.set(PROCESSING, "not a set")
    await queue.add([offer(CASE)])
    with pytest.raises(exceptions.ResponseError, match="WRONGTYPE"):
        await claim(queue)
    assert await state(queue, CASE) is KeyState.READY
    await client.delete(PROCESSING)
    run = await claim(queue)
    await client.delete(PROCESSING)
    await client.set(PROCESSING, "not a set")
    with pytest.raises(exceptions.ResponseError, match="WRONGTYPE"):
        await queue.finish(run, Verdict.DONE)
    assert await queue.renew([run]) == {run.key}
    await client.delete(PROCESSING)
