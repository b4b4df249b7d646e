"""Runs benchmarks, each in a process of its own, and sums up which targets they reach.

    python -m tests.benchmarks [NAME ...]        make bench BENCH="queue start"

Without a name all of them run. BENCH_JSON=PATH also writes every figure there. The exit status says whether they ran: a
target that is missed is shown, and is no error, since the machine may be busy with other things.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.table import Table

from tests.benchmarks.measure import RESULT, busy_seconds, console, cpu_seconds, figure

FOLDER = Path(__file__).parent
QUIET = 0.1
"""Part of all cores that others may use without being mentioned."""


def benchmarks() -> dict[str, str]:
    """Name and first line of what each says of itself."""
    found = {}
    for path in sorted(FOLDER.glob("bench_*.py")):
        words = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found[path.stem.removeprefix("bench_")] = words.partition("\n")[0]
    return found


def arguments(known: dict[str, str]) -> list[str]:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=(__doc__ or "").partition("\n")[0],
        epilog="benchmarks:\n" + "\n".join(f"  {name:10}{words}" for name, words in known.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="the benchmarks to run; default: all")
    names: list[str] = parser.parse_args().names
    unknown = sorted(set(names) - set(known))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; known are {', '.join(known)}")
    return names or list(known)


def run(name: str) -> dict[str, Any]:
    """The figures of one benchmark, or what its process ended with. `others`: the part of all cores that went elsewhere."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        started, busy, own = time.monotonic(), busy_seconds(), cpu_seconds()
        ended = subprocess.run(
            [sys.executable, "-m", f"tests.benchmarks.bench_{name}"],
            env={**os.environ, RESULT: str(result)},
            check=False,
        )
        told = json.loads(result.read_text(encoding="utf-8")) if result.exists() else {"rows": []}
    seconds = time.monotonic() - started
    strange = (busy_seconds() - busy - (cpu_seconds() - own)) / (seconds * (os.cpu_count() or 1))
    return {
        "name": name,
        "status": ended.returncode,
        "seconds": round(seconds, 1),
        "others": round(max(0.0, strange), 2),
        **told,
    }


def machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}


def sum_up(results: list[dict[str, Any]]) -> None:
    table = Table(title="Targets", title_justify="left")
    for column in ("benchmark", "measured", "target", "is", "reached"):
        table.add_column(column)
    for result in results:
        for row in result["rows"]:
            if row["target"] is not None:
                by_ratio = row["target"]["of"] == "ratio"
                sign = "≥" if row["target"]["at"] == "least" else "≤"
                table.add_row(
                    result["name"],
                    row["what"],
                    f"{row['target']['name']}: {sign} {row['target']['limit']:g}{' x' if by_ratio else ''}",
                    f"{row['ratio']:.2f} x" if by_ratio else f"{figure(row['ours'])} {row['unit']}",
                    "[green]yes[/]" if row["reached"] else "[red]no[/]",
                )
    console.print(table)
    for result in results:
        if result["others"] > QUIET:
            console.print(
                f"{result['name']}: others used {result['others']:.0%} of all cores meanwhile; trust ratios only",
                style="yellow",
            )
        if result["status"] != 0:
            console.print(f"{result['name']} failed with status {result['status']}", style="red")


def main() -> None:
    names = arguments(benchmarks())
    results = []
    for name in names:
        console.rule(name)
        results.append(run(name))
    console.rule("summary")
    sum_up(results)
    if path := os.environ.get("BENCH_JSON"):
        Path(path).write_text(json.dumps({"machine": machine(), "benchmarks": results}, indent=2), encoding="utf-8")
    sys.exit(any(result["status"] for result in results))


if __name__ == "__main__":
    main()
