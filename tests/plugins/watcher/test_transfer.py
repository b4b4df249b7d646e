"""Bytes in both directions: what guards a write, and what a download is believed."""

from __future__ import annotations

import random
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from docsyncd.api import (
    ABSENT,
    CorruptContent,
    FileState,
    LeaseLost,
    NotReady,
    OutcomeUnknown,
    PreconditionFailed,
    ProtocolViolation,
    Rejected,
    RemoteError,
    RequestFailed,
    Revision,
    Staged,
    Unavailable,
)
from docsyncd.hashing import digest_file
from docsyncd.testing.emulation import Fault, on
from docsyncd_watcher.emulator import Behaviour
from docsyncd_watcher.emulator.names import refusal, upcase
from tests.plugins.watcher.connected import AKTE, NAME, Connected, basic, connected, hash_of

PUT = on("PUT", "/files/")
LARGE = b"Anlage" * 200_000


@pytest.fixture(params=["basic", "extended"])
def behaviour(request: pytest.FixtureRequest) -> Behaviour:
    """Both levels, each fresh."""
    return Behaviour(level=request.param)


async def filed(at: Connected, content: bytes = b"alt") -> FileState:
    at.world.save(AKTE, NAME, content)
    return await at.state()


# -- both levels


async def test_an_upload_whose_answer_is_lost_is_done_once(behaviour: Behaviour) -> None:
    async with connected(behaviour) as at:
        seen = await filed(at)
        at.emulator.faults.add(Fault(match=PUT, cut=True, effect=True))
        written = await at.write(b"neu", seen)
        assert written.content == hash_of(b"neu")
        assert at.world.writes == 1
        assert at.world.contents(AKTE) == {NAME: b"neu"}


async def test_an_upload_that_never_arrived_is_tried_again(behaviour: Behaviour) -> None:
    async with connected(behaviour) as at:
        seen = await filed(at)
        at.emulator.faults.add(Fault(match=PUT, cut=True, times=2))
        await at.write(b"neu", seen)
        assert at.world.contents(AKTE) == {NAME: b"neu"}


async def test_after_three_tries_the_queue_has_to_wait(behaviour: Behaviour) -> None:
    async with connected(behaviour) as at:
        seen = await filed(at)
        at.emulator.faults.add(Fault(match=PUT, cut=True, times=None))
        with pytest.raises(RequestFailed):
            await at.write(b"neu", seen)
        assert [verb for verb in at.emulator.requests.verbs() if verb.startswith("PUT")] == [
            "PUT /files/{akte}/{path}"
        ] * 3
        assert at.world.contents(AKTE) == {NAME: b"alt"}


async def test_a_save_between_two_tries_is_not_overwritten(behaviour: Behaviour) -> None:
    async with connected(behaviour) as at:
        seen = await filed(at)

        async def colleague(_request: web.Request) -> None:
            at.world.save(AKTE, NAME, b"vom Kollegen")

        at.emulator.faults.add(Fault(match=PUT, cut=True, before=colleague))
        with pytest.raises(PreconditionFailed):
            await at.write(b"neu", seen)
        assert at.world.contents(AKTE) == {NAME: b"vom Kollegen"}


async def test_a_save_right_after_the_write_is_seen(behaviour: Behaviour) -> None:
    async with connected(behaviour) as at:
        seen = await filed(at)

        async def colleague(_request: web.Request) -> None:
            at.world.save(AKTE, NAME, b"vom Kollegen")

        at.emulator.faults.add(Fault(match=PUT, after=colleague))
        with pytest.raises(PreconditionFailed, match="just written"):
            await at.write(b"neu", seen)
        assert at.world.contents(AKTE) == {NAME: b"vom Kollegen"}


async def test_a_usn_that_moved_alone_stops_no_write_and_no_read(behaviour: Behaviour) -> None:
    async with connected(behaviour) as at:
        seen = await filed(at)
        at.world.mark_downloaded(AKTE, NAME)
        assert await at.read(seen) == b"alt"
        await at.write(b"neu", seen)
        assert at.world.contents(AKTE) == {NAME: b"neu"}


