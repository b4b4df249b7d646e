"""Which file is which item."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docsyncd.core.identity import Found, Item, hash_still_holds, identify, shortcuts_hold
from docsyncd.core.model import FileState, RelativePath, Volume
from tests.core.case_world import LONG_AGO, VOLUME, ancestor, document, file, missing


def _bare(state: FileState) -> FileState:
    """As a watcher of level basic lists it."""
    return replace(state, file_id=None)


def _found(item: Item) -> tuple[str | None, Found | None]:
    return None if item.replica is None else item.replica.path, item.found


def test_a_file_id_is_followed_wherever_the_file_lies() -> None:
    items = identify([ancestor("Klage.docx", "A")], [], [file("Neu.docx", "B"), file("Klage.docx", "A", 2)])
    assert _found(items[0]) == ("Neu.docx", Found.FILE_ID)
    assert items[1].ancestor is None, "what took the old path is new"


def test_a_path_is_the_file_if_its_id_is_gone() -> None:
    items = identify([ancestor("Klage.docx", "A")], [], [file("KLAGE.docx", "B", 2)])
    assert _found(items[0]) == ("KLAGE.docx", Found.PATH)


def test_a_content_is_the_file_if_nothing_else_is() -> None:
    items = identify([ancestor("Klage.docx", "A")], [], [_bare(file("Neu.docx", "A"))])
    assert [_found(item) for item in items] == [("Neu.docx", Found.HASH)]


def test_two_files_of_one_content_are_no_guess() -> None:
    items = identify([ancestor("Klage.docx", "A")], [], [file("Eins.docx", "A", 2), file("Zwei.docx", "A", 3)])
    assert (_found(items[0]), items[0].ambiguous, len(items)) == ((None, None), True, 3)


def test_two_missing_items_of_one_content_are_no_guess() -> None:
    known = [ancestor("Klage.docx", "A", 1), ancestor("Brief.docx", "A", 2)]
    items = identify(known, [], [file("Neu.docx", "A", 3)])
    assert [item.ambiguous for item in items] == [True, True, False]


def test_an_edited_document_does_not_look_for_its_file_by_content() -> None:
    known = ancestor("Klage.docx", "A")
    items = identify([known], [document("Klage.docx", "B")], [_bare(file("Sicherung.docx", "A"))])
    assert _found(items[0]) == (None, None), "it may be a copy that somebody wants to keep"


def test_a_temporary_name_counts_only_if_the_path_is_empty() -> None:
    """Word moves the old file away, writes the new one under its name, and deletes the old one."""
    known = ancestor("Klage.docx", "A")
    saving = identify([known], [], [file("~wrl0001.tmp", "A", 1), file("Klage.docx", "B", 2)])
    assert _found(saving[0]) == ("Klage.docx", Found.PATH)
    between = identify([known], [], [file("~wrl0001.tmp", "A", 1)])
    assert _found(between[0]) == ("~wrl0001.tmp", Found.FILE_ID), "not deleted"


def test_a_temporary_file_is_found_by_no_content() -> None:
    items = identify([ancestor("Klage.docx", "A")], [], [file("~wrl0001.tmp", "A", 2)])
    assert _found(items[0]) == (None, None)


def test_a_path_goes_to_the_item_that_is_not_missing() -> None:
    gone = ancestor("Klage.docx", "A", 1, missing=missing(1))
    items = identify([gone, ancestor("Klage.docx", "B", 2)], [], [file("Klage.docx", "C", 3)])
    assert [_found(item) for item in items] == [(None, None), ("Klage.docx", Found.PATH)]


def test_new_documents_pair_with_new_files_by_name_the_equal_one_first() -> None:
    records = [document("Klage.docx", "A", 1), document("KLAGE.docx", "B", 2), document("../x", "B", 3)]
    items = identify([], records, [file("klage.docx", "B")])
    paired = [item for item in items if item.record and item.replica]
    assert [item.record and item.record.file_id for item in paired] == ["document-2"]
    assert len(items) == 3


def test_a_conflict_copy_claims_no_file() -> None:
    copy = ancestor("Klage.docx", "A", replica=None)
    items = identify([copy], [document("Klage.docx", "A")], [file("Klage.docx", "A")])
    assert _found(items[0]) == (None, None)


def test_an_item_has_a_name_whatever_is_left_of_it() -> None:
    known = ancestor("Klage.docx", "A")
    only_known = Item(ancestor=known, record=None, replica=None)
    assert only_known.name == "Klage.docx"
    assert Item(ancestor=replace(known, replica=None), record=None, replica=None).name == "Klage.docx"
    assert Item(ancestor=None, record=None, replica=None).name == ""


def test_a_document_without_an_ancestors_record_is_new() -> None:
    items = identify([ancestor("Klage.docx", "A", record=None)], [document("Klage.docx", "A")], [])
    assert [item.record is None for item in items] == [True, False]


@pytest.mark.parametrize(
    ("then", "now", "holds"),
    [
        (VOLUME, VOLUME, True),
        (VOLUME, replace(VOLUME, next_usn=2000), True),
        (VOLUME, replace(VOLUME, next_usn=999), False),
        (VOLUME, replace(VOLUME, journal="second"), False),
        (VOLUME, replace(VOLUME, serial="other disk"), False),
        (None, VOLUME, False),
        (VOLUME, None, False),
    ],
)
def test_no_hash_outlives_the_journal(then: Volume | None, now: Volume | None, *, holds: bool) -> None:
    assert shortcuts_hold(then, now) is holds


@pytest.mark.parametrize(
    "change",
    [
        {"revision": "other"},
        {"size": 999},
        {"modified_at": None},
        {"file_id": "other"},
        {"file_id": None},
    ],
)
def test_a_hash_is_used_again_only_if_everything_stood_still(change: dict[str, object]) -> None:
    then = file("Klage.docx", "A", modified_at=LONG_AGO)
    assert hash_still_holds(then, replace(then, content=None, path=RelativePath("Neu.docx")))
    assert not hash_still_holds(then, replace(then, **change))  # type: ignore[arg-type]
    assert not hash_still_holds(replace(then, content=None), then)
