"""Promises 9 and 10: the whole queue may be lost, and what is in it is text."""

from __future__ import annotations

import json

import pytest
from redis.asyncio import Redis

from docsyncd.errors import LeaseLost
from docsyncd.work.queue import Verdict
from docsyncd.work.redis_queue import RedisQueue
from tests.work.workplace import claim, key, nothing_to_claim, offer


@pytest.mark.parametrize("verdict", list(Verdict))
async def test_after_a_flushall_nobody_owns_anything_and_adding_starts_over(
    queue: RedisQueue, client: Redis, verdict: Verdict
) -> None:
    await queue.add([offer("a", group="7"), offer("b")])
    run = await claim(queue)
    await client.flushall()
    assert await queue.renew([run]) == frozenset()
    with pytest.raises(LeaseLost):
        await queue.finish(run, verdict, error="e")
    assert await nothing_to_claim(queue)
    assert await queue.add([offer("a", group="7")]) == 1
    again = await claim(queue)
    assert again.fence > run.fence
    with pytest.raises(LeaseLost):
        await queue.finish(run, verdict, error="e")
    assert await queue.finish(again, Verdict.DONE) is None


async def test_a_server_that_forgot_the_scripts_learns_them_again(queue: RedisQueue, client: Redis) -> None:
    await queue.add([offer("a")])
    await client.script_flush()
    assert await queue.add([offer("b")]) == 1
    assert (await claim(queue)).key == key("a")


async def test_what_is_stored_is_text_that_people_can_read(queue: RedisQueue, client: Redis) -> None:
    await queue.add([offer("a", group="12/26")])
    record = json.loads(str(await client.get("docsyncd:key:doc:a")))
    assert (record["state"], record["lane"], record["group"]) == ("ready", "normal", "12/26")


async def test_two_queues_with_different_prefixes_do_not_meet(client: Redis) -> None:
    here, there = RedisQueue(client), RedisQueue(client, prefix="other:")
    await there.add([offer("a")])
    assert await nothing_to_claim(here)
    assert await there.drop(key("a"))
