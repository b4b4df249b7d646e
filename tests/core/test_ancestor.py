"""What is remembered, how it is rebuilt, and what may not be owned twice."""

from __future__ import annotations

from dataclasses import replace

from docsyncd.core.ancestor import OLDER_KEPT, Ancestor, ItemId, clashes, new_item, rebuilt
from docsyncd.core.model import Agreed, ContentHash, RelativePath
from tests.core.case_world import ancestor, content, document, file, missing

A, B, C = content("A"), content("B"), content("C")


def test_an_agreement_remembers_what_was_agreed_before() -> None:
    first = ancestor("Klage.docx", "A", suppressed=True, missing=missing(1))
    record, replica = document("Klage.docx", "B"), file("Klage.docx", "B")
    second = first.agreeing(B, record=record, replica=replica)
    assert (second.content, second.older, second.suppressed, second.missing) == (B, (A,), False, None)
    third = second.agreeing(C, record=record, replica=replica, ours=True)
    assert (third.older, third.ours) == ((A, B), True)
    back = third.agreeing(A, record=record, replica=replica)
    assert back.older == (B, C), "what is agreed now is not an older version"
    assert third.agreeing(C, record=record, replica=replica).older == (A, B)


def test_the_oldest_versions_are_forgotten() -> None:
    known: Ancestor = ancestor("Klage.docx", "A")
    for number in range(OLDER_KEPT + 5):
        known = known.agreeing(ContentHash(f"{number:064}"), record=known.record, replica=known.replica)
    assert len(known.older) == OLDER_KEPT
    assert A not in known.older


def test_ancestors_are_rebuilt_from_the_records_own_fields() -> None:
    hashed = document("Klage.docx", "B", 1, agreed=Agreed(content=A, path=RelativePath("Ordner/Klage.docx")))
    named = document("Brief?.docx", "B", 2, agreed=Agreed(content=A, path=None))
    twin = document("Kopie.docx", "B", 3, agreed=Agreed(content=A, path=RelativePath("ordner/KLAGE.docx")))
    never = document("Neu.docx", "B", 4)
    cleared = document("Leer.docx", "B", 5, agreed=Agreed(content=None, path=None))
    nowhere = document("../x", "B", 6, agreed=Agreed(content=A, path=None))
    found = list(rebuilt([hashed, named, twin, never, cleared, nowhere]))
    assert [a.item for a in found] == ["record-document-1", "record-document-2"]
    assert [a.replica and a.replica.path for a in found] == ["Ordner/Klage.docx", "Brief_.docx"]
    assert all(a.content == A and a.replica and a.replica.file_id is None for a in found)


def test_no_document_no_file_and_no_path_may_be_owned_twice() -> None:
    one, other = ancestor("Klage.docx", "A", 1), ancestor("Brief.docx", "B", 2)
    assert clashes([one, other]) == ()
    assert clashes([one, replace(other, record=document("Brief.docx", "B", 1))]) == (
        "document document-1: item-1 and item-2",
    )
    assert clashes([one, replace(other, replica=file("KLAGE.docx", "B", 2))]) == ("path KLAGE.DOCX: item-1 and item-2",)
    assert clashes([one, replace(other, replica=file("Brief.docx", "B", 1))]) == ("file file-1: item-1 and item-2",)
    assert clashes([one, replace(other, record=None, replica=None)]) == ()
    unnamed = replace(file("Brief.docx", "B"), file_id=None)
    assert clashes([one, replace(other, record=replace(document("x", "B"), file_id=None), replica=unnamed)]) == ()


def test_the_path_of_a_missing_file_is_free() -> None:
    gone = ancestor("Klage.docx", "A", 1, missing=missing(1))
    assert clashes([gone, ancestor("Klage.docx", "B", 2)]) == ()


def test_an_item_that_came_back_gets_a_second_id() -> None:
    assert new_item("7", ()) == "record-7"
    assert new_item("7", {ItemId("record-7"), ItemId("record-7-2")}) == "record-7-3"


def test_a_conflict_copy_is_a_record_only() -> None:
    copy = ancestor("Klage.docx", "A", replica=None)
    assert copy.record_only
    assert copy.key is None
    assert not ancestor("Klage.docx", "A").record_only
