"""Keys of any case, numbers of any type, dates of any shape, files of any form, and what `ablage` may hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from docsyncd.api import RelativePath
from docsyncd_advoware.akten import is_archived
from docsyncd_advoware.config import Archive, Dates, FileRule, Files
from docsyncd_advoware.dates import is_zero, local, moment
from docsyncd_advoware.files import Unmapped, relative_path, written_value
from docsyncd_advoware.wire import MISSING, Row, text, whole

DATES = Dates()
AKTE = {"id": "90211", "number": "4711", "reference": "12/26 Mü", "Pfad": "T:\\Akten\\2026\\4711", "leer": None}


def test_a_key_is_found_in_any_case_and_kept_as_it_came() -> None:
    row = Row({"HNr": 7, "RowId": "a", "Größe": 1})
    assert row["hnr"] == row["hNr"] == 7
    assert row.first(("nr", "hnr")) == 7
    assert row.first(("fehlt",)) is MISSING
    assert row.without(("hnr",)) == {"RowId": "a", "Größe": 1}


def test_the_first_alias_with_a_value_counts() -> None:
    assert Row({"datei": None, "pfad": "a.pdf"}).first(("datei", "pfad")) == "a.pdf"
    assert Row({"datei": None}).first(("datei", "pfad")) is None


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *((value, 42) for value in (42, "42", " 42 ", 42.0)),
        *((value, None) for value in (0, "0", None, "", -1, "4a", 4.5, True, "nan", "inf", MISSING, [42])),
    ],
)
def test_a_number_is_one_whatever_its_type_and_0_is_unknown(value: Any, number: int | None) -> None:
    assert whole(value) == number


def test_text_is_trimmed_and_objects_are_no_text() -> None:
    assert [text(value) for value in (" a ", "", 4711, 4711.0, None, True, {"a": 1}, MISSING)] == [
        *("a", None, "4711", "4711", None, None, None, None)
    ]


@pytest.mark.parametrize(
    ("day", "hour", "utc"),
    [
        ("2026-11-21T14:05:00", None, (2026, 11, 21, 13, 5)),
        ("2026-11-21T14:05:00.123", None, (2026, 11, 21, 13, 5)),
        ("2026-07-21T14:05:00", None, (2026, 7, 21, 12, 5)),
        ("2026-11-21T14:05:00Z", None, (2026, 11, 21, 14, 5)),
        ("2026-11-21T14:05:00.1234567+01:00", None, (2026, 11, 21, 13, 5)),
        ("2026-11-21T00:00:00", "14:05", (2026, 11, 21, 13, 5)),
        ("2026-11-21T00:00:00", "9:05", (2026, 11, 21, 8, 5)),
        ("2026-11-21", "14:05:00", (2026, 11, 21, 13, 5)),
        ("2026-11-21T00:00:00", "1899-12-30T14:05:00", (2026, 11, 21, 13, 5)),
        ("21.11.2026", "14:05", (2026, 11, 21, 13, 5)),
        ("21.11.2026 14:05", None, (2026, 11, 21, 13, 5)),
        ("2026-11-21T08:00:00", "14:05", (2026, 11, 21, 7, 0)),
        ("2026-11-21", None, (2026, 11, 20, 23, 0)),
        ("2026-11-21", "25:99", (2026, 11, 20, 23, 0)),
    ],
)
def test_a_date_is_read_in_every_shape(day: str, hour: str | None, utc: tuple[int, ...]) -> None:
    found = moment(day, hour, DATES)
    assert found is not None
    assert found.replace(second=0, microsecond=0) == datetime(*utc, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize("day", [None, "", "0001-01-01T00:00:00Z", "1899-12-30", "gestern", 0, MISSING, {"a": 1}])
def test_no_date_is_no_date(day: Any) -> None:
    assert moment(day, "14:05", DATES) is None


def test_the_edge_of_time_is_no_crash() -> None:
    assert moment("9999-12-31T23:59:59", None, Dates(zone="America/New_York")) is None
    assert moment("0001-01-01T00:00:00", None, Dates(sentinels=())) is None


def test_a_date_is_written_as_local_time() -> None:
    assert local(datetime(2026, 7, 21, 12, 5, tzinfo=UTC), DATES) == "2026-07-21T14:05:00"


def test_a_zero_date_is_known() -> None:
    assert is_zero("0001-01-01T00:00:00", DATES)
    assert not is_zero("2026-11-21", DATES)
    assert not is_zero("x", DATES)


def rules(*roots: str, **more: Any) -> Files:
    return Files(rules=tuple(FileRule(root=root) for root in roots), **more)


@pytest.mark.parametrize(
    ("value", "root", "path"),
    [
        ("T:\\Akten\\4711\\Klage.pdf", "T:\\Akten\\{number}\\", "Klage.pdf"),
        ("t:\\AKTEN\\4711\\Anlagen\\K1.pdf", "T:/Akten/{number}", "Anlagen/K1.pdf"),
        ("\\\\server\\akten\\4711\\Klage.pdf", "\\\\SERVER\\Akten\\{number}", "Klage.pdf"),
        ("T:\\Akten\\2026\\4711\\Klage.pdf", "{pfad}", "Klage.pdf"),
        ("T:\\Akten\\2026\\4711 Müller\\Klage.pdf", "T:\\Akten\\*\\*", "Klage.pdf"),
        ("T:\\Akten\\4711\\Klage~.pdf", "T:\\Akten\\{number}", "Klage~.pdf"),
        ("T:\\Akten (alt)\\4711\\Klage.pdf", "T:\\Akten (alt)\\{number}", "Klage.pdf"),
    ],
)
def test_a_file_below_a_root_has_a_path(value: str, root: str, path: str) -> None:
    assert relative_path(value, AKTE, rules("X:\\nowhere", root)) == path


@pytest.mark.parametrize(
    ("value", "files", "reason"),
    [
        ("T:\\Akten\\4712\\Klage.pdf", rules("T:\\Akten\\{number}"), "no rule fits values on drive T:"),
        ("T:\\Akten\\47110\\Klage.pdf", rules("T:\\Akten\\{number}"), "no rule fits"),
        ("\\\\nas\\Müller\\Klage.pdf", rules("T:\\"), "no rule fits values on the server nas"),
        ("T:\\Akten\\4711\\Klage.pdf", Files(), "no rule fits"),
        ("T:\\Akten\\4711\\Klage.pdf", rules("{leer}", "{unbekannt}\\x"), "no rule fits"),
        ("T:\\Akten\\4711\\..\\4712\\Klage.pdf", rules("T:\\Akten\\{number}"), "leads out"),
        ("T:\\Akten\\4711\\", rules("T:\\Akten\\{number}"), "leads out"),
        ("T:\\Akten\\4711\\Klage.pdf:Zone", rules("T:\\Akten\\{number}"), "leads out"),
        ("T:\\Akten\\4711\\KLAGES~1.PDF", rules("T:\\Akten\\{number}"), "8.3"),
        ("T:\\Akten\\4711\\ANLAGE~2\\K1.pdf", rules("T:\\Akten\\{number}"), "8.3"),
        ("Klage.pdf", rules("T:\\Akten\\{number}"), "relative"),
        ("/etc/passwd", Files(relative=True), "no rule fits values without a drive"),
    ],
)
def test_what_no_rule_fits_has_no_path_and_a_reason_without_a_name(value: str, files: Files, reason: str) -> None:
    with pytest.raises(Unmapped, match=reason) as refused:
        relative_path(value, AKTE, files)
    assert "Klage" not in str(refused.value)
    assert "Müller" not in str(refused.value)


def test_relative_values_and_short_names_are_taken_where_the_configuration_says_so() -> None:
    assert relative_path("Anlagen\\K1.pdf", AKTE, Files(relative=True)) == "Anlagen/K1.pdf"
    assert relative_path("KLAGES~1.PDF", AKTE, Files(relative=True, short_names=True)) == "KLAGES~1.PDF"


def test_a_written_value_has_the_placeholders_filled() -> None:
    assert written_value(RelativePath("a/b.pdf"), AKTE, "{Pfad}\\{path}") == "T:\\Akten\\2026\\4711\\a\\b.pdf"
    with pytest.raises(Unmapped, match="fehlt"):
        written_value(RelativePath("b.pdf"), AKTE, "{fehlt}\\{path}")


@pytest.mark.parametrize(
    ("row", "archive", "archived"),
    [
        ({}, Archive(), None),
        ({"ablage": None}, Archive(), None),
        ({"ablage": None}, Archive(null="no"), False),
        ({"ablage": {"nr": 1}}, Archive(), None),
        ({"Ablage": 17}, Archive(), True),
        ({"ablage": 0}, Archive(), False),
        ({"ablage": ""}, Archive(), False),
        ({"ablage": True}, Archive(), True),
        ({"ablage": False}, Archive(), False),
        ({"ablage": "Nein"}, Archive(), False),
        ({"ablage": "0001-01-01T00:00:00"}, Archive(), False),
        ({"ablage": "2026-01-01"}, Archive(), True),
        ({"ablage": "A"}, Archive(operator="one_of", values=("a", "X")), True),
        ({"ablage": 2}, Archive(operator="one_of", values=("1",)), False),
        ({"ablage": 2}, Archive(operator="none_of", values=("1", "3")), True),
        ({"ablage": 1}, Archive(operator="none_of", values=("1",)), False),
        ({"abgelegtAm": "2026-01-01", "ablage": 0}, Archive(field=("abgelegtAm",)), True),
    ],
)
def test_ablage_is_read_by_the_predicate_and_what_is_missing_is_unknown(
    row: dict[str, Any], archive: Archive, archived: bool | None
) -> None:
    assert is_archived(Row(row), archive, DATES) is archived
