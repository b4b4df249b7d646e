"""Advoware's JSON: keys of any case, values of loose types. Pure; nothing here knows which key means what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final


class Missing:
    """No such key; JSON's null is None."""


MISSING: Final = Missing()


class Row(Mapping[str, Any]):
    """A JSON object whose keys are found in any case: vendor code has `FrNr`, others saw `frNr` (advoware-windows-sync.md, 1.2).

    Iterates over the keys as they came, so that unknown ones are kept word for word.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = dict(raw)
        self._folded = {key.casefold(): key for key in self._raw}

    def __getitem__(self, key: str) -> Any:
        return self._raw[self._folded[key.casefold()]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def first(self, keys: Sequence[str]) -> Any:
        """The value of the first of these keys that has one; None if they are all null, `MISSING` if none is there."""
        found = [self[key] for key in keys if key in self]
        return next((value for value in found if value is not None), None) if found else MISSING

    def without(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """What these keys do not cover, as it came."""
        known = {key.casefold() for key in keys}
        return {key: value for key, value in self._raw.items() if key.casefold() not in known}


def whole(value: Any) -> int | None:
    """`"42"` and 42.0 are 42; null, 0 and what is no number are unknown (installation-profile, U-03)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value) if not isinstance(value, int) else value
        return int(number) if number == int(number) and number > 0 else None
    except (ValueError, OverflowError):
        return None


def text(value: Any) -> str | None:
    """A value as text, 4711.0 as `4711`; nothing, objects and lists are unknown."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)
