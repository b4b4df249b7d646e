"""The audit chain: what was acknowledged is there, in order, and nothing can be taken out of its middle unnoticed."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import anyio
import pytest

from docsyncd.testing.host import HandClock
from docsyncd.work.audit import GENESIS, Audit, AuditBroken, verify


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return Audit(tmp_path / "state", HandClock(), daemon="tester")


async def record(audit: Audit, count: int) -> list[bytes]:
    for number in range(count):
        await audit.append("placed", {"document": f"doc-{number}", "file": "file_Ä"})
    return audit.path.read_bytes().splitlines(keepends=True)


async def test_each_line_says_when_who_and_what(audit: Audit) -> None:
    [line] = await record(audit, 1)
    assert json.loads(line) == {
        "previous": GENESIS,
        "at": "2026-11-21T12:00:00+00:00",
        "daemon": "tester",
        "event": "placed",
        "document": "doc-0",
        "file": "file_Ä",
    }
    assert audit.path.parent.stat().st_mode & 0o777 == 0o700


async def test_an_unbroken_chain_is_counted(audit: Audit) -> None:
    await record(audit, 5)
    assert verify(audit.path) == 5


async def test_an_empty_chain_is_unbroken(audit: Audit) -> None:
    audit.path.parent.mkdir()
    audit.path.touch()
    assert verify(audit.path) == 0


async def test_a_changed_line_is_found_at_its_successor(audit: Audit) -> None:
    lines = await record(audit, 4)
    lines[1] = lines[1].replace(b"doc-1", b"doc-7")
    audit.path.write_bytes(b"".join(lines))
    with pytest.raises(AuditBroken, match="line 3: does not follow the line before it"):
        verify(audit.path)


@pytest.mark.parametrize("removed", [0, 2])
async def test_a_removed_line_is_found(audit: Audit, removed: int) -> None:
    lines = await record(audit, 4)
    audit.path.write_bytes(b"".join(lines[:removed] + lines[removed + 1 :]))
    with pytest.raises(AuditBroken, match=f"line {removed + 1}: does not follow"):
        verify(audit.path)


async def test_two_lines_in_each_others_place_are_found(audit: Audit) -> None:
    lines = await record(audit, 4)
    audit.path.write_bytes(b"".join([lines[0], lines[2], lines[1], lines[3]]))
    with pytest.raises(AuditBroken, match="line 2"):
        verify(audit.path)


@pytest.mark.parametrize(
    ("line", "words"), [(b"torn\n", "not JSON"), (b"\xff\n", "not JSON"), (b"[]\n", "does not follow")]
)
async def test_what_is_no_entry_is_named_by_its_line(audit: Audit, line: bytes, words: str) -> None:
    lines = await record(audit, 2)
    audit.path.write_bytes(b"".join([*lines, line]))
    with pytest.raises(AuditBroken, match=f"line 3: {words}"):
        verify(audit.path)


@pytest.mark.parametrize("torn", [b"{", b'{"previous": "0', b"x" * 200_000], ids=["one byte", "a start", "200 kB"])
@pytest.mark.parametrize("before", [0, 1, 3])
async def test_a_torn_last_line_is_cut_and_the_chain_goes_on(audit: Audit, before: int, torn: bytes) -> None:
    audit.path.parent.mkdir()
    audit.path.touch()
    lines = await record(audit, before)
    audit.path.write_bytes(b"".join(lines) + torn)
    await record(audit, 2)
    assert verify(audit.path) == before + 2
    assert audit.path.read_bytes().startswith(b"".join(lines))


async def test_a_line_longer_than_a_block_is_followed(audit: Audit) -> None:
    await audit.append("placed", {"reason": "x" * 200_000})
    await audit.append("placed", {"reason": "y" * 70_000})
    await record(audit, 1)
    assert verify(audit.path) == 3


async def test_what_cannot_be_written_is_an_error_and_the_chain_goes_on(audit: Audit) -> None:
    await record(audit, 2)
    size = audit.path.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            await record(audit, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert audit.path.stat().st_size > size, "nothing was torn"
    await record(audit, 1)
    assert verify(audit.path) == 3


async def test_many_runs_append_at_once(audit: Audit) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(record, audit, 2)
    assert verify(audit.path) == 40


APPEND = """
    import sys
    from pathlib import Path
    import anyio
    from docsyncd.clock import SystemClock
    from docsyncd.work.audit import Audit

    async def append():
        audit = Audit(Path(sys.argv[1]), SystemClock(), daemon=sys.argv[2])
        for number in range(60):
            await audit.append("placed", {"number": number})

    anyio.run(append)
"""


def test_two_processes_append_to_one_chain(audit: Audit) -> None:
    program = [sys.executable, "-c", textwrap.dedent(APPEND), str(audit.path.parent)]
    both = [subprocess.Popen([*program, name]) for name in ("one", "two")]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert verify(audit.path) == 120
    writers = [json.loads(line)["daemon"] for line in audit.path.read_bytes().splitlines()]
    assert writers.count("one") == writers.count("two") == 60
    assert writers != sorted(writers) or writers[0] == writers[59], "both wrote"
