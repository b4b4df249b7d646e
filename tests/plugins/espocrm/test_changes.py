"""The poll: nothing is missed, and what is quiet stays quiet."""

from __future__ import annotations

from pathlib import Path

import pytest

from docsyncd.api import Changes
from docsyncd.testing.contracts.catalog import drained
from docsyncd.testing.host import HandClock
from docsyncd_espocrm.emulator import EspoEmulator
from tests.plugins.espocrm.connected import Connected, connected

PDF = b"%PDF-1.4\n"


def emulator(clock: HandClock) -> EspoEmulator:
    return EspoEmulator(webhook_period=None, clock=clock)


async def test_a_change_is_reported_twice_and_then_is_quiet(tmp_path: Path) -> None:
    clock = HandClock()
    async with connected(tmp_path, emulator(clock), clock=clock) as at:
        cursor, _found = await drained(at.catalog, None)
        clock.pass_by(60)
        document = at.world.add_document("Klage.pdf", PDF)
        reports: list[bool] = []
        for _poll in range(5):
            cursor, found = await drained(at.catalog, cursor)
            reports.append(document in found)
            clock.pass_by(60)
        assert reports == [True, True, False, False, False]


async def test_a_second_change_in_the_same_second_is_not_lost(tmp_path: Path) -> None:
    clock = HandClock()
    async with connected(tmp_path, emulator(clock), clock=clock) as at:
        cursor, _found = await drained(at.catalog, None)
        document = at.world.add_document("Klage.pdf", PDF)
        cursor, found = await drained(at.catalog, cursor)
        assert document in found
        at.world.update("Document", document, name="Klage, geändert")
        clock.pass_by(60)
        _cursor, found = await drained(at.catalog, cursor)
        assert document in found


async def test_a_change_that_commits_late_falls_into_the_overlap(tmp_path: Path) -> None:
    clock = HandClock()
    async with connected(tmp_path, emulator(clock), clock=clock) as at:
        late = at.world.add_document("Spät.pdf", PDF)
        clock.pass_by(4)
        at.world.add_document("Früh.pdf", PDF)
        at.world.delete("Document", late)
        cursor, found = await drained(at.catalog, None)
        assert late not in found
        at.world.restore("Document", late)
        _cursor, found = await drained(at.catalog, cursor)
        assert late in found


async def test_it_begins_at_espocrms_own_now(tmp_path: Path) -> None:
    clock = HandClock()
    async with connected(tmp_path, emulator(clock), clock=clock) as at:
        old = at.world.add_document("Alt.pdf", PDF)
        clock.pass_by(3600)
        new = at.world.add_document("Neu.pdf", PDF)
        _cursor, found = await drained(at.catalog, None)
        assert new in found
        assert old not in found


async def test_an_unreadable_cursor_begins_at_the_beginning(tmp_path: Path) -> None:
    clock = HandClock()
    async with connected(tmp_path, emulator(clock), clock=clock) as at:
        old = at.world.add_document("Alt.pdf", PDF)
        clock.pass_by(3600)
        for cursor in ("", "{}", "[]", "17", '{"turn":0,"streams":{"Document":{}}}', "2026-11-21"):
            _cursor, found = await drained(at.catalog, cursor)
            assert old in found


async def test_many_changes_of_one_second_come_in_pages_without_a_gap(tmp_path: Path) -> None:
    clock = HandClock()
    async with connected(tmp_path, emulator(clock), clock=clock, page_size=3) as at:
        cursor, _found = await drained(at.catalog, None)
        clock.pass_by(60)
        made = {at.world.add_document(f"{number}.pdf", PDF) for number in range(10)}
        pages: list[Changes] = []
        while not pages or pages[-1].more:
            pages.append(await at.catalog.changed_since(pages[-1].cursor if pages else cursor))
        found = [change.document for page in pages for change in page.items]
        assert sorted(found) == sorted(made)


async def test_a_record_that_changes_while_the_pages_are_read_comes_again(tmp_path: Path) -> None:
    clock = HandClock()
    async with connected(tmp_path, emulator(clock), clock=clock, page_size=2) as at:
        cursor, _found = await drained(at.catalog, None)
        clock.pass_by(60)
        made = [at.world.add_document(f"{number}.pdf", PDF) for number in range(5)]
        first = await at.catalog.changed_since(cursor)
        clock.pass_by(1)
        moved = first.items[0].document
        at.world.update("Document", moved, name="geändert")
        _cursor, rest = await drained(at.catalog, first.cursor)
        assert moved in rest
        assert {change.document for change in first.items} | rest.keys() == {*made}


@pytest.mark.parametrize("page_size", [2, 200])
async def test_a_changed_case_file_yields_its_documents_deeply(tmp_path: Path, page_size: int) -> None:
    clock = HandClock()
    async with connected(tmp_path, emulator(clock), clock=clock, page_size=page_size) as at:
        case_file, other = at.case_file(1, consent=True), at.case_file(2)
        inside = {at.world.add_document(f"{number}.pdf", PDF, cAktenId=case_file) for number in range(5)}
        outside = at.world.add_document("andere.pdf", PDF, cAktenId=other)
        clock.pass_by(60)
        cursor = await quiet(at, clock)
        at.world.update("CAkten", case_file, aiFreigabe=False)
        _cursor, found = await drained(at.catalog, cursor)
        assert found == dict.fromkeys(inside, True)
        assert outside not in found


async def test_a_changed_collection_yields_its_documents_deeply(tmp_path: Path) -> None:
    clock = HandClock()
    async with connected(tmp_path, emulator(clock), clock=clock) as at:
        document, holder = at.world.add_document("Klage.pdf", PDF), at.knowledge("c1")
        at.link(document, holder)
        clock.pass_by(60)
        cursor = await quiet(at, clock)
        at.world.update("CAIKnowledge", holder, aktivierungsstatus="paused")
        _cursor, found = await drained(at.catalog, cursor)
        assert found == {document: True}


async def test_without_consent_case_files_are_not_polled(tmp_path: Path) -> None:
    async with connected(tmp_path, consent_field="") as at:
        start = at.espo.requests.last
        await drained(at.catalog, None)
        assert not any("CAkten" in line and "Metadata" not in line for line in at.requests_since(start))


async def test_an_idle_poll_costs_one_request_per_kind_of_record(tmp_path: Path) -> None:
    clock = HandClock()
    async with connected(tmp_path, emulator(clock), clock=clock) as at:
        at.case_file(1)
        cursor = await quiet(at, clock)
        start = at.espo.requests.last
        await drained(at.catalog, cursor)
        assert at.requests_since(start) == ["GET /Document", "GET /CAkten", "GET /CAIKnowledge"]


async def quiet(at: Connected, clock: HandClock) -> str:
    """A cursor behind which nothing is left to report."""
    cursor, _found = await drained(at.catalog, None)
    for _poll in range(3):
        clock.pass_by(60)
        cursor, found = await drained(at.catalog, cursor)
    assert found == {}
    return cursor