async def test_what_nobody_has_read_is_not_replaced(behaviour: Behaviour) -> None:
    behaviour.hashes = "absent"
    async with connected(behaviour) as at:
        seen = await filed(at)
        assert seen.content is None
        with pytest.raises(ValueError, match="unknown"):
            await at.write(b"neu", seen)
        assert at.world.contents(AKTE) == {NAME: b"alt"}


async def test_a_locked_file_waits(behaviour: Behaviour) -> None:
    behaviour.locked_status = 423
    async with connected(behaviour) as at:
        seen = await filed(at)
        at.world.lock(AKTE, NAME)
        with pytest.raises(NotReady) as refused:
            await at.read(seen)
        assert refused.value.retry_after == 60
        with pytest.raises(NotReady):
            await at.write(b"neu", seen)
        at.world.unlock(AKTE, NAME)
        assert await at.read(seen) == b"alt"


async def test_a_watcher_that_is_away_is_unavailable(behaviour: Behaviour) -> None:
    async with connected(behaviour) as at:
        seen = await filed(at)
        at.emulator.faults.add(Fault(match=on("*"), times=None, status=503))
        with pytest.raises(Unavailable):
            await at.write(b"neu", seen)


async def test_windows_is_never_deleted_from(behaviour: Behaviour) -> None:
    async with connected(behaviour) as at:
        seen = await filed(at)
        asked = at.emulator.requests.last
        with pytest.raises(Rejected, match="windows-is-never-deleted-from"):
            await at.replica.remove(AKTE, expect=seen, operation="op", fence=1)
        assert at.emulator.requests.since(asked) == ()


async def test_a_download_that_breaks_off_is_no_file(behaviour: Behaviour) -> None:
    async with connected(behaviour) as at:
        seen = await filed(at, b"x" * 100_000)
        at.emulator.faults.add(Fault(match=on("GET", "/file"), cut=True, effect=True, keep=1000, times=None))
        with pytest.raises(RequestFailed):
            await at.read(seen)


async def test_memory_stays_flat_while_a_large_file_moves(behaviour: Behaviour, tmp_path: Path) -> None:
    size = 64 * 1024 * 1024
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(size)
    async with connected(behaviour) as at:
        staged = Staged(path=path, digests=digest_file(path))
        tracemalloc.start()
        state = await at.replica.write(AKTE, NAME, staged, expect=ABSENT, operation="op", fence=1)
        async with at.replica.read(AKTE, state) as download:
            arrived = sum([len(chunk) async for chunk in download.chunks])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert arrived == size
        assert peak < 16 * 1024 * 1024


HOSTILE = "aZ0 _-.~%25+&=#?;,!'()[]{}@$^`äÖßẞıİſﬁ\u0308\u200b\u202e\ufeff日😀\u0085\u2028"


async def test_any_name_that_ntfs_takes_arrives_in_both_directions(behaviour: Behaviour) -> None:
    dice = random.Random(20261121)
    made = {"".join(dice.choices(HOSTILE, k=dice.randint(1, 12))) + "x" for _ in range(60)}
    names = {name for name in made if refusal(name) is None}
    assert len(names) > 40
    async with connected(behaviour) as at:
        at.world.open_case_file(AKTE)
        taken: set[str] = set()
        for name in sorted(names):
            if upcase(name) not in taken:
                taken.add(upcase(name))
                await at.write(name.encode(), ABSENT, path=name)
        files = (await at.scan()).files
        assert {upcase(file.path) for file in files} == taken
        for file in files:
            assert await at.read(file) == file.path.encode()


# -- level basic: guard=checked


