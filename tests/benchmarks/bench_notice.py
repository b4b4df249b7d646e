"""From a webhook to the written-back record, for one document of 100 KB on an idle daemon: requests and time (P6).

Every answer of both remotes takes 20 ms more. What the work would cost at least is named beside it: its round trips, one
after the other, times 20 ms. ROUNDS (default 5) documents of each kind, the median counts. Looks whether the index is done
("polling") and the pause before them are counted apart, as they depend on the index alone.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from tests.benchmarks.bench_previews import write_pdf
from tests.benchmarks.measure import Row, Target, median, report
from tests.benchmarks.remotes import LATENCY, POLL, Asked, Remotes, remotes

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SIZE = 100_000
RECORD = "GET /api/v1/Document/{id}"
"""Each run begins with it, and each save ends with it."""
QUIET = 1.0
"""Seconds without a request after which nothing more comes."""
SETTINGS = {
    "queue": {"lease": 60.0},
    "index": {"poll_every": 3600.0, "first_look": 0.25},
    "sweeps": {"every": 86400.0},
}

NEW = Target(name="P6", at="most", limit=10, of="ours")
UNCHANGED = Target(name="P6", at="most", limit=2, of="ours")
TIME = Target(name="P6", at="most", limit=1.3, of="ratio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """One document's way. `seconds` without the pauses before looks; `trips`: requests that waited for one another."""

    asked: Sequence[Asked]
    seconds: float

    @property
    def requests(self) -> int:
        return sum(each.verb != POLL for each in self.asked)

    @property
    def polling(self) -> int:
        return len(self.asked) - self.requests

    @property
    def trips(self) -> int:
        trips, busy_until = 0, 0.0
        for each in self.asked:
            trips += each.arrived >= busy_until
            busy_until = max(busy_until, each.answered) if each.arrived < busy_until else each.answered
        return trips


async def one(firm: Remotes, document: str, done: Callable[[], bool]) -> Took:
    """A person has acted; EspoCRM posts its webhooks, and the daemon works until it is done."""
    await firm.until_quiet(QUIET)
    firm.asked.clear()
    posted = time.monotonic()
    if not await firm.espocrm.deliver():
        raise SystemExit("EspoCRM had no webhook to send")
    await firm.until(done, f"document {document}")
    await firm.until_quiet(QUIET)
    asked = sorted(firm.asked, key=lambda each: each.arrived)
    pauses = sum(
        after.arrived - before.answered
        for before, after in pairwise(asked)
        if after.verb == RECORD and before.verb.startswith("POST")
    )
    return Took(asked=asked, seconds=asked[-1].answered - posted - pauses)


def noise(size: int = SIZE) -> bytes:
    """Text that compresses to nothing less, different each time."""
    return random.randbytes(size // 2).hex().encode()


def pdf(folder: Path) -> bytes:
    path = folder / "page.pdf"
    write_pdf(path)
    page = path.read_bytes()
    return page + b"%" + noise(SIZE - len(page)) + b"\n"


async def measure(folder: Path) -> dict[str, list[Took]]:
    took: dict[str, list[Took]] = {"new document": [], "new document with preview": [], "unchanged document": []}
    async with remotes(folder, settings=SETTINGS) as firm:
        await firm.open_case_files(1)
        firm.watch()
        await firm.daemon.start()
        for name, content in (("Aufwärmen.txt", noise()), ("Aufwärmen.pdf", pdf(folder))):
            known = await firm.file(name, content)
            await firm.espocrm.deliver()
            await firm.until(partial(firm.is_indexed, known), "the first documents")
        await firm.until_quiet(3.0)
        for number in range(ROUNDS):
            text = await firm.file(f"Klage {number}.txt", noise())
            took["new document"].append(await one(firm, text, partial(firm.is_indexed, text)))
            drawn = await firm.file(f"Klage {number}.pdf", pdf(folder))
            took["new document with preview"].append(await one(firm, drawn, partial(firm.is_indexed, drawn)))
            # A change that means nothing to us.
            firm.espocrm.world.update("Document", text, description=f"Wiedervorlage {number}")
            took["unchanged document"].append(await one(firm, text, lambda: bool(firm.asked)))
    return took


def rows(took: dict[str, list[Took]]) -> list[Row]:
    found = []
    for name, each in took.items():
        target = UNCHANGED if name.startswith("unchanged") else NEW
        least = 1000 * LATENCY * median([way.trips for way in each])
        found += [
            Row(what=f"{name}: requests", ours=median([way.requests for way in each]), unit="", target=target),
            Row(
                what=f"{name}: webhook to written back",
                ours=1000 * median([way.seconds for way in each]),
                unit="ms",
                alternative=least,
                named="its round trips x 20 ms",
                target=TIME if name == "new document" else None,
            ),
        ]
    return found


def sequence(way: Took) -> str:
    return "\n".join(
        f"  {1000 * (each.arrived - way.asked[0].arrived):6.0f} ms  {each.remote:8}{each.verb}" for each in way.asked
    )


def main() -> None:
    with TemporaryDirectory() as folder:
        took = anyio.run(measure, Path(folder))
    notes = [f"{name}, {each[-1].polling} look(s) apart:\n{sequence(each[-1])}" for name, each in took.items()]
    report(f"one notice, 20 ms per request, median of {ROUNDS}", rows(took), notes=notes)


if __name__ == "__main__":
    main()
