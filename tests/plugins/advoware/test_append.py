"""A new entry: once, whatever is lost on the way, and only where somebody allowed it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from docsyncd.api import (
    DocsyncdError,
    JournalEntry,
    NotReady,
    OutcomeUnknown,
    ProtocolViolation,
    Rejected,
    RelativePath,
    RequestFailed,
    Unavailable,
)
from docsyncd.testing.emulation import Fault, on
from docsyncd.testing.host import HandClock
from docsyncd_advoware.emulator import Behaviour
from tests.plugins.advoware.emulated import NUMBER, Emulated, emulated

POST = on("POST", "/History")
ENTRY = JournalEntry(
    number=None,
    path=RelativePath("Anlagen/Klage.pdf"),
    kind="S",
    text="Klage",
    date=datetime(2026, 7, 20, 13, 5, tzinfo=UTC),
)


def stored(advoware: Emulated) -> int:
    return len(advoware.world.entries(NUMBER))


async def test_what_is_posted_is_what_the_configuration_says() -> None:
    async with emulated(
        writes={"number": "Akte", "constants": {"art": "X", "benutzer": "SYNC"}, "text": "TEXT", "kind": ""}
    ) as advoware:
        advoware.world.add_call(NUMBER, "Anruf")
        added = await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        found = advoware.world.entries(NUMBER)[-1]
        assert (found.text, found.kind) == ("Klage [docsyncd:op-1]", "X")
        assert found.file == "T:\\Akten\\4711\\Anlagen\\Klage.pdf"
        assert found.date == ENTRY.date
        assert (added.number, added.text, added.path) == (2, "Klage", "Anlagen/Klage.pdf")


async def test_nothing_is_written_as_installed() -> None:
    async with emulated(writes={"enabled": False}) as advoware:
        with pytest.raises(Rejected, match=r"writes\.enabled"):
            await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        assert advoware.emulator.requests.all() == ()


async def test_a_changed_swagger_file_stops_all_writing() -> None:
    async with emulated(writes={"swagger": "0" * 64}) as advoware:
        with pytest.raises(Rejected, match="Swagger file has changed"):
            await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        digest = await advoware.journal.swagger()
        assert stored(advoware) == 0
    async with emulated(writes={"swagger": digest}) as advoware:
        await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        await advoware.journal.append(NUMBER, ENTRY, marker="op-2")
        assert (stored(advoware), advoware.asked("/swagger")) == (2, 1)


async def test_an_answer_that_was_lost_is_found_again() -> None:
    async with emulated() as advoware:
        advoware.emulator.faults.add(Fault(match=POST, cut=True, effect=True))
        with pytest.raises(OutcomeUnknown):
            await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        added = await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        assert (added.number, stored(advoware), advoware.asked("/History", "POST")) == (1, 1, 1)


async def test_a_request_that_was_lost_is_not_sent_again_before_its_absence_can_be_believed() -> None:
    clock = HandClock()
    async with emulated(clock=clock) as advoware:
        advoware.emulator.faults.add(Fault(match=POST, cut=True))
        with pytest.raises(OutcomeUnknown):
            await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        clock.pass_by(20)
        with pytest.raises(NotReady) as later:
            await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        assert later.value.retry_after == 40
        await advoware.journal.append(NUMBER, ENTRY, marker="op-2")
        clock.pass_by(40)
        await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        assert (stored(advoware), advoware.asked("/History", "POST")) == (2, 3)


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, OutcomeUnknown), (503, Unavailable), (418, RequestFailed), (422, Rejected), (403, Rejected)],
)
async def test_an_error_is_never_answered_with_a_second_request(status: int, error: type[DocsyncdError]) -> None:
    async with emulated() as advoware:
        advoware.emulator.faults.add(Fault(match=POST, times=None, status=status, effect=status != 422))
        with pytest.raises(error):
            await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        assert advoware.asked("/History", "POST") == 1


async def test_a_refusal_may_be_tried_again_at_once() -> None:
    async with emulated() as advoware:
        advoware.emulator.faults.add(Fault(match=POST, status=422))
        with pytest.raises(Rejected):
            await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        assert stored(advoware) == 1


async def test_an_expired_token_makes_no_second_entry() -> None:
    async with emulated() as advoware:

        async def expire(_request: Any) -> None:
            advoware.world.expire_tokens()

        advoware.emulator.faults.add(Fault(match=POST, before=expire))
        await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        assert (stored(advoware), advoware.asked("/History", "POST")) == (1, 2)


async def test_an_entry_that_shows_late_is_waited_for() -> None:
    clock = HandClock()
    async with emulated(Behaviour(ablage="flag", history_lag=5), clock=clock) as advoware:
        with pytest.raises(OutcomeUnknown, match="does not show it"):
            await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        with pytest.raises(NotReady):
            await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        clock.pass_by(6)
        assert (await advoware.journal.append(NUMBER, ENTRY, marker="op-1")).number == 1
        assert stored(advoware) == 1


async def test_a_server_that_drops_the_file_is_found_out() -> None:
    async with emulated(Behaviour(ablage="flag", keeps_file=False)) as advoware:
        for _ in range(2):
            with pytest.raises(ProtocolViolation, match="another file"):
                await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        assert stored(advoware) == 1


async def test_two_tries_at_once_make_one_entry() -> None:
    async with emulated() as advoware:
        async with anyio.create_task_group() as tasks:
            for _ in range(4):

                async def add() -> None:
                    await advoware.journal.append(NUMBER, ENTRY, marker="op-1")

                tasks.start_soon(add)
        assert stored(advoware) == 1


async def test_the_file_alone_may_be_the_mark() -> None:
    async with emulated(writes={"marker": "file"}) as advoware:
        advoware.world.add_document(NUMBER, "anlagen/KLAGE.pdf", "von Hand")
        found = await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        assert (found.text, stored(advoware)) == ("von Hand", 1)
    async with emulated(writes={"marker": "file"}) as advoware:
        await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        assert [entry.text for entry in advoware.world.entries(NUMBER)] == ["Klage"]


async def test_of_two_entries_with_our_mark_the_first_counts() -> None:
    async with emulated() as advoware:
        for number in (9, 3):
            advoware.world.add_document(NUMBER, "Anlagen/Klage.pdf", "Klage [docsyncd:op-1]", hnr=number)
        assert (await advoware.journal.append(NUMBER, ENTRY, marker="op-1")).number == 3


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"writes": {"file_value": "S:\\{path}"}}, "cannot be used: no rule fits"),
        ({"writes": {"file_value": "{ordner}\\{path}"}}, "cannot be used: the Akte has no value"),
        ({"writes": {"file_value": "T:\\Akten\\4711\\neu\\{path}"}}, "do not fit"),
    ],
)
async def test_an_entry_that_could_not_be_found_again_is_not_made(settings: dict[str, Any], reason: str) -> None:
    async with emulated(**settings) as advoware:
        with pytest.raises(Rejected, match=reason):
            await advoware.journal.append(NUMBER, ENTRY, marker="op-1")
        assert advoware.asked("/History", "POST") == 0


@pytest.mark.parametrize("marker", ["", "a]b"])
async def test_what_cannot_be_a_mark_is_refused(marker: str) -> None:
    async with emulated() as advoware:
        with pytest.raises(Rejected, match="cannot mark"):
            await advoware.journal.append(NUMBER, ENTRY, marker=marker)
