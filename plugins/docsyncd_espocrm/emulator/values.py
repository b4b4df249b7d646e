"""What EspoCRM makes of a value that a body holds for a field: coerced, refused, or kept as sent. Pure: no records, no clock.

Source: reference 3.2 (coercions), 3.3 (date-times), 5.1 (the name's pattern).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from docsyncd_espocrm.emulator.schema import Field

FORMAT = "%Y-%m-%d %H:%M:%S"
"""A date-time on the wire: UTC, no zone, whole seconds."""

DEFAULT_LENGTH = 100
"""Characters of a varchar without maxLength."""

_SYSTEM = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Refused(Exception):
    """The value does not validate; `kind` is EspoCRM's name of the check that failed."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Accepted:
    """`stored` goes into the table; `shown` is what this request's answer and its webhook say."""

    stored: Any
    shown: Any


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(FORMAT)


def accept(field: Field, value: Any) -> Accepted:
    """The value for one stored attribute of `field`. Raises `Refused`."""
    if value is None:
        return Accepted(False, False) if field.type == "bool" else Accepted(None, None)
    accepted = _KINDS.get(field.type, _as_is)(field, value)
    return accepted if isinstance(accepted, Accepted) else Accepted(accepted, accepted)


def missing(field: Field, value: Any) -> bool:
    return field.required and value is None


def _as_is(field: Field, value: Any) -> Any:  # noqa: ARG001 - one signature for all kinds
    return value


def _varchar(field: Field, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Refused("valid")
    text = str(value).strip()
    if len(text) > (field.max_length or DEFAULT_LENGTH):
        raise Refused("maxLength")
    if field.pattern and re.search(r"[<>]", text):
        raise Refused("pattern")
    return text or None


def _text(field: Field, value: Any) -> Any:
    if not isinstance(value, str):
        raise Refused("valid")
    if field.max_length and len(value) > field.max_length:
        raise Refused("maxLength")
    return value or None


def _int(field: Field, value: Any) -> Any:  # noqa: ARG001
    if isinstance(value, bool):
        raise Refused("valid")
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        raise Refused("valid") from None


def _bool(field: Field, value: Any) -> Any:  # noqa: ARG001
    if not isinstance(value, bool | int):
        raise Refused("valid")
    return bool(value)


def _enum(field: Field, value: Any) -> Any:
    if value not in field.options:
        raise Refused("valid")
    return value


def _array(field: Field, value: Any) -> Any:  # noqa: ARG001
    if not isinstance(value, list):
        raise Refused("array")
    return value


def _json_array(field: Field, value: Any) -> Any:  # noqa: ARG001
    if isinstance(value, Mapping):
        return list(value.values())
    if not isinstance(value, list):
        raise Refused("array")
    return value


def _date(field: Field, value: Any) -> Any:  # noqa: ARG001
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise Refused("valid")
    try:
        date.fromisoformat(value)
    except ValueError:
        raise Refused("valid") from None
    return value


def _datetime(field: Field, value: Any) -> Any:  # noqa: ARG001
    if not isinstance(value, str):
        raise Refused("valid")
    try:
        if _SYSTEM.fullmatch(value):
            moment = datetime.fromisoformat(value).replace(tzinfo=UTC)
            return Accepted(timestamp(moment), value)
        if _RFC3339.fullmatch(value):
            return timestamp(datetime.fromisoformat(value))
    except ValueError:
        raise Refused("valid") from None
    raise Refused("valid")


def _id(field: Field, value: Any) -> Any:  # noqa: ARG001
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Refused("valid")
    return str(value) or None


_KINDS: Mapping[str, Callable[[Field, Any], Any]] = {
    "varchar": _varchar,
    "text": _text,
    "int": _int,
    "bool": _bool,
    "enum": _enum,
    "array": _array,
    "jsonArray": _json_array,
    "date": _date,
    "datetime": _datetime,
    "link": _id,
    "file": _id,
    "image": _id,
}
