"""What EspoCRM really sends, in the order in which it really comes: each ends with the right content, once."""

from __future__ import annotations

import base64
from pathlib import Path

import aiohttp

from docsyncd.hashing import digest_bytes
from docsyncd_espocrm.emulator.people import LAWYER
from tests.scenarios.office import NEVER, Office, office

OLD, NEW = b"Es wird beantragt, die Klage abzuweisen.", b"Es wird beantragt, der Klage stattzugeben."


async def test_a_batch_of_fifty_with_duplicates_and_an_item_without_id_is_all_taken(tmp_path: Path) -> None:
    async with office(tmp_path, webhook_period=None, poll_every=NEVER) as firm:
        await firm.rest()
        documents = [firm.put(f"Anlage K{number}.txt", b"Anlage %d" % number) for number in range(30)]
        items = [{"id": document, "fileId": "stale"} for document in documents]
        batch = [*items, *items[:19], {"name": "an item without id"}]
        assert len(batch) == 50
        assert await firm.post("create", batch) == 200
        await firm.until(firm.is_in_step)
        await firm.rest()
        assert firm.xai.world.uploads == 30


async def test_a_delete_that_overtakes_an_update_is_believed(tmp_path: Path) -> None:
    async with office(tmp_path, webhook_period=None, poll_every=NEVER) as firm:
        document = await _indexed(firm, OLD)
        firm.change(document, NEW)
        firm.espocrm.world.delete("Document", document)
        del firm.documents[document]
        assert await firm.post("delete", [{"id": document}]) == 200
        await firm.until(lambda: firm.is_nowhere(document), what="the deletion")
        await firm.rest()
        since = firm.espocrm.requests.last
        assert await firm.post("update", [{"id": document, "fileId": "late"}]) == 200
        await firm.until(lambda: "GET" in firm.touches(document, since), what="the late update to be looked at")
        await firm.rest()
        assert firm.is_nowhere(document)
        assert firm.writes(since) == []


async def test_an_update_of_nothing_but_the_editor_costs_one_read_and_no_write(tmp_path: Path) -> None:
    async with office(tmp_path, webhook_period=None, poll_every=NEVER) as firm:
        document = await _indexed(firm, OLD)
        espocrm, xai = firm.espocrm.requests.last, firm.xai.requests.last
        editor = {"id": document, "modifiedById": firm.espocrm.world.person.id, "modifiedByName": "Anna Weiß"}
        assert await firm.post("update", [editor]) == 200
        await firm.until(lambda: bool(firm.touches(document, espocrm)), what="the record to be read")
        await firm.rest()
        assert [request.method for request in firm.espocrm.requests.since(espocrm)] == ["GET"]
        assert firm.xai.requests.last == xai


async def test_an_old_item_retried_after_a_newer_one_brings_nothing_old_back(tmp_path: Path) -> None:
    async with office(tmp_path, webhook_period=None, poll_every=NEVER) as firm:
        document = await _indexed(firm, OLD)
        stale = {"id": document, "fileId": firm.record(document)["fileId"], "dateiStatus": "Neu"}
        firm.change(document, NEW)
        await firm.espocrm.deliver()
        await firm.until(firm.is_in_step, what="the new version")
        await firm.rest()
        since = firm.espocrm.requests.last
        assert await firm.post("update", [stale]) == 200
        await firm.until(lambda: bool(firm.touches(document, since)), what="the record to be read")
        await firm.rest()
        assert firm.is_in_step()
        assert firm.uploads_of(document) == 2
        assert firm.writes(since) == []


async def test_a_file_is_indexed_only_when_its_upload_in_chunks_is_whole(tmp_path: Path) -> None:
    async with office(tmp_path, webhook_period=None, poll_every=NEVER) as firm:
        await firm.swept()
        content = bytes(range(256)) * 4000
        half = len(content) // 2
        attachment = await _begin_upload(firm, "Gutachten.pdf", content[:half], size=len(content))
        world = firm.espocrm.world
        document = world.create(
            "Document", name="Gutachten", fileId=attachment, dateiStatus="Neu", cAktenId=firm.case_file
        )
        world.link("Document", document, "cAIKnowledges", firm.knowledge)
        firm.documents[document] = content
        since = firm.espocrm.requests.last
        await firm.espocrm.deliver()
        asked = f"/Attachment/{attachment}"
        await firm.until(
            lambda: any(each.path.endswith(asked) for each in firm.espocrm.requests.since(since)),
            what="the unfinished upload to be seen",
        )
        await firm.idle()
        assert firm.xai.world.uploads == 0
        await _chunk(firm, attachment, content[half:])
        await firm.until(firm.is_in_step, what="the finished upload")
        hashes = [file.blake3 for file in firm.xai.world.files.values()]
        assert hashes == [digest_bytes(content).blake3]
        assert firm.xai.world.uploads == 1


