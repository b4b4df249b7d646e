"""The quirks of both protocol levels, one test each (docsyncd_watcher/emulator, "Level basic", "Level extended")."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from docsyncd.testing.emulation import Fault, on
from docsyncd_watcher.emulator import Behaviour, WatcherEmulator
from tests.plugins.watcher.asking import asking
from tests.plugins.watcher.connected import AKTE, basic, hash_of


def emulator(behaviour: Behaviour | None = None) -> WatcherEmulator:
    made = WatcherEmulator(behaviour=behaviour)
    made.world.open_case_file(AKTE)
    return made


@pytest.mark.parametrize("behaviour", [basic(), Behaviour()], ids=["basic", "extended"])
@pytest.mark.parametrize("header", [{"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}])
async def test_a_wrong_token_is_refused(behaviour: Behaviour, header: dict[str, str]) -> None:
    async with asking(emulator(behaviour)) as at:
        assert (await at.ask("GET", f"/akte-details?akte={AKTE}", headers=header)).status == 401


async def test_the_seed_s_three_requests_are_served_as_it_tells() -> None:
    async with asking(emulator(basic())) as at:
        put = await at.put("Klage.docx", b"neu")
        assert put.status == 200
        (file,) = (await at.listing())["files"]
        assert (file["filename"], file["blake3Hash"]) == ("Klage.docx", hash_of(b"neu"))
        assert isinstance(file["usn"], int)
        assert datetime.fromisoformat(file["modified"]).utcoffset() == timedelta(0)
        assert (await at.get("Klage.docx")).body == b"neu"


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (basic(shape="list", spelling="other"), {"name": "a.txt", "relative_path": "Alt\\a.txt", "size": 1}),
        (basic(hashes="absent"), {"filename": "a.txt", "path": "Alt\\a.txt"}),
    ],
)
async def test_its_json_may_look_otherwise(behaviour: Behaviour, expected: dict[str, object]) -> None:
    behaviour.separator = "\\"
    async with asking(emulator(behaviour)) as at:
        at.emulator.world.save(AKTE, "Alt/a.txt", b"x")
        body = await at.listing()
        (file,) = body if isinstance(body, list) else body["files"]
        assert expected.items() <= file.items()
        assert ("blake3Hash" in file or "hash" in file) == (behaviour.hashes == "listed")


@pytest.mark.parametrize(("switch", "kind"), [("naive", str), ("seconds", float), ("garbage", str)])
async def test_its_times_may_look_otherwise(switch: str, kind: type) -> None:
    async with asking(emulator(basic(modified=switch))) as at:
        at.emulator.world.save(AKTE, "a.txt", b"x")
        (file,) = (await at.listing())["files"]
        assert isinstance(file["modified"], kind)
        assert "Z" not in str(file["modified"])


@pytest.mark.parametrize(("switch", "status"), [("absent", 404), ("empty", 200)])
async def test_a_case_file_without_a_folder_is_unknown_or_empty_at_level_basic(switch: str, status: int) -> None:
    async with asking(WatcherEmulator(behaviour=basic(no_folder=switch))) as at:
        answer = await at.ask("GET", f"/akte-details?akte={AKTE}")
        assert answer.status == status
        assert status == 404 or answer.json["files"] == []


async def test_a_basic_put_takes_bare_names_and_replaces_whatever_stands_there() -> None:
    async with asking(emulator(basic())) as at:
        at.emulator.world.save(AKTE, "a.txt", b"eines Kollegen")
        assert (await at.put("a.txt", b"unseres")).status == 200
        assert at.emulator.world.content(AKTE, "a.txt") == b"unseres"
        assert (await at.put("Alt/a.txt", b"x")).status == 404
        assert (await at.ask("PUT", f"/files/{AKTE}/Alt%2Fa.txt", data=b"x")).status == 400
        assert at.emulator.world.names(AKTE) == ["a.txt"]


async def test_a_basic_put_compares_the_hash_unless_it_is_careless() -> None:
    async with asking(emulator(basic())) as at:
        assert (await at.put("a.txt", b"x", X_Blake3_Hash="0" * 64)).status == 400
        at.emulator.behaviour.unverified = True
        assert (await at.put("a.txt", b"x", X_Blake3_Hash="0" * 64)).status == 200


async def test_a_locked_file_is_an_error_without_a_word_at_level_basic() -> None:
    async with asking(emulator(basic())) as at:
        at.emulator.world.save(AKTE, "a.txt", b"x")
        at.emulator.world.lock(AKTE, "a.txt")
        assert (await at.get("a.txt")).status == 500


async def test_a_basic_listing_that_lacks_files_looks_like_any_other() -> None:
    async with asking(emulator(basic(list_at_most=1))) as at:
        for name in ("a.txt", "b.txt"):
            at.emulator.world.save(AKTE, name, b"x")
        body = await at.listing()
        assert len(body["files"]) == 1
        assert body.keys() == {"akte", "files"}


async def test_capabilities_are_told_by_level_extended_alone() -> None:
    async with asking(emulator(basic())) as at:
        assert (await at.ask("GET", "/capabilities")).status == 404
    async with asking(emulator()) as at:
        answer = await at.ask("GET", "/capabilities")
        assert (answer.json["protocol"], answer.json["version"]) == ("docsyncd-watcher", 1)
        at.emulator.world.go_offline()
        assert (await at.ask("GET", "/capabilities")).status == 503


async def test_an_extended_listing_has_the_seed_s_keys_and_says_whether_it_is_all() -> None:
    async with asking(emulator()) as at:
        world = at.emulator.world
        seen = world.save(AKTE, "Alt/Kläge.docx", b"x")
        body = await at.listing()
        assert (body["akte"], body["count"], body["listingComplete"]) == (AKTE, 2, True)
        assert (body["volumeSerial"], body["journalId"]) == (world.serial, world.journal.id)
        (file,) = [file for file in body["files"] if file["filename"] == "Kläge.docx"]
        assert file.keys() >= {"filename", "path", "usn", "blake3Hash", "size", "modified"}
        assert (file["fileId"], file["hashUsn"]) == (seen.file_id, seen.usn)
        at.emulator.behaviour.list_at_most = 1
        assert (await at.listing())["listingComplete"] is False


async def test_a_case_file_without_a_folder_is_complete_and_empty_at_level_extended() -> None:
    async with asking(WatcherEmulator()) as at:
        body = await at.listing()
        assert (body["rootFileId"], body["files"], body["listingComplete"]) == (None, [], True)


async def test_a_name_of_half_a_character_travels_in_both_directions() -> None:
    async with asking(emulator()) as at:
        at.emulator.world.save(AKTE, "\ud83d.txt", b"halb")
        (file,) = (await at.listing())["files"]
        assert file["path"] == "\ud83d.txt"
        assert (await at.get("\ud83d.txt")).body == b"halb"


async def test_a_download_tells_the_state_and_head_the_hash() -> None:
    async with asking(emulator(Behaviour(hashes="absent"))) as at:
        at.emulator.world.save(AKTE, "a.txt", b"x")
        got, head = await at.get("a.txt"), await at.get("a.txt", "HEAD")
        assert got.headers["X-File-State"] == head.headers["X-File-State"]
        assert "X-Blake3-Hash" not in got.headers
        assert head.headers["X-Blake3-Hash"] == hash_of(b"x")


async def test_a_put_has_to_say_what_it_expects() -> None:
    async with asking(emulator()) as at:
        at.emulator.world.save(AKTE, "a.txt", b"alt")
        assert (await at.put("a.txt", b"neu", X_Fence="1")).status == 428
        assert (await at.put("a.txt", b"neu", If_Match=f'"{hash_of(b"alt")}"')).status == 428
        wrong = await at.put("a.txt", b"neu", X_Fence="1", If_Match=f'"{hash_of(b"anders")}"')
        assert (wrong.status, wrong.json["error"]["code"]) == (412, "precondition-failed")
        assert (await at.put("a.txt", b"neu", X_Fence="1", If_None_Match="*")).status == 412
        assert (await at.put("b.txt", b"neu", X_Fence="1", If_Match=f'"{hash_of(b"alt")}"')).status == 412
        assert at.emulator.world.contents(AKTE) == {"a.txt": b"alt"}
        assert (await at.put("a.txt", b"neu", X_Fence="1", If_Match=f'"{hash_of(b"alt")}"')).status == 200
        assert (await at.put("Neu/b.txt", b"neu", X_Fence="1", If_None_Match="*")).status == 201
        assert at.emulator.world.contents(AKTE) == {"a.txt": b"neu", "Neu/b.txt": b"neu"}


async def test_the_earlier_implementation_can_be_let_in() -> None:
    async with asking(emulator(Behaviour(unconditional="allow"))) as at:
        at.emulator.world.save(AKTE, "a.txt", b"alt")
        assert (await at.put("a.txt", b"neu")).status == 200


async def test_an_old_worker_is_refused() -> None:
    async with asking(emulator()) as at:
        assert (await at.put("a.txt", b"1", X_Fence="7", If_None_Match="*")).status == 201
        late = await at.put("b.txt", b"2", X_Fence="6", If_None_Match="*")
        assert (late.status, late.json["error"]["code"]) == (409, "stale-fence")
        assert at.emulator.world.names(AKTE) == ["a.txt"]


async def test_other_bytes_than_announced_are_not_kept() -> None:
    async with asking(emulator()) as at:
        sent = {"X_Fence": "1", "If_None_Match": "*", "X_Blake3_Hash": "0" * 64}
        assert (await at.put("a.txt", b"1", **sent)).status == 422
        assert at.emulator.world.names(AKTE) == []


async def test_an_operation_has_one_effect() -> None:
    async with asking(emulator()) as at:
        sent = {"X_Fence": "1", "If_None_Match": "*", "X_Operation_Id": "op"}
        first, again = await at.put("a.txt", b"1", **sent), await at.put("a.txt", b"1", **sent)
        assert (first.json["replayed"], again.json["replayed"]) == (False, True)
        assert first.json["file"] == again.json["file"]
        assert at.emulator.world.writes == 1
        other = await at.put("b.txt", b"1", **sent)
        assert (other.status, other.json["error"]["code"]) == (409, "operation-mismatch")


async def test_the_reasons_of_a_refusal_are_told_apart() -> None:
    async with asking(emulator()) as at:
        world = at.emulator.world
        for name in ("locked", "denied"):
            world.save(AKTE, name, b"x")
        world.lock(AKTE, "locked")
        world.deny(AKTE, "denied")
        for name, status in {"locked": 423, "denied": 403, "absent": 404}.items():
            answer = await at.get(name)
            assert (answer.status, answer.json["error"]["code"], answer.headers["X-Error-Code"]) == (status, name, name)
        assert (await at.put("CON.txt", b"x", X_Fence="1", If_None_Match="*")).json["error"]["code"] == "bad-name"
        at.emulator.behaviour.busy = True
        busy = await at.get("locked")
        assert (busy.status, busy.json["error"]["code"], busy.headers["Retry-After"]) == (409, "busy", "30")
        assert (await at.ask("GET", "/capabilities")).status == 200
        at.emulator.behaviour.busy = False
        world.go_offline()
        gone = await at.get("locked")
        assert (gone.status, gone.json["error"]["code"]) == (503, "unavailable")


async def test_a_fault_can_tear_a_download() -> None:
    async with asking(emulator()) as at:
        at.emulator.world.save(AKTE, "a.txt", b"x" * 1000)
        at.emulator.faults.add(Fault(match=on("GET", "/file"), cut=True, effect=True, keep=10))
        with pytest.raises(Exception, match=r"(?i)payload|disconnected"):
            await at.get("a.txt")
        assert [request.verb for request in at.emulator.requests.all()] == ["GET /file"]
