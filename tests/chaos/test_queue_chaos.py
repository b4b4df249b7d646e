"""The queue among processes that are killed and stopped, and a server that is flushed, killed and restarted.

Prints its seed; SEED repeats a run (the faults and their order; not the processes' timing), SECONDS sets its length.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import anyio
import pytest
from anyio.abc import Process
from redis.asyncio import Redis

from docsyncd.core.model import Lane, WorkKey
from docsyncd.errors import QueueUnavailable
from docsyncd.work.connection import connect
from docsyncd.work.embedded import EmbeddedServer, EmbeddedSettings, embedded_server
from docsyncd.work.queue import Offer
from docsyncd.work.redis_queue import RedisQueue
from docsyncd.work.shared_set import LegacySets
from tests.chaos.queue_worker import SETTINGS
from tests.work.workplace import binary, members

WORKER = Path(__file__).with_name("queue_worker.py")
PROCESSES = 3
KEYS = [WorkKey(f"{kind}:{number}") for kind in ("doc", "case") for number in range(20)]
FAULTS = ("kill worker", "stop worker", "flush", "kill server", "restart server")


@dataclass(slots=True, kw_only=True)
class Chaos:
    """One run. `flushes`: when the queue was emptied; `stops`: how many workers slept longer than their lease."""

    folder: Path
    chance: random.Random
    server: EmbeddedServer
    servers: AsyncExitStack
    client: Redis
    workers: list[Process] = field(default_factory=list)
    truth: dict[WorkKey, int] = field(default_factory=dict)
    started: int = 0
    flushes: list[float] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)

    @property
    def queue(self) -> RedisQueue:
        return RedisQueue(self.client, settings=SETTINGS, legacy=LegacySets())

    async def start_worker(self) -> None:
        self.started += 1
        arguments = [self.server.url, str(self.folder), f"worker-{self.started}", str(self.chance.randrange(2**32))]
        self.workers.append(
            await anyio.open_process([sys.executable, str(WORKER), *arguments], stdout=None, stderr=None)
        )

    async def add(self, offers: Sequence[Offer]) -> None:
        """As a poller does: until it is acknowledged."""
        while True:
            try:
                await self.queue.add(offers)
            except QueueUnavailable:
                await anyio.sleep(0.05)
            else:
                return

    def change(self, key: WorkKey) -> None:
        self.truth[key] = self.truth.get(key, 0) + 1
        new = self.folder / f"new-{key}"
        new.write_text(str(self.truth[key]))
        new.rename(self.folder / "truth" / key)

    async def produce(self) -> None:
        """Changes, each with its notice."""
        while True:
            for key in self.chance.sample(KEYS, 3):
                group = str(int(key.partition(":")[2]) % 5) if key.startswith("doc:") else ""
                offer = Offer(key=key, lane=self.chance.choice(list(Lane)), group=group)
                with anyio.CancelScope(shield=True):  # no change without its notice, at the end, too
                    self.change(key)
                    await self.add([offer])
            await anyio.sleep(0.02)

    async def sweep(self) -> None:
        await self.add([Offer(key=key, lane=Lane.BULK) for key in KEYS])

    async def fault(self, kind: str) -> None:
        self.happened[kind] += 1
        if kind.endswith("worker"):
            await self.hurt_worker(kind)
        elif kind == "flush":
            await self.client.flushall()
            self.flushes.append(monotonic())
            await self.sweep()
        else:
            await self.hurt_server(kind)

    async def hurt_worker(self, kind: str) -> None:
        worker = self.chance.choice(self.workers)
        if kind == "kill worker":
            self.workers.remove(worker)
            worker.kill()
            await worker.aclose()
            await self.start_worker()
        else:
            worker.send_signal(signal.SIGSTOP)
            await anyio.sleep(SETTINGS.lease * 1.5)
            worker.send_signal(signal.SIGCONT)

    async def hurt_server(self, kind: str) -> None:
        if kind == "kill server":
            os.kill(self.server.pid, signal.SIGKILL)
            await self.server.died()
        await self.servers.aclose()
        await anyio.sleep(self.chance.uniform(0, 0.5))
        self.server = await self.servers.enter_async_context(_server(self.folder))

    async def unfold(self, seconds: float) -> None:
        """All kinds of faults, again and again in a random order, at least once each."""
        ends = monotonic() + seconds
        waiting: list[str] = []
        while monotonic() < ends or waiting:
            waiting = waiting or self.chance.sample(FAULTS, len(FAULTS))
            await anyio.sleep(self.chance.uniform(0.1, 0.8))
            await self.fault(waiting.pop())

    async def until_empty(self) -> None:
        with anyio.fail_after(60):
            while True:
                counts = await self.queue.counts()
                if not any(number for lane in counts.depth.values() for number in lane.values()):
                    return
                await anyio.sleep(0.05)


def _server(folder: Path) -> AbstractAsyncContextManager[EmbeddedServer]:
    return embedded_server(folder, settings=EmbeddedSettings(binary=binary("valkey")))


@asynccontextmanager
async def _chaos(folder: Path, seed: int) -> AsyncIterator[Chaos]:
    for name in ("truth", "seen", "log"):
        (folder / name).mkdir()
    async with AsyncExitStack() as servers:
        server = await servers.enter_async_context(_server(folder))
        async with connect(server.url) as client:
            chaos = Chaos(folder=folder, chance=random.Random(seed), server=server, servers=servers, client=client)
            try:
                for key in KEYS:
                    chaos.change(key)
                await chaos.sweep()
                for _ in range(PROCESSES):
                    await chaos.start_worker()
                yield chaos
            finally:
                for worker in chaos.workers:
                    worker.kill()
                    await worker.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One claim, as its worker wrote it down. `last`: its last effect."""

    key: str
    fence: int
    begin: float
    last: float
    accepted: float | None
    refused: bool


