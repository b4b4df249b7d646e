"""The emulator: one test per quirk of its docstring, in its order."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import anyio
import pytest

from docsyncd.testing.host import HandClock
from docsyncd_advoware.emulator import Behaviour
from tests.plugins.advoware.asking import asking

SUMMER = datetime(2026, 7, 20, 13, 5, tzinfo=UTC)


async def test_the_configurator_names_three_addresses() -> None:
    async with asking() as firm:
        base, gateway = firm.urls["base_url"], firm.urls["security_gateway"]
        named = (await firm.addresses()).body
        assert named == {
            "relayUrl": f"{base}/relay/",
            "connectorUrl": f"{base}/",
            "securityGateway": f"{gateway}/",
        }
        firm.emulator.behaviour.has_connector = False
        assert (await firm.addresses()).body["connectorUrl"] is None
        assert set((await firm.addresses("fremd")).body.values()) == {None}


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"AppID": "fremd"}, 403, "nicht registriert"),
        ({"Product": 1}, 403, "nicht registriert"),
        ({"Kanzlei": "fremd"}, 400, "unbekannt"),
        ({"Database": "fremd"}, 400, "unbekannt"),
        ({"User": "fremd"}, 401, "Falscher Name oder falsches Kennwort"),
        ({"Password": "falsch"}, 401, "Falscher Name oder falsches Kennwort"),
        ({"HMAC512Signature": "AAAA"}, 401, "Signatur"),
        ({"Role": "2"}, 400, "Angaben fehlen: Role"),
        ({"Nonce": None}, 400, "Angaben fehlen: Nonce"),
    ],
)
async def test_a_token_needs_the_whole_account_and_a_signature(
    changed: dict[str, Any], status: int, words: str
) -> None:
    async with asking() as firm:
        assert (await firm.token()).status == 200
        account = {**firm.account(), **changed}
        answer = await firm.ask("security_gateway", "POST", "/api/v1/Token", json=account)
        assert answer.status == status
        assert words in answer.body


async def test_what_is_signed_must_be_what_is_sent() -> None:
    async with asking() as firm:
        account = firm.account()
        account["RequestTimeStamp"] = account["RequestTimeStamp"].replace("Z", "+00:00")
        assert (await firm.ask("security_gateway", "POST", "/api/v1/Token", json=account)).status == 401
        assert (await firm.token(RequestTimeStamp=account["RequestTimeStamp"])).status == 200


async def test_a_token_says_when_it_ends_or_how_long_it_lives() -> None:
    clock = HandClock()
    async with asking(clock=clock) as firm:
        assert (await firm.token()).body["expiration_utc"] == "2026-11-21T12:55:00.0000000Z"
        firm.emulator.behaviour.lifetime = "expires_in"
        assert (await firm.token()).body["expires_in"] == 3300
        firm.emulator.behaviour.lifetime = "none"
        assert set((await firm.token()).body) == {"access_token", "token_type"}


async def test_a_time_too_far_away_and_a_used_nonce_are_refused() -> None:
    async with asking() as firm:
        assert "abgelaufen" in (await firm.token(RequestTimeStamp="2020-01-01T00:00:00Z")).body
        assert (await firm.token(Nonce="n")).status == 200
        assert "Nonce" in (await firm.token(Nonce="n")).body


async def test_errors_are_german_sentences() -> None:
    async with asking() as firm:
        answer = await firm.api("GET", "/Akten/1")
        assert (answer.status, answer.body) == (404, "Die Akte 1 wurde nicht gefunden.")


async def test_a_firm_whose_server_is_off_is_not_angemeldet_on_both_hosts() -> None:
    async with asking(Behaviour(offline_status=400)) as firm:
        token = (await firm.token()).body["access_token"]
        firm.world.go_offline()
        for answer in (await firm.token(), await firm.api("GET", "/Akten", token=token)):
            assert answer.status == 400
            assert "ist nicht angemeldet" in answer.body
        firm.world.go_online()
        assert (await firm.api("GET", "/Akten", token=token)).status == 200


async def test_an_app_that_is_not_enabled_is_nicht_freigeschaltet() -> None:
    async with asking(Behaviour(licensed=False)) as firm:
        answer = await firm.token()
        assert answer.status == 403
        assert "nicht freigeschaltet" in answer.body


async def test_a_token_past_its_end_is_401() -> None:
    clock = HandClock()
    async with asking(clock=clock) as firm:
        token = (await firm.token()).body["access_token"]
        clock.pass_by(3299)
        assert (await firm.api("GET", "/Akten", token=token)).status == 200
        clock.pass_by(1)
        assert (await firm.api("GET", "/Akten", token=token)).status == 401
        token = (await firm.token()).body["access_token"]
        firm.world.expire_tokens()
        assert (await firm.api("GET", "/Akten", token=token)).status == 401


async def test_keys_and_numbers_come_in_two_spellings() -> None:
    async with asking() as firm:
        akte = firm.world.open_case_file("4711")
        firm.world.add_document("4711", "Klage.pdf", hnr=42)
        assert (await firm.history(akte))[0]["hNr"] == 42
        firm.emulator.behaviour.keys, firm.emulator.behaviour.numbers = "pascal", "text"
        assert (await firm.history(akte))[0]["HNr"] == "42"
        assert (await firm.api("GET", f"/Akten/{akte}")).body["Aktennummer"] == "4711"


async def test_calls_and_mails_have_no_file() -> None:
    async with asking() as firm:
        akte = firm.world.open_case_file("4711")
        firm.world.add_call("4711", "Anruf")
        firm.world.add_mail("4711", "Mail an Gericht")
        shown = [(row["art"], row["text"], row["datei"]) for row in await firm.history(akte)]
        assert shown == [("T", "Anruf", None), ("M", "Mail an Gericht", None)]


async def test_one_file_may_have_several_entries_and_need_not_exist() -> None:
    async with asking() as firm:
        akte = firm.world.open_case_file("4711")
        firm.world.add_document("4711", "gelöscht/Klage.pdf", "Entwurf")
        firm.world.add_document("4711", "gelöscht/Klage.pdf", "an Gericht")
        files = [(row["hNr"], row["datei"]) for row in await firm.history(akte)]
        assert files == [(1, "T:\\Akten\\4711\\gelöscht\\Klage.pdf"), (2, "T:\\Akten\\4711\\gelöscht\\Klage.pdf")]


async def test_an_akte_does_not_change_when_its_history_does() -> None:
    async with asking() as firm:
        akte = firm.world.open_case_file("4711")
        before = (await firm.api("GET", f"/Akten/{akte}")).body
        entry = firm.world.add_document("4711", "Klage.pdf")
        firm.world.add_call("4711", "Anruf")
        assert entry.number is not None
        firm.world.delete_entry("4711", entry.number)
        assert [row["text"] for row in await firm.history(akte)] == ["Anruf"]
        assert (await firm.api("GET", f"/Akten/{akte}")).body == before


@pytest.mark.parametrize(
    ("dates", "apart", "date", "time"),
    [
        ("naive", False, "2026-07-20T15:05:00", None),
        ("fraction", False, "2026-07-20T15:05:00.123", None),
        ("zoned", False, "2026-07-20T13:05:00Z", None),
        ("naive", True, "2026-07-20T00:00:00", "15:05"),
    ],
)
async def test_dates_have_several_shapes(dates: Any, apart: bool, date: str, time: str | None) -> None:
    async with asking(Behaviour(dates=dates, time_apart=apart), clock=HandClock(SUMMER)) as firm:
        akte = firm.world.open_case_file("4711")
        firm.world.add_call("4711", "Anruf")
        (row,) = await firm.history(akte)
        assert (row["dat"], row["zeit"]) == (date, time)


async def test_no_date_is_the_year_1() -> None:
    async with asking() as firm:
        akte = firm.world.open_case_file("4711")
        firm.world.add_call("4711", "Anruf").date = None
        assert (await firm.history(akte))[0]["dat"] == "0001-01-01T00:00:00"


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("number", [0, 1, 1]),
        ("flag", [False, True, False]),
        ("date", ["0001-01-01T00:00:00", "2026-07-20T15:05:00.000", "0001-01-01T00:00:00"]),
        ("null", [None, None, None]),
        ("missing", ["-", "-", "-"]),
    ],
)
async def test_ablage_in_five_kinds_before_while_and_after_an_akte_is_filed_away(kind: Any, values: list[Any]) -> None:
    async with asking(Behaviour(ablage=kind), clock=HandClock(SUMMER)) as firm:
        akte = firm.world.open_case_file("4711")
        seen = []
        for change in (lambda _number: None, firm.world.archive, firm.world.reactivate):
            change("4711")
            seen.append((await firm.api("GET", f"/Akten/{akte}")).body.get("ablage", "-"))
        assert seen == values


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_entries_can_neither_be_changed_nor_deleted(method: str) -> None:
    async with asking() as firm:
        akte = firm.world.open_case_file("4711")
        firm.world.add_call("4711", "Anruf")
        assert (await firm.api(method, f"/Akten/{akte}/History/1", json={})).status == 403
        assert len(firm.world.entries("4711")) == 1


async def test_a_new_entry_gets_the_next_number() -> None:
    async with asking() as firm:
        akte = firm.world.open_case_file("4711")
        firm.world.add_call("4711", "Anruf")
        new = {"Text": "Klage", "art": "S", "datei": "T:\\x", "dat": "2026-07-20T15:05:00"}
        answer = await firm.api("POST", f"/Akten/{akte}/History", json=new)
        assert (answer.status, answer.body["hNr"]) == (201, 2)
        stored = firm.world.entries("4711")[1]
        assert (stored.text, stored.kind, stored.file, stored.date) == ("Klage", "S", "T:\\x", SUMMER)
        assert (await firm.api("POST", f"/Akten/{akte}/History", json={"art": "S"})).status == 422
        assert (await firm.api("POST", f"/Akten/{akte}/History", data=b"[]")).status == 400


async def test_a_new_entry_may_show_late_answer_nothing_and_lose_its_file() -> None:
    clock = HandClock()
    async with asking(Behaviour(create_answer="empty", history_lag=5, keeps_file=False), clock=clock) as firm:
        akte = firm.world.open_case_file("4711")
        answer = await firm.api("POST", f"/Akten/{akte}/History", json={"text": "Klage", "datei": "T:\\x"})
        assert (answer.status, answer.body) == (201, "")
        assert await firm.history(akte) == []
        clock.pass_by(5)
        assert [(row["text"], row["datei"]) for row in await firm.history(akte)] == [("Klage", None)]


async def test_a_search_may_list_every_akte_and_one_akte_may_come_as_a_list() -> None:
    async with asking() as firm:
        akte = firm.world.open_case_file("4711")
        firm.world.open_case_file("4712")
        found = (await firm.api("GET", "/Akten", params={"aktennummer": "4711"})).body
        assert [row["aktennummer"] for row in found] == ["4711"]
        firm.emulator.behaviour.search_filters, firm.emulator.behaviour.akte_as_list = False, True
        assert len((await firm.api("GET", "/Akten", params={"aktennummer": "4711"})).body) == 2
        assert [row["aktennummer"] for row in (await firm.api("GET", f"/Akten/{akte}")).body] == ["4711"]


async def test_answers_may_be_slow() -> None:
    async with asking(Behaviour(slow=0.2)) as firm:
        begun = anyio.current_time()
        await firm.api("GET", "/Akten")
        assert anyio.current_time() - begun >= 0.2


async def test_swagger_is_open_and_not_behind_the_relay() -> None:
    async with asking() as firm:
        shown = await firm.ask("base_url", "GET", "/swagger/v1/swagger.json")
        assert set(shown.body["paths"]["/api/v1/advonet/Akten/{akteId}/History"]) == {"get", "post"}
        assert (await firm.ask("base_url", "GET", "/relay/swagger/v1/swagger.json")).status == 401
        firm.emulator.behaviour.has_swagger = False
        assert (await firm.ask("base_url", "GET", "/swagger/v1/swagger.json")).status == 404


async def test_every_answer_bears_the_server_s_own_time() -> None:
    async with asking(Behaviour(clock_ahead=3600), clock=HandClock(SUMMER)) as firm:
        answers = [await firm.addresses(), await firm.token(Password="falsch"), await firm.api("GET", "/Akten/1")]
        assert {parsedate_to_datetime(answer.headers["Date"]) for answer in answers} == {
            SUMMER.replace(hour=SUMMER.hour + 1)
        }


async def test_the_relay_serves_the_same_akten() -> None:
    async with asking() as firm:
        akte = firm.world.open_case_file("4711")
        token = (await firm.token()).body["access_token"]
        path = f"/relay/api/v1/advonet/Akten/{akte}"
        answer = await firm.ask("base_url", "GET", path, headers={"Authorization": f"Bearer {token}"})
        assert answer.body["aktennummer"] == "4711"


async def test_what_is_not_emulated_is_404() -> None:
    async with asking() as firm:
        assert (await firm.api("GET", "/Beteiligte")).status == 404


async def test_it_introduces_itself() -> None:
    async with asking() as firm:
        firm.world.open_case_file("4711", reference="12/26 Mü")
        text = firm.emulator.describe(firm.urls)
        for word in (*firm.urls.values(), firm.world.app_id, firm.world.secrets["password"], "12/26 Mü"):
            assert word in text
