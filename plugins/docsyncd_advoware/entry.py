"""What an entry of the History says, by the keys, dates and rules of the configuration. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from docsyncd.api import JournalEntry, ProtocolViolation, SafetyHalt
from docsyncd_advoware.akten import WRONG_CASE, Akte, refers_elsewhere
from docsyncd_advoware.config import AdvowareConfig
from docsyncd_advoware.dates import moment
from docsyncd_advoware.files import Unmapped, relative_path
from docsyncd_advoware.wire import MISSING, Row, text, whole

_MARK = re.compile(r" ?\[docsyncd:(?P<marker>[^\]]*)\]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry(JournalEntry):
    """An entry with all that Advoware said of it.

    :param file: the value of the file, as it came.
    :param unmapped: why `path` is None although there is a file value.
    :param marker: the operation of ours that made it.
    :param extra: keys that the configuration does not name, word for word.
    """

    file: str | None = None
    unmapped: str | None = None
    marker: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def read_entry(row: Row, akte: Akte, config: AdvowareConfig, *, remote: str) -> HistoryEntry:
    """One entry. `ProtocolViolation` if it lacks a key that must be there, `SafetyHalt` if it names another Akte."""
    keys, dates = config.fields, config.dates
    missing = [name for name in keys.required if row.first(getattr(keys, name)) is MISSING]
    if missing:
        raise ProtocolViolation(
            f"an entry of the History has no {missing[0]} (keys: {', '.join(row)}); see fields.{missing[0]}",
            remote=remote,
        )
    if refers_elsewhere(akte, row.first(keys.akte)):
        raise SafetyHalt(f"the History of case file {akte.number} holds an entry of another", valve=WRONG_CASE)
    words, value = text(row.first(keys.text)), text(row.first(keys.file))
    mark = _MARK.search(words or "")
    path, unmapped = None, None
    if value is not None:
        try:
            path = relative_path(value, akte.placeholders(), config.files)
        except Unmapped as reason:
            unmapped = str(reason)
    known = (keys.number, keys.akte, keys.date, keys.time, keys.text, keys.kind, keys.file)
    return HistoryEntry(
        number=whole(row.first(keys.number)),
        path=path,
        kind=text(row.first(keys.kind)),
        text=_MARK.sub("", words or "") or None,
        date=moment(row.first(keys.date), row.first(keys.time), dates),
        file=value,
        unmapped=unmapped,
        marker=mark["marker"] if mark else None,
        extra=row.without([key for aliases in known for key in aliases]),
    )


def marked(words: str | None, marker: str) -> str:
    """A text that bears our mark, by which the entry is known again."""
    return " ".join(part for part in (words, f"[docsyncd:{marker}]") if part)