def _runs(folder: Path) -> list[Run]:
    lines: defaultdict[int, list[dict[str, object]]] = defaultdict(list)
    for log in (folder / "log").iterdir():
        for line in log.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            lines[entry["fence"]].append(entry)
    runs = []
    for fence, entries in lines.items():
        at = {str(entry["what"]): float(str(entry["at"])) for entry in entries}
        runs.append(
            Run(
                key=str(entries[0]["key"]),
                fence=fence,
                begin=at["begin"],
                last=at.get("effect", at["begin"]),
                accepted=at.get("accepted"),
                refused="refused" in at,
            )
        )
    return sorted(runs, key=lambda run: run.fence)


def _check(runs: Sequence[Run], flushes: Sequence[float]) -> None:
    """Never two at a time while leases hold, and nothing accepted from one whose key another holds.

    A flush takes the leases away, too: runs that it separates may overlap.
    """
    by_key: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_key[run.key].append(run)
    for of_key in by_key.values():
        for index, earlier in enumerate(of_key):
            for later in of_key[index + 1 :]:
                if any(earlier.begin <= flush <= later.begin for flush in flushes):
                    continue
                assert earlier.last <= later.begin, f"overlap: {earlier} {later}"
                assert earlier.accepted is None or earlier.accepted <= later.begin, f"stale: {earlier} {later}"


async def _survive(folder: Path, seconds: float) -> None:
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(2**32)))
    print(f"SEED={seed} SECONDS={seconds}")
    async with _chaos(folder, seed) as chaos:
        async with anyio.create_task_group() as producers:
            producers.start_soon(chaos.produce)
            await chaos.unfold(seconds)
            producers.cancel_scope.cancel()
        await chaos.until_empty()
        remaining = {str(name) for name in await chaos.client.keys("*")}
        assert {name for name in remaining if not name.startswith("docsyncd:ended:")} <= {"docsyncd:fence"}
        assert await members(chaos.client, LegacySets().pending) == set()
    seen = {key: int((folder / "seen" / key).read_text()) for key in KEYS}
    assert seen == chaos.truth, "a change was lost"
    runs = _runs(folder)
    _check(runs, chaos.flushes)
    refused = sum(run.refused for run in runs)
    print(
        f"{len(runs)} runs, {sum(chaos.truth.values())} changes, {refused} stale commits refused, {dict(chaos.happened)}"
    )
    assert set(chaos.happened) == set(FAULTS)


async def test_the_queue_survives_a_short_chaos(tmp_path: Path) -> None:
    await _survive(tmp_path, 4)


@pytest.mark.chaos
@pytest.mark.timeout(0)
async def test_the_queue_survives_a_long_chaos(tmp_path: Path) -> None:
    await _survive(tmp_path, float(os.environ.get("SECONDS", "60")))
