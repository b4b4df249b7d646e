"""What every `Journal` must do, as tests that run over a world: an emulator's, or a real remote's.

A connector's test module inherits the stories and says how its world is made:

    class TestMyJournal(JournalContract):
        @pytest.fixture
        async def world(self) -> AsyncIterator[JournalWorld]:
            async with my_world() as world:
                yield world

The stories work only in case files of `world.open_case_file()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from docsyncd.core.model import CaseFileNumber, JournalEntry, RelativePath
from docsyncd.errors import DocsyncdError, SafetyHalt, Unavailable
from docsyncd.ports import Journal

MOMENT = datetime(2026, 11, 20, 13, 5, tzinfo=UTC)


class JournalWorld(Protocol):
    """A remote that a story plays in."""

    @property
    def journal(self) -> Journal:
        """The port under test, connected; it may append."""

    async def open_case_file(self) -> CaseFileNumber:
        """An active case file with an empty history."""

    async def add_document(self, case_file: CaseFileNumber, path: RelativePath, text: str) -> int:
        """As a colleague registers a file; the entry's number."""

    async def add_note(self, case_file: CaseFileNumber, text: str) -> int:
        """As a colleague notes a call: an entry without a file."""

    async def file_away(self, case_file: CaseFileNumber) -> None:
        """As a colleague closes it (Ablage)."""

    async def reactivate(self, case_file: CaseFileNumber) -> None:
        """As a colleague opens it again."""

    async def swap(self, case_file: CaseFileNumber) -> None:
        """What was found under this number is another case file now."""

    async def go_away(self) -> None:
        """The remote can be reached no more."""

    async def texts(self, case_file: CaseFileNumber) -> Sequence[str]:
        """The history's texts, asked past the port."""


def entry(path: str | None, text: str = "Klage an das LG") -> JournalEntry:
    """One that is to be added."""
    where = None if path is None else RelativePath(path)
    return JournalEntry(number=None, path=where, kind="S", text=text, date=MOMENT)


class JournalContract:
    """The stories."""

    async def test_an_entry_says_number_file_and_text(self, world: JournalWorld) -> None:
        case_file = await world.open_case_file()
        number = await world.add_document(case_file, RelativePath("Klageschrift Müller.pdf"), "Klage an das LG")
        (found,) = await world.journal.entries(case_file)
        assert (found.number, found.path, found.text) == (number, "Klageschrift Müller.pdf", "Klage an das LG")

    async def test_a_file_in_a_folder_keeps_its_folder(self, world: JournalWorld) -> None:
        case_file = await world.open_case_file()
        await world.add_document(case_file, RelativePath("Anlagen/K 1/Foto.jpg"), "Foto")
        assert [found.path for found in await world.journal.entries(case_file)] == ["Anlagen/K 1/Foto.jpg"]

    async def test_dates_are_utc(self, world: JournalWorld) -> None:
        case_file = await world.open_case_file()
        before = datetime.now(UTC)
        await world.add_document(case_file, RelativePath("Klage.pdf"), "Klage")
        (found,) = await world.journal.entries(case_file)
        assert found.date is not None
        assert found.date.utcoffset() == timedelta()
        assert abs(found.date - before) < timedelta(minutes=2)

    async def test_an_entry_without_a_file_has_no_path(self, world: JournalWorld) -> None:
        case_file = await world.open_case_file()
        number = await world.add_note(case_file, "Mandant angerufen")
        (found,) = await world.journal.entries(case_file)
        assert (found.number, found.path, found.text) == (number, None, "Mandant angerufen")

    async def test_several_entries_on_one_file_all_come(self, world: JournalWorld) -> None:
        case_file = await world.open_case_file()
        first = await world.add_document(case_file, RelativePath("Klage.pdf"), "Entwurf")
        second = await world.add_document(case_file, RelativePath("Klage.pdf"), "an Gericht")
        found = await world.journal.entries(case_file)
        assert {(known.number, known.path) for known in found} == {(first, "Klage.pdf"), (second, "Klage.pdf")}

    async def test_an_empty_history_is_empty(self, world: JournalWorld) -> None:
        assert list(await world.journal.entries(await world.open_case_file())) == []

    async def test_a_journal_that_is_away_is_never_empty(self, world: JournalWorld) -> None:
        case_file = await world.open_case_file()
        await world.add_document(case_file, RelativePath("Klage.pdf"), "Klage")
        await world.go_away()
        with pytest.raises(Unavailable):
            await world.journal.entries(case_file)
        with pytest.raises(Unavailable):
            await world.journal.archived(case_file)

    async def test_an_unknown_case_file_has_no_history_rather_than_an_empty_one(self, world: JournalWorld) -> None:
        with pytest.raises(DocsyncdError):
            await world.journal.entries(CaseFileNumber("99999999"))

    async def test_another_case_file_under_the_number_halts(self, world: JournalWorld) -> None:
        case_file = await world.open_case_file()
        await world.swap(case_file)
        with pytest.raises(SafetyHalt) as halt:
            await world.journal.archived(case_file)
        assert halt.value.valve == "wrong-case"

    async def test_nothing_is_added_to_another_case_file(self, world: JournalWorld) -> None:
        case_file = await world.open_case_file()
        await world.journal.entries(case_file)
        await world.swap(case_file)
        for _ in range(2):
            with pytest.raises(DocsyncdError):
                await world.journal.append(case_file, entry("Klage.pdf"), marker="op-1")
        assert list(await world.texts(case_file)) == []

    async def test_filing_away_is_seen(self, world: JournalWorld) -> None:
        case_file = await world.open_case_file()
        assert await world.journal.archived(case_file) is False
        await world.file_away(case_file)
        assert await world.journal.archived(case_file) is True
        await world.reactivate(case_file)
        assert await world.journal.archived(case_file) is False

    async def test_an_added_entry_is_returned_as_it_is_stored(self, world: JournalWorld) -> None:
        case_file = await world.open_case_file()
        added = await world.journal.append(case_file, entry("Klage.pdf"), marker="op-1")
        assert added.number
        assert (added.path, added.kind, added.text, added.date) == ("Klage.pdf", "S", "Klage an das LG", MOMENT)
        (found,) = await world.journal.entries(case_file)
        assert (found.number, found.path, found.text) == (added.number, added.path, added.text)

    async def test_the_same_operation_adds_once(self, world: JournalWorld) -> None:
        case_file = await world.open_case_file()
        first = await world.journal.append(case_file, entry("Klage.pdf"), marker="op-1")
        again = await world.journal.append(case_file, entry("Klage.pdf"), marker="op-1")
        assert (again.number, len(await world.texts(case_file))) == (first.number, 1)

    async def test_another_operation_adds_another(self, world: JournalWorld) -> None:
        case_file = await world.open_case_file()
        await world.add_document(case_file, RelativePath("Klage.pdf"), "Klage an das LG")
        first = await world.journal.append(case_file, entry("Klage.pdf"), marker="op-1")
        second = await world.journal.append(case_file, entry("Replik.pdf"), marker="op-2")
        assert first.number != second.number
        assert len(await world.texts(case_file)) == 3

    async def test_an_entry_may_be_added_without_a_file(self, world: JournalWorld) -> None:
        case_file = await world.open_case_file()
        added = await world.journal.append(case_file, entry(None, "Notiz"), marker="op-1")
        assert (added.path, added.text) == (None, "Notiz")
