"""Long lists: complete, or an error."""

from __future__ import annotations

from datetime import timedelta

import pytest

from docsyncd.api import CollectionId, DocumentId, ProtocolViolation, index_tag
from docsyncd.testing.emulation import Fault, on
from docsyncd.testing.host import HandClock
from docsyncd_xai.emulator import Behaviour
from docsyncd_xai.emulator.world import Paging
from tests.plugins.xai.emulated import CONTENT, DOCUMENT, NAME, TAG, Emulated, emulated


def fill(xai: Emulated, count: int, *, collection: CollectionId | None = None) -> None:
    """Files of as many documents."""
    for number in range(count):
        name = index_tag.compose(f"{number}.txt", DocumentId(f"d{number}"), CONTENT)
        file = xai.file(name, b"")
        if collection is not None:
            xai.emulator.world.place(file, collection)


@pytest.mark.parametrize("paging", ["always", "absent"])
@pytest.mark.parametrize("count", [0, 99, 100, 101, 200])
async def test_every_file_is_listed_once(paging: Paging, count: int) -> None:
    async with emulated(Behaviour(files_paging=paging)) as xai:
        fill(xai, count)
        listed = [file.id async for file in xai.index.files()]
        assert sorted(listed) == sorted(xai.emulator.world.files)


@pytest.mark.parametrize("paging", ["always", "absent"])
@pytest.mark.parametrize("count", [0, 99, 100, 101, 200])
async def test_every_member_is_listed_once(paging: Paging, count: int) -> None:
    async with emulated(Behaviour(management_paging=paging)) as xai:
        collection = xai.collection()
        fill(xai, count, collection=collection)
        listed = [placement.file async for placement in xai.index.members(collection)]
        assert sorted(listed) == sorted(xai.emulator.world.files)


async def test_a_token_that_leads_nowhere_is_no_end() -> None:
    """One client saw the same page for ever: what lies behind it is unknown, and nobody may call it absent."""
    async with emulated(Behaviour(files_paging="stuck", management_paging="stuck")) as xai:
        collection = xai.collection()
        fill(xai, 101, collection=collection)
        with pytest.raises(ProtocolViolation, match="list of files repeats itself"):
            _ = [file async for file in xai.index.files()]
        with pytest.raises(ProtocolViolation, match="repeats itself"):
            _ = [placement async for placement in xai.index.members(collection)]
        with pytest.raises(ProtocolViolation, match="list of files repeats itself"):
            await xai.index.find(TAG, since=None)


async def test_a_stuck_token_does_no_harm_to_a_short_list() -> None:
    async with emulated(Behaviour(files_paging="stuck", management_paging="stuck")) as xai:
        collection = xai.collection()
        fill(xai, 3, collection=collection)
        assert len([file async for file in xai.index.files()]) == 3
        assert len([placement async for placement in xai.index.members(collection)]) == 3


async def test_a_list_that_breaks_off_is_not_complete() -> None:
    async with emulated() as xai:
        fill(xai, 150)
        xai.emulator.faults.add(Fault(match=on("GET", "/v1/files"), skip=1, status=200, body=b"<html>"))
        with pytest.raises(ProtocolViolation, match="something unexpected"):
            _ = [file async for file in xai.index.files()]


async def test_every_parameter_is_sent() -> None:
    """Defaults differ between xAI's interfaces, and without sort_by there is no order at all."""
    async with emulated() as xai:
        collection = xai.collection()
        await xai.index.find(TAG, since=None)
        await xai.index.placements(DOCUMENT, [collection])
        assert [request.query for request in xai.emulator.requests.all()] == [
            "limit=100&order=desc&sort_by=created_at",
            f'limit=100&order=ORDERING_DESCENDING&sort_by=DOCUMENTS_SORT_BY_AGE&filter=name:"{DOCUMENT}"',
        ]


async def test_a_bounded_search_reads_no_further_than_it_must() -> None:
    clock = HandClock()
    async with emulated(clock=clock) as xai:
        old = xai.file()
        fill(xai, 250)
        clock.pass_by(3600)
        begin = clock.now()
        recent = xai.file()
        assert [file.id for file in await xai.index.find(TAG, since=begin)] == [recent]
        assert len(xai.emulator.requests.all()) == 1
        assert {file.id for file in await xai.index.find(TAG, since=None)} == {old, recent}


async def test_clocks_that_differ_by_minutes_hide_nothing() -> None:
    clock = HandClock()
    async with emulated(clock=clock) as xai:
        file = xai.file()
        found = await xai.index.find(TAG, since=clock.now() + timedelta(minutes=4))
        assert [entry.id for entry in found] == [file]
        assert await xai.index.find(TAG, since=clock.now() + timedelta(minutes=6)) == ()


async def test_a_name_that_only_holds_the_tag_is_not_ours() -> None:
    async with emulated() as xai:
        xai.file(f"Antwort auf {TAG} vom Mai.txt")
        xai.file("Klage.txt")
        xai.file(index_tag.compose(f"Antwort auf {TAG}.txt", DocumentId("other"), CONTENT))
        assert await xai.index.find(TAG, since=None) == ()
        assert [file.name async for file in xai.index.files()] == [f"Antwort auf {TAG} [other-0123456789ab].txt"]


async def test_placements_ask_all_collections_at_once() -> None:
    async with emulated() as xai:
        collections = [xai.collection() for _ in range(5)]
        file = xai.file(NAME)
        for collection in collections[:3]:
            xai.emulator.world.place(file, collection)
        xai.emulator.faults.add(Fault(match=on("GET", "/documents"), times=None, delay=0.2))
        before = xai.emulator.world.clock.monotonic()
        placements = await xai.index.placements(DOCUMENT, [*collections, collections[0]])
        assert xai.emulator.world.clock.monotonic() - before < 0.8
        assert {placement.collection for placement in placements} == set(collections[:3])
        assert len(xai.emulator.requests.all()) == 5


async def test_an_id_that_no_tag_can_carry_is_placed_nowhere() -> None:
    async with emulated() as xai:
        assert await xai.index.placements(DocumentId('x" OR name:"'), [xai.collection()]) == ()
        assert xai.emulator.requests.all() == ()
