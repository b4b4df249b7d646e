"""What the History says about files, and when it says nothing."""

from __future__ import annotations

from docsyncd.core.identity import Item
from docsyncd.core.membership import Belonging, findings, read_history, registrations, unmapped
from tests.core.case_world import ancestor, document, entry, file


def test_a_file_belongs_if_an_entry_names_it_as_ntfs_would() -> None:
    history = read_history([entry("Ordner\\Klage.docx", 3)])
    assert history.belonging("ordner/KLAGE.docx") is Belonging.REGISTERED
    assert history.belonging("Brief.docx") is Belonging.UNREGISTERED


def test_a_silent_history_says_nothing_about_anything() -> None:
    assert read_history(None).belonging("Klage.docx") is Belonging.UNKNOWN


def test_the_lowest_number_counts_and_none_and_0_are_no_numbers() -> None:
    history = read_history([entry("a.docx", None), entry("a.docx", 0), entry("a.docx", 9), entry("a.docx", 4)])
    found = history.entry("A.docx")
    assert found is not None
    assert found.number == 4
    assert history.entry("b.docx") is None


def test_entries_that_name_no_file_of_ours_are_counted() -> None:
    assert unmapped([entry(None), entry(""), entry("a.docx")]) == 2


def test_what_we_uploaded_is_told_apart_from_what_lost_its_entry() -> None:
    ours = Item(
        ancestor=ancestor("a.docx", "A", 1, ours=True), record=document("a.docx", "A"), replica=file("a.docx", "A")
    )
    theirs = Item(ancestor=ancestor("b.docx", "A", 2), record=document("b.docx", "A"), replica=file("b.docx", "A"))
    gone = Item(ancestor=ancestor("c.docx", "A", 3, ours=True), record=None, replica=None)
    new = Item(ancestor=None, record=None, replica=file("d.docx", "A"))
    items = [ours, theirs, gone, new]
    history = read_history([])
    assert [(f.row, f.subject) for f in findings(history, items)] == [(38, "a.docx"), (39, "b.docx")]
    assert [(r.path, r.marker) for r in registrations(history, items)] == [("a.docx", "item-1")]
    registered = read_history([entry("a.docx")])
    assert not list(registrations(registered, items))
