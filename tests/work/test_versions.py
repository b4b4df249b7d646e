"""The version store: what was there before is there afterwards, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from docsyncd.core.model import CaseFileNumber, ContentHash, RelativePath, Side
from docsyncd.errors import SafetyHalt
from docsyncd.hashing import digest_file
from docsyncd.ports import Staged
from docsyncd.testing.host import HandClock
from docsyncd.work.versions import Version, VersionMissing, VersionStore

AKTE = CaseFileNumber("12345")
DAY = 86400.0


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(tmp_path: Path, clock: HandClock) -> VersionStore:
    return VersionStore(tmp_path / "versions", clock, quota=1_000_000, retention=90 * DAY)


def staged(folder: Path, content: bytes) -> Staged:
    path = folder / f"staged-{len(list(folder.iterdir()))}"
    path.write_bytes(content)
    return Staged(path=path, digests=digest_file(path))


def version(clock: HandClock, content: Staged, path: str = "Klage.docx", operation: str = "op-1") -> Version:
    return Version(
        case_file=AKTE,
        path=RelativePath(path),
        side=Side.RECORD,
        content=content.digests.blake3,
        size=content.size,
        at=clock.now(),
        reason="replaced by Windows",
        operation=operation,
    )


async def test_what_was_kept_comes_back_with_its_story(store: VersionStore, clock: HandClock, tmp_path: Path) -> None:
    old = staged(tmp_path, b"alte Fassung")
    await store.keep(old, version(clock, old))
    clock.pass_by(60)
    newer = staged(tmp_path, b"neuere Fassung")
    await store.keep(newer, version(clock, newer, operation="op-2"))
    listed = await store.versions(AKTE, RelativePath("Klage.docx"))
    assert [line.content for line in listed] == [newer.digests.blake3, old.digests.blake3]
    assert (await store.content(old.digests.blake3)).path.read_bytes() == b"alte Fassung"
    assert await store.versions(AKTE, RelativePath("anderes.docx")) == []


async def test_keeping_twice_for_one_operation_is_one_line_and_one_content(
    store: VersionStore, clock: HandClock, tmp_path: Path
) -> None:
    old = staged(tmp_path, b"x" * 1000)
    for _ in range(2):
        await store.keep(old, version(clock, old))
    assert len(await store.versions(AKTE)) == 1
    assert len(list((tmp_path / "versions" / "contents").glob("??/*"))) == 1


async def test_a_damaged_content_is_said_so_and_replaced_by_the_next_keep(
    store: VersionStore, clock: HandClock, tmp_path: Path
) -> None:
    old = staged(tmp_path, b"heil")
    await store.keep(old, version(clock, old))
    place = next((tmp_path / "versions" / "contents").glob("??/*"))
    place.write_bytes(b"kaputt")
    with pytest.raises(VersionMissing, match="damaged"):
        await store.content(old.digests.blake3)
    await store.keep(old, version(clock, old))
    assert (await store.content(old.digests.blake3)).path.read_bytes() == b"heil"


async def test_a_torn_line_is_no_version_and_stops_none(store: VersionStore, clock: HandClock, tmp_path: Path) -> None:
    old = staged(tmp_path, b"eins")
    await store.keep(old, version(clock, old))
    journal = tmp_path / "versions" / "journal" / "12345.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"case_file": "123')
    later = staged(tmp_path, b"zwei")
    await store.keep(later, version(clock, later, operation="op-2"))
    assert len(await store.versions(AKTE)) == 2


async def test_without_room_nothing_may_be_replaced(store: VersionStore) -> None:
    await store.require_room(899_000)
    with pytest.raises(SafetyHalt, match="version-store"):
        await store.require_room(901_000)


async def test_a_store_that_cannot_be_written_halts(clock: HandClock, tmp_path: Path) -> None:
    (tmp_path / "versions").write_text("no folder")
    store = VersionStore(tmp_path / "versions", clock, quota=1000, retention=DAY)
    old = staged(tmp_path, b"x")
    with pytest.raises(SafetyHalt, match="version-store"):
        await store.keep(old, version(clock, old))


async def test_retention_forgets_lines_and_then_contents(store: VersionStore, clock: HandClock, tmp_path: Path) -> None:
    shared, lone = staged(tmp_path, b"zweimal"), staged(tmp_path, b"einmal")
    await store.keep(shared, version(clock, shared))
    await store.keep(lone, version(clock, lone, path="b.docx", operation="op-2"))
    clock.pass_by(80 * DAY)
    await store.keep(shared, version(clock, shared, operation="op-3"))
    clock.pass_by(20 * DAY)
    for place in (tmp_path / "versions" / "contents").glob("??/*"):
        past = (clock.now() - timedelta(days=100)).timestamp()
        os.utime(place, (past, past))
    assert await store.purge() == 1
    assert [line.operation for line in await store.versions(AKTE)] == ["op-3"]
    assert (await store.content(shared.digests.blake3)).size == 7
    with pytest.raises(VersionMissing):
        await store.content(lone.digests.blake3)


@pytest.mark.parametrize("number", ["../1", "a/b", "..", ""])
async def test_a_hostile_number_is_no_path(store: VersionStore, number: str) -> None:
    with pytest.raises(ValueError, match="case-file number"):
        await store.versions(CaseFileNumber(number))


async def test_a_hostile_hash_is_no_path(store: VersionStore) -> None:
    with pytest.raises(ValueError, match="content hash"):
        await store.content(ContentHash("../../etc/passwd"))


KEEP_FOR_EVER = """
import sys, anyio
from pathlib import Path
from docsyncd.clock import SystemClock
from docsyncd.core.model import CaseFileNumber, RelativePath, Side
from docsyncd.hashing import digest_file
from docsyncd.ports import Staged
from docsyncd.work.versions import Version, VersionStore

async def main(folder):
    clock = SystemClock()
    store = VersionStore(folder / "versions", clock, quota=10**12, retention=1e9)
    number = 0
    while True:
        path = folder / "next"
        path.write_bytes(str(number).encode() * 20000)
        staged = Staged(path=path, digests=digest_file(path))
        await store.keep(staged, Version(case_file=CaseFileNumber("1"), path=RelativePath("a"), side=Side.RECORD,
            content=staged.digests.blake3, size=staged.size, at=clock.now(), reason="r", operation=str(number)))
        print(staged.digests.blake3, flush=True)
        number += 1

anyio.run(main, Path(sys.argv[1]))
"""


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, clock: HandClock) -> None:
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", KEEP_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(10)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [line.strip() for line in process.stdout.read().splitlines() if len(line.strip()) == 64]
        process.wait()
        process.stdout.close()
        store = VersionStore(tmp_path / "versions", clock, quota=10**12, retention=1e9)
        listed = {line.content for line in await store.versions(CaseFileNumber("1"))}
        for content in acknowledged:
            assert (await store.content(ContentHash(content))).digests.blake3 in listed
