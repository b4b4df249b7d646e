"""Placing, withdrawing and forgetting where xAI's documentation is silent."""

from __future__ import annotations

from typing import Literal

import pytest

from docsyncd.api import (
    CollectionGone,
    CollectionId,
    FileGone,
    IndexFileId,
    NotReady,
    PlacementState,
    Rejected,
    RequestFailed,
)
from docsyncd.testing.contracts.index import staged
from docsyncd.testing.emulation import Fault, on
from docsyncd.testing.host import HandClock
from docsyncd_xai.emulator import Behaviour, FieldDefinition
from tests.plugins.xai.emulated import DOCUMENT, NAME, Emulated, emulated

PLACINGS = on("POST", "/documents/")


async def upload(xai: Emulated) -> IndexFileId:
    async with staged("Klage") as content:
        return await xai.index.upload(content, NAME)


async def test_a_file_that_xai_does_not_see_yet_is_placed_later() -> None:
    clock = HandClock()
    async with emulated(Behaviour(upload_lag=20), clock=clock) as xai:
        clock.pass_by(3600)
        collection = xai.collection()
        file = await upload(xai)
        with pytest.raises(NotReady) as unseen:
            await xai.index.place(file, collection, {})
        assert unseen.value.retry_after == 3.0
        clock.pass_by(21)
        await xai.index.place(file, collection, {})
        assert list(await xai.contents(collection)) == [file]


async def test_a_new_connection_does_not_know_what_was_uploaded_just_before() -> None:
    clock = HandClock()
    async with emulated(clock=clock) as xai:
        collection = xai.collection()
        with pytest.raises(NotReady):
            await xai.index.place(IndexFileId("file_unknown"), collection, {})
        clock.pass_by(61)
        with pytest.raises(FileGone) as gone:
            await xai.index.place(IndexFileId("file_unknown"), collection, {})
        assert gone.value.file == "file_unknown"


async def test_a_file_that_only_one_host_sees_counts_as_a_failed_attempt() -> None:
    clock = HandClock()
    async with emulated(clock=clock) as xai:
        collection, file = xai.collection(), xai.file()
        clock.pass_by(30)
        fresh = xai.file()
        clock.pass_by(45)
        xai.emulator.faults.add(Fault(match=PLACINGS, times=2, status=404))
        with pytest.raises(RequestFailed, match="does not see it"):
            await xai.index.place(file, collection, {})
        with pytest.raises(NotReady):
            await xai.index.place(fresh, collection, {})


async def test_what_was_just_uploaded_is_not_said_to_be_gone() -> None:
    clock = HandClock()
    async with emulated(Behaviour(upload_lag=20), clock=clock) as xai:
        file = await upload(xai)
        with pytest.raises(NotReady):
            await xai.index.file(file)
        with pytest.raises(NotReady):
            await xai.index.forget(file)
        clock.pass_by(21)
        assert await xai.index.file(file) is not None
        await xai.index.forget(file)
        assert await xai.index.file(file) is None
        assert xai.emulator.world.files == {}


async def test_what_was_just_placed_is_pending_and_cannot_slip_through_a_withdrawal() -> None:
    clock = HandClock()
    async with emulated(Behaviour(membership_lag=20), clock=clock) as xai:
        collection, file = xai.collection(), xai.file()
        await xai.index.place(file, collection, {})
        assert (await xai.index.status(file, collection)).state is PlacementState.PENDING
        with pytest.raises(NotReady):
            await xai.index.withdraw(file, collection)
        clock.pass_by(21)
        await xai.index.withdraw(file, collection)
        assert await xai.contents(collection) == {}
        assert (await xai.index.status(file, collection)).state is PlacementState.ABSENT


@pytest.mark.parametrize("same_member", ["overwrite", "conflict"])
async def test_being_a_member_already_is_success(same_member: Literal["overwrite", "conflict"]) -> None:
    async with emulated(Behaviour(same_member=same_member)) as xai:
        collection, file = xai.collection(), xai.file()
        xai.emulator.world.place(file, collection)
        await xai.index.place(file, collection, {})
        await xai.index.place(file, collection, {})
        assert list(await xai.contents(collection)) == [file]


async def test_any_refusal_of_a_member_is_success() -> None:
    async with emulated() as xai:
        collection, file = xai.collection(), xai.file()
        xai.emulator.world.place(file, collection)
        xai.emulator.faults.add(Fault(match=PLACINGS, status=400, body=b'{"code": 3, "message": "already exists"}'))
        await xai.index.place(file, collection, {})


