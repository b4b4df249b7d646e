"""What every `Index` must do, as tests that run over a world: an emulator's, or a real remote's.

A connector's test module inherits the stories and says how its world is made:

    class TestMyIndex(IndexContract):
        @pytest.fixture
        async def world(self) -> AsyncIterator[IndexWorld]:
            async with my_world() as world:
                yield world

The stories create only documents of `world.document()` and collections of `world.make_collection()`, so that a world at a real
remote can clean up after itself. They wait as long as `world.patience` says, never a fixed time.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread
import pytest

from docsyncd.core import index_tag
from docsyncd.core.model import CollectionId, Digests, DocumentId, IndexFileId, Placement, PlacementState
from docsyncd.errors import CollectionGone, FileGone, NotReady
from docsyncd.hashing import digest_file
from docsyncd.ports import Index, Staged

Found = TypeVar("Found")

TEXT = "Die Klage wird zugestellt. Gegenstandswert 12.000 Euro; Termin am 3. März, Saal 101.\n"


class IndexWorld(Protocol):
    """A remote that a story plays in."""

    @property
    def index(self) -> Index:
        """The port under test, connected."""

    @property
    def patience(self) -> float:
        """Seconds that the remote may need to index a small text or to agree with itself."""

    def document(self) -> DocumentId:
        """A fresh document id, by which the world finds what to clean up."""

    async def make_collection(self) -> CollectionId:
        """An empty collection."""

    async def remove_collection(self, collection: CollectionId) -> None:
        """As if another client had deleted it."""

    async def contents(self, collection: CollectionId) -> Mapping[IndexFileId, str]:
        """What the remote itself says is in there, by name; asked past the port."""


@asynccontextmanager
async def staged(text: str) -> AsyncIterator[Staged]:
    """A text on the local disk, as the host would hand it over."""
    async with anyio.TemporaryDirectory() as folder:
        path = Path(folder) / "staged"
        await anyio.Path(path).write_text(text, encoding="utf-8")
        digests: Digests = await anyio.to_thread.run_sync(digest_file, path)
        yield Staged(path=path, digests=digests)


async def eventually(world: IndexWorld, ask: Callable[[], Awaitable[Found | None]]) -> Found:
    """The first answer that is not None; `NotReady` counts as none yet."""
    with anyio.fail_after(world.patience):
        pause = 0.05
        while True:
            try:
                answer = await ask()
            except NotReady:
                answer = None
            if answer is not None:
                return answer
            await anyio.sleep(pause)
            pause = min(pause * 1.5, 5.0)


async def stored(world: IndexWorld, document: DocumentId, *, name: str = "Klage.txt", text: str = TEXT) -> IndexFileId:
    """Upload one text under the document's tag and wait until the remote shows it."""
    async with staged(text) as content:
        file = await world.index.upload(content, index_tag.compose(name, document, content.digests.blake3))
    await eventually(world, lambda: world.index.file(file))
    return file


async def placed(
    world: IndexWorld, file: IndexFileId, collection: CollectionId, fields: Mapping[str, str] | None = None
) -> Placement:
    """Place the file and wait until the remote has finished with it, well or badly."""

    async def accepted() -> bool:
        await world.index.place(file, collection, fields or {})
        return True

    async def finished() -> Placement | None:
        placement = await world.index.status(file, collection)
        return placement if placement.state in (PlacementState.READY, PlacementState.FAILED) else None

    await eventually(world, accepted)
    return await eventually(world, finished)


async def withdrawn(world: IndexWorld, file: IndexFileId, collection: CollectionId) -> None:
    """End the membership and wait until the remote says so."""

    async def gone() -> bool | None:
        await world.index.withdraw(file, collection)
        placement = await world.index.status(file, collection)
        return True if placement.state is PlacementState.ABSENT else None

    await eventually(world, gone)


