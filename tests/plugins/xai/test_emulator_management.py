"""The emulator's management-api.x.ai: one test per quirk of its docstring."""

from __future__ import annotations

from typing import Any, Literal

import blake3
import pytest

from docsyncd.testing.host import HandClock
from docsyncd_xai.emulator import API_KEY, Behaviour, FieldDefinition
from tests.plugins.xai.asking import Asked, asking


async def names(xai: Asked, collection: str, **query: str) -> list[str]:
    answer = await xai.management("GET", f"/v1/collections/{collection}/documents", params=query)
    assert answer.status == 200, answer.body
    return [document["file_metadata"]["name"] for document in answer.body.get("documents", [])]


async def test_the_other_host_s_key_is_refused() -> None:
    async with asking() as xai:
        assert (await xai.management("GET", "/v1/collections", key=API_KEY)).status == 401
        assert (await xai.management("GET", "/v1/collections", key=None)).status == 401
        xai.emulator.behaviour.wrong_management_key = 403
        assert (await xai.management("GET", "/v1/collections", key=API_KEY)).status == 403


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ("grpc", {"code": 5, "message": "Collection c not found", "details": []}),
        ("flat", {"code": "Some requested entity was not found", "error": "Collection c not found"}),
        ("text", "rpc error: Collection c not found"),
    ],
)
async def test_errors_come_in_several_shapes(shape: Literal["grpc", "flat", "text"], body: object) -> None:
    async with asking(Behaviour(management_errors=shape)) as xai:
        answer = await xai.management("GET", "/v1/collections/c")
        assert (answer.status, answer.body) == (404, body)


async def test_an_unknown_path_is_html() -> None:
    async with asking() as xai:
        answer = await xai.management("GET", "/v2/collections")
        assert answer.status == 404
        assert "nginx" in answer.body


async def test_a_collection_is_made_changed_listed_and_deleted() -> None:
    async with asking() as xai:
        made = (await xai.management("POST", "/v1/collections", json={"collectionName": "Akte"})).body
        assert made["collection_name"] == "Akte"
        assert made["total_file_size"] == "0"
        twin = (await xai.management("POST", "/v1/collections", json={"collection_name": "Akte"})).body
        assert twin["collection_id"] != made["collection_id"]
        path = f"/v1/collections/{made['collection_id']}"
        change = {"field_definition": {"key": "case", "unique": True}, "operation": "FIELD_DEFINITION_ADD"}
        await xai.management("PUT", path, json={"collection_name": "Neu", "field_definition_updates": [change]})
        shown = (await xai.management("GET", path)).body
        assert (shown["collection_name"], shown["field_definitions"][0]["unique"]) == ("Neu", True)
        removal = {"field_definition": {"key": "case"}, "operation": "FIELD_DEFINITION_DELETE"}
        await xai.management("PUT", path, json={"field_definition_updates": [removal]})
        assert xai.world.collections[made["collection_id"]].definitions == {}
        listed = (await xai.management("GET", "/v1/collections", params={"limit": "1"})).body["collections"]
        assert [collection["collection_name"] for collection in listed] == ["Neu"]
        assert (await xai.management("DELETE", path)).body == {}
        assert (await xai.management("DELETE", path)).status == 404


@pytest.mark.parametrize("body", [{}, {"collection_name": "x", "field_definitions": [{}]}])
async def test_a_collection_needs_a_name_and_its_fields_keys(body: dict[str, Any]) -> None:
    async with asking() as xai:
        assert (await xai.management("POST", "/v1/collections", json=body)).status == 400


async def test_a_new_field_cannot_be_required() -> None:
    async with asking() as xai:
        collection = xai.world.create_collection("Akte")
        change = {"field_definition": {"key": "case", "required": True}, "operation": "FIELD_DEFINITION_ADD"}
        answer = await xai.management(
            "PUT", f"/v1/collections/{collection}", json={"field_definition_updates": [change]}
        )
        assert answer.status == 400


async def test_an_empty_list_is_left_out_and_so_is_the_last_token() -> None:
    async with asking() as xai:
        collection = xai.world.create_collection("Akte")
        path = f"/v1/collections/{collection}/documents"
        assert (await xai.management("GET", path)).body == {}
        xai.world.place(xai.world.add_file("a.txt", b""), collection)
        assert "pagination_token" not in (await xai.management("GET", path)).body
        xai.emulator.behaviour.management_paging = "always"
        assert "pagination_token" in (await xai.management("GET", path)).body


