"""What a preview costs, beside what it could cost: ours, the bare tools, and pdf2image at its defaults, in one run.

Wall-clock milliseconds per document over ROUNDS (default 9); the ways take turns, so that a busy machine slows all of them.
"bare" works inside this process and confines nothing. Ours starts a process for each document, ahead of it: "one by one" is
what a caller waits for when the next process has had time to start, "in a row" when the next document comes at once.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path

import anyio
import structlog
from pdf2image import convert_from_path
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from docsyncd.core.model import ContentHash
from docsyncd.preview.pool import PreviewPool, open_previews
from docsyncd.preview.settings import PreviewSettings
from tests.benchmarks.measure import Row, Target, report

ROUNDS = int(os.environ.get("ROUNDS", "9"))
BOX = (600, 800)
PAUSE = 0.4
"""Seconds between two documents that come one by one: the next process is warm by then."""

FLOOR, DEFAULTS = "bare pdftoppm + Pillow", "pdf2image at its defaults (200 dpi)"
TARGETS = {FLOOR: Target(name="P9", at="most", limit=1.25, of="ratio")}
"""P9's other half, a mixed folder next to pdf2image and one cold office process per document, comes with the office formats."""

Way = Callable[[Path], Awaitable[None]]


def write_pdf(path: Path) -> None:
    page = Canvas(str(path), pagesize=A4)
    for line in range(55):
        page.drawString(
            50, 800 - 14 * line, "In Sachen Müller gegen Schmidt wird beantragt, die Klage abzuweisen. " * 2
        )
    page.save()


def write_jpeg(path: Path) -> None:
    """24 megapixels with the grain of a photograph."""
    noise = Image.effect_noise((1500, 1000), 60)
    Image.merge(
        "RGB", (noise, noise.rotate(90, expand=False), noise.transpose(Image.Transpose.FLIP_TOP_BOTTOM))
    ).resize((6000, 4000)).save(path, quality=90)


def to_webp(picture: Image.Image) -> None:
    picture.convert("RGB").save(BytesIO(), "WEBP", quality=85, method=2)


async def bare_pdftoppm(path: Path) -> None:
    drawn = await anyio.run_process(["pdftoppm", "-f", "1", "-l", "1", "-singlefile", "-scale-to", "800", str(path)])
    to_webp(Image.open(BytesIO(drawn.stdout)))


async def pdf2image_defaults(path: Path) -> None:
    picture = convert_from_path(path)[0]
    picture.thumbnail(BOX)
    to_webp(picture)


async def bare_draft(path: Path) -> None:
    with Image.open(path) as picture:
        picture.thumbnail(BOX)
        to_webp(picture)


def ours(pool: PreviewPool) -> Way:
    async def render(path: Path) -> None:
        preview = await pool.render(path, content=ContentHash("0" * 64))
        if preview.picture is None:
            raise SystemExit(f"no preview of {path.name}: {preview.reason}")

    return render


async def compare(path: Path, ways: dict[str, Way], rounds: int, *, pause: float) -> dict[str, float]:
    """Median wall-clock milliseconds per way, taking turns."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            await anyio.sleep(pause)
            start = time.perf_counter()
            await way(path)
            taken[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in taken.items()}


async def in_a_row(path: Path, way: Way, rounds: int) -> float:
    """Wall-clock milliseconds per document, one directly after the other."""
    start = time.perf_counter()
    for _ in range(rounds):
        await way(path)
    return 1000 * (time.perf_counter() - start) / rounds


async def rows(what: str, path: Path, ways: dict[str, Way], targets: dict[str, Target], rounds: int) -> list[Row]:
    """Ours, which comes first, next to each of the others. `targets` by the other's name."""
    waiting = await compare(path, ways, rounds, pause=PAUSE)
    in_row = {name: await in_a_row(path, way, rounds) for name, way in ways.items()}
    mine, *others = ways
    found = []
    for other in others:
        target = targets.get(other)
        one_by_one = Row(
            what=f"{what}: one by one",
            ours=waiting[mine],
            unit="ms",
            alternative=waiting[other],
            named=other,
            target=target,
        )
        directly = Row(
            what=f"{what}: in a row",
            ours=in_row[mine],
            unit="ms",
            alternative=in_row[other],
            named=other,
        )
        found += [one_by_one, directly]
    return found


def start_costs(rounds: int) -> float:
    """Median milliseconds from nothing to an interpreter that has imported what drawing takes."""
    command = [
        sys.executable,
        "-sSP",
        "-c",
        "import docsyncd.preview.image, docsyncd.preview.pdf, docsyncd.preview.encode",
    ]
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run(command, env={"PYTHONPATH": ":".join(sys.path)}, check=True)
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken)


async def bench(rounds_each: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    with tempfile.TemporaryDirectory() as folder:
        pdf, jpeg = Path(folder, "page.pdf"), Path(folder, "photo.jpg")
        write_pdf(pdf)
        write_jpeg(jpeg)
        async with open_previews(PreviewSettings(), structlog.get_logger()) as pool:
            notes = [
                f"confinement: {pool.confinement.description}",
                f"start of a process: {start_costs(rounds_each):.0f} ms, paid before the document comes",
            ]
            mine = ours(pool)
            pdf_ways: dict[str, Way] = {"ours": mine, FLOOR: bare_pdftoppm, DEFAULTS: pdf2image_defaults}
            jpeg_ways: dict[str, Way] = {"ours": mine, "bare Pillow, draft()": bare_draft}
            drawn = await rows("PDF, first page", pdf, pdf_ways, TARGETS, rounds_each)
            drawn += await rows("24 MP JPEG", jpeg, jpeg_ways, TARGETS, rounds_each)
    report(f"previews, median of {rounds_each}", drawn, notes=notes)


def main() -> None:
    anyio.run(bench, int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)


if __name__ == "__main__":
    main()
