"""What hostile documents and previewers, kill -9, time-outs and cancellation cost: one preview, and nothing stays behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from structlog.testing import capture_logs
from structlog.typing import FilteringBoundLogger

from docsyncd.core.model import ContentHash
from docsyncd.preview.confine import confinement
from docsyncd.preview.pool import Preview, PreviewPool, open_previews
from docsyncd.preview.previewer import Previewer
from docsyncd.preview.settings import PreviewSettings
from tests.preview import documents, hostile
from tests.preview.conftest import children

CONTENT = ContentHash("0" * 64)
A4 = (595.28, 841.89)
SECONDS = 1.5


def always(name: str) -> Callable[[str], Previewer]:
    """Every document goes to this function of `hostile`."""
    return lambda _: Previewer(name=name, render=f"tests.preview.hostile:{name}")


async def draw_with(name: str, path: Path, log: FilteringBoundLogger, **settings: float) -> Preview:
    """Two documents: the hostile one's preview is returned, the next one must be drawn."""
    chosen = iter([always(name)(""), always("good")("")])
    async with open_previews(PreviewSettings(**settings), log, lambda _: next(chosen)) as pool:  # type: ignore[arg-type]
        preview = await pool.render(path, content=CONTENT)
        assert (await pool.render(path, content=CONTENT)).reason == ""
    return preview


def running(word: str) -> list[int]:
    """Processes with this argument, zombies aside."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and word.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def until(condition: Callable[[], object], within: float = 10.0) -> None:
    with anyio.fail_after(within):
        while not condition():  # noqa: ASYNC110 - other processes set no event of ours
            await anyio.sleep(0.02)


async def until_gone(word: str) -> None:
    await until(lambda: not running(word), within=3)


def started_under(place: Path) -> list[int]:
    """Processes in whose environment this place is named."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(place).encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def left_behind(scratch_root: Path) -> list[Path]:
    return list(scratch_root.rglob("left.tmp"))


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_text("Klage")
    return path


async def test_a_previewer_that_hangs_is_ended_with_all_that_it_started(
    document: Path, log: FilteringBoundLogger, scratch_root: Path
) -> None:
    settings = PreviewSettings(seconds=SECONDS, box=(599, 701))
    async with open_previews(settings, log, always("hang")) as pool:
        start = time.monotonic()
        preview = await pool.render(document, content=CONTENT)
        assert preview.reason == f"took longer than {SECONDS} s"
        assert time.monotonic() - start < SECONDS + 2
        await until_gone(hostile.lullaby(settings.box))
        assert left_behind(scratch_root) == []
        assert len(children()) == 1  # the warm spare


async def test_cancelling_ends_the_drawing_and_all_that_it_started(document: Path, log: FilteringBoundLogger) -> None:
    settings = PreviewSettings(box=(599, 702))
    async with open_previews(settings, log, always("hang")) as pool:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: pool.render(document, content=CONTENT))
            await until(lambda: running(hostile.lullaby(settings.box)))
            tasks.cancel_scope.cancel()
        await until_gone(hostile.lullaby(settings.box))


async def test_a_killed_worker_costs_one_preview(document: Path, log: FilteringBoundLogger) -> None:
    preview = await draw_with("die", document, log)
    assert preview.picture is None
    assert preview.reason.startswith("its process ended without an answer (status ")


async def test_a_spare_that_was_killed_costs_nothing(tmp_path: Path, previews: PreviewPool) -> None:
    (spare,) = child_ids()
    os.kill(spare, signal.SIGKILL)
    await until(lambda: state_of(spare) == "Z")
    preview = await previews.render(documents.pdf(tmp_path / "a.pdf", A4), content=CONTENT)
    assert preview.reason == ""


async def test_a_memory_hog_meets_its_limit(document: Path, log: FilteringBoundLogger) -> None:
    assert (await draw_with("hog", document, log)).reason == "needs more than 512 MiB of memory"


async def test_an_endless_computation_meets_its_limit(document: Path, log: FilteringBoundLogger) -> None:
    preview = await draw_with("spin", document, log, seconds=SECONDS)
    assert preview.reason == f"took longer than {SECONDS} s"


@pytest.mark.parametrize("name", ["lie", "flood"])
async def test_an_answer_that_is_no_picture_is_not_believed(
    document: Path, log: FilteringBoundLogger, name: str
) -> None:
    preview = await draw_with(name, document, log)
    assert preview.picture is None
    assert preview.reason.startswith("its process's answer was not believed: ")


