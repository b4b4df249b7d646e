"""Staging: whole or not at all, hashed on the way, with memory that does not grow with the file."""

from __future__ import annotations

import errno
import hashlib
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from blake3 import blake3

from docsyncd.engine.staging import Staging
from docsyncd.errors import CorruptContent, DiskFull, RequestFailed
from docsyncd.ports import Download

KIB = 1024
CHUNK = 256 * KIB


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "staging"


@pytest.fixture
def staging(folder: Path) -> Staging:
    staging = Staging(folder)
    staging.clear()
    return staging


def download(*parts: bytes, size: int | None = None, broken: Exception | None = None) -> Download:
    """A download that brings these parts, and then ends or breaks off."""

    async def chunks() -> AsyncIterator[bytes]:
        for part in parts:
            await anyio.lowlevel.checkpoint()
            yield part
        if broken is not None:
            raise broken

    announced = sum(map(len, parts)) if size is None else size
    return Download(name="../../Klage.pdf", size=announced, chunks=chunks())


async def staged_size(staging: Staging, what: Download) -> int:
    async with staging.stage(what, remote="espocrm") as staged:
        return staged.path.stat().st_size


def left_behind(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


async def test_what_arrives_lies_on_the_disk_with_its_three_hashes(staging: Staging, folder: Path) -> None:
    content = b"Klage wegen " * 100_000
    parts = [content[start : start + CHUNK] for start in range(0, len(content), CHUNK)]
    async with staging.stage(download(*parts), remote="espocrm") as staged:
        assert staged.path.read_bytes() == content
        assert staged.digests.blake3 == blake3(content).hexdigest()
        assert staged.digests.sha256 == hashlib.sha256(content).hexdigest()
        assert staged.digests.md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()
        assert staged.size == len(content)
        assert staged.path.is_relative_to(folder)
        assert "Klage" not in str(staged.path)
    assert left_behind(folder) == []


async def test_nothing_at_all_is_content_too(staging: Staging) -> None:
    async with staging.stage(download(), remote="espocrm") as staged:
        assert staged.size == 0
        assert staged.digests.blake3 == blake3(b"").hexdigest()
        assert staged.path.read_bytes() == b""


@pytest.mark.parametrize(("size", "words"), [(11, "10 bytes arrived of 11"), (9, "10 bytes arrived of 9")])
async def test_what_ends_short_or_long_is_not_staged(staging: Staging, folder: Path, size: int, words: str) -> None:
    with pytest.raises(CorruptContent, match=f"espocrm: {words}"):
        await staged_size(staging, download(b"0123456789", size=size))
    assert left_behind(folder) == []


async def test_a_download_that_breaks_off_leaves_its_own_error_and_nothing_else(staging: Staging, folder: Path) -> None:
    broken = RequestFailed("GET broke off in the body", remote="espocrm")
    with pytest.raises(RequestFailed) as error:
        await staged_size(staging, download(*[b"x" * CHUNK] * 30, size=100 * CHUNK, broken=broken))
    assert error.value is broken
    assert left_behind(folder) == []


async def test_a_bug_in_a_download_is_seen_as_itself(staging: Staging, folder: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        await staged_size(staging, download(b"x", broken=ZeroDivisionError()))
    assert left_behind(folder) == []


async def test_a_cancelled_run_leaves_nothing(staging: Staging, folder: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * CHUNK
            await anyio.sleep(0.001)

    with anyio.move_on_after(0.2) as scope:
        await staged_size(staging, Download(name="x", size=10 * CHUNK, chunks=endless()))
    assert scope.cancelled_caught
    assert left_behind(folder) == []


async def test_what_a_crash_left_is_removed_at_the_start(folder: Path) -> None:
    (folder / "tmpcrashed").mkdir(parents=True)
    (folder / "tmpcrashed" / "content").write_bytes(b"half")
    Staging(folder).clear()
    assert left_behind(folder) == []
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_a_file_that_would_fill_the_disk_is_not_begun(staging: Staging, folder: Path) -> None:
    begun: list[bool] = []

    async def chunks() -> AsyncIterator[bytes]:
        begun.append(True)
        yield b""

    with pytest.raises(DiskFull, match=r"bytes free, the file has .*make room there"):
        await staged_size(staging, Download(name="x", size=2**60, chunks=chunks()))
    assert begun == []


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """The kernel refuses to write more, as a full disk does in the middle of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


async def test_a_disk_that_is_full_in_the_middle_is_said_to_be(staging: Staging, folder: Path) -> None:
    with no_file_larger_than(4 * CHUNK), pytest.raises(DiskFull) as error, anyio.fail_after(20):
        await staged_size(staging, download(*[b"x" * CHUNK] * 100))
    assert str(error.value).startswith(f"a download cannot be written to {folder}: ")
    assert isinstance(error.value.__cause__, OSError)
    assert error.value.__cause__.errno == errno.EFBIG
    assert left_behind(folder) == []


MEASURE = """
    import resource, sys
    from pathlib import Path
    import anyio
    from docsyncd.engine.staging import Staging
    from docsyncd.ports import Download

    CHUNK = 256 * 1024

    async def chunks(count):
        for number in range(count):
            yield number.to_bytes(4, "big") * (CHUNK // 4)

    async def stage(count):
        staging = Staging(Path(sys.argv[1]))
        staging.clear()
        async with staging.stage(Download(name="x", size=count * CHUNK, chunks=chunks(count)), remote="x") as staged:
            assert staged.size == count * CHUNK

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    anyio.run(stage, 40)
    before = peak()
    anyio.run(stage, 800)
    print(peak() - before)
"""


def test_memory_is_the_same_for_ten_megabytes_and_for_two_hundred(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEASURE), str(folder)],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    grown_kib = int(done.stdout)
    assert grown_kib < 8 * KIB, f"{grown_kib} KiB more for 200 MiB than for 10 MiB"
