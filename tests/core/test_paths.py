"""Names on NTFS, names that Windows refuses, and the names that we give."""

from __future__ import annotations

import unicodedata

import pytest

from docsyncd.core.model import RelativePath, Side
from docsyncd.core.paths import (
    caution_key,
    conflict_copy,
    free_path,
    has_folder,
    is_conflict_copy,
    is_nobodys,
    name_of,
    ntfs_key,
    owner_files,
    refusal,
    windows_path,
)
from tests.core.case_world import NOW

NFC, NFD = "M\u00fcller.docx", "Mu\u0308ller.docx"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Klage.docx", "KLAGE.DOCX", True),
        ("Ordner\\Klage.docx", "ordner/klage.docx", True),
        ("müller.docx", "MÜLLER.DOCX", True),
        (NFC, NFD, False),
        ("Maß.docx", "Mass.docx", False),
        ("Maß.docx", "MAẞ.docx", False),
        ("\u0131.docx", "i.docx", False),
        ("ﬁ.docx", "FI.docx", False),
        ("𐐨.docx", "𐐀.docx", False),
    ],
)
def test_two_names_are_one_file_as_ntfs_compares_them(one: str, other: str, *, same: bool) -> None:
    assert (ntfs_key(one) == ntfs_key(other)) is same


def test_the_caution_key_sees_what_people_confuse() -> None:
    assert caution_key(NFC) == caution_key(NFD) == caution_key("MÜLLER.docx. ")
    assert caution_key("Maß.docx") == caution_key("MASS.docx")
    assert caution_key("a/Klage.docx") != caution_key("b/Klage.docx")


@pytest.mark.parametrize(
    ("path", "because"),
    [
        ("Klage.docx", None),
        ("Ordner/Klage.docx", None),
        ("COM10.docx", None),
        ("", "no name"),
        ("../Klage.docx", "no name"),
        ("a//b", "no name"),
        ("Klage?.docx", "forbids"),
        ("Kla\nge.docx", "forbids"),
        ("con", "device"),
        ("NUL.tar.gz", "device"),
        ("Ordner/COM¹.docx", "device"),
        ("LPT0", "device"),
        ("Klage.", "end"),
        ("Klage ", "end"),
        ("x" * 240, None),
        ("x" * 241, "longer than 240"),
        ("\U0001f4c4" * 121, "longer than 240"),  # an emoji counts as two UTF-16 units
    ],
)
def test_what_windows_refuses_is_refused_with_a_reason(path: str, because: str | None) -> None:
    said = refusal(path)
    assert said is None if because is None else said is not None and because in said


@pytest.mark.parametrize(
    ("name", "mapped"),
    [
        ("Klage.docx", "Klage.docx"),
        ("Klage: Entwurf?.docx", "Klage_ Entwurf_.docx"),
        ("CON.docx", "_CON.docx"),
        ("Akte. ", "Akte__"),
        ("../Klage.docx", None),
        ("", None),
        ("x" * 300, None),
    ],
)
def test_a_records_name_is_mapped_or_cannot_be(name: str, mapped: str | None) -> None:
    assert windows_path(RelativePath(name)) == mapped


@pytest.mark.parametrize(
    "name", ["~$Klage.docx", "~WRL0001.tmp", "x.TMP", "Thumbs.db", "desktop.ini", ".~lock.a.odt#", "a.crdownload"]
)
def test_owner_and_temporary_files_are_nobodys(name: str) -> None:
    assert is_nobodys(f"Ordner/{name}")


@pytest.mark.parametrize("name", ["Klage.docx", "~Entwurf.docx", "tmp.docx", "Thumbs.db.docx"])
def test_documents_are_somebodys(name: str) -> None:
    assert not is_nobodys(name)


@pytest.mark.parametrize("owner", ["~$Klage.docx", "~$lage.docx", "~$age.docx", ".~lock.Klage.docx#"])
def test_an_owner_file_is_recognised_in_every_office(owner: str) -> None:
    assert ntfs_key(f"Ordner/{owner}") in owner_files("Ordner/Klage.docx")


def test_a_conflict_copy_says_whose_text_it_is_and_when() -> None:
    made = conflict_copy(RelativePath("Ordner/Klage.docx"), NOW, Side.RECORD)
    assert made == "Ordner/Klage (Konflikt 2026-11-21 14.05 EspoCRM).docx"
    assert is_conflict_copy(made)
    assert is_conflict_copy(conflict_copy(RelativePath("Klage"), NOW, Side.REPLICA))
    assert is_conflict_copy(conflict_copy(RelativePath(".profil"), NOW, Side.REPLICA))
    assert not is_conflict_copy("Klage.docx")
    assert not is_conflict_copy("Konflikt 2026.docx")


def test_a_long_name_is_cut_and_keeps_its_mark_and_extension() -> None:
    made = conflict_copy(RelativePath("K" * 236 + ".pdf"), NOW, Side.REPLICA)
    assert refusal(made) is None
    assert made.endswith(" (Konflikt 2026-11-21 14.05 Windows).pdf")
    assert is_conflict_copy(made)


def test_a_free_name_counts_up_past_whatever_ntfs_takes_for_the_same() -> None:
    taken = {ntfs_key("KLAGE.docx"), ntfs_key("klage (2).DOCX")}
    assert free_path(RelativePath("Klage.docx"), taken) == "Klage (3).docx"
    assert free_path(RelativePath("Brief.docx"), taken) == "Brief.docx"
    assert free_path(RelativePath("Klage"), {ntfs_key("Klage")}) == "Klage (2)"


def test_names_and_folders() -> None:
    assert name_of("Ordner/Klage.docx") == "Klage.docx"
    assert has_folder("Ordner/Klage.docx")
    assert not has_folder("Klage.docx")
    assert unicodedata.normalize("NFC", NFD) == NFC