class IndexContract:
    """The stories. Each makes what it needs and leaves the cleaning to its world."""

    async def test_an_upload_is_found_by_its_tag_alone(self, world: IndexWorld) -> None:
        document = world.document()
        async with staged(TEXT) as content:
            name = index_tag.compose("Klage.txt", document, content.digests.blake3)
            file = await world.index.upload(content, name)
            tag = index_tag.tag(document, content.digests.blake3)

        async def found() -> IndexFileId | None:
            files = await world.index.find(tag, since=None)
            assert all((entry.name, entry.size) == (name, content.size) for entry in files)
            return files[0].id if files else None

        assert await eventually(world, found) == file

    async def test_another_content_of_the_document_has_another_tag(self, world: IndexWorld) -> None:
        document = world.document()
        await stored(world, document, text=TEXT)
        async with staged(TEXT + "Nachtrag\n") as other:
            assert await world.index.find(index_tag.tag(document, other.digests.blake3), since=None) == ()

    async def test_the_same_content_twice_is_two_files(self, world: IndexWorld) -> None:
        document = world.document()
        first = await stored(world, document)
        second = await stored(world, document)
        assert first != second
        async with staged(TEXT) as content:
            tag = index_tag.tag(document, content.digests.blake3)

        async def both() -> set[IndexFileId] | None:
            files = {file.id for file in await world.index.find(tag, since=None)}
            return files if len(files) == 2 else None

        assert await eventually(world, both) == {first, second}

    @pytest.mark.parametrize(
        "name", ["Klageerwiderung Müller ./. Groß & Söhne.txt", "100 % [Entwurf] (2).txt", "Übergabe: „Anlage“ K1.txt"]
    )
    async def test_a_name_arrives_as_it_was_sent(self, world: IndexWorld, name: str) -> None:
        document = world.document()
        file = await stored(world, document, name=name)
        found = await world.index.file(file)
        assert found is not None
        tag = index_tag.read(found.name)
        assert tag is not None
        assert tag.document == document
        forbidden = str.maketrans("/", "_")
        assert found.name.translate(forbidden) == name.translate(forbidden).replace(".txt", f" {tag}.txt")

    async def test_a_hostile_name_does_not_stop_the_upload(self, world: IndexWorld) -> None:
        document = world.document()
        name = 'Vollmacht "alt"; C:\\Akten\r\nX\x85\u2028' + "ä" * 300 + ".txt"
        file = await stored(world, document, name=name)
        found = await world.index.file(file)
        assert found is not None
        assert len(found.name) <= index_tag.LIMIT
        tag = index_tag.read(found.name)
        assert tag is not None
        assert tag.document == document
        assert found.name.endswith(f"{tag}.txt")

    async def test_a_placed_file_becomes_ready_with_our_hash(self, world: IndexWorld) -> None:
        collection = await world.make_collection()
        file = await stored(world, world.document())
        placement = await placed(world, file, collection)
        assert placement.state is PlacementState.READY
        async with staged(TEXT) as content:
            assert placement.content in (None, content.digests.blake3)
        assert set(await world.contents(collection)) == {file}

    async def test_fields_that_the_collection_does_not_know_do_not_stop_it(self, world: IndexWorld) -> None:
        collection = await world.make_collection()
        file = await stored(world, world.document())
        placement = await placed(world, file, collection, {"aktenzeichen": "12/26 Mü"})
        assert placement.state is PlacementState.READY

    async def test_placing_twice_is_placing_once(self, world: IndexWorld) -> None:
        collection = await world.make_collection()
        file = await stored(world, world.document())
        await placed(world, file, collection)
        await placed(world, file, collection)
        assert [placement.file async for placement in world.index.members(collection)] == [file]

    async def test_a_file_leaves_one_collection_and_stays_in_the_other(self, world: IndexWorld) -> None:
        left, kept = await world.make_collection(), await world.make_collection()
        document = world.document()
        file = await stored(world, document)
        await placed(world, file, left)
        await placed(world, file, kept)
        await withdrawn(world, file, left)

        async def only_kept() -> bool | None:
            placements = await world.index.placements(document, [left, kept])
            return True if [(p.file, p.collection) for p in placements] == [(file, kept)] else None

        assert await eventually(world, only_kept)
        assert await world.index.file(file) is not None
        assert set(await world.contents(kept)) == {file}

    async def test_withdrawing_what_is_no_member_is_success(self, world: IndexWorld) -> None:
        collection = await world.make_collection()
        file = await stored(world, world.document())
        await world.index.withdraw(file, collection)
        assert (await world.index.status(file, collection)).state is PlacementState.ABSENT

    async def test_forgetting_twice_is_success(self, world: IndexWorld) -> None:
        file = await stored(world, world.document())
        await world.index.forget(file)

        async def gone() -> bool | None:
            return True if await world.index.file(file) is None else None

        assert await eventually(world, gone)
        await world.index.forget(file)

    async def test_placements_are_those_of_one_document(self, world: IndexWorld) -> None:
        collection = await world.make_collection()
        document, neighbour = world.document(), world.document()
        file = await stored(world, document)
        other = await stored(world, neighbour, name=f"Antwort auf [{document}-0123456789ab].txt")
        await placed(world, file, collection)
        await placed(world, other, collection)

        async def listed() -> bool | None:
            found = [p.file for p in await world.index.placements(document, [collection])]
            return True if found == [file] else None

        assert await eventually(world, listed)

    async def test_a_collection_that_is_gone_is_said_to_be(self, world: IndexWorld) -> None:
        collection = await world.make_collection()
        document = world.document()
        await world.remove_collection(collection)
        with pytest.raises(CollectionGone) as refusal:
            await world.index.placements(document, [collection])
        assert refusal.value.collection == collection
        file = await stored(world, document)
        with pytest.raises(CollectionGone):
            await world.index.place(file, collection, {})
        with pytest.raises(CollectionGone):
            _ = [placement async for placement in world.index.members(collection)]
        await world.index.withdraw(file, collection)
        await world.index.delete_collection(collection)

    async def test_a_file_that_is_gone_is_not_placed(self, world: IndexWorld) -> None:
        collection = await world.make_collection()
        file = await stored(world, world.document())
        await world.index.forget(file)
        with pytest.raises((NotReady, FileGone)):
            await world.index.place(file, collection, {})
        assert await world.contents(collection) == {}

    async def test_every_file_with_a_tag_is_listed_and_no_other(self, world: IndexWorld) -> None:
        file = await stored(world, world.document())
        async with staged(TEXT) as content:
            foreign = await world.index.upload(content, f"Fremd {secrets.token_hex(4)}.txt")
        try:

            async def listed() -> bool | None:
                found = {entry.id async for entry in world.index.files()}
                assert foreign not in found
                return True if file in found else None

            assert await eventually(world, listed)
        finally:
            await eventually(world, lambda: world.index.file(foreign))
            await world.index.forget(foreign)

    async def test_every_member_is_listed(self, world: IndexWorld) -> None:
        collection = await world.make_collection()
        files = {await stored(world, world.document(), text=f"{TEXT}{number}\n") for number in range(3)}
        for file in files:
            await placed(world, file, collection)

        async def listed() -> set[IndexFileId] | None:
            found = {placement.file async for placement in world.index.members(collection)}
            return found if len(found) == 3 else None

        assert await eventually(world, listed) == files

    async def test_a_created_collection_can_be_filled_and_deleted(self, world: IndexWorld) -> None:
        collection = await world.index.create_collection("docsyncd contract: Müller ./. Groß")
        try:
            file = await stored(world, world.document())
            assert (await placed(world, file, collection)).state is PlacementState.READY
            await withdrawn(world, file, collection)
        finally:
            await world.index.delete_collection(collection)
        with pytest.raises(CollectionGone):
            _ = [placement async for placement in world.index.members(collection)]

    async def test_what_cannot_be_indexed_is_refused_without_asking(self, world: IndexWorld) -> None:
        assert world.index.refusal("Klage.txt", 1) is None
        assert world.index.refusal("Klage.txt", 0)
        assert world.index.refusal("Klage.txt", 10**15)
        assert world.index.refusal("Klage.docsyncd-unknown", 1)
