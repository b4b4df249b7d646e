"""What benchmarks share: rows with a named alternative and a target, and what a process costs."""

from __future__ import annotations

import json
import os
import resource
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

RESULT = "BENCH_RESULT"
"""Environment variable: the file to which a benchmark writes its rows, for the summary of `python -m tests.benchmarks`."""

MIB = 1024 * 1024
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A limit from the performance targets. `of`: whether ours itself or its ratio to the alternative has to keep it."""

    name: str
    at: Literal["least", "most"]
    limit: float
    of: Literal["ours", "ratio"]

    def reached(self, ours: float, ratio: float | None) -> bool:
        value = ours if self.of == "ours" else ratio
        if value is None:
            raise ValueError(f"{self.name} is about a ratio, and there is no alternative")
        return value >= self.limit if self.at == "least" else value <= self.limit

    def __str__(self) -> str:
        return f"{self.name}: {'≥' if self.at == 'least' else '≤'} {self.limit:g}{' x' if self.of == 'ratio' else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure.

    :param what: what was measured.
    :param alternative: the same of the alternative that `named` names, in the same unit and run.
    """

    what: str
    ours: float
    unit: str
    alternative: float | None = None
    named: str = ""
    target: Target | None = None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.alternative if self.alternative else None

    @property
    def reached(self) -> bool | None:
        return None if self.target is None else self.target.reached(self.ours, self.ratio)


console = Console(width=None if Console().is_terminal else 140)


def report(title: str, rows: Sequence[Row], *, notes: Sequence[str] = ()) -> None:
    """Print the table and, inside `python -m tests.benchmarks`, hand the rows to its summary."""
    table = Table(title=title, title_justify="left")
    table.add_column("measured")
    for column in ("ours", "alternative", "ratio"):
        table.add_column(column, justify="right")
    for column in ("unit", "the alternative is", "target", "reached"):
        table.add_column(column)
    for row in rows:
        table.add_row(
            row.what,
            figure(row.ours),
            "" if row.alternative is None else figure(row.alternative),
            "" if row.ratio is None else f"{row.ratio:.2f}",
            row.unit,
            row.named,
            str(row.target or ""),
            {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[row.reached],
        )
    console.print(table)
    for note in notes:
        console.print(note, markup=False, highlight=False)
    if RESULT in os.environ:
        lines = [{**asdict(row), "ratio": row.ratio, "reached": row.reached} for row in rows]
        Path(os.environ[RESULT]).write_text(json.dumps({"title": title, "rows": lines, "notes": [*notes]}))


def figure(value: float) -> str:
    """Three digits that matter."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def cpu_seconds() -> float:
    """Of this process and of all that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def cpu_seconds_of(pid: int) -> float:
    """Of one running process (proc(5), `stat`: utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def busy_seconds() -> float:
    """CPU seconds that all cores together have worked, or were kept from it by a hypervisor (proc(5), `stat`)."""
    line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = map(int, line.split()[1:9])
    return (user + nice + system + interrupts + soft + stolen) / TICKS


def memory_of(pid: int, *, peak: bool = False) -> int:
    """Bytes resident now, or at most so far (proc(5), `status`)."""
    name = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def own_peak() -> int:
    """Bytes that this process had resident at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def children_of(pid: int) -> dict[int, str]:
    """Every descendant that runs now, with its command's name."""
    parents: dict[int, tuple[int, str]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, tail = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")
        except OSError:
            continue  # it ended meanwhile
        parents[int(stat.parent.name)] = int(tail.split()[1]), head.partition("(")[2]
    found: dict[int, str] = {}
    wave = {pid}
    while wave:
        wave = {child for child, (parent, _) in parents.items() if parent in wave}
        found.update({child: parents[child][1] for child in wave})
    return found


def uvloop_installed() -> bool:
    """Does the daemon run on it here?"""
    return find_spec("uvloop") is not None
