"""How fast the queue is, next to the floor: one bare Lua call each way, same server, client and concurrency, same run.

`make bench` runs it. COUNT (default 10000) keys are added one by one, claimed and finished by WORKERS (default 16)
concurrent workers; the floor does the same by a script with a single command in it. Each is measured ROUNDS (default 3)
times in turn, and the best of each is shown: what else the machine does only ever makes a round slower. Then the same
keys are added in batches of 200, a poll's page, which is how all but webhooks add them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from redis.asyncio import Redis

from docsyncd.core.model import Lane, WorkKey
from docsyncd.work.connection import connect
from docsyncd.work.embedded import embedded_server
from docsyncd.work.queue import Claim, LeaseToken, Offer, Verdict
from docsyncd.work.redis_queue import RedisQueue
from docsyncd.work.shared_set import LegacySets
from tests.benchmarks.measure import Row, Target, report

COUNT = int(os.environ.get("COUNT", "10000"))
WORKERS = int(os.environ.get("WORKERS", "16"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
PAGE = 200
TARGET = Target(name="P2", at="least", limit=0.8, of="ratio")
"""P2: what the queue must reach of the floor in add, claim and finish."""

FLOOR_ADD = "return redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])"
FLOOR_CLAIM = "return redis.call('ZPOPMIN', KEYS[1])"
FLOOR_FINISH = "return redis.call('HDEL', KEYS[1], ARGV[1])"

Step = Callable[[int], Awaitable[object]]


async def measure(step: Step, count: int) -> float:
    """Steps per second, WORKERS at a time."""
    numbers = iter(range(count))

    async def work(numbers: Iterator[int]) -> None:
        for number in numbers:
            await step(number)

    started = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(WORKERS):
            tasks.start_soon(work, numbers)
    return count / (time.perf_counter() - started)


async def floor(client: Redis) -> dict[str, float]:
    add, claim, finish = [await client.script_load(text) for text in (FLOOR_ADD, FLOOR_CLAIM, FLOOR_FINISH)]
    return {
        "add": await measure(lambda n: client.evalsha(add, 1, "bench:floor", n, f"doc:{n:017x}"), COUNT),
        "claim": await measure(lambda _: client.evalsha(claim, 1, "bench:floor"), COUNT),
        "finish": await measure(lambda n: client.evalsha(finish, 1, "bench:floor", f"doc:{n:017x}"), COUNT),
    }


async def ours(queue: RedisQueue) -> dict[str, float]:
    claims: list[Claim] = []

    async def add(number: int) -> None:
        await queue.add([Offer(key=WorkKey(f"doc:{number:017x}"), lane=Lane.NORMAL)])

    async def claim(number: int) -> None:
        claim = await queue.claim(LeaseToken(f"bench-{number}"), worker="bench")
        assert claim is not None
        claims.append(claim)

    async def finish(number: int) -> None:
        assert await queue.finish(claims[number], Verdict.DONE) is None

    async def add_page(number: int) -> None:
        keys = range(number * PAGE, (number + 1) * PAGE)
        await queue.add([Offer(key=WorkKey(f"doc:{n:017x}"), lane=Lane.NORMAL) for n in keys])

    rates = {"add": await measure(add, COUNT), "claim": await measure(claim, COUNT)}
    rates["finish"] = await measure(finish, COUNT)
    rates["add by page"] = PAGE * await measure(add_page, COUNT // PAGE)
    return rates


async def compare() -> tuple[dict[str, float], dict[str, float]]:
    """The best round of each, in operations per second."""
    best: tuple[dict[str, float], dict[str, float]] = ({}, {})
    with TemporaryDirectory() as folder:
        async with embedded_server(Path(folder)) as server, connect(server.url) as client:
            for _ in range(ROUNDS):
                for kept, rates in zip(
                    best, (await floor(client), await ours(RedisQueue(client, legacy=LegacySets()))), strict=True
                ):
                    kept.update({name: max(rate, kept.get(name, 0.0)) for name, rate in rates.items()})
                await client.flushall()
    return best


def main() -> None:
    floor_rates, our_rates = anyio.run(compare)
    rows = [
        Row(
            what=name,
            ours=rate,
            unit="keys/s",
            alternative=floor_rates.get(name, floor_rates["add"]),
            named="one bare Lua call each",
            target=TARGET,
        )
        for name, rate in our_rates.items()
    ]
    report(f"queue, {COUNT} keys, {WORKERS} workers, best of {ROUNDS}", rows)


if __name__ == "__main__":
    main()
