"""The emulator's api.x.ai: one test per quirk of its docstring."""

from __future__ import annotations

import blake3
import pytest

from docsyncd.testing.host import HandClock
from docsyncd_xai.emulator import MANAGEMENT_KEY, Behaviour
from tests.plugins.xai.asking import Asked, asking


async def test_a_wrong_key_is_a_400_and_a_missing_one_a_401() -> None:
    async with asking() as xai:
        for wrong in ("nonsense", MANAGEMENT_KEY):
            answer = await xai.files("GET", "/v1/files", key=wrong)
            assert answer.status == 400
            assert answer.body["error"].startswith("Incorrect API key provided")
        assert (await xai.files("GET", "/v1/files", key=None)).status == 401
        assert (await xai.files("GET", "/v1/api-key")).body["api_key_disabled"] is False


async def test_every_answer_tells_whether_data_is_kept() -> None:
    async with asking() as xai:
        assert (await xai.files("GET", "/v1/files")).headers["x-zero-data-retention"] == "false"
        xai.emulator.behaviour.zero_data_retention = True
        answer = await xai.files("GET", "/v1/files")
        assert (answer.status, answer.headers["x-zero-data-retention"]) == (403, "true")
        assert (await xai.files("GET", "/v1/api-key")).status == 200


async def test_the_name_is_stored_exactly_as_it_came() -> None:
    async with asking() as xai:
        plain = await xai.upload([("file", "Klage Müller.txt", b"x")])
        mangled = await xai.upload([("file", "Klage Müller.txt", b"x")], quote=True)
        assert plain.body["filename"] == "Klage Müller.txt"
        assert mangled.body["filename"] == "Klage%20M%C3%BCller.txt"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([("file", "a.txt", b"x"), ("expires_after", None, b"3600")], "must precede"),
        ([("expires_after", None, b"3599"), ("file", "a.txt", b"x")], "3600 to 2592000"),
        ([("expires_after", None, b"soon"), ("file", "a.txt", b"x")], "3600 to 2592000"),
        ([("file", None, b"x")], "no filename"),
        ([("purpose", None, b"assistants")], "missing"),
        ([("file", "a;b.txt", b"x")], "forbidden"),
        ([("file", 'a"b.txt', b"x")], "forbidden"),
        ([("file", "a\\b.txt", b"x")], "forbidden"),
        ([("file", "a\x85b.txt", b"x")], "forbidden"),
        ([("file", "a\u2028b.txt", b"x")], "forbidden"),
        ([("file", "ä" * 252 + ".txt", b"x")], "longer than 255"),
        ([("file", "a.txt", b"x"), ("file", "b.txt", b"x")], "more than one"),
    ],
)
async def test_a_form_that_breaks_a_rule_is_refused(parts: list[tuple[str, str | None, bytes]], reason: str) -> None:
    async with asking() as xai:
        answer = await xai.upload(parts)
        assert answer.status == 400
        assert reason in answer.body["error"]
        assert xai.world.files == {}


async def test_what_is_no_form_is_refused() -> None:
    async with asking() as xai:
        assert (await xai.files("POST", "/v1/files", data=b"bytes")).status == 400


async def test_255_characters_and_umlauts_are_accepted() -> None:
    async with asking() as xai:
        assert (await xai.upload([("file", "ä" * 251 + ".txt", b"x")])).status == 200


async def test_above_48_million_bytes_is_too_large() -> None:
    async with asking() as xai:
        assert (await xai.upload([("file", "a.txt", b"x" * 48_000_001)])).status == 413
        assert (await xai.upload([("file", "a.txt", b"x" * 48_000_000)])).status == 200


async def test_the_same_bytes_twice_are_two_files_without_a_hash() -> None:
    async with asking() as xai:
        first = (await xai.upload([("purpose", None, b"assistants"), ("file", "a.txt", b"x")])).body
        second = (await xai.upload([("file", "a.txt", b"x")])).body
        assert first["id"] != second["id"]
        assert first.keys() == {"id", "object", "bytes", "created_at", "expires_at", "filename", "purpose"}
        assert (first["bytes"], first["purpose"], second["purpose"]) == (1, "assistants", "")
        assert xai.world.files[first["id"]].blake3 == blake3.blake3(b"x").hexdigest()
        assert xai.world.uploads == 2


async def test_content_comes_back_as_it_was() -> None:
    async with asking() as xai:
        file = xai.world.add_file("a.txt", b"Klage")
        assert (await xai.files("GET", f"/v1/files/{file}/content")).body == "Klage"


async def test_deleting_twice_is_not_found() -> None:
    async with asking() as xai:
        file = xai.world.add_file("a.txt", b"x")
        answer = await xai.files("DELETE", f"/v1/files/{file}")
        assert answer.body == {"id": file, "deleted": True, "object": "file"}
        assert (await xai.files("DELETE", f"/v1/files/{file}")).status == 404
        assert (await xai.files("GET", f"/v1/files/{file}")).status == 404
        assert list(xai.world.deleted) == [file]


async def test_an_expired_file_vanishes() -> None:
    clock = HandClock()
    async with asking(clock=clock) as xai:
        file = (await xai.upload([("expires_after", None, b"3600"), ("file", "a.txt", b"x")])).body
        assert file["expires_at"] == file["created_at"] + 3600
        clock.pass_by(3601)
        assert (await xai.files("GET", f"/v1/files/{file['id']}")).status == 404
        assert (await xai.files("GET", "/v1/files")).body == {"data": []}