async def test_a_bare_name_is_all_that_a_basic_watcher_takes() -> None:
    async with connected(basic()) as at:
        at.world.open_case_file(AKTE)
        with pytest.raises(Rejected, match="subfolder-not-writable"):
            await at.write(b"neu", ABSENT, path="Alt/a.txt")
        assert not any(verb.startswith("PUT") for verb in at.emulator.requests.verbs())


async def test_it_looks_immediately_before_and_after() -> None:
    async with connected(basic()) as at:
        seen = await filed(at)
        asked = at.emulator.requests.last
        await at.write(b"neu", seen)
        assert [request.verb for request in at.emulator.requests.since(asked)] == [
            "GET /file",
            "PUT /files/{akte}/{path}",
            "GET /file",
        ]


async def test_the_same_content_by_somebody_else_needs_no_write() -> None:
    async with connected(basic()) as at:
        seen = await filed(at)
        at.world.save(AKTE, NAME, b"neu")
        await at.write(b"neu", seen)
        assert at.world.writes == 0


async def test_a_save_between_look_and_write_is_lost_at_level_basic_and_not_at_level_extended() -> None:
    """The gap that only an enforced precondition closes."""
    left = {}
    for behaviour in (basic(), Behaviour()):
        async with connected(behaviour) as at:
            seen = await filed(at)

            async def colleague(_request: web.Request, at: Connected = at) -> None:
                at.world.save(AKTE, NAME, b"vom Kollegen")

            at.emulator.faults.add(Fault(match=PUT, before=colleague))
            with suppress(PreconditionFailed):
                await at.write(b"neu", seen)
            left[behaviour.level] = at.world.content(AKTE, NAME)
    assert left == {"basic": b"neu", "extended": b"vom Kollegen"}


async def test_a_hash_of_other_bytes_in_the_answer_is_noticed() -> None:
    async with connected(basic(put_answer="wrong hash")) as at:
        with pytest.raises(CorruptContent):
            await at.write(b"neu", await filed(at))


async def test_a_login_page_is_no_document() -> None:
    page = {"Content-Type": "text/html; charset=utf-8"}
    async with connected(basic()) as at:
        seen = await filed(at)
        at.emulator.faults.add(
            Fault(match=on("GET", "/file"), times=2, status=200, headers=page, body=b"<html>Anmeldung")
        )
        with pytest.raises(ProtocolViolation, match="HTML"):
            await at.read(seen)
        with pytest.raises(ProtocolViolation, match="HTML"):
            await at.write(b"neu", seen)
        assert at.world.contents(AKTE) == {NAME: b"alt"}


async def test_a_download_of_unannounced_length_is_as_long_as_listed() -> None:
    async with connected(basic(unannounced=True)) as at:
        assert await at.read(await filed(at, LARGE)) == LARGE


async def test_a_file_of_unknown_length_is_not_guessed_at() -> None:
    async with connected(basic(unannounced=True)) as at:
        seen = await filed(at)
        unknown = FileState(
            path=seen.path, revision=Revision(""), size=None, modified_at=None, content=None, file_id=None
        )
        with pytest.raises(ProtocolViolation, match="size"):
            await at.read(unknown)


# -- level extended: guard=enforced


async def test_a_sub_folder_is_made_and_written() -> None:
    async with connected() as at:
        state = await at.write(b"neu", ABSENT, path="Alt/Müller/a.txt")
        assert state.path == "Alt/Müller/a.txt"
        assert at.world.contents(AKTE) == {"Alt/Müller/a.txt": b"neu"}
        assert state == await at.state("Alt/Müller/a.txt")


async def test_the_state_after_a_write_is_the_one_that_is_listed_next() -> None:
    async with connected() as at:
        written = await at.write(b"neu", await filed(at))
        assert written == await at.state()


async def test_a_file_that_is_replaced_keeps_the_case_of_its_name() -> None:
    async with connected() as at:
        written = await at.write(b"neu", await filed(at), path="KLAGE.DOCX")
        assert written.path == NAME