async def test_a_previewer_that_prints_and_draws_too_large_still_fits(
    document: Path, log: FilteringBoundLogger
) -> None:
    preview = await draw_with("chatter", document, log)
    assert (preview.reason, preview.width, preview.height) == ("", 600, 300)


async def test_a_previewers_error_becomes_the_reason_in_one_line(document: Path, log: FilteringBoundLogger) -> None:
    preview = await draw_with("broken", document, log)
    assert preview.reason.startswith("LookupError: no sheet in this [31m drawing xxx")
    assert len(preview.reason) == 300


async def test_a_previewer_that_cannot_be_imported_says_so(document: Path, log: FilteringBoundLogger) -> None:
    assert (await draw_with("missing", document, log)).reason.startswith("AttributeError: ")


async def test_the_worker_sees_nothing_of_the_daemons_environment(
    document: Path, log: FilteringBoundLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    seen = set((await draw_with("look_around", document, log)).reason.removeprefix("LookupError: ").split())
    assert seen - {"LC_CTYPE", "PWD"} == {"HOME", "LANG", "PATH", "PYTHONPATH", "TMPDIR"}


@pytest.mark.skipif(confinement().bwrap is None, reason="needs a bubblewrap (bwrap) that works here")
async def test_bubblewrap_leaves_no_network_no_writing_and_nobody_else(
    document: Path, log: FilteringBoundLogger
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = document.with_name("port")
        await anyio.Path(port).write_text(str(server.getsockname()[1]))
        reason = (await draw_with("reach_out", port, log)).reason
    assert reason == "LookupError: went through: nothing; processes: 2"


async def test_without_bubblewrap_the_log_says_that_the_network_is_open(
    log: FilteringBoundLogger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with capture_logs() as lines:
        async with open_previews(PreviewSettings(), log):
            pass
    (ready,) = [line for line in lines if line["event"] == "previews.ready"]
    assert ready["confinement"].endswith("bubblewrap (bwrap) is not installed, the network is open")


async def test_a_bubblewrap_that_does_not_work_is_named_and_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbidden = tmp_path / "bwrap"
    forbidden.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    forbidden.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = confinement()
    assert found.bwrap is None
    assert "bubblewrap does not work here (No permissions to create new namespace)" in found.description


async def test_without_pdftoppm_pdf_previews_are_off_and_pictures_go_on(
    log: FilteringBoundLogger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pdf = documents.pdf(tmp_path / "a.pdf", A4)
    documents.halves((100, 100)).save(tmp_path / "a.png")
    monkeypatch.setenv("PATH", str(tmp_path))
    with capture_logs() as lines:
        async with open_previews(PreviewSettings(), log) as pool:
            refused = await pool.render(pdf, content=CONTENT)
            drawn = await pool.render(tmp_path / "a.png", content=CONTENT)
    assert refused.reason == "previews of application/pdf are off: pdftoppm, pdfinfo is not installed (poppler-utils)"
    assert drawn.reason == ""
    assert [line["media_type"] for line in lines if line["event"] == "previews.kind_off"] == ["application/pdf"]


async def test_switched_off_nothing_is_started(document: Path, log: FilteringBoundLogger) -> None:
    async with open_previews(PreviewSettings(enabled=False), log) as pool:
        assert (await pool.render(document, content=CONTENT)).reason == "previews are off (previews.enabled)"
        assert children() == []


async def test_without_room_for_a_temp_folder_previews_are_lost_until_there_is_some(
    document: Path, log: FilteringBoundLogger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no bubblewrap, which brings its own
    room = tempfile.tempdir
    tempfile.tempdir = str(tmp_path / "missing")
    async with open_previews(PreviewSettings(), log, always("good")) as pool:
        assert (await pool.render(document, content=CONTENT)).reason.startswith("no process to draw with: ")
        tempfile.tempdir = room
        assert (await pool.render(document, content=CONTENT)).reason == ""


async def test_what_cannot_be_read_says_so(tmp_path: Path, previews: PreviewPool) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, reason in [
        (tmp_path / "missing", "cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: not a regular file"),
        (tmp_path / "pipe", "cannot be read: not a regular file"),
    ]:
        assert (await previews.render(path, content=CONTENT)).reason == reason


async def test_a_plugin_comes_before_the_built_in_previewer(tmp_path: Path, log: FilteringBoundLogger) -> None:
    async with open_previews(PreviewSettings(), log, always("good")) as pool:
        preview = await pool.render(documents.pdf(tmp_path / "a.pdf", (800, 400)), content=CONTENT)
    assert (preview.media_type, preview.width, preview.height) == ("application/pdf", 600, 800)


async def test_the_same_content_is_drawn_once_at_a_time(document: Path, log: FilteringBoundLogger) -> None:
    asked: list[str] = []

    def choose(kind: str) -> Previewer:
        asked.append(kind)
        return always("good")(kind)

    previews: list[Preview] = []
    async with open_previews(PreviewSettings(parallel=4), log, choose) as pool:

        async def render(content: str) -> None:
            previews.append(await pool.render(document, content=ContentHash(content)))

        async with anyio.create_task_group() as tasks:
            for content in "aaaab":
                tasks.start_soon(render, content)
    assert len(asked) == 2
    assert [preview.reason for preview in previews] == [""] * 5


async def test_when_the_one_who_draws_is_cancelled_the_next_takes_over(
    document: Path, log: FilteringBoundLogger
) -> None:
    chosen = iter([always("hang")(""), always("good")("")])
    previews: list[Preview] = []
    async with open_previews(PreviewSettings(box=(599, 703)), log, lambda _: next(chosen)) as pool:

        async def render() -> None:
            previews.append(await pool.render(document, content=CONTENT))

        async with anyio.create_task_group() as all_tasks, anyio.create_task_group() as first:
            first.start_soon(render)
            await until(lambda: running(hostile.lullaby((599, 703))))
            all_tasks.start_soon(render)
            await anyio.sleep(0.1)
            first.cancel_scope.cancel()
    assert [preview.reason for preview in previews] == [""]


async def test_no_more_processes_than_set_draw_at_once(document: Path, log: FilteringBoundLogger) -> None:
    settings = PreviewSettings(parallel=2, seconds=SECONDS, box=(599, 704))
    async with open_previews(settings, log, always("hang")) as pool, anyio.create_task_group() as tasks:
        for content in "abcd":
            tasks.start_soon(lambda name: pool.render(document, content=ContentHash(name)), content)
        most = 0
        with anyio.move_on_after(2 * SECONDS):
            while True:
                most = max(most, len(running(hostile.lullaby(settings.box))))
                await anyio.sleep(0.05)
    assert most == 2


DAEMON = """
import sys, anyio, structlog
from pathlib import Path
from docsyncd.preview.pool import open_previews
from docsyncd.preview.previewer import Previewer
from docsyncd.preview.settings import PreviewSettings

async def main():
    hang = Previewer(name="hang", render="tests.preview.hostile:hang")
    async with open_previews(PreviewSettings(box=(599, 705)), structlog.get_logger(), lambda _: hang) as pool:
        await pool.render(Path(sys.argv[1]), content="0" * 64)

anyio.run(main)
"""


async def test_a_daemon_that_is_killed_leaves_no_process_and_the_next_one_tidies_up(
    document: Path, log: FilteringBoundLogger, scratch_root: Path
) -> None:
    daemon = run_daemon(document, scratch_root)
    try:
        await until(lambda: running(hostile.lullaby((599, 705))))
        assert len(started_under(scratch_root)) >= 4  # the daemon, its worker, the worker's child, the spare
    finally:
        daemon.kill()
        daemon.wait()
    await until(lambda: not started_under(scratch_root), within=3)
    async with open_previews(PreviewSettings(), log):
        assert left_behind(scratch_root) == []


def run_daemon(document: Path, scratch_root: Path) -> subprocess.Popen[bytes]:
    """A process of its own that draws a document for ever. PATH is what its workers inherit."""
    environment = {**os.environ, "TMPDIR": str(scratch_root), "PATH": f"{os.environ['PATH']}:{scratch_root}"}
    return subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(document)], env=environment, cwd=Path(__file__).parents[2]
    )


async def test_two_daemons_do_not_tidy_each_other_up(document: Path, log: FilteringBoundLogger) -> None:
    async with open_previews(PreviewSettings(), log, always("good")) as first:
        async with open_previews(PreviewSettings(), log, always("good")) as second:
            assert (await second.render(document, content=CONTENT)).reason == ""
            assert (await first.render(document, content=CONTENT)).reason == ""
        assert (await first.render(document, content=CONTENT)).reason == ""


def test_the_daemon_never_imports_pillow() -> None:
    code = (
        "import sys, docsyncd.preview.pool, docsyncd.preview.settings; print({'PIL', 'pdf2image'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def child_ids() -> list[int]:
    return [int(child) for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def state_of(process: int) -> str:
    """proc(5), /proc/pid/stat, the third field: `Z` is dead and not yet waited for."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