async def test_a_conflict_that_shows_no_member_is_waited_for_and_then_final() -> None:
    clock = HandClock()
    async with emulated(clock=clock) as xai:
        collection, file = xai.collection(), xai.file()
        xai.emulator.faults.add(
            Fault(match=PLACINGS, times=None, status=409, body=b'{"message": "field x must be unique"}')
        )
        with pytest.raises(NotReady):
            await xai.index.place(file, collection, {})
        clock.pass_by(61)
        with pytest.raises(Rejected, match="field x must be unique"):
            await xai.index.place(file, collection, {})


async def test_a_placing_whose_answer_is_lost_is_repeated() -> None:
    async with emulated(Behaviour(same_member="conflict")) as xai:
        collection, file = xai.collection(), xai.file()
        xai.emulator.faults.add(Fault(match=PLACINGS, cut=True, effect=True))
        await xai.index.place(file, collection, {})
        assert list(await xai.contents(collection)) == [file]


async def test_only_defined_fields_are_sent() -> None:
    async with emulated() as xai:
        world = xai.emulator.world
        plain = xai.collection()
        defined = CollectionId(world.create_collection("Akte", {"case": FieldDefinition(key="case", required=True)}))
        file = xai.file()
        for collection in (plain, defined, plain):
            await xai.index.place(file, collection, {"case": "12/26 Mü", "other": "x"})
        assert world.collections[plain].members[file].fields == {}
        assert world.collections[defined].members[file].fields == {"case": "12/26 Mü"}
        reads = [request.verb for request in xai.emulator.requests.all()].count("GET /v1/collections/{collection}")
        assert reads == 2


async def test_definitions_that_changed_are_read_again_after_a_refusal() -> None:
    async with emulated() as xai:
        world = xai.emulator.world
        collection = CollectionId(world.create_collection("Akte", {"case": FieldDefinition(key="case")}))
        await xai.index.place(xai.file(), collection, {"case": "12/26"})
        world.collections[collection].definitions.clear()
        file = xai.file()
        with pytest.raises(Rejected, match="not defined"):
            await xai.index.place(file, collection, {"case": "12/26"})
        await xai.index.place(file, collection, {"case": "12/26"})
        assert world.collections[collection].members[file].fields == {}


async def test_a_required_field_that_is_missing_is_final() -> None:
    async with emulated() as xai:
        definition = FieldDefinition(key="case", required=True)
        collection = CollectionId(xai.emulator.world.create_collection("Akte", {"case": definition}))
        with pytest.raises(Rejected, match="field case is required"):
            await xai.index.place(xai.file(), collection, {})


async def test_a_collection_deleted_behind_our_back_is_named() -> None:
    async with emulated() as xai:
        collection, file = xai.collection(), xai.file()
        await xai.index.place(file, collection, {})
        await xai.remove_collection(collection)
        with pytest.raises(CollectionGone, match=collection):
            await xai.index.place(file, collection, {})
        with pytest.raises(CollectionGone, match=collection):
            await xai.index.placements(DOCUMENT, [xai.collection(), collection])


async def test_a_dangling_member_is_still_reported() -> None:
    async with emulated(Behaviour(delete_placed="dangling", index_seconds=0)) as xai:
        collection, file = xai.collection(), xai.file()
        await xai.index.place(file, collection, {})
        await xai.index.forget(file)
        (placement,) = await xai.index.placements(DOCUMENT, [collection])
        assert placement.file == file
        await xai.index.withdraw(file, collection)
        assert await xai.index.placements(DOCUMENT, [collection]) == ()


async def test_xai_may_refuse_to_delete_what_is_placed() -> None:
    async with emulated(Behaviour(delete_placed="refuse")) as xai:
        collection, file = xai.collection(), xai.file()
        await xai.index.place(file, collection, {})
        with pytest.raises(Rejected, match="in use"):
            await xai.index.forget(file)


@pytest.mark.parametrize("unsupported", ["failed", "skipped"])
async def test_what_xai_cannot_index_has_failed(unsupported: Literal["failed", "skipped"]) -> None:
    async with emulated(Behaviour(unsupported=unsupported, index_seconds=0)) as xai:
        collection, file = xai.collection(), xai.file(NAME.replace(".txt", ".xyz"))
        await xai.index.place(file, collection, {})
        placement = await xai.index.status(file, collection)
        assert placement.state is PlacementState.FAILED
        assert placement.error
