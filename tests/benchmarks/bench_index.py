"""The first sync of many documents: documents per second, next to what their requests would cost by themselves (P8).

COUNT (default 300) new text documents of 100 KB in eight case files; every answer takes 20 ms more; 16 workers, 16 requests at
a time to xAI and 10, its limit, to EspoCRM. The daemon finds the documents by its sweep. Two alternatives in the same run:

* the bound: parallel / (requests x latency), for all requests together and for each remote; the smallest of them, capped by
  what one core can do (CPU seconds of the daemon, and of the emulators, per document);
* plain aiohttp: the same number of requests (GET of one record), 16 at a time, against the same emulator.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import anyio

from docsyncd_espocrm.emulator.auth import BASE
from tests.benchmarks.bench_notice import noise
from tests.benchmarks.measure import MIB, Row, Target, cpu_seconds, cpu_seconds_of, memory_of, report
from tests.benchmarks.remotes import LATENCY, Asked, Remotes, remotes

COUNT = int(os.environ.get("COUNT", "300"))
PARALLEL, ESPOCRM = 16, 10
CASE_FILES = 8
"""The queue works on four documents of one case file at a time."""
OF_DOCUMENTS = ("/Document/{", "/CAkten/{", "/Attachment", "/v1/files", "/v1/collections/{collection}/documents/{file}")
"""Routes that are asked for single documents; the rest are the start's checks, polls and sweeps."""

SETTINGS: dict[str, dict[str, object]] = {
    "daemon": {"workers": PARALLEL},
    "queue": {"lease": 60.0},
    "index": {"poll_every": 3600.0, "first_look": 0.25},
    "sweeps": {"every": 86400.0},
}
CONNECTORS = {"espocrm": {"parallel": ESPOCRM}, "xai": {"parallel": PARALLEL, "parallel_uploads": PARALLEL}}


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """The first sync: seconds, CPU seconds of both sides, and every request."""

    seconds: float
    daemon_cpu: float
    emulators_cpu: float
    peak: int
    asked: list[Asked]

    def requests(self, remote: str = "") -> float:
        """Per document."""
        every = [each for each in self.asked if not remote or each.remote == remote]
        return sum(any(route in each.verb for route in OF_DOCUMENTS) for each in every) / COUNT

    @property
    def bound(self) -> float:
        """Documents per second if nothing cost anything but waiting and CPU."""
        return min(
            PARALLEL / (self.requests() * LATENCY),
            ESPOCRM / (self.requests("espocrm") * LATENCY),
            COUNT / self.daemon_cpu,
            COUNT / self.emulators_cpu,
        )


async def first_sync(firm: Remotes) -> First:
    documents = [await firm.file(f"Anlage K{number}.txt", noise(), number) for number in range(COUNT)]
    firm.watch()
    await firm.daemon.start()
    await firm.until(lambda: any("/Document/{" in each.verb for each in firm.asked), "the first document")
    started, ours, theirs = time.monotonic(), cpu_seconds_of(firm.daemon.pid), cpu_seconds()
    waiting = set(documents)

    def all_done() -> bool:
        waiting.difference_update([document for document in waiting if firm.is_indexed(document)])
        return not waiting

    await firm.until(all_done, "all documents", every=0.2)
    return First(
        seconds=time.monotonic() - started,
        daemon_cpu=cpu_seconds_of(firm.daemon.pid) - ours,
        emulators_cpu=cpu_seconds() - theirs,
        peak=memory_of(firm.daemon.pid, peak=True),
        asked=list(firm.asked),
    )


async def plain(firm: Remotes, requests: int) -> float:
    """Seconds that aiohttp takes for so many requests."""
    headers = {"X-Api-Key": firm.espocrm.api_key}
    record = f"{firm.url}{BASE}/CAkten/{firm.case_files[0]}"
    numbers = iter(range(requests))

    async def ask(session: aiohttp.ClientSession, numbers: Iterator[int]) -> None:
        for _ in numbers:
            async with session.get(record) as reply:
                await reply.read()

    started = time.monotonic()
    async with aiohttp.ClientSession(headers=headers) as session, anyio.create_task_group() as tasks:
        for _ in range(PARALLEL):
            tasks.start_soon(ask, session, numbers)
    return time.monotonic() - started


async def measure(folder: Path) -> tuple[First, float]:
    async with remotes(folder, settings=SETTINGS, connectors=CONNECTORS) as firm:
        await firm.open_case_files(CASE_FILES)
        first = await first_sync(firm)
        await firm.daemon.stop()
        return first, await plain(firm, round(first.requests() * COUNT))


def main() -> None:
    with TemporaryDirectory() as folder:
        first, alone = anyio.run(measure, Path(folder))
    rate = COUNT / first.seconds
    target = Target(name="P8", at="least", limit=0.7, of="ratio")
    rows = [
        Row(
            what="documents", ours=rate, unit="/s", alternative=first.bound, named="the bound, CPU's too", target=target
        ),
        Row(
            what="documents",
            ours=rate,
            unit="/s",
            alternative=PARALLEL / (first.requests() * LATENCY),
            named="parallel / (requests x latency)",
        ),
        Row(what="documents", ours=rate, unit="/s", alternative=COUNT / alone, named="plain aiohttp, as many requests"),
        Row(what="requests per document", ours=first.requests(), unit=""),
        Row(what="CPU of the daemon", ours=1000 * first.daemon_cpu / COUNT, unit="ms per document"),
        Row(what="CPU of the emulators", ours=1000 * first.emulators_cpu / COUNT, unit="ms per document"),
        Row(what="peak RSS of the daemon", ours=first.peak / MIB, unit="MiB"),
    ]
    counts = Counter(f"{each.remote:8}{each.verb}" for each in first.asked)
    notes = [f"{number:6} {verb}" for verb, number in counts.most_common()]
    report(f"first sync of {COUNT} documents, 20 ms per request, {PARALLEL} parallel", rows, notes=notes)


if __name__ == "__main__":
    main()
