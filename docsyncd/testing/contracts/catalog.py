"""What every `Catalog` must do, as tests that run over a world: an emulator's, or a real remote's.

A connector's test module inherits the stories and says how its world is made:

    class TestMyCatalog(CatalogContract):
        @pytest.fixture
        async def world(self) -> AsyncIterator[CatalogWorld]:
            async with my_world() as world:
                yield world

The stories act through the world as people do in the catalog's own browser, and touch only what they made there: a world at
a real remote remembers it and cleans up.
"""

from __future__ import annotations

from collections.abc import Collection
from io import BytesIO
from typing import Protocol

import pytest
from PIL import Image

from docsyncd.core.model import (
    CaseFileNumber,
    CaseFileStage,
    CollectionId,
    CollectionStage,
    Document,
    DocumentId,
    DocumentStatus,
    Holder,
    IndexStatus,
    Membership,
    Revision,
)
from docsyncd.errors import NotReady, PreconditionFailed
from docsyncd.ports import Catalog, Changes, Patch

TEXT = "Sehr geehrte Damen und Herren,\nin der Sache Müller ./. Weiß überreiche ich den Schriftsatz.\n".encode()
BLAKE3 = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


class CatalogWorld(Protocol):
    """A remote that a story plays in, and what its people do there."""

    @property
    def catalog(self) -> Catalog:
        """The port under test, connected."""

    @property
    def holds(self) -> Collection[str]:
        """Which attributes of `Document` this installation can hold: `status`, `index_status`, `md5`, …"""

    @property
    def asks_consent(self) -> bool:
        """False where the active link is enough."""

    @property
    def holders_consent(self) -> bool:
        """Can the record that stands for a collection consent for documents without case file?"""

    async def add_document(self, name: str, content: bytes, *, case_file: str | None = None) -> DocumentId:
        """File a document whose name is its file's name."""

    async def replace_file(self, document: DocumentId, name: str, content: bytes) -> None:
        """Put another file into the record."""

    async def begin_upload(self, document: DocumentId, name: str, first: bytes, *, size: int) -> None:
        """Put a file into the record of which only the first bytes have arrived."""

    async def rename(self, document: DocumentId, name: str) -> None:
        """Change the record's name."""

    async def delete_document(self, document: DocumentId) -> None:
        """Delete the record."""

    async def picture(self, attachment: str) -> bytes:
        """The bytes of a stored picture, asked past the port."""

    async def add_case_file(self, *, admitted: bool = True) -> tuple[str, CaseFileNumber]:
        """A case file without consent; its id and its number, which no other case file has."""

    async def set_consent(self, case_file: str, *, given: bool) -> None:
        """Give or withdraw the case file's consent."""

    async def add_holder(
        self, collection: CollectionId | None, stage: CollectionStage, *, consent: bool = False
    ) -> str:
        """A record that stands for a collection; its id. `consent` where `holders_consent`."""

    async def link(self, document: DocumentId, holder: str) -> None:
        """Link the document to the collection's record."""

    async def unlink(self, document: DocumentId, holder: str) -> None:
        """End the link."""


async def read(world: CatalogWorld, document: DocumentId) -> Document:
    """The record, which must be there."""
    found = await world.catalog.document(document)
    assert found is not None
    return found


async def content(catalog: Catalog, document: Document) -> bytes:
    """All bytes behind the record's file, which must be as many as announced."""
    async with catalog.open(document) as download:
        body = b"".join([chunk async for chunk in download.chunks])
        assert len(body) == download.size
        return body


async def drained(catalog: Catalog, cursor: str | None) -> tuple[str, dict[DocumentId, bool]]:
    """Every change up to now: by document, whether it is deep. And the cursor behind it."""
    found: dict[DocumentId, bool] = {}
    while True:
        page: Changes = await catalog.changed_since(cursor)
        cursor = page.cursor
        for change in page.items:
            found[change.document] = change.deep or found.get(change.document, False)
        if not page.more:
            return cursor, found


def patch(**values: str | tuple[str, ...] | None) -> Patch:
    return Patch(values=values)


def webp() -> bytes:
    """A real picture of a page."""
    target = BytesIO()
    Image.new("RGB", (424, 600), "white").save(target, "WEBP", quality=85)
    return target.getvalue()


