"""What a listing means, and what is none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from docsyncd.api import ABSENT, ProtocolViolation, Rejected, RequestFailed, Unavailable
from docsyncd.testing.emulation import Fault, on
from docsyncd.testing.host import HandClock
from docsyncd_watcher.emulator import Behaviour
from tests.plugins.watcher.connected import AKTE, basic, connected, hash_of

LISTING = on("GET", "/akte-details")


@pytest.fixture(params=["basic", "extended"])
def behaviour(request: pytest.FixtureRequest) -> Behaviour:
    """Both levels, each fresh."""
    return Behaviour(level=request.param)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b"<html><body>Anmeldung</body></html>", "text/html"),
        (b'{"akte": "12345", "files": [{"path": "a.txt"', "application/json"),
        (b'{"akte": "12345"}', "application/json"),
        (b'{"files": null}', "application/json"),
        (b'{"files": ["a.txt"]}', "application/json"),
        (b'{"error": "Volume offline"}', "application/json"),
        (b"null", "application/json"),
        (b'"OK"', "application/json"),
    ],
    ids=["empty", "HTML", "torn", "without a list", "null list", "names only", "an error", "null", "a word"],
)
async def test_what_is_no_listing_is_no_empty_case_file(behaviour: Behaviour, body: bytes, kind: str) -> None:
    async with connected(behaviour) as at:
        at.world.save(AKTE, "Klage.docx", b"x")
        at.emulator.faults.add(Fault(match=LISTING, times=None, status=200, body=body, headers={"Content-Type": kind}))
        with pytest.raises(ProtocolViolation):
            await at.scan()


async def test_a_listing_that_is_cut_off_is_no_listing(behaviour: Behaviour) -> None:
    async with connected(behaviour) as at:
        at.world.save(AKTE, "Klage.docx", b"x")
        at.emulator.faults.add(Fault(match=LISTING, times=None, cut=True, effect=True, keep=40))
        with pytest.raises(RequestFailed):
            await at.scan()


async def test_a_listing_of_another_case_file_is_refused(behaviour: Behaviour) -> None:
    async with connected(behaviour) as at:
        at.world.save(AKTE, "Klage.docx", b"x")
        body = json.dumps({"akte": "777", "files": []}).encode()
        at.emulator.faults.add(Fault(match=LISTING, status=200, body=body))
        with pytest.raises(ProtocolViolation):
            await at.scan()


async def test_a_watcher_that_is_away_is_unavailable_and_not_empty(behaviour: Behaviour) -> None:
    async with connected(behaviour) as at:
        await at.scan() if behaviour.level == "extended" else None
        at.emulator.faults.add(Fault(match=on("*"), times=None, status=503))
        with pytest.raises(Unavailable):
            await at.scan()


async def test_an_unknown_case_file_is_not_an_empty_one_at_level_basic() -> None:
    async with connected(basic()) as at:
        with pytest.raises(Rejected, match="knows no case file"):
            await at.scan()


async def test_an_unknown_case_file_is_empty_where_the_watcher_says_so() -> None:
    async with connected() as at:
        scan = await at.scan()
        assert (scan.files, scan.complete) == ((), True)


@pytest.mark.parametrize("shape", ["object", "list"])
@pytest.mark.parametrize("spelling", ["seed", "other"])
async def test_every_spelling_of_a_basic_listing_means_the_same(shape: str, spelling: str) -> None:
    clock = HandClock()
    async with connected(basic(shape=shape, spelling=spelling, separator="\\"), clock=clock) as at:
        seen = at.world.save(AKTE, "Alt/Kläge.docx", b"x")
        (file,) = (await at.scan()).files
        assert (file.path, file.size, file.content) == ("Alt/Kläge.docx", 1, hash_of(b"x"))
        assert file.revision == str(seen.usn)
        assert file.modified_at == clock.now()
        assert file.file_id is None


@pytest.mark.parametrize("switch", ["zoned", "naive", "seconds"])
async def test_a_time_is_the_same_however_it_is_sent(switch: str) -> None:
    clock = HandClock(datetime(2026, 7, 1, 12, tzinfo=UTC))
    async with connected(basic(modified=switch), clock=clock) as at:
        at.world.save(AKTE, "a.txt", b"x")
        assert (await at.state("a.txt")).modified_at == clock.now()


async def test_a_time_without_a_zone_is_the_configured_one_s() -> None:
    clock = HandClock(datetime(2026, 7, 1, 12, tzinfo=UTC))
    async with connected(basic(modified="naive"), clock=clock, modified_zone="UTC") as at:
        at.world.save(AKTE, "a.txt", b"x")
        assert (await at.state("a.txt")).modified_at == datetime(2026, 7, 1, 14, tzinfo=UTC)


async def test_an_unreadable_time_is_unknown() -> None:
    async with connected(basic(modified="garbage")) as at:
        at.world.save(AKTE, "a.txt", b"x")
        assert (await at.state("a.txt")).modified_at is None


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"name": "a.txt", "USN": "17", "Hash": "AB" * 32}, ("a.txt", "17", "ab" * 32)),
        ({"filename": "a.txt", "path": "Alt/a.txt"}, ("Alt/a.txt", "", None)),
        ({"filename": "a.txt", "path": ""}, ("a.txt", "", None)),
        ({"filename": "a.txt", "blake3Hash": "d41d8cd98f00b204e9800998ecf8427e"}, ("a.txt", "", None)),
        ({"filename": "a.txt", "usn": -1, "size": True}, ("a.txt", "", None)),
    ],
)
async def test_what_a_basic_entry_lacks_is_unknown(entry: dict[str, Any], expected: tuple[Any, ...]) -> None:
    async with connected(basic()) as at:
        at.emulator.faults.add(Fault(match=LISTING, status=200, body=json.dumps([entry]).encode()))
        (file,) = (await at.scan()).files
        assert (file.path, file.revision, file.content) == expected


async def test_own_names_of_keys_can_be_configured() -> None:
    keys = {"filename": ["Dateiname"], "files": ["Liste"], "hash": ["prüfsumme"]}
    body = json.dumps({"liste": [{"DATEINAME": "a.txt", "Prüfsumme": "0" * 64}]}).encode()
    async with connected(basic(), keys=keys) as at:
        at.emulator.faults.add(Fault(match=LISTING, status=200, body=body))
        (file,) = (await at.scan()).files
        assert (file.path, file.content) == ("a.txt", "0" * 64)


async def test_keys_that_nobody_explained_are_told_once() -> None:
    async with connected(basic()) as at:
        at.world.save(AKTE, "a.txt", b"x")
        with capture_logs() as logs:
            await at.scan()
            await at.scan()
        assert [log["keys"] for log in logs if log["event"] == "watcher.unknown_keys"] == [["watcherversion"]]


@pytest.mark.parametrize("path", ["../geheim.txt", "C:/geheim.txt", "/etc/passwd", "a//b.txt", "a/./b.txt"])
async def test_a_path_that_leads_out_is_shown_and_never_followed(behaviour: Behaviour, path: str) -> None:
    async with connected(behaviour) as at:
        at.world.save(AKTE, "a.txt", b"x")
        body = await _listing_with(at, path)
        at.emulator.faults.add(Fault(match=LISTING, status=200, body=body))
        (file,) = (await at.scan()).files
        assert file.oddity == "path-outside-case-file"
        asked = at.emulator.requests.last
        with pytest.raises(Rejected, match="path-outside-case-file"):
            await at.read(file)
        with pytest.raises(Rejected):
            await at.write(b"y", ABSENT, path=path)
        assert at.emulator.requests.since(asked) == ()


async def _listing_with(at: Any, path: str) -> bytes:
    """The emulator's own listing, in which the one file has another path."""
    from tests.plugins.watcher.asking import asking

    async with asking(at.emulator) as direct:
        body = await direct.listing()
    body["files"][0]["path"] = path
    return json.dumps(body).encode()