async def test_a_document_has_a_blake3_and_its_numbers_are_strings() -> None:
    async with asking(Behaviour(index_seconds=0)) as xai:
        collection = xai.world.create_collection("Akte")
        file = xai.world.add_file("Klage.txt", b"Klage")
        path = f"/v1/collections/{collection}/documents/{file}"
        assert (await xai.management("GET", path)).status == 404
        assert (await xai.management("POST", path)).body == {}
        shown = (await xai.management("GET", path)).body
        assert shown["file_metadata"]["hash"] == blake3.blake3(b"Klage").hexdigest()
        assert shown["file_metadata"]["size_bytes"] == "5"
        assert (shown["status"], shown["chunks_processed_count"]) == ("DOCUMENT_STATUS_PROCESSED", "1")
        xai.emulator.behaviour.camel_case = True
        assert (await xai.management("GET", path)).body["fileMetadata"]["fileId"] == file


async def test_indexing_takes_its_steps_and_can_be_begun_anew() -> None:
    clock = HandClock()
    async with asking(Behaviour(index_seconds=4), clock=clock) as xai:
        collection = xai.world.create_collection("Akte")
        file = xai.world.add_file("Klage.txt", b"Klage")
        path = f"/v1/collections/{collection}/documents/{file}"
        await xai.management("POST", path)
        seen = []
        for _ in range(5):
            seen.append((await xai.management("GET", path)).body["status"].removeprefix("DOCUMENT_STATUS_"))
            clock.pass_by(1)
        assert seen == ["PROCESSING", "CHUNKED", "EMBEDDING", "WRITING", "PROCESSED"]
        assert (await xai.management("PATCH", path)).body == {}
        assert xai.world.status(file, collection) == "PROCESSING"
        assert xai.world.collections[collection].members[file].reindexed == 1


@pytest.mark.parametrize(
    ("unsupported", "status", "processing"), [("failed", "FAILED", "failed"), ("skipped", "PROCESSING", "skipped")]
)
async def test_an_unsupported_type_is_taken_and_fails_later(
    unsupported: Literal["failed", "skipped"], status: str, processing: str
) -> None:
    async with asking(Behaviour(index_seconds=0, unsupported=unsupported)) as xai:
        collection = xai.world.create_collection("Akte")
        file = xai.world.add_file("Foto.jpg", b"\xff\xd8")
        assert (await xai.management("POST", f"/v1/collections/{collection}/documents/{file}")).status == 200
        shown = (await xai.management("GET", f"/v1/collections/{collection}/documents/{file}")).body
        assert shown["status"] == f"DOCUMENT_STATUS_{status}"
        assert shown["file_metadata"]["processing_status"] == processing


async def test_the_name_filter_matches_parts() -> None:
    async with asking(Behaviour(index_seconds=0)) as xai:
        collection = xai.world.create_collection("Akte")
        for name in ("Klage abc.txt", "Antwort ABCD.txt", "Foto.jpg"):
            xai.world.place(xai.world.add_file(name, b""), collection, {"case": name[0]})
        assert await names(xai, collection, filter='name:"abc"', order="ORDERING_ASCENDING") == [
            "Antwort ABCD.txt",
            "Klage abc.txt",
        ]
        assert await names(xai, collection, filter="status:!DOCUMENT_STATUS_PROCESSED") == ["Foto.jpg"]
        assert await names(xai, collection, filter='name:"abc" AND fields.case:"K"') == ["Klage abc.txt"]
        for bad in ("name=abc", "size_bytes:>5"):
            answer = await xai.management("GET", f"/v1/collections/{collection}/documents", params={"filter": bad})
            assert answer.status == 400


async def test_lists_are_sorted_as_asked() -> None:
    clock = HandClock()
    async with asking(clock=clock) as xai:
        collection = xai.world.create_collection("Akte")
        for name, content in (("b.txt", b"1"), ("c.txt", b"333"), ("a.txt", b"22")):
            xai.world.place(xai.world.add_file(name, content), collection)
            clock.pass_by(1)
        assert await names(xai, collection) == ["c.txt", "b.txt", "a.txt"]
        assert await names(xai, collection, sort_by="DOCUMENTS_SORT_BY_SIZE") == ["c.txt", "a.txt", "b.txt"]
        assert await names(xai, collection, sort_by="DOCUMENTS_SORT_BY_AGE") == ["a.txt", "c.txt", "b.txt"]
        path = f"/v1/collections/{collection}/documents"
        assert (await xai.management("GET", path, params={"sort_by": "MOOD"})).status == 400


async def test_placing_twice_overwrites_or_conflicts() -> None:
    async with asking() as xai:
        collection = xai.world.create_collection("Akte", {"case": FieldDefinition(key="case")})
        file = xai.world.add_file("Klage.txt", b"")
        path = f"/v1/collections/{collection}/documents/{file}"
        for case in ("1/26", "2/26"):
            assert (await xai.management("POST", path, json={"fields": {"case": case}})).status == 200
        assert xai.world.collections[collection].members[file].fields == {"case": "2/26"}
        xai.emulator.behaviour.same_member = "conflict"
        assert (await xai.management("POST", path)).status == 409


