"""Promises 5 to 7: back-off, parking, looking again, releasing."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import anyio
import pytest
from redis.asyncio import Redis

from docsyncd.core.model import Lane
from docsyncd.work.queue import KeyState, Verdict
from docsyncd.work.redis_queue import QueueSettings, RedisQueue
from tests.work.workplace import PATIENT, MakeQueue, claim, claim_within, key, nothing_to_claim, offer, state


async def _park(queue: RedisQueue, name: str = "a") -> None:
    await queue.add([offer(name)])
    assert await queue.finish(await claim(queue), Verdict.PARK, error="refused") is KeyState.PARKED


async def _delay(queue: RedisQueue) -> float:
    """Seconds that the key `a` waits, of those that it was told to."""
    entry = await queue.show(key("a"))
    assert entry is not None
    assert entry.due is not None
    return entry.due - entry.since


async def test_failures_back_off_exponentially_up_to_a_cap_and_then_park(make_queue: MakeQueue) -> None:
    settings = replace(PATIENT, backoff=0.01, backoff_cap=0.03, attempts=4)
    queue = make_queue(settings)
    await queue.add([offer("a")])
    delays = []
    for attempt in range(1, settings.attempts):
        run = await claim_within(queue, 2)
        assert run.attempt == attempt
        assert await queue.finish(run, Verdict.RETRY, error=f"failure {attempt}") is KeyState.DELAYED
        delays.append(await _delay(queue))
    assert delays == pytest.approx([0.01, 0.02, 0.03], abs=1e-4)
    assert await queue.finish(await claim_within(queue, 2), Verdict.RETRY, error="the last") is KeyState.PARKED
    entry = await queue.show(key("a"))
    assert entry is not None
    assert (entry.attempts, entry.error) == (4, "the last")


async def test_back_offs_are_spread_over_their_whole_length(client: Redis) -> None:
    share = iter([0.0, 0.25, 0.75])
    queue = RedisQueue(client, settings=QueueSettings(backoff=100), jitter=lambda: next(share))
    await queue.add([offer("a")])
    assert await queue.finish(await claim(queue), Verdict.RETRY) is KeyState.READY
    await queue.finish(await claim(queue), Verdict.RETRY)
    assert await _delay(queue) == pytest.approx(50)
    await queue.retry(key("a"))
    await queue.finish(await claim(queue), Verdict.RETRY)
    assert await _delay(queue) == pytest.approx(75)


async def test_the_default_back_off_is_five_seconds_doubling_to_a_quarter_of_an_hour() -> None:
    settings = QueueSettings()
    waits = [min(settings.backoff_cap, settings.backoff * 2**n) for n in range(settings.attempts)]
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640]
    assert all(later >= earlier for earlier, later in pairwise(waits))


async def test_a_remote_that_names_a_time_is_not_asked_before(make_queue: MakeQueue) -> None:
    queue = make_queue(PATIENT)
    await queue.add([offer("a")])
    await queue.finish(await claim(queue), Verdict.RETRY, delay=30)
    assert await _delay(queue) == pytest.approx(30)


async def test_an_add_does_not_shorten_a_back_off(make_queue: MakeQueue) -> None:
    queue = make_queue(replace(PATIENT, backoff=60, backoff_cap=60))
    await queue.add([offer("a", Lane.BULK)])
    await queue.finish(await claim(queue), Verdict.RETRY, error="e")
    before = await queue.show(key("a"))
    assert await queue.add([offer("a", Lane.INTERACTIVE)]) == 0
    assert before is not None
    assert await queue.show(key("a")) == replace(before, lane=Lane.INTERACTIVE)
    assert await nothing_to_claim(queue)


async def test_an_add_during_a_run_that_fails_does_not_shorten_its_back_off(make_queue: MakeQueue) -> None:
    queue = make_queue(replace(PATIENT, backoff=60, backoff_cap=60))
    await queue.add([offer("a")])
    run = await claim(queue)
    await queue.add([offer("a")])
    assert await queue.finish(run, Verdict.RETRY, error="e") is KeyState.DELAYED
    assert await _delay(queue) == pytest.approx(60)


async def test_a_success_forgets_the_failures(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    await queue.finish(await claim(queue), Verdict.RETRY, error="e")
    assert await queue.finish(await claim_within(queue, 2), Verdict.DONE) is None
    await queue.add([offer("a")])
    assert (await claim(queue)).attempt == 1


async def test_a_parked_key_is_visible_with_its_error_and_does_not_run(queue: RedisQueue) -> None:
    await _park(queue)
    assert await nothing_to_claim(queue)
    [entry] = await queue.list(KeyState.PARKED)
    assert (entry.key, entry.error, entry.attempts) == (key("a"), "refused", 1)


async def test_a_parked_key_tries_once_by_itself_after_its_time(make_queue: MakeQueue) -> None:
    queue = make_queue(replace(PATIENT, parked_retry=0.1))
    await _park(queue)
    run = await claim_within(queue, 2)
    assert await queue.finish(run, Verdict.RETRY, error="still refused") is KeyState.PARKED
    assert await queue.finish(await claim_within(queue, 2), Verdict.DONE) is None


async def test_an_add_earns_a_parked_key_one_attempt_but_not_at_once(queue: RedisQueue) -> None:
    await _park(queue)
    assert await queue.add([offer("a")]) == 1
    assert await queue.add([offer("a")]) == 0
    assert await state(queue, "a") is KeyState.PARKED
    assert await _delay(queue) == pytest.approx(PATIENT.parked_add)
    run = await claim_within(queue, 2)
    assert await queue.finish(run, Verdict.RETRY, error="still refused") is KeyState.PARKED
    await anyio.sleep(PATIENT.parked_add)
    assert await nothing_to_claim(queue)


async def test_an_add_long_after_parking_earns_the_attempt_at_once(queue: RedisQueue) -> None:
    await _park(queue)
    await anyio.sleep(PATIENT.parked_add)
    await queue.add([offer("a")])
    assert (await claim(queue)).key == key("a")


async def test_an_add_during_the_run_that_parks_earns_an_attempt_too(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    run = await claim(queue)
    await queue.add([offer("a")])
    assert await queue.finish(run, Verdict.PARK, error="refused") is KeyState.PARKED
    assert await _delay(queue) == pytest.approx(PATIENT.parked_add)


async def test_looking_again_counts_no_attempt_and_waits(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    for _ in range(PATIENT.attempts + 1):
        run = await claim_within(queue, 2)
        assert run.attempt == 1
        assert await queue.finish(run, Verdict.AGAIN, delay=0.02) is KeyState.DELAYED


async def test_an_add_brings_forward_what_only_looks_again(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    await queue.finish(await claim(queue), Verdict.AGAIN, delay=60, error="Word holds it open")
    assert await nothing_to_claim(queue)
    assert await queue.add([offer("a")]) == 1
    assert (await claim(queue)).key == key("a")


async def test_an_add_during_the_run_brings_the_second_look_forward(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    run = await claim(queue)
    await queue.add([offer("a")])
    assert await queue.finish(run, Verdict.AGAIN, delay=60) is KeyState.READY


async def test_a_released_key_is_ready_at_once_and_nothing_is_counted(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    await queue.finish(await claim(queue), Verdict.RETRY, error="e")
    run = await claim_within(queue, 2)
    assert await queue.finish(run, Verdict.RELEASE) is KeyState.READY
    assert (await claim(queue)).attempt == run.attempt == 2


async def test_a_key_released_for_a_sick_remote_waits_as_long_as_asked(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    assert await queue.finish(await claim(queue), Verdict.RELEASE, delay=0.05) is KeyState.DELAYED
    assert await nothing_to_claim(queue)
    await claim_within(queue, 2)


async def test_any_error_can_be_kept(queue: RedisQueue) -> None:
    await queue.add([offer("a")])
    awkward = 'Angebot "Müller"\n\0 \udce4.pdf'
    await queue.finish(await claim(queue), Verdict.PARK, error=awkward + "x" * 100_000)
    entry = await queue.show(key("a"))
    assert entry is not None
    assert entry.error is not None
    assert entry.error.startswith('Angebot "Müller"\n\0 \\udce4.pdf')
    assert len(entry.error) < 3000
