"""What people do with records over the years: link, unlink, consent, delete, restore, duplicate, bring along, and file the odd."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

from docsyncd.hashing import digest_bytes
from docsyncd.testing.emulation import Fault, on
from tests.scenarios.office import NEVER, Office, Tables, office

SWEEPING: Tables = {"sweeps": {"every": 0.6, "orphan_age": 0.5}}
CLAIM, DEFENCE = b"Es wird beantragt, den Beklagten zu verurteilen.", b"Es wird beantragt, die Klage abzuweisen."


async def test_a_document_linked_later_is_found_and_an_unlinked_one_withdrawn(tmp_path: Path) -> None:
    """Neither fires a webhook or moves a date: only the sweep of links sees them."""
    async with office(tmp_path, tables=SWEEPING) as firm:
        world = firm.espocrm.world
        document = firm.put("Klage.txt", CLAIM, linked=False)
        stays = firm.put("Vollmacht.txt", DEFENCE)
        await firm.until(firm.is_in_step, what="the linked one")
        assert firm.is_nowhere(document)
        world.link("Document", document, "cAIKnowledges", firm.knowledge)
        firm.documents[document] = CLAIM
        await firm.until(firm.is_in_step, what="the link to be found")
        world.unlink("Document", document, "cAIKnowledges", firm.knowledge)
        del firm.documents[document]
        await firm.until(firm.is_in_step, what="the unlinked one to be withdrawn")
        await firm.until(lambda: firm.record(document)["dateiStatus"] != "Gesynct", what="the record to say so")
        assert firm.record(document)["xaiFileId"] is None
        assert firm.uploads_of(stays) == 1


async def test_withdrawn_consent_empties_the_index_within_one_poll_and_comes_back(tmp_path: Path) -> None:
    async with office(tmp_path, webhook_period=None, poll_every=1.0) as firm:
        for number in range(3):
            firm.put(f"Anlage K{number}.txt", b"Anlage %d" % number)
        await firm.until(firm.is_in_step, what="all of the case file")
        firm.espocrm.world.update("CAkten", firm.case_file, aiFreigabe=False)
        await firm.until(lambda: not firm.xai.world.files, what="the withdrawal", patience=10.0)
        assert not firm.xai.world.collections[firm.collection].members
        firm.espocrm.world.update("CAkten", firm.case_file, aiFreigabe=True)
        await firm.until(firm.is_in_step, what="the consent given again")


async def test_a_document_restored_after_its_deletion_is_indexed_again(tmp_path: Path) -> None:
    async with office(tmp_path, tables=SWEEPING, poll_every=NEVER) as firm:
        document = firm.put("Klage.txt", CLAIM)
        await firm.until(firm.is_in_step)
        content = firm.documents.pop(document)
        firm.espocrm.world.delete("Document", document)
        await firm.until(firm.is_in_step, what="the deletion")
        await firm.rest()
        firm.espocrm.world.restore("Document", document)
        firm.documents[document] = content
        await firm.until(firm.is_in_step, what="the restored one")
        assert firm.uploads_of(document) == 2


async def test_a_duplicate_gets_a_file_of_its_own_and_takes_nothing_with_it(tmp_path: Path) -> None:
    """EspoCRM's "Duplicate" copies every field, also which file of xAI the original has."""
    async with office(tmp_path) as firm:
        world = firm.espocrm.world
        original = firm.put("Klage.txt", CLAIM)
        await firm.until(firm.is_in_step)
        copied = ("dateiStatus", "md5", "sha", "xaiFileId", "xaiCollections", "xaiSyncedHash", "xaiSyncStatus")
        fields = {name: firm.record(original)[name] for name in copied}
        copy = firm.put("Klage.txt", CLAIM, **fields)
        await firm.until(firm.is_in_step, what="the duplicate")
        assert firm.record(copy)["xaiFileId"] != firm.record(original)["xaiFileId"]
        assert firm.uploads_of(original) == firm.uploads_of(copy) == 1
        world.delete("Document", copy)
        del firm.documents[copy]
        await firm.until(firm.is_in_step, what="the duplicate's deletion")
        assert firm.uploads_of(original) == 1


