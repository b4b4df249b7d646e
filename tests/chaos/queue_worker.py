"""One worker process of the chaos run: works keys off until it is killed, and writes down what it did and when.

Its work: read the version that the key's truth has, and leave it in `seen`, as a sync leaves content at a remote. Times
are CLOCK_MONOTONIC, which all processes of a host share. Arguments: server URL, folder, name, seed.
"""

from __future__ import annotations

import json
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO
from uuid import uuid4

import anyio

from docsyncd.errors import LeaseLost, QueueUnavailable
from docsyncd.work.connection import ConnectionSettings, connect
from docsyncd.work.queue import Claim, LeaseToken, Verdict
from docsyncd.work.redis_queue import QueueSettings, RedisQueue
from docsyncd.work.shared_set import LegacySets

SETTINGS: Final = QueueSettings(
    lease=1.0, renew_every=0.25, margin=0.3, backoff=0.02, backoff_cap=0.1, attempts=1000, poll=0.1
)
SLOTS: Final = 4
UNLUCKY: Final = ((Verdict.RETRY, 0.1), (Verdict.AGAIN, 0.05), (Verdict.RELEASE, 0.05))
"""How often a run ends otherwise than well."""


@dataclass(slots=True, kw_only=True)
class Worker:
    queue: RedisQueue
    folder: Path
    name: str
    chance: random.Random
    log: TextIO
    held: dict[Claim, float] = field(default_factory=dict)
    """The runs, each with the time from which its lease may have run out."""

    def write(self, what: str, claim: Claim, at: float) -> None:
        self.log.write(json.dumps({"what": what, "key": claim.key, "fence": claim.fence, "at": at}) + "\n")
        self.log.flush()

    def verdict(self) -> Verdict:
        dice = self.chance.random()
        for verdict, share in UNLUCKY:
            if dice < share:
                return verdict
            dice -= share
        return Verdict.DONE

    async def work(self) -> None:
        while True:
            try:
                await self.work_once()
            except QueueUnavailable:
                await anyio.sleep(0.1)

    async def work_once(self) -> None:
        asked_at = time.monotonic()
        claim = await self.queue.claim(LeaseToken(uuid4().hex), worker=self.name)
        if claim is None:
            await self.queue.wait(1.0)
            return
        self.held[claim] = asked_at + SETTINGS.lease - SETTINGS.margin
        self.write("begin", claim, time.monotonic())
        try:
            await self.run(claim)
        except LeaseLost:
            self.write("lost", claim, time.monotonic())
        finally:
            del self.held[claim]

    async def run(self, claim: Claim) -> None:
        version = int((self.folder / "truth" / claim.key).read_text())
        verdict = self.verdict()
        for _ in range(self.chance.randrange(1, 6)):
            await anyio.sleep(self.chance.uniform(0.001, 0.05))
            self.effect(claim, version if verdict is Verdict.DONE else None)
        sent_at = time.monotonic()
        try:
            await self.queue.finish(claim, verdict, error="bad luck")
        except LeaseLost:
            self.write("refused", claim, sent_at)
            return
        self.write("accepted", claim, sent_at)

    def effect(self, claim: Claim, version: int | None) -> None:
        """No effect without a lease that surely holds; a run that could not have its effect reports nothing."""
        now = time.monotonic()
        if now >= self.held[claim]:
            raise LeaseLost(f"The lease of {claim.key} may have run out.")
        self.write("effect", claim, now)
        seen = self.folder / "seen" / claim.key
        if version is not None and (not seen.exists() or int(seen.read_text()) < version):
            new = seen.with_name(f".{claim.key}.{claim.fence}")
            new.write_text(str(version))
            new.rename(seen)

    async def renew(self) -> None:
        while True:
            await anyio.sleep(SETTINGS.renew_every)
            claims, asked_at = list(self.held), time.monotonic()
            try:
                kept = await self.queue.renew(claims)
            except QueueUnavailable:
                continue  # the leases run out, which is what they are for
            for claim in claims:
                if claim in self.held and claim.key in kept:
                    self.held[claim] = asked_at + SETTINGS.lease - SETTINGS.margin


async def main(url: str, folder: Path, name: str, seed: int) -> None:
    impatient = ConnectionSettings(reply_timeout=0.5, retries=1)
    with (folder / "log" / name).open("a", encoding="utf-8") as log:
        async with connect(url, settings=impatient) as client, anyio.create_task_group() as tasks:
            queue = RedisQueue(client, settings=SETTINGS, legacy=LegacySets())
            worker = Worker(queue=queue, folder=folder, name=name, chance=random.Random(seed), log=log)
            tasks.start_soon(queue.listen)
            tasks.start_soon(worker.renew)
            for _ in range(SLOTS):
                tasks.start_soon(worker.work)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
