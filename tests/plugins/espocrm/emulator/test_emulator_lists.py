"""Lists: pages, totals, orders, filters in both spellings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from docsyncd_espocrm.emulator import EspoEmulator
    from tests.plugins.espocrm.emulator.conftest import Client, JumpingClock


def three_documents(espo: EspoEmulator, clock: JumpingClock) -> list[str]:
    """Made a minute apart: `Alpha` (hnr 1), `beta` (hnr 2, collection c1), `Gamma` (hnr null, collections c1, c2)."""
    made = []
    for name, hnr, collections in (("Alpha", 1, None), ("beta", 2, ["c1"]), ("Gamma", None, ["c1", "c2"])):
        made.append(espo.world.add_document(f"{name}.pdf", b"%PDF", name=name, hnr=hnr, xaiCollections=collections))
        clock.jump(60)
    return made


async def names(call: Client, item: dict[str, Any]) -> list[str]:
    params = {"searchParams": json.dumps({"where": [item], "orderBy": "createdAt", "order": "asc"})}
    answer = await call("GET", "Document", params=params)
    assert answer.status == 200, answer.reason
    assert answer.json["total"] == len(answer.json["list"])
    return [each["name"] for each in answer.json["list"]]


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ({"type": "equals", "attribute": "name", "value": "Alpha"}, ["Alpha"]),
        ({"type": "equals", "attribute": "name", "value": "BETA"}, ["beta"]),
        ({"type": "notEquals", "attribute": "hnr", "value": 1}, ["beta"]),
        ({"type": "in", "attribute": "hnr", "value": [1, 2, 3]}, ["Alpha", "beta"]),
        ({"type": "notIn", "attribute": "hnr", "value": [1]}, ["beta"]),
        ({"type": "greaterThan", "attribute": "hnr", "value": 1}, ["beta"]),
        ({"type": "lessThanOrEquals", "attribute": "hnr", "value": "1"}, ["Alpha"]),
        ({"type": "greaterThanOrEquals", "attribute": "modifiedAt", "value": "2026-11-21 12:01:00"}, ["beta", "Gamma"]),
        ({"type": "lessThan", "attribute": "modifiedAt", "value": "2026-11-21 12:01:00"}, ["Alpha"]),
        (
            {"type": "after", "attribute": "modifiedAt", "value": "2026-11-21 13:00:00", "timeZone": "Europe/Berlin"},
            ["beta", "Gamma"],
        ),
        ({"type": "before", "attribute": "modifiedAt", "value": "2026-11-21 12:01:00"}, ["Alpha"]),
        (
            {"type": "between", "attribute": "modifiedAt", "value": ["2026-11-21 12:01:00", "2026-11-21 12:01:59"]},
            ["beta"],
        ),
        ({"type": "isNull", "attribute": "hnr"}, ["Gamma"]),
        ({"type": "isNotNull", "attribute": "hnr"}, ["Alpha", "beta"]),
        ({"type": "isFalse", "attribute": "deleted"}, ["Alpha", "beta", "Gamma"]),
        ({"type": "isTrue", "attribute": "deleted"}, []),
        ({"type": "like", "attribute": "name", "value": "%a"}, ["Alpha", "beta", "Gamma"]),
        ({"type": "startsWith", "attribute": "name", "value": "ga"}, ["Gamma"]),
        ({"type": "contains", "attribute": "name", "value": "et"}, ["beta"]),
        ({"type": "arrayAnyOf", "attribute": "xaiCollections", "value": ["c2", "c9"]}, ["Gamma"]),
        ({"type": "arrayAllOf", "attribute": "xaiCollections", "value": ["c1"]}, ["beta", "Gamma"]),
        ({"type": "arrayIsEmpty", "attribute": "xaiCollections"}, ["Alpha"]),
        (
            {
                "type": "or",
                "value": [
                    {"type": "equals", "attribute": "hnr", "value": 1},
                    {
                        "type": "and",
                        "value": [
                            {"type": "isNull", "attribute": "hnr"},
                            {"type": "arrayAnyOf", "attribute": "xaiCollections", "value": ["c1"]},
                        ],
                    },
                ],
            },
            ["Alpha", "Gamma"],
        ),
    ],
)
async def test_where_finds(
    call: Client, espo: EspoEmulator, clock: JumpingClock, item: dict[str, Any], found: list[str]
) -> None:
    three_documents(espo, clock)
    assert await names(call, item) == found


async def test_linked_with_works_on_a_plain_many_to_many_link(
    call: Client, espo: EspoEmulator, clock: JumpingClock
) -> None:
    documents = three_documents(espo, clock)
    knowledge = espo.world.create("CAIKnowledge", name="Sammlung")
    espo.world.link("Document", documents[1], "cAIKnowledges", knowledge)
    assert await names(call, {"type": "linkedWith", "attribute": "cAIKnowledges", "value": [knowledge]}) == ["beta"]


async def test_the_php_spelling_says_the_same_as_search_params(
    call: Client, espo: EspoEmulator, clock: JumpingClock
) -> None:
    three_documents(espo, clock)
    query = (
        "Document?where[0][type]=or&where[0][value][0][type]=equals&where[0][value][0][attribute]=hnr"
        "&where[0][value][0][value]=2&where[0][value][1][type]=in&where[0][value][1][attribute]=name"
        "&where[0][value][1][value][]=Alpha&orderBy=name&order=asc&select=name,hnr"
    )
    listed = (await call("GET", query)).json["list"]
    assert [(each["name"], each["hnr"]) for each in listed] == [("Alpha", 1), ("beta", 2)]


@pytest.mark.parametrize(
    "query",
    [
        "where[0][type]=equals&where[0][attribute]=sync&where[0][value]=1",
        "where[0][type]=resembles&where[0][attribute]=name&where[0][value]=1",
        "where[0][type]=linkedWith&where[0][attribute]=nothing&where[0][value]=1",
        "orderBy=nothing",
    ],
)
async def test_unknown_names_in_where_and_order_are_refused_with_a_reason(call: Client, query: str) -> None:
    answer = await call("GET", f"Document?{query}")
    assert answer.status == 400
    assert answer.reason


async def test_more_than_200_at_once_is_forbidden_and_200_is_the_default(call: Client, espo: EspoEmulator) -> None:
    for number in range(201):
        espo.world.create("CAkten", name=f"Akte {number}")
    refused = await call("GET", "CAkten?maxSize=201")
    assert (refused.status, refused.reason) == (403, "Max size should not exceed 200. Use offset and limit.")
    answer = (await call("GET", "CAkten")).json
    assert (answer["total"], len(answer["list"])) == (201, 200)
    rest = (await call("GET", "CAkten?offset=200")).json
    assert (rest["total"], len(rest["list"])) == (201, 1)


async def test_a_page_of_nothing_still_counts(call: Client, espo: EspoEmulator, clock: JumpingClock) -> None:
    three_documents(espo, clock)
    assert (await call("GET", "Document?maxSize=0")).json == {"total": 3, "list": []}


async def test_without_counting_the_total_only_says_whether_there_is_more(
    call: Client, espo: EspoEmulator, clock: JumpingClock
) -> None:
    three_documents(espo, clock)
    uncounted = {"X-No-Total": "true"}
    assert (await call("GET", "Document?maxSize=2", headers=uncounted)).json["total"] == -1
    assert (await call("GET", "Document?maxSize=2&offset=2", headers=uncounted)).json["total"] == -2
    espo.world.entity("Document").count_disabled = True
    assert (await call("GET", "Document")).json["total"] == -2


async def test_selecting_only_the_id_brings_three_more(call: Client, espo: EspoEmulator, clock: JumpingClock) -> None:
    three_documents(espo, clock)
    listed = (await call("GET", "Document?select=id,nonsense")).json["list"]
    assert {frozenset(each) for each in listed} == {frozenset({"id", "createdAt", "createdById", "assignedUserId"})}


async def test_the_newest_comes_first_unless_an_order_is_given(
    call: Client, espo: EspoEmulator, clock: JumpingClock
) -> None:
    three_documents(espo, clock)
    assert [each["name"] for each in (await call("GET", "Document")).json["list"]] == ["Gamma", "beta", "Alpha"]
    ordered = await call("GET", "Document?orderBy=hnr&order=asc")
    assert [each["hnr"] for each in ordered.json["list"]] == [None, 1, 2]


async def test_deletions_are_invisible_to_a_poll(call: Client, espo: EspoEmulator, clock: JumpingClock) -> None:
    documents = three_documents(espo, clock)
    espo.world.delete("Document", documents[2])
    everything = {"type": "greaterThanOrEquals", "attribute": "modifiedAt", "value": "2000-01-01 00:00:00"}
    assert await names(call, everything) == ["Alpha", "beta"]
