"""What a preview costs, beside what it could cost: ours, the bare tools, and pdf2image at its defaults, in one run.

    python tests/benchmarks/bench_previews.py [rounds]

Wall-clock and CPU milliseconds per document, median over the rounds; the ways take turns, so that a busy machine slows all
of them. "bare" works inside this process and confines nothing. Ours starts a process for each document, ahead of it:
"waiting" is what a caller waits for when documents come one by one, "in a row" when the next comes at once; CPU includes
the process's start.
"""

from __future__ import annotations

import resource
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

BOX = (600, 800)
PAUSE = 0.4
"""Seconds between two documents that come one by one: the next process is warm by then."""

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


def cpu_seconds() -> float:
    """Of this process and of all that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


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


async def in_a_row(path: Path, way: Way, rounds: int) -> tuple[float, float]:
    """Wall-clock and CPU milliseconds per document, one directly after the other."""
    start, used = time.perf_counter(), cpu_seconds()
    for _ in range(rounds):
        await way(path)
    return 1000 * (time.perf_counter() - start) / rounds, 1000 * (cpu_seconds() - used) / rounds


async def table(title: str, path: Path, ways: dict[str, Way], floor: str, rounds: int, *, uncounted: str) -> None:
    """:param uncounted: the way whose CPU time we cannot know: bubblewrap's processes are not ours to wait for."""
    waiting = await compare(path, ways, rounds, pause=PAUSE)
    print(f"\n{title}, {rounds} rounds")
    print(f"{'':32}{'waiting ms':>12}{'x floor':>9}{'in a row ms':>13}{'CPU ms':>8}")
    for name, way in ways.items():
        wall, cpu = await in_a_row(path, way, rounds)
        spent = "?" if name == uncounted else f"{cpu:.0f}"
        print(f"{name:32}{waiting[name]:12.0f}{waiting[name] / waiting[floor]:9.2f}{wall:13.0f}{spent:>8}")


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


async def bench(rounds: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    with tempfile.TemporaryDirectory() as folder:
        pdf, jpeg = Path(folder, "page.pdf"), Path(folder, "photo.jpg")
        write_pdf(pdf)
        write_jpeg(jpeg)
        async with open_previews(PreviewSettings(), structlog.get_logger()) as pool:
            print(f"confinement: {pool.confinement.description}")
            print(f"start of a process: {start_costs(rounds):.0f} ms, paid before the document comes")
            mine = ours(pool)
            uncounted = "ours" if pool.confinement.bwrap else ""
            pdf_ways: dict[str, Way] = {
                "bare pdftoppm + Pillow": bare_pdftoppm,
                "ours": mine,
                "pdf2image, 200 dpi": pdf2image_defaults,
            }
            await table("PDF, first page", pdf, pdf_ways, "bare pdftoppm + Pillow", rounds, uncounted=uncounted)
            jpeg_ways: dict[str, Way] = {"bare Pillow, draft()": bare_draft, "ours": mine}
            await table("24 MP JPEG", jpeg, jpeg_ways, "bare Pillow, draft()", rounds, uncounted=uncounted)


def main() -> None:
    anyio.run(bench, int(sys.argv[1]) if len(sys.argv) > 1 else 9)


if __name__ == "__main__":
    main()
