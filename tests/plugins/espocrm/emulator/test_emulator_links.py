"""Links: quiet, idempotent, and with the id in the body of a DELETE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docsyncd_espocrm.emulator.schema import Field

if TYPE_CHECKING:
    from docsyncd_espocrm.emulator import EspoEmulator
    from tests.plugins.espocrm.emulator.conftest import Client, JumpingClock


async def test_linking_is_idempotent_and_unlinking_takes_the_id_in_the_body(call: Client, espo: EspoEmulator) -> None:
    document = espo.world.add_document("a.pdf", b"%PDF")
    knowledge = espo.world.create("CAIKnowledge", name="Sammlung")
    for _ in range(2):
        assert (await call("POST", f"Document/{document}/cAIKnowledges", {"id": knowledge})).json is True
    listed = (await call("GET", f"CAIKnowledge/{knowledge}/dokumente")).json
    assert (listed["total"], listed["list"][0]["id"]) == (1, document)
    assert (await call("DELETE", f"Document/{document}/cAIKnowledges", {"id": knowledge})).json is True
    assert espo.world.linked("CAIKnowledge", knowledge, "dokumente") == []


async def test_a_link_without_an_id_answers_false_and_creates_nothing(call: Client, espo: EspoEmulator) -> None:
    document = espo.world.add_document("a.pdf", b"%PDF")
    answer = await call("POST", f"Document/{document}/cAIKnowledges", {"name": "new"})
    assert (answer.status, answer.json) == (200, False)
    assert espo.world.records("CAIKnowledge") == []


async def test_unlinking_an_unknown_record_and_asking_an_unknown_link_are_404(call: Client, espo: EspoEmulator) -> None:
    document = espo.world.add_document("a.pdf", b"%PDF")
    assert (await call("DELETE", f"Document/{document}/cAIKnowledges", {"id": "nothing"})).status == 404
    unknown = await call("GET", f"Document/{document}/friends")
    assert (unknown.status, unknown.reason) == (404, "Link does not exist.")


async def test_linking_moves_no_stamp_and_tells_nobody(call: Client, espo: EspoEmulator, clock: JumpingClock) -> None:
    await call("POST", "Webhook", {"event": "Document.update", "url": "http://127.0.0.1:1/x"})
    document = espo.world.add_document("a.pdf", b"%PDF")
    case_file = espo.world.create("CAkten", name="Akte")
    clock.jump(60)
    await call("POST", f"CAkten/{case_file}/dokumente", {"ids": [document]})
    record = espo.world.record("Document", document)
    assert (record["cAktenId"], record["cAktenName"]) == (case_file, "Akte")
    assert record["modifiedAt"] == record["createdAt"]
    assert espo.webhook_job.is_idle


async def test_a_foreign_key_in_a_put_is_an_ordinary_update(call: Client, espo: EspoEmulator) -> None:
    document = espo.world.add_document("a.pdf", b"%PDF")
    case_file = espo.world.create("CAkten", name="Akte")
    answer = await call("PUT", f"Document/{document}", {"cAktenId": case_file, "cAktenName": "ignored"})
    assert (answer.json["cAktenId"], answer.json["cAktenName"]) == (case_file, "Akte")
    assert (await call("GET", f"CAkten/{case_file}/dokumente?select=id")).json["total"] == 1
    refused = await call("PUT", f"Document/{document}", {"cAktenId": "nothing"})
    assert refused.status == 403


async def test_deleting_a_case_file_hides_the_link(call: Client, espo: EspoEmulator) -> None:
    case_file = espo.world.create("CAkten", name="Akte")
    document = espo.world.add_document("a.pdf", b"%PDF", cAktenId=case_file)
    assert (await call("GET", f"Document/{document}/cAkten")).json["total"] == 1
    espo.world.delete("CAkten", case_file)
    assert (await call("GET", f"Document/{document}/cAkten")).json == {"total": 0, "list": []}
    assert (await call("GET", f"Document/{document}")).json["cAktenName"] is None


async def test_link_ids_link_on_creation_and_silently_not_in_a_put(
    call: Client, espo: EspoEmulator, clock: JumpingClock
) -> None:
    knowledge = espo.world.create("CAIKnowledge", name="Sammlung")
    created = await call.document("Vertrag", cAIKnowledgesIds=[knowledge])
    assert espo.world.linked("Document", created, "cAIKnowledges") == [knowledge]
    other = await call.document("Vertrag")
    clock.jump(60)
    assert (await call("PUT", f"Document/{other}", {"cAIKnowledgesIds": [knowledge]})).status == 200
    assert espo.world.linked("Document", other, "cAIKnowledges") == []
    assert espo.world.record("Document", other)["modifiedAt"] == "2026-11-21 12:01:00"


async def test_with_a_link_multiple_field_the_ids_are_shown_and_a_put_links(call: Client, espo: EspoEmulator) -> None:
    espo.world.entity("Document").fields["cAIKnowledges"] = Field(type="linkMultiple", entity="CAIKnowledge")
    knowledge = espo.world.create("CAIKnowledge", name="Sammlung")
    document = await call.document("Vertrag")
    await call("PUT", f"Document/{document}", {"cAIKnowledgesIds": [knowledge]})
    record = (await call("GET", f"Document/{document}")).json
    assert (record["cAIKnowledgesIds"], record["cAIKnowledgesNames"]) == ([knowledge], {knowledge: "Sammlung"})


async def test_linking_needs_edit_rights_on_both_sides(call: Client, espo: EspoEmulator) -> None:
    document = espo.world.add_document("a.pdf", b"%PDF")
    knowledge = espo.world.create("CAIKnowledge", name="Sammlung")
    levels = espo.world.api_user.access["CAIKnowledge"]
    assert isinstance(levels, dict)
    levels["edit"] = "no"
    assert (await call("POST", f"Document/{document}/cAIKnowledges", {"id": knowledge})).status == 403
    assert espo.world.linked("Document", document, "cAIKnowledges") == []
