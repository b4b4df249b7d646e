"""Process start to READY, and what an idle daemon costs, next to a bare interpreter with the same libraries (P10).

Both remotes are emulated in this process and answer at once; the queue is the embedded server, which the daemon starts first.
ROUNDS (default 5) starts, the median counts; byte code is compiled before, as an installed package's is. Then SECONDS
(default 10) of idleness with the intervals of the defaults, beginning after the first polls and sweeps are through.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

from tests.benchmarks.measure import (
    MIB,
    Row,
    Target,
    children_of,
    cpu_seconds_of,
    median,
    memory_of,
    report,
)
from tests.benchmarks.remotes import remotes

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = float(os.environ.get("SECONDS", "10"))
SETTLED = 6.0
"""Seconds after READY in which the first polls, sweeps and warm preview workers come to rest."""

BARE = [
    sys.executable,
    "-c",
    "import aiohttp, redis, pydantic; print('ready', flush=True); import sys; sys.stdin.read()",
]
NAMED = "python -c 'import aiohttp, redis, pydantic'"


@asynccontextmanager
async def started(command: list[str], word: str, compiled: Path) -> AsyncIterator[tuple[Process, float]]:
    """The process, and the seconds until a line of its output held the word."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(compiled)
    begun = time.perf_counter()
    process = await anyio.open_process(command, stdin=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    assert process.stdout is not None
    said = ""
    async with process:
        output = TextReceiveStream(process.stdout)
        async for text in output:
            said += text
            if word in said:
                break
        else:
            raise SystemExit(f"{command} ended before it said {word}:\n{said}")
        took = time.perf_counter() - begun
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_read_on, output)
            yield process, took
            process.send_signal(signal.SIGTERM)
            await process.wait()
            tasks.cancel_scope.cancel()


async def _read_on(output: TextReceiveStream) -> None:
    async for _ in output:
        pass


async def start_times(command: list[str], word: str, compiled: Path) -> float:
    """The median; the first start, which compiles, does not count."""
    taken = []
    for _ in range(ROUNDS + 1):
        async with started(command, word, compiled) as (_, took):
            taken.append(took)
    return median(taken[1:])


async def idle(command: list[str], word: str, compiled: Path) -> dict[str, float]:
    """CPU in per cent of a core over SECONDS, and bytes: of the process, and of everything that it started."""
    async with started(command, word, compiled) as (process, _):
        await anyio.sleep(SETTLED)
        family = children_of(process.pid)
        before = {pid: cpu_seconds_of(pid) for pid in (process.pid, *family)}
        await anyio.sleep(SECONDS)
        after = {pid: round(cpu_seconds_of(pid) - used, 3) for pid, used in before.items()}
        return {
            "cpu": 100 * after[process.pid] / SECONDS,
            "family cpu": 100 * sum(after.values()) / SECONDS,
            "rss": memory_of(process.pid),
            "family rss": sum(memory_of(pid) for pid in family),
            "family": len(family),
        }


async def measure(folder: Path) -> list[Row]:
    defaults = {"queue": {"lease": 60.0}, "index": {"poll_every": 60.0, "first_look": 2.0, "upload_settles": 60.0}}
    async with remotes(folder, latency=0.0, settings=defaults) as firm:
        await firm.open_case_files(1)
        compiled = folder / "compiled"
        ready = await start_times(firm.command, "daemon.ready", compiled)
        bare = await start_times(BARE, "ready", compiled)
        ours = await idle(firm.command, "daemon.ready", compiled)
        alone = await idle(BARE, "ready", compiled)
    return [
        Row(
            what="start to READY",
            ours=ready,
            unit="s",
            alternative=bare,
            named=NAMED,
            target=Target(name="P10", at="most", limit=1.0, of="ours"),
        ),
        Row(
            what="idle CPU of the daemon",
            ours=ours["cpu"],
            unit="% of a core",
            target=Target(name="P10", at="most", limit=0.5, of="ours"),
        ),
        Row(what="idle CPU, with its children", ours=ours["family cpu"], unit="% of a core"),
        Row(
            what="idle RSS of the daemon",
            ours=ours["rss"] / MIB,
            unit="MiB",
            alternative=alone["rss"] / MIB,
            named=NAMED,
            target=Target(name="P10", at="most", limit=80.0, of="ours"),
        ),
        Row(what="RSS of its children", ours=ours["family rss"] / MIB, unit=f"MiB, {ours['family']:.0f} processes"),
    ]


def main() -> None:
    with TemporaryDirectory() as folder:
        rows = anyio.run(measure, Path(folder))
    report(f"start and idleness, median of {ROUNDS} starts", rows)


if __name__ == "__main__":
    main()