class CatalogContract:
    """The stories. Each gets a connected world."""

    async def test_a_document_is_read_as_it_was_filed(self, world: CatalogWorld) -> None:
        filed = await world.add_document("Klage Müller.txt", TEXT)
        document = await read(world, filed)
        assert document.id == filed
        assert document.name == "Klage Müller.txt"
        assert document.file is not None
        assert document.file.name == "Klage Müller.txt"
        assert document.case_file is None
        assert document.index_file is None
        assert document.collections == ()
        assert document.modified_at is not None
        assert document.modified_at.tzinfo is not None

    async def test_a_deleted_document_is_gone(self, world: CatalogWorld) -> None:
        document = await world.add_document("Entwurf.txt", TEXT)
        await world.delete_document(document)
        assert await world.catalog.document(document) is None

    async def test_an_id_that_never_was_is_gone(self, world: CatalogWorld) -> None:
        assert await world.catalog.document(DocumentId("0123456789abcdef0")) is None

    @pytest.mark.parametrize("size", [0, 1, 3 * 1024 * 1024 + 7], ids=["empty", "one", "three-mib"])
    async def test_the_bytes_come_out_as_they_went_in(self, world: CatalogWorld, size: int) -> None:
        filed = (TEXT * (size // len(TEXT) + 1))[:size]
        document = await read(world, await world.add_document("Anlage K1.txt", filed))
        assert await content(world.catalog, document) == filed

    @pytest.mark.parametrize(
        "name", ['Anlage "K 1"; Übersicht.txt', "..\\..\\x.txt", "a/b.txt", "100 % #1?.txt", "Σ 漢字.txt"]
    )
    async def test_a_name_is_only_a_name(self, world: CatalogWorld, name: str) -> None:
        document = await read(world, await world.add_document(name, TEXT))
        assert document.file is not None
        assert document.file.name == name
        assert await content(world.catalog, document) == TEXT

    async def test_a_file_that_is_still_being_uploaded_is_not_ready(self, world: CatalogWorld) -> None:
        filed = await world.add_document("Scan.txt", TEXT)
        await world.begin_upload(filed, "Scan 2.txt", TEXT, size=3 * len(TEXT))
        document = await read(world, filed)
        with pytest.raises(NotReady):
            await content(world.catalog, document)

    async def test_a_replaced_file_is_not_opened_under_its_old_name(self, world: CatalogWorld) -> None:
        before = await read(world, await world.add_document("Vertrag.txt", TEXT))
        await world.replace_file(before.id, "Vertrag v2.txt", TEXT * 2)
        with pytest.raises(PreconditionFailed):
            await content(world.catalog, before)
        assert await content(world.catalog, await read(world, before.id)) == TEXT * 2

    async def test_a_save_changes_what_it_names_and_nothing_else(self, world: CatalogWorld) -> None:
        filed = await world.add_document("Schriftsatz.txt", TEXT)
        before = await read(world, filed)
        saved = await world.catalog.save(before, patch(md5="a" * 32, index_error="abc"), expect=before.revision)
        assert (saved.md5, saved.index_error) == ("a" * 32, "abc")
        after = await world.catalog.save(saved, patch(index_error=None), expect=saved.revision)
        assert (after.md5, after.index_error) == ("a" * 32 if "md5" in world.holds else None, None)
        again = await read(world, filed)
        assert again.name == before.name
        assert again.file == before.file
        if "md5" in world.holds:
            assert again.md5 == "a" * 32

    async def test_what_the_index_has_can_be_written_and_cleared(self, world: CatalogWorld) -> None:
        document, collection = await self._placed(world, "Urteil.txt")
        again = await read(world, document)
        assert again.index_file == "file-1"
        assert again.collections == (collection,)
        assert again.indexed_hash == BLAKE3
        assert again.index_status is IndexStatus.SYNCED
        empty = Patch(
            index_status=IndexStatus.NONE,
            values={"index_file": None, "collections": (), "indexed_hash": None},
        )
        await world.catalog.save(again, empty, expect=again.revision)
        cleared = await read(world, document)
        assert cleared.index_file is None
        assert cleared.collections == ()
        assert cleared.indexed_hash is None
        assert cleared.index_status is not IndexStatus.SYNCED

    @pytest.mark.parametrize("status", [s for s in DocumentStatus if s is not DocumentStatus.UNKNOWN])
    async def test_a_status_is_returned_as_it_was_saved(self, world: CatalogWorld, status: DocumentStatus) -> None:
        before = await read(world, await world.add_document("Status.txt", TEXT))
        saved = await world.catalog.save(before, Patch(status=status, values={}), expect=before.revision)
        assert saved.status is status
        if "status" in world.holds:
            assert (await read(world, before.id)).status is status

    @pytest.mark.parametrize("status", [s for s in IndexStatus if s is not IndexStatus.UNKNOWN])
    async def test_an_index_status_is_returned_as_it_was_saved(self, world: CatalogWorld, status: IndexStatus) -> None:
        filed, _collection = await self._placed(world, "Status.txt")
        before = await read(world, filed)
        saved = await world.catalog.save(before, Patch(index_status=status, values={}), expect=before.revision)
        assert saved.index_status is status
        assert (await read(world, filed)).index_status in (status, IndexStatus.FAILED)

    async def test_a_save_over_a_replaced_file_is_refused(self, world: CatalogWorld) -> None:
        before = await read(world, await world.add_document("Vertrag.txt", TEXT))
        await world.replace_file(before.id, "Vertrag v2.txt", TEXT * 2)
        with pytest.raises(PreconditionFailed):
            await world.catalog.save(
                before, Patch(status=DocumentStatus.SYNCED, values={"md5": "b" * 32}), expect=before.revision
            )

    async def test_a_save_of_a_deleted_document_is_refused(self, world: CatalogWorld) -> None:
        before = await read(world, await world.add_document("Vertrag.txt", TEXT))
        await world.delete_document(before.id)
        with pytest.raises(PreconditionFailed):
            await world.catalog.save(before, patch(md5="c" * 32, preview=None), expect=before.revision)

    async def test_a_preview_shows_once_it_is_saved(self, world: CatalogWorld) -> None:
        before, picture = await read(world, await world.add_document("Brief.txt", TEXT)), webp()
        attachment = await world.catalog.attach_preview(before, picture, expect=before.revision)
        assert (await read(world, before.id)).preview is None
        await world.catalog.save(before, patch(preview=attachment), expect=before.revision)
        assert (await read(world, before.id)).preview == attachment
        assert await world.picture(attachment) == picture

    async def test_a_document_belongs_where_it_is_linked(self, world: CatalogWorld) -> None:
        document = await read(world, await world.add_document("Gutachten.txt", TEXT))
        assert await world.catalog.memberships(document) == ()
        active = await world.add_holder(CollectionId("collection_a"), CollectionStage.ACTIVE)
        fresh = await world.add_holder(None, CollectionStage.NEW)
        await world.link(document.id, active)
        await world.link(document.id, fresh)
        found = {m.holder.rpartition("/")[2]: m for m in await world.catalog.memberships(document)}
        assert (found[active].collection, found[active].stage) == ("collection_a", CollectionStage.ACTIVE)
        assert (found[fresh].collection, found[fresh].stage) == (None, CollectionStage.NEW)
        await world.unlink(document.id, active)
        assert [m.stage for m in await world.catalog.memberships(document)] == [CollectionStage.NEW]

    @pytest.mark.parametrize("stage", [CollectionStage.PAUSED, CollectionStage.DEACTIVATED])
    async def test_a_collection_that_rests_says_so(self, world: CatalogWorld, stage: CollectionStage) -> None:
        document = await read(world, await world.add_document("Gutachten.txt", TEXT))
        await world.link(document.id, await world.add_holder(CollectionId("collection_b"), stage))
        assert [m.stage for m in await world.catalog.memberships(document)] == [stage]

    async def test_consent_is_the_case_files_and_is_asked_each_time(self, world: CatalogWorld) -> None:
        case_file, _number = await world.add_case_file()
        document = await read(world, await world.add_document("Mandat.txt", TEXT, case_file=case_file))
        assert document.case_file == case_file
        holder = await world.add_holder(CollectionId("collection_c"), CollectionStage.ACTIVE, consent=True)
        await world.link(document.id, holder)
        assert await self._consent(world, document) is not world.asks_consent
        if not world.asks_consent:
            return
        await world.set_consent(case_file, given=True)
        assert await self._consent(world, document) is True
        await world.set_consent(case_file, given=False)
        assert await self._consent(world, document) is False

    async def test_without_case_file_the_collections_record_consents(self, world: CatalogWorld) -> None:
        document = await read(world, await world.add_document("Muster.txt", TEXT))
        closed = await world.add_holder(CollectionId("collection_d"), CollectionStage.ACTIVE, consent=False)
        opened = await world.add_holder(CollectionId("collection_e"), CollectionStage.ACTIVE, consent=True)
        await world.link(document.id, closed)
        await world.link(document.id, opened)
        found: dict[str, Membership] = {
            m.holder.rpartition("/")[2]: m for m in await world.catalog.memberships(document)
        }
        assert found[closed].consent is not world.asks_consent
        assert found[opened].consent is (world.holders_consent or not world.asks_consent)

    async def test_a_change_is_seen_by_the_next_poll(self, world: CatalogWorld) -> None:
        quiet = await world.add_document("Alt.txt", TEXT)
        cursor, _first = await drained(world.catalog, None)
        created = await world.add_document("Neu.txt", TEXT)
        cursor, found = await drained(world.catalog, cursor)
        assert found.get(created) is False
        await world.rename(quiet, "Alt, umbenannt.txt")
        _cursor, found = await drained(world.catalog, cursor)
        assert quiet in found

    async def test_a_change_is_seen_again_from_an_older_cursor(self, world: CatalogWorld) -> None:
        cursor, _first = await drained(world.catalog, None)
        created = await world.add_document("Neu.txt", TEXT)
        for _attempt in range(3):
            _later, found = await drained(world.catalog, cursor)
            assert created in found

    async def test_withdrawn_consent_is_seen_by_the_next_poll(self, world: CatalogWorld) -> None:
        if not world.asks_consent:
            pytest.skip("this installation asks for no consent")
        case_file, _number = await world.add_case_file()
        await world.set_consent(case_file, given=True)
        inside = await world.add_document("Innen.txt", TEXT, case_file=case_file)
        cursor, _first = await drained(world.catalog, None)
        await world.set_consent(case_file, given=False)
        _cursor, found = await drained(world.catalog, cursor)
        assert found.get(inside) is True

    async def test_every_document_is_listed_once(self, world: CatalogWorld) -> None:
        made = [await world.add_document(f"Liste {number}.txt", TEXT) for number in range(5)]
        await world.delete_document(made[2])
        listed = [document async for document in world.catalog.ids()]
        assert len(listed) == len(set(listed))
        assert {*made} & {*listed} == {*made} - {made[2]}

    async def test_every_link_of_an_active_collection_is_listed(self, world: CatalogWorld) -> None:
        made = [await world.add_document(f"Link {number}.txt", TEXT) for number in range(3)]
        active = await world.add_holder(CollectionId("collection_f"), CollectionStage.ACTIVE)
        paused = await world.add_holder(CollectionId("collection_g"), CollectionStage.PAUSED)
        for document in made:
            await world.link(document, active)
            await world.link(document, paused)
        found = [pair async for pair in world.catalog.links()]
        assert len(found) == len(set(found))
        assert {pair for pair in found if pair[0] == "collection_f"} == {("collection_f", each) for each in made}
        assert "collection_g" not in {collection for collection, _document in found}

    async def test_a_fresh_record_gets_its_collection(self, world: CatalogWorld) -> None:
        document = await world.add_document("Wissen.txt", TEXT)
        identifier = await world.add_holder(None, CollectionStage.NEW)
        await world.link(document, identifier)
        fresh = await self._holder(world, identifier)
        assert (fresh.collection, fresh.stage) == (None, CollectionStage.NEW)
        assert [each async for each in world.catalog.holder_documents(fresh.id)] == [document]
        created = CollectionId("collection_h")
        await world.catalog.save_holder(fresh, created, CollectionStage.ACTIVE, expect=fresh.revision)
        kept = await world.catalog.holder(fresh.id)
        assert kept is not None
        assert (kept.name, kept.collection, kept.stage) == (fresh.name, created, CollectionStage.ACTIVE)

    async def test_a_record_that_somebody_else_gave_a_collection_is_not_written_over(self, world: CatalogWorld) -> None:
        fresh = await self._holder(world, await world.add_holder(None, CollectionStage.NEW))
        first, second = CollectionId("collection_i"), CollectionId("collection_j")
        await world.catalog.save_holder(fresh, first, CollectionStage.ACTIVE, expect=fresh.revision)
        with pytest.raises(PreconditionFailed):
            await world.catalog.save_holder(fresh, second, CollectionStage.ACTIVE, expect=fresh.revision)
        kept = await world.catalog.holder(fresh.id)
        assert kept is not None
        assert kept.collection == first

    async def test_a_case_file_is_found_by_its_number(self, world: CatalogWorld) -> None:
        admitted, number = await world.add_case_file()
        refused, other = await world.add_case_file(admitted=False)
        found, shut = await world.catalog.case_file(number), await world.catalog.case_file(other)
        assert found is not None
        assert (found.id, found.number, found.stage) == (admitted, number, CaseFileStage.ADMITTED)
        assert shut is not None
        assert (shut.id, shut.stage) == (refused, CaseFileStage.REFUSED)
        assert await world.catalog.case_file(CaseFileNumber("987654321")) is None

    async def _placed(self, world: CatalogWorld, name: str) -> tuple[DocumentId, CollectionId]:
        """A document that the index holds in one collection, as its record says."""
        document = await world.add_document(name, TEXT)
        collection = CollectionId("collection_p")
        await world.link(document, await world.add_holder(collection, CollectionStage.ACTIVE))
        before = await read(world, document)
        expect: Revision | None = before.revision
        placed = Patch(
            index_status=IndexStatus.SYNCED,
            values={"index_file": "file-1", "collections": (collection,), "indexed_hash": BLAKE3},
        )
        await world.catalog.save(before, placed, expect=expect)
        return document, collection

    async def _holder(self, world: CatalogWorld, identifier: str) -> Holder:
        (found,) = [each async for each in world.catalog.holders() if each.id.endswith(f"/{identifier}")]
        return found

    async def _consent(self, world: CatalogWorld, document: Document) -> bool:
        (membership,) = await world.catalog.memberships(document)
        return membership.consent
