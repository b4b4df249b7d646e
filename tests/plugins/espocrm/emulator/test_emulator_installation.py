"""The installation that is replaced: its pair table in record form, and its hooks that mark our work unclean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

from docsyncd_espocrm.emulator import EspoEmulator

if TYPE_CHECKING:
    from tests.plugins.espocrm.emulator.conftest import Client, JumpingClock, Receiver

ROWS = "CAIKnowledgeCDokumente"


@pytest.fixture
def vmh(clock: JumpingClock) -> EspoEmulator:
    return EspoEmulator(profile="vmh-2026-03-23", webhook_period=None, clock=clock)


@pytest.fixture
async def call(vmh: EspoEmulator, serve_client: Any) -> AsyncIterator[Client]:
    async with serve_client(vmh) as client:
        yield client


def linked_pair(vmh: EspoEmulator) -> tuple[str, str]:
    """A document in a collection."""
    document = vmh.world.add_document("a.pdf", b"x")
    knowledge = vmh.world.create("CAIKnowledge", name="Sammlung", syncStatus="synced")
    vmh.world.link("CDokumente", document, "cAIKnowledges", knowledge)
    return document, knowledge


async def test_linking_makes_a_row_with_a_number(call: Client, vmh: EspoEmulator) -> None:
    document, knowledge = linked_pair(vmh)
    query = f"{ROWS}?where[0][type]=equals&where[0][attribute]=cDokumenteId&where[0][value]={document}"
    (row,) = (await call("GET", query)).json["list"]
    assert isinstance(row["id"], int)
    assert (row["cAIKnowledgeId"], row["syncstatus"], row["aiDocumentId"]) == (knowledge, "new", None)


async def test_a_row_that_is_posted_links_changed_in_place_and_deleted_unlinks(call: Client, vmh: EspoEmulator) -> None:
    document = vmh.world.add_document("a.pdf", b"x")
    knowledge = vmh.world.create("CAIKnowledge", name="Sammlung")
    row = (await call("POST", ROWS, {"cAIKnowledgeId": knowledge, "cDokumenteId": document})).json["id"]
    assert vmh.world.linked("CDokumente", document, "cAIKnowledges") == [knowledge]
    await call("PUT", f"{ROWS}/{row}", {"aiDocumentId": "file_1", "syncstatus": "synced", "syncedHash": "ab"})
    assert (await call("GET", f"{ROWS}/{row}")).json["aiDocumentId"] == "file_1"
    assert (await call("DELETE", f"{ROWS}/{row}")).json is True
    assert vmh.world.linked("CAIKnowledge", knowledge, "dokumente") == []


async def test_unlinking_and_linking_again_gives_another_row(call: Client, vmh: EspoEmulator) -> None:
    document, knowledge = linked_pair(vmh)
    (before,) = vmh.world.records(ROWS)
    await call("DELETE", f"CDokumente/{document}/cAIKnowledges", {"id": knowledge})
    await call("POST", f"CDokumente/{document}/cAIKnowledges", {"id": knowledge})
    (after,) = vmh.world.records(ROWS)
    assert after["id"] != before["id"]


async def test_the_link_endpoint_shows_documents_without_the_columns_of_the_row(
    call: Client, vmh: EspoEmulator
) -> None:
    _, knowledge = linked_pair(vmh)
    (document,) = (await call("GET", f"CAIKnowledge/{knowledge}/dokumente")).json["list"]
    assert {"aiDocumentId", "syncstatus", "dokumenteAiDocumentId"}.isdisjoint(document)


@pytest.mark.parametrize(
    ("mode", "sent", "status"),
    [
        ("fields", {"syncStatus": "synced", "syncedHash": "ab"}, "unclean"),
        ("fields", {"syncStatus": "synced"}, "synced"),
        ("always", {"syncStatus": "synced"}, "unclean"),
        ("content", {"syncStatus": "synced", "syncedHash": "ab"}, "synced"),
        ("content", {"syncStatus": "synced", "name": "b"}, "unclean"),
        ("off", {"syncStatus": "synced", "name": "b"}, "synced"),
    ],
)
async def test_a_hook_marks_a_saved_document_unclean(
    call: Client, vmh: EspoEmulator, mode: Any, sent: dict[str, str], status: str
) -> None:
    vmh.world.store.unclean_hook = mode
    document = vmh.world.add_document("a.pdf", b"x")
    await call("PUT", f"CDokumente/{document}", sent)
    assert vmh.world.record("CDokumente", document)["syncStatus"] == status


async def test_the_hook_reaches_case_file_row_and_collection_and_tells_of_them(
    call: Client, vmh: EspoEmulator, receiver: Receiver
) -> None:
    document, knowledge = linked_pair(vmh)
    case_file = vmh.world.create("CAdvowareAkten", name="Akte", syncStatus="synced")
    vmh.world.link("CDokumente", document, "cAdvowareAkten", case_file)
    (row,) = vmh.world.records(ROWS)
    await call("PUT", f"{ROWS}/{row['id']}", {"syncstatus": "synced"})
    await receiver.subscribe(call, "CAdvowareAkten.update")
    vmh.world.update("CDokumente", document, name="Neu")
    assert vmh.world.record("CAdvowareAkten", case_file)["syncStatus"] == "unclean"
    assert vmh.world.record("CAIKnowledge", knowledge)["syncStatus"] == "unclean"
    assert vmh.world.records(ROWS)[0]["syncstatus"] == "unclean"
    await vmh.deliver()
    assert receiver.items[0]["syncStatus"] == "unclean"


async def test_seed_links_by_a_plain_pair_and_has_no_row_entity(vmh: EspoEmulator) -> None:
    seed = EspoEmulator(webhook_period=None)
    assert ROWS in vmh.world.store.schema
    assert ROWS not in seed.world.store.schema
    document = seed.world.add_document("a.pdf", b"x")
    knowledge = seed.world.create("CAIKnowledge", name="Sammlung")
    seed.world.link("CAIKnowledge", knowledge, "dokumente", document)
    assert seed.world.linked("Document", document, "cAIKnowledges") == [knowledge]
    seed.world.unlink("Document", document, "cAIKnowledges", knowledge)
    assert seed.world.linked("CAIKnowledge", knowledge, "dokumente") == []


def test_the_world_knows_the_typing_errors_of_its_users(vmh: EspoEmulator) -> None:
    with pytest.raises(KeyError, match="hrn"):
        vmh.world.add_document("a.pdf", b"x", hrn=1)


def test_the_description_names_what_a_person_needs(vmh: EspoEmulator) -> None:
    vmh.world.add_document("a.pdf", b"x")
    text = vmh.describe({"url": "http://127.0.0.1:8080"})
    assert "http://127.0.0.1:8080/api/v1/" in text
    assert vmh.api_key in text
    assert "CDokumente: 1 records" in text
