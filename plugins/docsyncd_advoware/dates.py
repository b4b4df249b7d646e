"""Advoware's dates. Pure. What cannot be read is unknown, and no date ever decides which content wins (1.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from docsyncd_advoware.config import Dates
from docsyncd_advoware.wire import text


def moment(day: Any, hour: Any, settings: Dates) -> datetime | None:
    """Date and time of day, together or in two fields, as UTC. A day without a time is its first minute in the zone."""
    when = _read(day, settings)
    if when is None or _is_sentinel(when, settings):
        return None
    if when.time() == time.min and (clock := _time_of_day(hour, settings)) is not None:
        when = datetime.combine(when.date(), clock, tzinfo=when.tzinfo)
    try:
        return (when if when.tzinfo is not None else when.replace(tzinfo=ZoneInfo(settings.zone))).astimezone(UTC)
    except OverflowError:
        return None


def local(when: datetime, settings: Dates) -> str:
    """As it is written: local time without a zone."""
    return f"{when.astimezone(ZoneInfo(settings.zone)):%Y-%m-%dT%H:%M:%S}"


def is_zero(value: Any, settings: Dates) -> bool:
    """Is this a date that means "none"?"""
    when = _read(value, settings)
    return when is not None and _is_sentinel(when, settings)


def _is_sentinel(when: datetime, settings: Dates) -> bool:
    return when.date().isoformat() in settings.sentinels


def _time_of_day(value: Any, settings: Dates) -> time | None:
    """`14:05`, `14:05:00`, or a date-time whose date means nothing."""
    words = text(value)
    if words is None:
        return None
    if re.fullmatch(r"\d?\d:\d\d(:\d\d(\.\d+)?)?", words):
        try:
            return time.fromisoformat(words.rjust(5, "0") if words.count(":") == 1 else words.zfill(8))
        except ValueError:
            return None
    when = _read(words, settings)
    return None if when is None else when.time()


def _read(value: Any, settings: Dates) -> datetime | None:
    words = text(value)
    if words is None:
        return None
    try:
        return datetime.fromisoformat(words)
    except ValueError:
        pass
    for known in settings.formats:
        try:
            return datetime.strptime(words, known)  # noqa: DTZ007 - the zone is the configuration's, added by the caller
        except ValueError:
            continue
    return None