async def test_a_record_of_the_earlier_implementation_is_adopted_and_not_uploaded_again(tmp_path: Path) -> None:
    """It knows the content by its MD5, and its file at xAI has no tag."""
    async with office(tmp_path, start=False, webhook_period=None, tables=SWEEPING) as firm:
        xai = firm.xai.world
        file = xai.add_file("Klage.txt", CLAIM)
        xai.place(file, firm.collection)
        md5 = digest_bytes(CLAIM).md5
        legacy: dict[str, Any] = {
            "dateiStatus": "Gesynct",
            "md5": md5,
            "xaiFileId": file,
            "xaiCollections": [firm.collection],
            "xaiSyncedHash": md5,
            "xaiSyncStatus": "synced",
        }
        document = firm.put("Klage.txt", CLAIM, **legacy)
        await firm.start()
        await firm.swept()
        await firm.until(lambda: bool(firm.touches(document, 0)), what="the record to be looked at")
        await firm.rest()
        assert list(xai.files) == [file]
        assert list(xai.collections[firm.collection].members) == [file]
        assert firm.record(document)["xaiFileId"] == file
        assert xai.uploads == 1
        firm.change(document, DEFENCE)
        await firm.until(firm.is_in_step, what="the new version, under our own tag")
        assert file in xai.deleted


async def test_what_xai_does_not_take_is_shown_with_the_reason_and_not_tried_again(tmp_path: Path) -> None:
    async with office(tmp_path, tables=SWEEPING, max_file_mb=0.001) as firm:
        odd = {
            firm.put("Foto Mauer.jpg", _picture()): "jpg",
            firm.put("Leer.txt", b""): "leer",
            firm.put("Gutachten.txt", b"x" * 1001): "groß",
        }
        firm.documents.clear()
        good = firm.put("Klage.txt", CLAIM)
        await firm.until(lambda: all(firm.espocrm.stage.standing(each).failed for each in odd), what="the refusals")
        await firm.until(firm.is_in_step)
        await firm.swept()
        for document in odd:
            assert firm.record(document)["xaiSyncStatus"] == "failed"
            assert firm.record(document)["xaiSyncError"]
            assert firm.is_nowhere(document)
        assert firm.xai.world.uploads == firm.uploads_of(good) == 1
        since = firm.espocrm.requests.last
        for document in odd:
            await firm.daemon.ask("sync", document=document, wait=True)
        assert firm.writes(since) == []


async def test_a_preview_that_vanished_before_it_was_named_is_drawn_again(tmp_path: Path) -> None:
    """EspoCRM's clean-up removes attachments that no record names; the record must not fail for that."""
    async with office(tmp_path, start=False, first_look=0.5) as firm:
        world = firm.espocrm.world
        firm.xai.behaviour.index_seconds = 4.0
        await firm.start()
        await firm.swept()
        document = firm.put("Vollmacht.pdf", _picture("PDF"))

        def pictures() -> list[str]:
            return [str(each["id"]) for each in world.attachments() if each["field"] == "preview"]

        await firm.until(lambda: bool(pictures()), what="the preview to be uploaded")
        vanished = pictures()[0]
        world.store.remove_attachment(vanished)
        await firm.until(firm.is_in_step, what="the document all the same")
        await firm.until(lambda: firm.record(document)["previewId"] is not None, what="another preview")
        assert firm.record(document)["previewId"] != vanished
        assert not any(verb.startswith("PUT") and "Fehler" in verb for verb in firm.espocrm.requests.verbs())


async def test_flushing_redis_in_mid_life_loses_doubles_and_leaves_nothing(tmp_path: Path) -> None:
    """Memories, queue and cursors go while five documents are on their way and five have a new version."""
    async with office(tmp_path, tables=SWEEPING, poll_every=NEVER, webhook_period=0.1) as firm:
        known = [firm.put(f"Anlage K{number}.txt", b"Anlage %d" % number) for number in range(5)]
        await firm.until(firm.is_in_step)
        reached = _flush_at(firm, "POST", "/v1/files", skip=3)
        for number, document in enumerate(known):
            firm.change(document, b"Anlage %d, neue Fassung" % number)
        for number in range(5, 10):
            firm.put(f"Anlage K{number}.txt", b"Anlage %d" % number)
        await firm.until(lambda: reached.times == 0, what="the flush")
        await firm.until(firm.is_in_step, what="everything to be as if nothing had been lost")
        await firm.rest()
        assert firm.is_in_step()


def _flush_at(firm: Office, method: str, part: str, *, skip: int) -> Fault:
    """FLUSHALL, before xAI handles the request after `skip` like it."""
    from redis.asyncio import Redis

    async def flush(_request: object) -> None:
        async with Redis(unix_socket_path=str(firm.folder / "state" / "queue" / "server.sock")) as client:
            await client.flushall()

    return firm.xai.faults.add(Fault(match=on(method, part), skip=skip, before=flush))


def _picture(kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (60, 80), (200, 30, 30)).save(buffer, kind)
    return buffer.getvalue()