async def test_our_own_write_that_comes_back_costs_one_read_and_no_write(tmp_path: Path) -> None:
    async with office(tmp_path, webhook_period=None, poll_every=NEVER) as firm:
        world = firm.espocrm.world
        for webhook in world.records("Webhook"):
            world.update("Webhook", webhook["id"], skipOwn=False)
        document = await _indexed(firm, OLD)
        espocrm, xai = firm.espocrm.requests.last, firm.xai.requests.last
        deliveries = await firm.espocrm.deliver()
        echoes = [item for each in deliveries for item in each.items]
        assert len(echoes) >= 2  # the announcement and the outcome, of our own
        assert {item["id"] for item in echoes} == {document}
        await firm.until(lambda: bool(firm.touches(document, espocrm)), what="the record to be read")
        await firm.rest()
        assert [request.method for request in firm.espocrm.requests.since(espocrm)] == ["GET"]
        assert firm.xai.requests.last == xai


async def test_the_echo_of_a_refusal_costs_one_read_and_no_write(tmp_path: Path) -> None:
    """`unsupported` and `failed` are one value in this profile: reading it back must not look like a change."""
    async with office(tmp_path, webhook_period=None, poll_every=NEVER) as firm:
        await firm.swept()
        document = firm.put("Foto Mauer.jpg", b"no picture at all")
        await firm.espocrm.deliver()
        await firm.until(lambda: firm.espocrm.stage.standing(document).failed, what="the refusal to be shown")
        await firm.rest()
        since = firm.espocrm.requests.last
        assert await firm.post("update", [{"id": document}]) == 200
        await firm.until(lambda: bool(firm.touches(document, since)), what="the record to be read")
        await firm.rest()
        assert firm.touches(document, since) == ["GET"]
        await firm.daemon.ask("sync", document=document, wait=True)
        assert firm.writes(since) == []


async def test_a_change_that_no_webhook_told_is_found_by_the_poll(tmp_path: Path) -> None:
    async with office(tmp_path, webhook_period=0.1, poll_every=0.5) as firm:
        for webhook in firm.espocrm.world.records("Webhook"):
            firm.espocrm.world.update("Webhook", webhook["id"], isActive=False)
        await firm.rest()
        document = firm.put("Klage.txt", OLD)
        await firm.until(firm.is_in_step, what="the document that nobody announced")
        firm.change(document, NEW)
        await firm.until(firm.is_in_step, what="the version that nobody announced")


async def _indexed(firm: Office, content: bytes) -> str:
    """A document that is indexed, announced by its webhook, with nothing left to do."""
    await firm.swept()
    document = firm.put("Klage.txt", content)
    await firm.espocrm.deliver()
    await firm.until(firm.is_in_step, what="the document to be indexed")
    await firm.rest()
    return document


async def _begin_upload(firm: Office, name: str, chunk: bytes, *, size: int) -> str:
    """What the browser does first: an attachment that announces more than has come."""
    announced = {
        "name": name,
        "type": "application/pdf",
        "role": "Attachment",
        "relatedType": "Document",
        "field": "file",
    }
    url = f"{firm.doors['url'].url}/api/v1/Attachment"
    body = {**announced, "size": size, "isBeingUploaded": True}
    async with aiohttp.ClientSession(headers=LAWYER) as session, session.post(url, json=body) as answer:
        attachment = str((await answer.json(content_type=None))["id"])
    await _chunk(firm, attachment, chunk)
    return attachment


async def _chunk(firm: Office, attachment: str, chunk: bytes) -> None:
    url = f"{firm.doors['url'].url}/api/v1/Attachment/chunk/{attachment}"
    data = f"data:application/pdf;base64,{base64.b64encode(chunk).decode()}"
    async with aiohttp.ClientSession(headers=LAWYER) as session, session.post(url, data=data) as answer:
        assert answer.status == 200
