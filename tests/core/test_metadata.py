"""History fields, three-way: null and 0 are unknown, "42" is 42."""

from __future__ import annotations

import pytest

from docsyncd.core.metadata import Owner, doubled, merge, plain

Value = str | int | None


@pytest.mark.parametrize(
    ("value", "read"), [(42, "42"), (" 42 ", "42"), (0, None), ("0", None), (None, None), ("", None)]
)
def test_a_value_is_compared_as_text_and_nothing_is_unknown(value: Value, read: str | None) -> None:
    assert plain(value) == read


@pytest.mark.parametrize(
    ("owner", "base", "history", "record", "told"),
    [
        (Owner.HISTORY, None, None, "Brief", None),
        (Owner.HISTORY, "42", 42, "42", None),
        (Owner.HISTORY, "41", 42, 41, (45, "42", None)),
        (Owner.HISTORY, None, "Klage", None, (45, "Klage", None)),
        (Owner.HISTORY, "Klage", "Klage", None, (45, "Klage", None)),
        (Owner.HISTORY, "Klage", "Klage", "Mail", (46, "Klage", "Mail")),
        (Owner.RECORD, "Klage", "Klage", "Mail", None),
        (Owner.RECORD, "Brief", "Klage", "Brief", (45, "Klage", None)),
        (Owner.RECORD, "Brief", "Klage", "Mail", None),
    ],
)
def test_a_field_is_merged(owner: Owner, base: str | None, history: Value, record: Value, told: object) -> None:
    changes = merge({"text": owner}, base={"text": base}, history={"text": history}, record={"text": record})
    assert [(c.row, c.value, c.overruled) for c in changes] == ([told] if told else [])


def test_one_number_on_two_documents_is_held_on_both() -> None:
    assert doubled({"a": 4, "b": 4, "c": 5, "d": None, "e": 0, "f": 0}) == {"a", "b"}
