"""The installation whose rows between document and collection hold what the index knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from docsyncd.api import CollectionId, IndexStatus, Patch, PreconditionFailed
from docsyncd.testing.contracts.catalog import BLAKE3, webp
from docsyncd.testing.emulation import Fault, on
from docsyncd_espocrm.emulator import EspoEmulator
from tests.plugins.espocrm.connected import Connected, connected

PDF = b"%PDF-1.4\n"
ROWS = "CAIKnowledgeCDokumente"
Values = Mapping[str, str | tuple[str, ...] | None]
PLACED: Values = {"index_file": "file-1", "collections": (CollectionId("c1"),), "indexed_hash": BLAKE3}


def emulator() -> EspoEmulator:
    return EspoEmulator(profile="vmh-2026-03-23", webhook_period=None)


def rows(at: Connected) -> dict[str, dict[str, object]]:
    """The living rows by the collection of their holder."""
    holders = {record["id"]: record["datenbankId"] for record in at.world.records("CAIKnowledge")}
    return {holders[row["cAIKnowledgeId"]]: row for row in at.world.records(ROWS)}


async def test_an_indexed_document_is_marked_in_its_row(tmp_path: Path) -> None:
    async with connected(tmp_path, emulator(), consent_field="") as at:
        filed = at.world.add_document("Klage.pdf", PDF)
        at.link(filed, at.knowledge("c1"))
        document = await at.read(filed)
        assert (document.index_status, document.collections) == (IndexStatus.NONE, ())
        await at.catalog.save(document, Patch(index_status=IndexStatus.SYNCED, values=PLACED), expect=None)
        row = rows(at)["c1"]
        assert (row["aiDocumentId"], row["syncstatus"], row["syncedHash"]) == ("file-1", "synced", BLAKE3)
        assert row["lastSync"] is not None


async def test_reading_rows_costs_one_request(tmp_path: Path) -> None:
    async with connected(tmp_path, emulator(), consent_field="") as at:
        filed = at.world.add_document("Klage.pdf", PDF)
        at.link(filed, at.knowledge("c1"))
        await at.read(filed)
        start = at.espo.requests.last
        await at.read(filed)
        assert at.requests_since(start) == [f"GET /CDokumente/{filed}", f"GET /{ROWS}"]


async def test_a_collection_that_was_created_meanwhile_is_known(tmp_path: Path) -> None:
    async with connected(tmp_path, emulator(), consent_field="") as at:
        filed, holder = at.world.add_document("Klage.pdf", PDF), at.knowledge(None, "new")
        at.link(filed, holder)
        document = await at.read(filed)
        start = at.espo.requests.last
        await at.read(filed)
        assert len(at.requests_since(start)) == 2
        at.world.update("CAIKnowledge", holder, datenbankId="c1", aktivierungsstatus="active")
        saved = await at.catalog.save(document, Patch(index_status=IndexStatus.SYNCED, values=PLACED), expect=None)
        assert saved.collections == ("c1",)


async def test_a_document_in_many_collections_is_read_whole(tmp_path: Path) -> None:
    async with connected(tmp_path, emulator(), consent_field="", page_size=3) as at:
        filed = at.world.add_document("Klage.pdf", PDF)
        collections = tuple(CollectionId(f"c{number:02}") for number in range(13))
        for collection in collections:
            at.link(filed, at.knowledge(collection))
        patch = Patch(index_status=IndexStatus.SYNCED, values={**PLACED, "collections": collections})
        saved = await at.catalog.save(await at.read(filed), patch, expect=None)
        assert saved.collections == collections


async def test_rows_of_other_collections_do_not_read_synced(tmp_path: Path) -> None:
    async with connected(tmp_path, emulator(), consent_field="") as at:
        filed = at.world.add_document("Klage.pdf", PDF)
        at.link(filed, at.knowledge("c1"))
        at.link(filed, at.knowledge("c2", "paused"))
        document = await at.read(filed)
        begun = await at.catalog.save(document, Patch(index_status=IndexStatus.SYNCING, values={}), expect=None)
        await at.catalog.save(begun, Patch(index_status=IndexStatus.SYNCED, values=PLACED), expect=None)
        assert (rows(at)["c1"]["syncstatus"], rows(at)["c2"]["syncstatus"]) == ("synced", "new")
        assert rows(at)["c2"]["aiDocumentId"] is None


async def test_a_second_collection_gets_the_same_file(tmp_path: Path) -> None:
    async with connected(tmp_path, emulator(), consent_field="") as at:
        filed = at.world.add_document("Klage.pdf", PDF)
        at.link(filed, at.knowledge("c1"))
        document = await at.read(filed)
        placed = await at.catalog.save(document, Patch(index_status=IndexStatus.SYNCED, values=PLACED), expect=None)
        at.link(filed, at.knowledge("c2"))
        both = Patch(index_status=IndexStatus.SYNCED, values={"collections": ("c1", "c2")})
        saved = await at.catalog.save(placed, both, expect=None)
        assert saved.collections == ("c1", "c2")
        assert saved.index_status is IndexStatus.SYNCED
        assert rows(at)["c2"]["aiDocumentId"] == "file-1"
        assert rows(at)["c2"]["syncedHash"] == BLAKE3


async def test_a_collection_that_the_document_left_forgets_it(tmp_path: Path) -> None:
    async with connected(tmp_path, emulator(), consent_field="") as at:
        filed = at.world.add_document("Klage.pdf", PDF)
        at.link(filed, at.knowledge("c1"))
        document = await at.read(filed)
        placed = await at.catalog.save(document, Patch(index_status=IndexStatus.SYNCED, values=PLACED), expect=None)
        out: Values = {"index_file": None, "collections": (), "indexed_hash": None}
        await at.catalog.save(placed, Patch(index_status=IndexStatus.NONE, values=out), expect=None)
        row = rows(at)["c1"]
        assert (row["aiDocumentId"], row["syncedHash"], row["syncstatus"]) == (None, None, "new")


async def test_a_refused_document_is_unsupported_in_every_row(tmp_path: Path) -> None:
    async with connected(tmp_path, emulator(), consent_field="") as at:
        filed = at.world.add_document("Klage.pdf", PDF)
        at.link(filed, at.knowledge("c1"))
        document = await at.read(filed)
        out: Values = {"index_file": None, "collections": (), "indexed_hash": None, "index_error": "Dateityp"}
        saved = await at.catalog.save(document, Patch(index_status=IndexStatus.UNSUPPORTED, values=out), expect=None)
        assert saved.index_status is IndexStatus.UNSUPPORTED
        assert rows(at)["c1"]["syncstatus"] == "unsupported"


async def test_a_link_that_went_meanwhile_is_planned_again(tmp_path: Path) -> None:
    async with connected(tmp_path, emulator(), consent_field="") as at:
        filed, holder = at.world.add_document("Klage.pdf", PDF), at.knowledge("c1")
        at.link(filed, holder)
        document = await at.read(filed)
        at.world.unlink("CDokumente", filed, "cAIKnowledges", holder)
        with pytest.raises(PreconditionFailed, match="c1"):
            await at.catalog.save(document, Patch(index_status=IndexStatus.SYNCED, values=PLACED), expect=None)


async def test_the_installations_hook_does_not_undo_what_was_written(tmp_path: Path) -> None:
    async with connected(tmp_path, emulator(), consent_field="") as at:
        filed = at.world.add_document("Klage.pdf", PDF)
        at.link(filed, at.knowledge("c1"))
        document = await at.read(filed)
        preview = await at.catalog.attach_preview(document, webp(), expect=None)
        patch = Patch(index_status=IndexStatus.SYNCED, values={**PLACED, "preview": preview})
        saved = await at.catalog.save(document, patch, expect=None)
        assert (saved.preview, saved.index_status) == (preview, IndexStatus.SYNCED)
        assert rows(at)["c1"]["syncstatus"] == "synced"


async def test_equal_values_are_not_written_again(tmp_path: Path) -> None:
    async with connected(tmp_path, emulator(), consent_field="") as at:
        filed = at.world.add_document("Klage.pdf", PDF)
        at.link(filed, at.knowledge("c1"))
        patch = Patch(index_status=IndexStatus.SYNCED, values=PLACED)
        saved = await at.catalog.save(await at.read(filed), patch, expect=None)
        start = at.espo.requests.last
        await at.catalog.save(saved, patch, expect=None)
        assert not any(line.startswith("PUT") for line in at.requests_since(start))


async def test_the_installations_own_routes_can_be_configured(tmp_path: Path) -> None:
    routes = {"rows_route": "/JunctionData/{document}/knowledge", "row_route": "/{entity}/{row}"}
    async with connected(tmp_path, emulator(), consent_field="", names={"junction": routes}) as at:
        filed, other, holder = (
            at.world.add_document("Klage.pdf", PDF),
            at.world.add_document("andere.pdf", PDF),
            at.knowledge("c1"),
        )
        at.link(filed, holder)
        at.link(other, holder)

        async def answer(_request: object) -> None:
            fault.body = json.dumps(at.world.records(ROWS)).encode()

        route = on("GET", f"/JunctionData/{filed}/knowledge")
        fault = at.espo.faults.add(Fault(match=route, before=answer, status=200, times=None))
        document = await at.read(filed)
        saved = await at.catalog.save(document, Patch(index_status=IndexStatus.SYNCED, values=PLACED), expect=None)
        assert saved.index_file == "file-1"
        written = {row["cDokumenteId"]: row["aiDocumentId"] for row in at.world.records(ROWS)}
        assert written == {filed: "file-1", other: None}