async def test_a_fresh_upload_may_be_invisible_for_a_while() -> None:
    clock = HandClock()
    async with asking(Behaviour(upload_lag=10), clock=clock) as xai:
        file = (await xai.upload([("file", "a.txt", b"x")])).body["id"]
        assert (await xai.files("GET", f"/v1/files/{file}")).status == 404
        assert (await xai.files("GET", "/v1/files")).body["data"] == []
        clock.pass_by(10)
        assert (await xai.files("GET", f"/v1/files/{file}")).status == 200


async def test_a_list_has_a_token_on_every_page() -> None:
    async with asking() as xai:
        for number in range(3):
            xai.world.add_file(f"{number}.txt", b"x")
        query = {"limit": "2", "order": "asc", "sort_by": "filename"}
        first = (await xai.files("GET", "/v1/files", params=query)).body
        assert [file["filename"] for file in first["data"]] == ["0.txt", "1.txt"]
        assert first["pagination_token"] == first["data"][-1]["id"]
        second = (await xai.files("GET", "/v1/files", params={**query, "after": first["pagination_token"]})).body
        assert [file["filename"] for file in second["data"]] == ["2.txt"]
        assert second["pagination_token"]


@pytest.mark.parametrize("limit", ["0", "-1", "101", "5000"])
async def test_a_senseless_limit_means_100(limit: str) -> None:
    async with asking() as xai:
        for number in range(101):
            xai.world.add_file(f"{number}.txt", b"")
        assert len((await xai.files("GET", "/v1/files", params={"limit": limit})).body["data"]) == 100


async def test_a_token_may_lead_to_the_same_page_for_ever() -> None:
    async with asking(Behaviour(files_paging="stuck")) as xai:
        for number in range(3):
            xai.world.add_file(f"{number}.txt", b"")
        query = {"limit": "2", "sort_by": "created_at"}
        first = (await xai.files("GET", "/v1/files", params=query)).body
        again = (
            await xai.files("GET", "/v1/files", params={**query, "pagination_token": first["pagination_token"]})
        ).body
        assert again == first


async def test_without_sort_by_there_is_no_order() -> None:
    async with asking() as xai:
        names = [f"{number}.txt" for number in range(10)]
        for name in names:
            xai.world.add_file(name, name.encode())
        listed = [file["filename"] for file in (await xai.files("GET", "/v1/files")).body["data"]]
        assert sorted(listed) == names
        assert listed not in (names, names[::-1])


@pytest.mark.parametrize("query", [{"limit": "many"}, {"sort_by": "mood"}, {"filter": 'name = "a"'}])
async def test_a_query_that_is_not_understood_is_refused(query: dict[str, str]) -> None:
    async with asking() as xai:
        assert (await xai.files("GET", "/v1/files", params=query)).status == 400


async def test_what_docsyncd_must_not_use_does_not_exist() -> None:
    async with asking() as xai:
        file = xai.world.add_file("a.txt", b"x")
        assert (await xai.files("POST", f"/v1/files/{file}/public-url")).status == 404
        assert (await xai.files("PUT", f"/v1/files/{file}")).status == 405
        assert (await xai.files("POST", "/v1/files:initialize")).status == 404


async def test_a_search_wants_json_and_its_parameters() -> None:
    async with asking() as xai:
        path = "/v1/documents/search"
        assert (await xai.files("POST", path)).status == 415
        assert (await xai.files("POST", path, json={"query": "x"})).status == 400
        assert (await xai.files("POST", path, json=[1])).status == 422
        missing = {"query": "x", "source": {"collection_ids": ["collection_unknown"]}}
        assert (await xai.files("POST", path, json=missing)).status == 404


async def found(xai: Asked, collection: str, query: str) -> list[str]:
    body = {"query": query, "source": {"collection_ids": [collection]}, "retrieval_mode": {"type": "keyword"}}
    answer = await xai.files("POST", "/v1/documents/search", json=body)
    return [match["file_id"] for match in answer.body["matches"]]


async def test_a_search_finds_what_is_indexed_and_no_more_what_was_withdrawn() -> None:
    clock = HandClock()
    async with asking(Behaviour(index_seconds=4, search_lag=2), clock=clock) as xai:
        collection = xai.world.create_collection("Akte")
        file = xai.world.add_file("Klage.txt", b"Der Beklagte wird verurteilt. Kennwort Zitronenfalter")
        xai.world.add_file("Nebenakte.txt", b"Zitronenfalter")
        xai.world.place(file, collection)
        assert await found(xai, collection, "Zitronenfalter") == []
        clock.pass_by(5)
        assert await found(xai, collection, "Zitronenfalter") == []
        clock.pass_by(1)
        assert await found(xai, collection, "zitronenfalter?") == [file]
        assert await found(xai, collection, "Kohlweißling") == []
        xai.world.remove(file, collection)
        assert await found(xai, collection, "Zitronenfalter") == [file]
        clock.pass_by(2)
        assert await found(xai, collection, "Zitronenfalter") == []


async def test_the_person_at_the_terminal_is_told_addresses_and_keys() -> None:
    async with asking() as xai:
        collection = xai.world.create_collection("Müller ./. Groß")
        words = xai.emulator.describe(xai.urls)
        assert all(word in words for word in (*xai.urls.values(), MANAGEMENT_KEY, collection, "Müller ./. Groß"))
