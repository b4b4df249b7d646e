"""Reading the History: what an entry says, which Akte it belongs to, and what must never be read as empty."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from docsyncd.api import (
    CaseFileNumber,
    ProtocolViolation,
    Rejected,
    RequestFailed,
    SafetyHalt,
    Unavailable,
)
from docsyncd.testing.emulation import Fault, on
from docsyncd.testing.host import HandClock
from docsyncd_advoware.emulator import Behaviour
from tests.plugins.advoware.emulated import NUMBER, Emulated, emulated

HISTORY = on("GET", "/History")


def answer(advoware: Emulated, body: object, *, path: str = "/History", status: int = 200) -> None:
    """Every answer there is this one."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    advoware.emulator.faults.add(Fault(match=on("GET", path), times=None, status=status, body=raw))


async def test_keys_that_nobody_configured_are_kept_word_for_word() -> None:
    async with emulated() as advoware:
        answer(advoware, [{"HNR": "42", "DAT": None, "Sonder": {"ü": [1]}, "rowId": "x", "datei": None}])
        (found,) = await advoware.journal.entries(NUMBER)
        assert (found.number, found.extra) == (42, {"Sonder": {"ü": [1]}, "rowId": "x"})


@pytest.mark.parametrize("number", [None, 0, "0", "", "abc"])
async def test_an_unknown_number_is_none(number: Any) -> None:
    async with emulated() as advoware:
        answer(advoware, [{"hNr": number, "text": "x"}])
        assert [found.number for found in await advoware.journal.entries(NUMBER)] == [None]


async def test_a_file_outside_the_roots_is_reported_once_and_has_no_path() -> None:
    async with emulated() as advoware:
        advoware.world.add_entry(NUMBER, text="Scan", file="S:\\Scans\\Müller.pdf")
        advoware.world.add_entry(NUMBER, text="Scan", file="S:\\Scans\\Schulze.pdf")
        with capture_logs() as logs:
            found = await advoware.journal.entries(NUMBER)
            await advoware.journal.entries(NUMBER)
        assert [(entry.path, entry.unmapped) for entry in found] == [(None, "no rule fits values on drive S:")] * 2
        assert [(entry["event"], entry["reason"]) for entry in logs] == [
            ("journal.unmapped", "no rule fits values on drive S:")
        ]
        assert "Müller" not in str(logs)


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Anmeldung</body></html>",
        b"",
        b"null",
        b'[{"hNr": 1, "text": "Kla',
        b"{}",
        b'{"items": []}',
        b'["hNr"]',
        b"[[]]",
        b'"keine"',
    ],
)
async def test_what_is_no_list_of_entries_is_never_an_empty_history(body: bytes) -> None:
    async with emulated() as advoware:
        answer(advoware, body)
        with pytest.raises(ProtocolViolation):
            await advoware.journal.entries(NUMBER)
        assert advoware.ports.transports[0].breaker.reason is None


async def test_entries_without_the_key_of_a_number_are_not_understood() -> None:
    async with emulated() as advoware:
        answer(advoware, [{"nummer": 1, "text": "x"}])
        with pytest.raises(ProtocolViolation, match=r"no number \(keys: nummer, text\)"):
            await advoware.journal.entries(NUMBER)
    async with emulated(fields={"number": ["Nummer"]}) as advoware:
        answer(advoware, [{"nummer": 1, "text": "x"}])
        assert [found.number for found in await advoware.journal.entries(NUMBER)] == [1]


async def test_a_list_may_be_wrapped() -> None:
    async with emulated(fields={"envelope": "Items"}) as advoware:
        answer(advoware, {"items": [{"hNr": 1}], "count": 1})
        assert [found.number for found in await advoware.journal.entries(NUMBER)] == [1]
        answer(advoware, {"count": 0})
        advoware.emulator.faults.clear()
        answer(advoware, {"count": 0})
        with pytest.raises(ProtocolViolation):
            await advoware.journal.entries(NUMBER)


async def test_a_history_that_breaks_off_is_asked_for_again() -> None:
    async with emulated() as advoware:
        advoware.world.add_document(NUMBER, "Klage.pdf")
        advoware.emulator.faults.add(Fault(match=HISTORY, cut=True, effect=True, keep=10))
        assert len(await advoware.journal.entries(NUMBER)) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(404, Rejected), (403, Rejected), (500, RequestFailed), (418, RequestFailed)]
)
async def test_an_error_is_no_empty_history(status: int, error: type[Exception]) -> None:
    async with emulated() as advoware:
        answer(advoware, b"", status=status)
        with pytest.raises(error):
            await advoware.journal.entries(NUMBER)


async def test_a_server_that_names_a_time_is_left_alone_so_long() -> None:
    async with emulated() as advoware:
        advoware.emulator.faults.add(Fault(match=HISTORY, status=429, headers={"Retry-After": "30"}))
        with pytest.raises(Unavailable) as away:
            await advoware.journal.entries(NUMBER)
        assert away.value.retry_after == 30
        assert advoware.ports.transports[0].breaker.probe_delay() > 25


async def test_an_answer_that_takes_too_long_is_a_failure_of_this_request_alone() -> None:
    async with emulated(read_timeout=0.2) as advoware:
        advoware.emulator.faults.add(Fault(match=HISTORY, times=None, delay=0.5))
        with pytest.raises(RequestFailed):
            await advoware.journal.entries(NUMBER)
        assert advoware.ports.transports[0].breaker.reason is None