async def test_half_a_character_in_a_name_is_shown_and_parked() -> None:
    async with connected() as at:
        at.world.save(AKTE, "\ud83d.txt", b"halb")
        (file,) = (await at.scan()).files
        assert file.oddity is not None
        assert await at.read(file) == b"halb"


async def test_one_path_twice_is_no_listing(behaviour: Behaviour) -> None:
    async with connected(behaviour) as at:
        at.world.save(AKTE, "a.txt", b"x")
        at.world.save(AKTE, "b.txt", b"x")
        body = json.loads(await _listing_with(at, "b.txt"))
        at.emulator.faults.add(Fault(match=LISTING, status=200, body=json.dumps(body).encode()))
        with pytest.raises(ProtocolViolation, match="twice"):
            await at.scan()


async def test_folders_are_no_files() -> None:
    for behaviour in (basic(), Behaviour()):
        async with connected(behaviour) as at:
            at.world.save(AKTE, "Alt/a.txt", b"x")
            assert [file.path for file in (await at.scan()).files] == ["Alt/a.txt"]


async def test_an_extended_listing_tells_volume_journal_ids_and_its_own_time() -> None:
    clock = HandClock()
    async with connected(clock=clock) as at:
        seen = at.world.save(AKTE, "Alt/a.txt", b"x")
        scan = await at.scan()
        assert scan.volume is not None
        assert scan.volume.serial.endswith(f"/{at.world.serial}")
        assert (scan.volume.journal, scan.volume.next_usn) == (at.world.journal.id, at.world.journal.next_usn)
        assert scan.taken_at == clock.now()
        (file,) = scan.files
        assert (file.file_id, file.revision, file.content) == (seen.file_id, str(seen.usn), hash_of(b"x"))