async def test_what_was_replaced_is_named_in_the_log() -> None:
    async with connected() as at:
        seen = await filed(at)
        with capture_logs() as logs:
            await at.write(b"neu", seen, operation="op-7")
        (line,) = [log for log in logs if log["event"] == "watcher.wrote"]
        assert line["operation"] == "op-7"
        assert at.world.quarantine[line["quarantine"]].read_bytes() == b"alt"
        assert not any("Klage" in str(value) for log in logs for value in log.values())


async def test_a_worker_that_was_replaced_writes_nothing() -> None:
    async with connected() as at:
        await at.write(b"1", ABSENT, path="a.txt", fence=7)
        with pytest.raises(LeaseLost):
            await at.write(b"2", ABSENT, path="b.txt", fence=6)
        assert at.world.names(AKTE) == ["a.txt"]


async def test_an_operation_id_for_another_upload_is_a_fault_of_ours() -> None:
    async with connected() as at:
        await at.write(b"1", ABSENT, path="a.txt", operation="op")
        with pytest.raises(ProtocolViolation):
            await at.write(b"2", ABSENT, path="b.txt", operation="op")


async def test_a_save_in_word_between_listing_and_reading_is_noticed() -> None:
    async with connected() as at:
        seen = await filed(at)
        at.world.word_save(AKTE, NAME, b"neu")
        with pytest.raises(PreconditionFailed, match="since it was listed"):
            await at.read(seen)


async def test_a_file_that_changes_while_it_is_read_is_not_believed() -> None:
    async with connected() as at:
        seen = await filed(at, LARGE)

        def colleague(case_file: str, path: str) -> None:
            at.world.save(case_file, path, b"x" + LARGE)

        at.emulator.host.during_read = colleague
        with pytest.raises(PreconditionFailed, match="while it was read"):
            await at.read(seen)


async def test_a_file_that_is_deleted_while_it_is_read_is_not_believed() -> None:
    async with connected() as at:
        seen = await filed(at, LARGE)
        at.emulator.host.during_read = at.world.delete
        with pytest.raises(PreconditionFailed):
            await at.read(seen)


async def test_other_bytes_than_the_watcher_has_are_thrown_away() -> None:
    async with connected() as at:
        seen = await filed(at)

        async def damaged(request: web.Request) -> None:
            place = at.world.seen(AKTE, NAME).bytes_at
            place.write_bytes(b"ALT")

        at.emulator.faults.add(Fault(match=on("GET", "/file"), before=damaged))
        with pytest.raises(CorruptContent):
            await at.read(seen)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (409, "busy", NotReady),
        (413, "too-large", Rejected),
        (422, "hash-mismatch", CorruptContent),
        (428, "precondition-required", ProtocolViolation),
        (507, "no-space", Unavailable),
        (403, "denied", Rejected),
        (403, "", RequestFailed),
        (400, "bad-name", Rejected),
        (401, "unauthorized", Unavailable),
    ],
)
async def test_each_refusal_has_its_own_meaning(status: int, code: str, kind: type[RemoteError]) -> None:
    async with connected() as at:
        seen = await filed(at)
        body = b'{"error": {"code": "%s", "message": "so steht es dort"}}' % code.encode()
        at.emulator.faults.add(Fault(match=PUT, status=status, body=body, times=None))
        with pytest.raises(kind, match="so steht es dort") as refused:
            await at.write(b"neu", seen)
        assert type(refused.value) is kind or kind is Unavailable
        assert not isinstance(refused.value, OutcomeUnknown)


async def test_downloads_do_not_wait_for_themselves() -> None:
    """Each asks one question before it ends; with one slot for all they would hang."""
    from docsyncd.api import in_parallel

    async with connected(parallel=1) as at:
        for number in range(6):
            at.world.save(AKTE, f"{number}.txt", LARGE)
        files = (await at.scan()).files
        bodies = await in_parallel(at.read, files)
        assert all(body == LARGE for body in bodies)
