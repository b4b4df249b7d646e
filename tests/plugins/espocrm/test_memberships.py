"""Where a document belongs, and whether it may leave the house."""

from __future__ import annotations

from pathlib import Path

import pytest

from docsyncd.api import CollectionStage, DocumentId, PreconditionFailed, ProtocolViolation, Rejected
from docsyncd.testing.emulation import Fault, on
from docsyncd_espocrm.emulator import EspoEmulator
from docsyncd_espocrm.emulator.schema import Field, Link
from tests.plugins.espocrm.connected import connected

PDF = b"%PDF-1.4\n"


async def test_memberships_cost_one_request_per_link_and_one_for_the_case_file(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        case_file = at.case_file(consent=True)
        document = await at.read(at.world.add_document("Klage.pdf", PDF, cAktenId=case_file))
        at.link(document.id, at.knowledge("c1"))
        start = at.espo.requests.last
        (membership,) = await at.catalog.memberships(document)
        assert at.requests_since(start) == [
            f"GET /CAkten/{case_file}",
            f"GET /Document/{document.id}/cAIKnowledges",
        ]
        assert (membership.collection, membership.stage, membership.consent) == ("c1", CollectionStage.ACTIVE, True)


async def test_more_links_than_a_page_are_all_seen(tmp_path: Path) -> None:
    async with connected(tmp_path, page_size=2) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        for number in range(5):
            at.link(document.id, at.knowledge(f"c{number}"))
        found = await at.catalog.memberships(document)
        assert sorted(str(each.collection) for each in found) == ["c0", "c1", "c2", "c3", "c4"]


async def test_a_deleted_case_file_gives_no_consent(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        case_file = at.case_file(consent=True)
        document = await at.read(at.world.add_document("Klage.pdf", PDF, cAktenId=case_file))
        at.link(document.id, at.knowledge("c1", aiFreigabe=True))
        at.world.delete("CAkten", case_file)
        (membership,) = await at.catalog.memberships(document)
        assert membership.consent is False


async def test_a_case_file_that_we_may_not_read_is_no_answer(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        case_file = at.case_file(consent=True)
        document = await at.read(at.world.add_document("Klage.pdf", PDF, cAktenId=case_file))
        at.link(document.id, at.knowledge("c1"))
        at.world.api_user.access["CAkten"] = {"read": "no"}
        with pytest.raises(Rejected):
            await at.catalog.memberships(document)


async def test_a_case_file_that_hides_its_consent_is_no_answer(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        case_file = at.case_file(consent=True)
        document = await at.read(at.world.add_document("Klage.pdf", PDF, cAktenId=case_file))
        at.espo.faults.add(Fault(match=on("GET", f"/CAkten/{case_file}"), status=200, body=b'{"id":"x"}'))
        with pytest.raises(ProtocolViolation, match="aiFreigabe"):
            await at.catalog.memberships(document)


async def test_without_a_consent_field_the_active_link_is_enough(tmp_path: Path) -> None:
    async with connected(tmp_path, consent_field="") as at:
        case_file = at.case_file(consent=False)
        document = await at.read(at.world.add_document("Klage.pdf", PDF, cAktenId=case_file))
        at.link(document.id, at.knowledge("c1"))
        start = at.espo.requests.last
        (membership,) = await at.catalog.memberships(document)
        assert membership.consent is True
        assert len(at.requests_since(start)) == 1


async def test_a_document_in_several_case_files_needs_the_consent_of_all(tmp_path: Path) -> None:
    espo = EspoEmulator(webhook_period=None)
    document_type, case_file_type = espo.world.entity("Document"), espo.world.entity("CAkten")
    del document_type.fields["cAkten"]
    document_type.links["cAkten"] = Link(
        kind="manyMany", entity="CAkten", foreign="dokumente", relation="cAktenDocument"
    )
    case_file_type.links["dokumente"] = Link(
        kind="manyMany", entity="Document", foreign="cAkten", relation="cAktenDocument"
    )
    async with connected(tmp_path, espo) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        at.link(document.id, at.knowledge("c1", aiFreigabe=False))
        first, second = at.case_file(1, consent=True), at.case_file(2, consent=False)
        at.world.link("Document", document.id, "cAkten", first)
        assert [each.consent for each in await at.catalog.memberships(document)] == [True]
        at.world.link("Document", document.id, "cAkten", second)
        assert [each.consent for each in await at.catalog.memberships(document)] == [False]


@pytest.mark.parametrize(
    ("value", "stage"),
    [
        ("active", CollectionStage.ACTIVE),
        ("Aktiv", CollectionStage.ACTIVE),
        ("AKTIV", CollectionStage.ACTIVE),
        ("Pausiert", CollectionStage.PAUSED),
        ("deactivated", CollectionStage.DEACTIVATED),
        ("archiviert", CollectionStage.UNKNOWN),
        (None, CollectionStage.UNKNOWN),
    ],
)
async def test_stages_are_understood_as_key_and_as_label(
    tmp_path: Path, value: str | None, stage: CollectionStage
) -> None:
    espo = EspoEmulator(webhook_period=None)
    espo.world.entity("CAIKnowledge").fields["aktivierungsstatus"] = Field(type="varchar", max_length=40)
    async with connected(tmp_path, espo) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        holder = at.world.create("CAIKnowledge", name="W", datenbankId="c1", aktivierungsstatus=value)
        at.link(document.id, holder)
        assert [each.stage for each in await at.catalog.memberships(document)] == [stage]


async def test_a_new_link_of_the_entity_is_found_after_a_rebuild(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        assert await at.catalog.memberships(document) == ()
        account = at.world.entity("Account")
        account.fields["datenbankId"] = Field(type="varchar", max_length=255)
        at.world.rebuild()
        at.world.link("Document", document.id, "accounts", at.world.create("Account", name="M", datenbankId="c9"))
        await at.read(document.id)
        (membership,) = await at.catalog.memberships(document)
        assert (membership.collection, membership.stage) == ("c9", CollectionStage.ACTIVE)


async def test_a_role_that_lost_the_collections_does_not_empty_them(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        at.link(document.id, at.knowledge("c1"))
        assert len(await at.catalog.memberships(document)) == 1
        del at.world.api_user.access["CAIKnowledge"]
        at.world.rebuild()
        with pytest.raises(Rejected):
            await at.catalog.memberships(await at.read(document.id))


async def test_a_role_that_never_saw_the_collections_is_a_mistake_and_not_an_empty_list(tmp_path: Path) -> None:
    espo = EspoEmulator(webhook_period=None)
    del espo.world.api_user.access["CAIKnowledge"]
    async with connected(tmp_path, espo) as at:
        document = at.world.add_document("Klage.pdf", PDF)
        with pytest.raises(ProtocolViolation, match="datenbankId"):
            await at.catalog.document(DocumentId(document))


async def test_a_link_that_was_removed_from_espocrm_is_dropped(tmp_path: Path) -> None:
    espo = EspoEmulator(webhook_period=None)
    espo.world.entity("Account").fields["datenbankId"] = Field(type="varchar", max_length=255)
    async with connected(tmp_path, espo) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        at.link(document.id, at.knowledge("c1"))
        assert len(await at.catalog.memberships(document)) == 1
        del at.world.entity("Document").links["accounts"]
        at.world.rebuild()
        assert len(await at.catalog.memberships(await at.read(document.id))) == 1


async def test_the_configuration_narrows_the_links(tmp_path: Path) -> None:
    espo = EspoEmulator(webhook_period=None)
    espo.world.entity("Account").fields["datenbankId"] = Field(type="varchar", max_length=255)
    async with connected(tmp_path, espo, collection_links=("cAIKnowledges",)) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        at.world.link("Document", document.id, "accounts", at.world.create("Account", name="M", datenbankId="c9"))
        assert await at.catalog.memberships(document) == ()


async def test_a_configured_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    async with connected(tmp_path, collection_links=("accounts",)) as at:
        document = at.world.add_document("Klage.pdf", PDF)
        with pytest.raises(ProtocolViolation, match="accounts"):
            await at.catalog.document(DocumentId(document))


async def test_a_document_deleted_meanwhile_is_planned_again(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        at.world.delete("Document", document.id)
        with pytest.raises(PreconditionFailed):
            await at.catalog.memberships(document)


async def test_only_active_collections_are_swept(tmp_path: Path) -> None:
    async with connected(tmp_path, page_size=2) as at:
        documents = [at.world.add_document(f"{number}.pdf", PDF) for number in range(5)]
        active, paused, fresh = at.knowledge("c1"), at.knowledge("c2", "paused"), at.knowledge(None, "active")
        for document in documents:
            for holder in (active, paused, fresh):
                at.link(document, holder)
        assert sorted([pair async for pair in at.catalog.links()]) == sorted(("c1", each) for each in documents)