async def test_a_listing_that_says_that_it_is_not_all_is_incomplete() -> None:
    async with connected(Behaviour(list_at_most=1)) as at:
        at.world.save(AKTE, "a.txt", b"x")
        at.world.save(AKTE, "b.txt", b"x")
        scan = await at.scan()
        assert (len(scan.files), scan.complete) == (1, False)


@pytest.mark.parametrize("missing", ["listingComplete", "count", "akte", "volumeSerial", "nextUsn"])
async def test_without_its_end_marker_an_extended_listing_is_none(missing: str) -> None:
    async with connected() as at:
        at.world.save(AKTE, "a.txt", b"x")
        body = json.loads(await _listing_with(at, "a.txt"))
        del body[missing]
        at.emulator.faults.add(Fault(match=LISTING, status=200, body=json.dumps(body).encode()))
        with pytest.raises(ProtocolViolation, match=missing):
            await at.scan()


async def test_a_listing_with_another_count_is_none() -> None:
    async with connected() as at:
        at.world.save(AKTE, "a.txt", b"x")
        body = json.loads(await _listing_with(at, "a.txt")) | {"count": 2}
        at.emulator.faults.add(Fault(match=LISTING, status=200, body=json.dumps(body).encode()))
        with pytest.raises(ProtocolViolation, match="announces 2"):
            await at.scan()


async def test_a_hash_from_before_the_last_change_is_not_believed() -> None:
    async with connected(Behaviour(hashes="stale")) as at:
        at.world.save(AKTE, "a.txt", b"x")
        assert (await at.state("a.txt")).content is None


async def test_without_a_journal_no_hash_is_believed_and_no_revision_comes_twice() -> None:
    clock = HandClock()
    async with connected(clock=clock) as at:
        at.world.save(AKTE, "a.txt", b"x")
        at.world.delete_journal()
        first = await at.state("a.txt")
        clock.pass_by(1)
        second = await at.state("a.txt")
        assert first.content is None
        assert first.revision != second.revision
        assert await at.read(second) == b"x"


async def test_what_is_no_ordinary_file_says_so() -> None:
    async with connected() as at:
        for name in ("fern.txt", "zweimal.txt", "gut.txt"):
            at.world.save(AKTE, name, b"x")
        at.world.make_reparse_point(AKTE, "fern.txt")
        at.world.link_hard(AKTE, "zweimal.txt")
        found = {file.path: file.oddity for file in (await at.scan()).files}
        assert found == {"fern.txt": "a reparse point", "zweimal.txt": "it has 2 hard links", "gut.txt": None}


async def test_an_image_that_was_restored_shows_in_the_journal_s_end() -> None:
    async with connected() as at:
        at.world.save(AKTE, "a.txt", b"gestern")
        image = at.world.snapshot()
        at.world.save(AKTE, "a.txt", b"heute")
        before = (await at.scan()).volume
        at.world.restore(image)
        after = (await at.scan()).volume
        assert before is not None
        assert after is not None
        assert (before.serial, before.journal) == (after.serial, after.journal)
        assert after.next_usn < before.next_usn
