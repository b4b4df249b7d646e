"""`docsyncd demo` over a mixed folder: peak memory of the daemon, and that everything converged.

DOCUMENTS names a folder; by default one is made: 40 mails and texts, 10 PDFs, a 24-megapixel JPEG, an empty file, a PDF of
45 MB and one of 60 MB, which is too large for xAI. The limit of 150 MiB is the one that issue and documentation promise.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.bench_previews import write_jpeg, write_pdf
from tests.benchmarks.measure import Row, Target, report

LIMIT = Target(name="demo", at="most", limit=150.0, of="ours")


def fill(folder: Path) -> None:
    """Real files of the kinds that a law firm has."""
    write_pdf(folder / "Klage.pdf")
    page = (folder / "Klage.pdf").read_bytes()
    for number in range(9):
        (folder / f"Anlage K{number}.pdf").write_bytes(page + b"%" + str(number).encode())
    for number in range(40):
        (folder / f"Vermerk „{number}“; Müller.txt").write_bytes(random.randbytes(20_000).hex().encode())
    write_jpeg(folder / "Foto Mauer.jpg")
    (folder / "leer.txt").write_bytes(b"")
    for megabytes in (45, 60):
        padding = random.randbytes(1_000_000).hex().encode() * (megabytes // 2)
        (folder / f"Gutachten {megabytes} MB.pdf").write_bytes(page + b"%" + padding)


def play(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "docsyncd", "demo", "--json", "--documents", str(folder)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    told: dict[str, Any] = json.loads(ended.stdout)
    if ended.returncode != 0:
        raise SystemExit(f"the demonstration did not converge: {told}")
    return told


def main() -> None:
    with TemporaryDirectory() as made:
        chosen = Path(os.environ.get("DOCUMENTS") or made)
        if "DOCUMENTS" not in os.environ:
            fill(chosen)
        told = play(chosen)
    rows = [
        Row(what="peak RSS of the daemon", ours=told["peak_rss_mib"], unit="MiB", target=LIMIT),
        Row(what="documents", ours=told["documents"], unit=""),
        Row(what="indexed", ours=told["indexed"], unit=""),
        Row(what="unsupported", ours=told["unsupported"], unit=""),
        Row(what="previews", ours=told["previews"], unit=""),
        Row(what="bytes", ours=told["bytes"] / 1_000_000, unit="MB"),
        Row(what="from the first upload to everything in step", ours=told["seconds"], unit="s"),
        Row(what="requests", ours=told["requests"], unit=""),
    ]
    report("the demonstration over a mixed folder, with a kill -9 in the middle", rows)


if __name__ == "__main__":
    main()
