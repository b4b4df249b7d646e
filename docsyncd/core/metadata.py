"""Fields that come from the History: what is written into the record, field by field, three-way.

Knows no field of either remote and writes nothing. Rows 45 and 46; decision 6: null and 0 are unknown, "42" is 42.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Owner(StrEnum):
    """Whose word counts if both sides changed a field."""

    HISTORY = "history"
    RECORD = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A field to be written into the record. `overruled` is what a person had written there: it goes into the audit note."""

    row: int
    field: str
    value: str
    overruled: str | None = None


def plain(value: str | int | None) -> str | None:
    """How values are compared: as text, without what surrounds them; nothing, null and 0 are unknown."""
    text = "" if value is None else str(value).strip()
    return None if text in ("", "0") else text


def merge(
    owners: Mapping[str, Owner],
    *,
    base: Mapping[str, str | None],
    history: Mapping[str, str | int | None],
    record: Mapping[str, str | int | None],
) -> tuple[FieldChange, ...]:
    """What the record has to take over. What the History does not know changes nothing."""
    return tuple(
        change
        for field, owner in sorted(owners.items())
        if (
            change := _merged(field, owner, plain(base.get(field)), plain(history.get(field)), plain(record.get(field)))
        )
    )


def _merged(field: str, owner: Owner, base: str | None, history: str | None, record: str | None) -> FieldChange | None:
    if history is None or history == record:
        return None
    if record in (base, None):
        moved = history != base or record is None
        return FieldChange(row=45, field=field, value=history) if moved else None
    if owner is Owner.HISTORY:
        return FieldChange(row=46, field=field, value=history, overruled=record)
    return None


def doubled(numbers: Mapping[str, int | None]) -> frozenset[str]:
    """Documents that share one History number: all of them are held, none is guessed (installation-profile, U-12)."""
    holders: dict[int, list[str]] = defaultdict(list)
    for document, number in numbers.items():
        if number:
            holders[number].append(document)
    return frozenset(document for found in holders.values() if len(found) > 1 for document in found)
