"""Reading and writing records: what it costs, what it touches, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from docsyncd.api import (
    CaseFileNumber,
    CaseFileStage,
    ConfigError,
    DocumentId,
    DocumentStatus,
    IndexStatus,
    Patch,
    PreconditionFailed,
    ProtocolViolation,
    Rejected,
)
from docsyncd.secrets import Secret
from docsyncd.testing.emulation import Fault, on, serve_emulator
from docsyncd.testing.host import PlainHost
from docsyncd_espocrm.client import connect
from docsyncd_espocrm.config import EspoConfig
from docsyncd_espocrm.emulator import EspoEmulator
from tests.plugins.espocrm.connected import connected

PDF = b"%PDF-1.4\n%%EOF\n"


async def test_an_unchanged_document_costs_one_request(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = at.world.add_document("Klage.pdf", PDF)
        await at.read(document)
        start = at.espo.requests.last
        await at.read(document)
        assert at.requests_since(start) == [f"GET /Document/{document}"]


async def test_a_record_that_is_shown_as_deleted_is_gone(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = at.world.add_document("Klage.pdf", PDF)
        at.world.delete("Document", document)
        record = json.dumps(at.world.record("Document", document)).encode()
        assert b'"deleted": true' in record
        at.espo.faults.add(Fault(match=on("GET", f"/Document/{document}"), status=200, body=record))
        assert await at.catalog.document(DocumentId(document)) is None


async def test_a_restored_document_is_there_again(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = at.world.add_document("Klage.pdf", PDF)
        at.world.delete("Document", document)
        assert await at.catalog.document(DocumentId(document)) is None
        at.world.restore("Document", document)
        assert (await at.read(document)).id == document


async def test_a_record_that_hides_its_file_is_not_a_record_without_file(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = at.world.add_document("Klage.pdf", PDF)
        body = b'{"id":"%b","name":"Klage","cAktenId":null}' % document.encode()
        at.espo.faults.add(Fault(match=on("GET", f"/Document/{document}"), status=200, body=body))
        with pytest.raises(ProtocolViolation, match="fileId"):
            await at.catalog.document(DocumentId(document))


async def test_a_record_that_hides_its_case_file_is_not_a_record_without_case_file(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = at.world.add_document("Klage.pdf", PDF)
        body = b'{"id":"%b","name":"Klage","fileId":null}' % document.encode()
        at.espo.faults.add(Fault(match=on("GET", f"/Document/{document}"), status=200, body=body))
        with pytest.raises(ProtocolViolation, match="cAktenId"):
            await at.catalog.document(DocumentId(document))


async def test_german_values_and_unknown_ones_are_told_apart(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = at.world.add_document("Klage.pdf", PDF, dateiStatus="Geändert", xaiSyncStatus="synced")
        read = await at.read(document)
        assert (read.status, read.index_status) == (DocumentStatus.CHANGED, IndexStatus.SYNCED)
        at.world.update("Document", document, dateiStatus=None, xaiSyncStatus=None)
        read = await at.read(document)
        assert (read.status, read.index_status) == (DocumentStatus.NONE, IndexStatus.NONE)
    names = {"document": {"status": "fileStatus"}}
    async with connected(tmp_path, names=names) as at:
        document = at.world.add_document("Klage.pdf", PDF, fileStatus="irgendwas")
        assert (await at.read(document)).status is DocumentStatus.UNKNOWN


async def test_a_save_is_one_put_of_what_it_names_and_one_look(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF, xaiSyncError="alt", md5="a" * 32))
        start = at.espo.requests.last
        patch = Patch(status=DocumentStatus.SYNCED, values={"index_error": None, "collections": ("c1", "c2")})
        saved = await at.catalog.save(document, patch, expect=document.revision)
        assert at.requests_since(start) == [f"PUT /Document/{document.id}", f"GET /Document/{document.id}"]
        record = at.world.record("Document", document.id)
        assert record["dateiStatus"] == "Gesynct"
        assert record["xaiSyncError"] is None
        assert record["xaiCollections"] == ["c1", "c2"]
        assert record["md5"] == "a" * 32
        assert saved.status is DocumentStatus.SYNCED
        assert saved.collections == ("c1", "c2")


async def test_an_announcement_is_one_put_and_nothing_else(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF, md5="a" * 32))
        start = at.espo.requests.last
        begun = await at.catalog.save(document, Patch(index_status=IndexStatus.SYNCING, values={}), expect=None)
        assert at.requests_since(start) == [f"PUT /Document/{document.id}"]
        assert begun == await at.read(document.id)


async def test_a_file_that_was_replaced_before_the_announcement_is_noticed(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        at.world.update("Document", document.id, file=("Klage v2.pdf", PDF * 2))
        with pytest.raises(PreconditionFailed, match="replaced"):
            await at.catalog.save(document, Patch(index_status=IndexStatus.SYNCING, values={}), expect=None)


async def test_a_name_that_is_off_is_never_sent(tmp_path: Path) -> None:
    names = {"document": {"md5": "", "sha256": ""}}
    async with connected(tmp_path, names=names) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        start = at.espo.requests.last
        saved = await at.catalog.save(document, Patch(values={"md5": "a" * 32, "sha256": "b" * 64}), expect=None)
        assert at.requests_since(start) == [f"GET /Document/{document.id}"]
        assert at.world.record("Document", document.id)["md5"] is None
        assert saved.md5 == "a" * 32


async def test_a_file_replaced_while_we_saved_is_noticed_without_versions(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        assert document.revision is None

        async def somebody_saves(_request: object) -> None:
            at.world.update("Document", document.id, file=("Klage v2.pdf", PDF * 2))

        at.espo.faults.add(Fault(match=on("PUT"), after=somebody_saves))
        with pytest.raises(PreconditionFailed, match="replaced"):
            await at.catalog.save(document, Patch(values={"md5": "a" * 32}), expect=None)


async def test_a_version_conflict_on_our_own_field_is_a_precondition(tmp_path: Path) -> None:
    espo = EspoEmulator(webhook_period=None)
    espo.world.entity("Document").optimistic_concurrency = True
    async with connected(tmp_path, espo) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        assert document.revision is not None
        at.world.update("Document", document.id, md5="c" * 32)
        with pytest.raises(PreconditionFailed):
            await at.catalog.save(document, Patch(values={"md5": "a" * 32}), expect=document.revision)
        assert at.world.record("Document", document.id)["md5"] == "c" * 32


async def test_a_lost_answer_of_a_put_is_repeated_and_does_no_harm(tmp_path: Path) -> None:
    espo = EspoEmulator(webhook_period=None)
    espo.world.entity("Document").optimistic_concurrency = True
    async with connected(tmp_path, espo) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        at.espo.faults.add(Fault(match=on("PUT"), cut=True, effect=True))
        saved = await at.catalog.save(document, Patch(values={"md5": "a" * 32}), expect=document.revision)
        assert saved.md5 == "a" * 32


async def test_a_value_that_espocrm_refuses_is_refused_in_its_words(tmp_path: Path) -> None:
    names = {"document": {"index_status_values": {"synced": ["fertig"]}}}
    async with connected(tmp_path, names=names) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        with pytest.raises(Rejected, match="xaiSyncStatus"):
            await at.catalog.save(document, Patch(index_status=IndexStatus.SYNCED, values={}), expect=None)


async def test_an_unsupported_document_is_final_for_the_caller_and_failed_for_people(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Klage.pdf", PDF))
        patch = Patch(index_status=IndexStatus.UNSUPPORTED, values={"index_error": "Dateityp .exe"})
        saved = await at.catalog.save(document, patch, expect=None)
        assert saved.index_status is IndexStatus.UNSUPPORTED
        assert at.world.record("Document", document.id)["xaiSyncStatus"] == "failed"


async def test_every_id_is_listed_although_others_vanish_meanwhile(tmp_path: Path) -> None:
    async with connected(tmp_path, page_size=3) as at:
        made = sorted(at.world.add_document(f"{number}.pdf", PDF) for number in range(10))
        listed: list[str] = []
        async for document in at.catalog.ids():
            listed.append(document)
            if len(listed) == 3:
                at.world.delete("Document", made[0])
                at.world.delete("Document", made[1])
        assert listed == made


async def test_a_listing_that_breaks_off_is_never_complete(tmp_path: Path) -> None:
    async with connected(tmp_path, page_size=2) as at:
        for number in range(5):
            at.world.add_document(f"{number}.pdf", PDF)
        body = b'{"total":-1,"list":[]}'
        at.espo.faults.add(Fault(match=on("GET", "/Document"), skip=1, status=200, body=body))
        with pytest.raises(ProtocolViolation, match="shows nothing"):
            [each async for each in at.catalog.ids()]


@pytest.mark.parametrize("stored", ["00123", " 123", "123"])
async def test_a_padded_case_file_number_is_the_same_number(tmp_path: Path, stored: str) -> None:
    espo = EspoEmulator(webhook_period=None)
    kind = espo.world.entity("CAkten")
    kind.fields["aktennummer"] = kind.fields["aktenzeichen"]
    async with connected(tmp_path, espo) as at:
        case_file = at.world.create("CAkten", name="Akte", aktennummer=stored, aktivierungsstatus="import")
        at.world.create("CAkten", name="Andere", aktennummer="9123")
        found = await at.catalog.case_file(CaseFileNumber("123"))
        assert found is not None
        assert (found.id, found.number, found.stage) == (case_file, "123", CaseFileStage.ADMITTED)


async def test_two_case_files_with_one_number_are_nobodys(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        at.case_file(7)
        at.case_file(7)
        with pytest.raises(Rejected, match="2 records"):
            await at.catalog.case_file(CaseFileNumber("7"))


async def test_an_unknown_stage_of_a_case_file_is_unknown(tmp_path: Path) -> None:
    names = {"case_file": {"stage": "status"}}
    async with connected(tmp_path, names=names) as at:
        for number, (status, stage) in enumerate(
            [("Neu", CaseFileStage.ADMITTED), ("Abgelegt", CaseFileStage.REFUSED), (None, CaseFileStage.UNKNOWN)], 1
        ):
            at.world.create("CAkten", name="Akte", aktennummer=number, status=status)
            found = await at.catalog.case_file(CaseFileNumber(str(number)))
            assert found is not None
            assert found.stage is stage


async def test_an_hmac_user_signs_every_request(tmp_path: Path) -> None:
    espo = EspoEmulator(webhook_period=None)
    user = espo.world.add_user("hmac", hmac=True)
    (tmp_path / "hmac").write_text(user.secret_key, encoding="utf-8")
    async with connected(tmp_path, espo, key=user.api_key, hmac_secret=Secret(file=tmp_path / "hmac")) as at:
        document = at.world.add_document("Klage.pdf", PDF)
        read = await at.read(document)
        assert await at.content(read) == PDF
        await at.transport.health()
        assert [each async for each in at.catalog.ids()] == [document]


async def test_a_secret_that_cannot_be_read_is_named_by_its_key(tmp_path: Path) -> None:
    espo = EspoEmulator(webhook_period=None)
    missing = {"id": "6b01d452cf2575ea9", "secret": {"file": str(tmp_path / "missing")}}
    (tmp_path / "key").write_text(espo.api_key, encoding="utf-8")
    async with serve_emulator(espo) as urls:
        config = EspoConfig.model_validate(
            {"url": urls["url"], "api_key": {"file": str(tmp_path / "key")}, "webhooks": {"secrets": [missing]}}
        )
        with pytest.raises(ConfigError) as refused:
            async with connect("crm", config, PlainHost()):
                raise AssertionError("connected without a secret")
    assert refused.value.key == "connectors.crm.webhooks.secrets.0.secret"
    assert espo.requests.all() == ()