async def test_no_more_requests_are_in_flight_than_allowed() -> None:
    flying = most = 0

    async with emulated(parallel=2) as advoware:
        await advoware.journal.entries(NUMBER)

        async def begun(_request: object) -> None:
            nonlocal flying, most
            flying += 1
            most = max(most, flying)
            await anyio.sleep(0.05)
            flying -= 1

        advoware.emulator.faults.add(Fault(match=HISTORY, times=None, before=begun))
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(advoware.journal.entries, NUMBER)
        assert most == 2


async def test_requests_keep_the_pace() -> None:
    async with emulated(rate=10) as advoware:
        begun = anyio.current_time()
        for _ in range(3):
            await advoware.journal.archived(NUMBER)
        assert anyio.current_time() - begun >= 0.3  # four requests: a search and three Akten


async def test_an_id_that_was_verified_is_used_for_a_while() -> None:
    clock = HandClock()
    async with emulated(clock=clock) as advoware:
        for _ in range(3):
            await advoware.journal.entries(NUMBER)
        assert advoware.asked("/Akten") == 5  # a search, the Akte, three Histories
        clock.pass_by(601)
        await advoware.journal.entries(NUMBER)
        assert advoware.asked("/Akten") == 7


@pytest.mark.parametrize("stored", ["4711", "004711", " 4711 "])
async def test_leading_zeros_do_not_make_another_akte(stored: str) -> None:
    async with emulated(Behaviour(ablage="flag", search_filters=False)) as advoware:
        advoware.world.case_file(NUMBER).number = stored
        assert await advoware.journal.archived(NUMBER) is False


async def test_an_akte_is_known_by_its_aktenzeichen_too() -> None:
    async with emulated(akte={"find": "id"}) as advoware:
        advoware.world.open_case_file("12", reference="815", id="815")
        assert await advoware.journal.archived(CaseFileNumber("815")) is False


async def test_a_mapped_id_needs_no_search_and_is_verified_all_the_same() -> None:
    async with emulated(akte={"ids": {"004711": "1", "5000": "1"}}) as advoware:
        akte = advoware.world.akten.pop(advoware.world.case_file(NUMBER).id)
        akte.id = "1"
        advoware.world.akten["1"] = akte
        assert await advoware.journal.archived(NUMBER) is False
        assert not any(request.query for request in advoware.emulator.requests.all() if "/Akten" in request.path)
        with pytest.raises(SafetyHalt) as halt:
            await advoware.journal.entries(CaseFileNumber("5000"))
        assert halt.value.valve == "wrong-case"


async def test_a_search_that_lists_others_finds_nobody() -> None:
    async with emulated(Behaviour(search_filters=False)) as advoware:
        with pytest.raises(SafetyHalt, match="wrong-case"):
            await advoware.journal.entries(CaseFileNumber("5000"))


async def test_two_akten_with_one_number_are_not_chosen_from() -> None:
    async with emulated() as advoware:
        advoware.world.open_case_file(NUMBER)
        with pytest.raises(SafetyHalt, match="2 of them bear the number"):
            await advoware.journal.entries(NUMBER)


async def test_an_akte_without_a_number_proves_nothing() -> None:
    async with emulated(akte={"find": "id"}) as advoware:
        answer(advoware, {"id": 4711, "name": "Müller"}, path="/Akten/4711")
        with pytest.raises(SafetyHalt, match="another number, or none"):
            await advoware.journal.entries(NUMBER)


async def test_an_akte_with_another_id_than_was_asked_for_halts() -> None:
    async with emulated(akte={"find": "id"}) as advoware:
        answer(advoware, {"id": 1, "aktennummer": 4711}, path="/Akten/4711")
        with pytest.raises(SafetyHalt, match="has the id 1"):
            await advoware.journal.entries(NUMBER)


async def test_an_entry_of_another_akte_halts() -> None:
    async with emulated() as advoware:
        answer(advoware, [{"hNr": 1, "aktennummer": "4711"}, {"hNr": 2, "aktennummer": 4712}])
        with pytest.raises(SafetyHalt, match="an entry of another"):
            await advoware.journal.entries(NUMBER)


@pytest.mark.parametrize("name", ["4711", "004711", 4711, 90211, "12/26 Mü", 0, None, ""])
async def test_an_entry_may_name_its_akte_in_any_way_or_not_at_all(name: Any) -> None:
    async with emulated() as advoware:
        answer(advoware, [{"hNr": 1, "aktennummer": name}])
        assert len(await advoware.journal.entries(NUMBER)) == 1


@pytest.mark.parametrize(
    ("ablage", "before", "after", "again"),
    [
        ("flag", False, True, False),
        ("date", False, True, False),
        ("number", False, True, True),
        ("null", None, None, None),
        ("missing", None, None, None),
    ],
)
async def test_what_ablage_tells_depends_on_what_it_holds(
    ablage: Any, before: bool | None, after: bool | None, again: bool | None
) -> None:
    """A filing number survives the re-activation: only the change from no to yes means anything."""
    async with emulated(Behaviour(ablage=ablage)) as advoware:
        assert await advoware.journal.archived(NUMBER) is before
        advoware.world.archive(NUMBER)
        assert await advoware.journal.archived(NUMBER) is after
        advoware.world.reactivate(NUMBER)
        assert await advoware.journal.archived(NUMBER) is again


async def test_an_akte_that_is_gone_is_not_said_to_be_archived_or_open() -> None:
    async with emulated() as advoware:
        await advoware.journal.archived(NUMBER)
        advoware.world.akten.clear()
        with pytest.raises(Rejected):
            await advoware.journal.archived(NUMBER)