async def test_a_file_can_be_unknown_or_unseen_when_it_is_placed() -> None:
    clock = HandClock()
    async with asking(Behaviour(upload_lag=10, membership_lag=5), clock=clock) as xai:
        collection = xai.world.create_collection("Akte")
        file = xai.world.add_file("Klage.txt", b"")
        path = f"/v1/collections/{collection}/documents"
        assert (await xai.management("POST", f"{path}/file_unknown")).status == 404
        assert (await xai.management("POST", f"{path}/{file}")).status == 404
        clock.pass_by(10)
        assert (await xai.management("POST", f"{path}/{file}")).status == 200
        assert (await xai.management("GET", f"{path}/{file}")).status == 404
        assert await names(xai, collection) == []
        clock.pass_by(5)
        assert await names(xai, collection) == ["Klage.txt"]


@pytest.mark.parametrize(
    "fields", [{"case": "1/26"}, {"case": "3/26", "other": "x"}, {}, {"case": 7}, ["case"], {"case": ""}]
)
async def test_fields_keep_to_their_definitions(fields: Any) -> None:
    async with asking() as xai:
        definition = FieldDefinition(key="case", required=True, unique=True)
        collection = xai.world.create_collection("Akte", {"case": definition})
        xai.world.place(xai.world.add_file("a.txt", b""), collection, {"case": "1/26"})
        path = f"/v1/collections/{collection}/documents/{xai.world.add_file('b.txt', b'')}"
        assert (await xai.management("POST", path, json={"fields": fields})).status == 400
        assert (await xai.management("POST", path, json={"fields": {"case": "2/26"}})).status == 200


async def test_fields_may_be_ignored_and_violations_be_conflicts() -> None:
    async with asking(Behaviour(undefined_fields="ignore", violation_status=409)) as xai:
        collection = xai.world.create_collection("Akte", {"case": FieldDefinition(key="case", required=True)})
        file = xai.world.add_file("a.txt", b"")
        path = f"/v1/collections/{collection}/documents/{file}"
        assert (await xai.management("POST", path, json={"fields": {"x": "y"}})).status == 409
        await xai.management("POST", path, json={"fields": {"x": "y", "case": "1/26"}})
        assert xai.world.collections[collection].members[file].fields == {"case": "1/26"}


async def test_a_batch_leaves_out_what_is_no_member() -> None:
    async with asking() as xai:
        collection = xai.world.create_collection("Akte")
        files = [xai.world.add_file(f"{number}.txt", b"") for number in range(3)]
        for file in files[:2]:
            xai.world.place(file, collection)
        path = f"/v1/collections/{collection}/documents:batchGet"
        asked = [("file_ids", file) for file in reversed(files)]
        answer = await xai.management("GET", path, params=asked)
        assert [one["file_metadata"]["file_id"] for one in answer.body["documents"]] == [files[1], files[0]]
        xai.emulator.behaviour.batch_missing = "refuse"
        assert (await xai.management("GET", path, params=asked)).status == 404
        assert (await xai.management("GET", path, params=[("file_ids", "x")] * 101)).status == 400


async def test_a_removed_member_s_file_stays() -> None:
    async with asking() as xai:
        collection = xai.world.create_collection("Akte")
        file = xai.world.add_file("a.txt", b"")
        xai.world.place(file, collection)
        path = f"/v1/collections/{collection}/documents/{file}"
        assert (await xai.management("DELETE", path)).body == {}
        assert (await xai.management("DELETE", path)).status == 404
        assert xai.world.unplaced() == [file]


async def test_deleting_a_collection_leaves_its_files() -> None:
    async with asking() as xai:
        collection = xai.world.create_collection("Akte")
        file = xai.world.add_file("a.txt", b"")
        xai.world.place(file, collection)
        await xai.management("DELETE", f"/v1/collections/{collection}")
        assert xai.world.unplaced() == [file]


@pytest.mark.parametrize(
    ("delete_placed", "status", "left"), [("detach", 200, []), ("dangling", 200, ["a.txt"]), ("refuse", 400, ["a.txt"])]
)
async def test_deleting_a_placed_file(
    delete_placed: Literal["detach", "dangling", "refuse"], status: int, left: list[str]
) -> None:
    async with asking(Behaviour(delete_placed=delete_placed)) as xai:
        collection = xai.world.create_collection("Akte")
        file = xai.world.add_file("a.txt", b"")
        xai.world.place(file, collection)
        assert (await xai.files("DELETE", f"/v1/files/{file}")).status == status
        assert await names(xai, collection) == left
        assert xai.world.names(collection) == left


async def test_a_body_that_is_no_object_is_refused() -> None:
    async with asking() as xai:
        assert (await xai.management("POST", "/v1/collections", data=b"{")).status == 422
        assert (await xai.management("POST", "/v1/collections", json=["x"])).status == 422
