"""Akten: which one a number means, and whether it is filed away.

Advoware's id is not the Aktennummer. Whatever way the id was found, the Akte that answers must bear the number (or the
Aktenzeichen) that was asked for: documents of one client among those of another are the worst that can happen here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from docsyncd.api import CaseFileNumber, Clock, Rejected, SafetyHalt, normalise_case_file_number
from docsyncd_advoware.config import AdvowareConfig, Archive, Dates
from docsyncd_advoware.dates import is_zero
from docsyncd_advoware.server import Server
from docsyncd_advoware.wire import MISSING, Row, text

WRONG_CASE: Final = "wrong-case"
"""The valve: it stops the Akte until a person decides."""

_NO = frozenset({"", "0", "false", "nein", "n", "no", "none", "null"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Akte:
    """An Akte whose number was verified. `read_at` is monotonic."""

    id: str
    row: Row
    number: str
    reference: str
    read_at: float

    @property
    def names(self) -> frozenset[str]:
        """By what an entry may refer to it."""
        return frozenset({self.id, _plain(self.number), _plain(self.reference)} - {""})

    def placeholders(self) -> Mapping[str, Any]:
        """For rules and templates: the Akte's own keys, and ours, which have the last word."""
        return {**self.row, "id": self.id, "number": self.number, "reference": self.reference}


class Akten:
    """Finds Akten and remembers where they were."""

    def __init__(self, server: Server, config: AdvowareConfig, clock: Clock) -> None:
        self._server = server
        self._config = config
        self._clock = clock
        self._known: dict[CaseFileNumber, Akte] = {}

    async def known(self, number: CaseFileNumber) -> Akte:
        """The Akte, read not long ago."""
        akte = self._known.get(number)
        if akte is not None and self._clock.monotonic() - akte.read_at < self._config.akte.verified_for:
            return akte
        return await self.fresh(number)

    async def fresh(self, number: CaseFileNumber) -> Akte:
        """The Akte as it is now. `Rejected` if there is none, `SafetyHalt` if another one answers."""
        before = self._known.pop(number, None)
        found = before.id if before is not None else await self._find(number)
        row = self._server.one(await self._server.ask("GET", self._config.paths.akte, id=found))
        akte = self._verified(number, found, row)
        self._known[number] = akte
        return akte

    async def _find(self, number: CaseFileNumber) -> str:
        keys = self._config.akte
        mapped = {normalise_case_file_number(known): found for known, found in keys.ids.items()}.get(number)
        if mapped is not None or keys.find == "id":
            return mapped or number
        reply = await self._server.ask("GET", self._config.paths.search, number=number)
        rows = self._server.rows(reply)
        if not rows:
            raise Rejected(f"Advoware has no Akte {number}", remote=self._server.remote)
        ids = {text(row.first(keys.id)) for row in rows if number in self._names(row)}
        if len(ids) != 1 or None in ids:
            raise self._wrong(number, f"the search finds {len(rows)} Akten, and {len(ids)} of them bear the number")
        return str(ids.pop())

    def _verified(self, number: CaseFileNumber, asked: str, row: Row) -> Akte:
        keys = self._config.akte
        names = self._names(row)
        if number not in names:
            raise self._wrong(number, f"the Akte with Advoware's id {asked} bears another number, or none")
        said = text(row.first(keys.id))
        if said is not None and said != asked:
            raise self._wrong(number, f"asked for Advoware's id {asked}, the answer has the id {said}")
        return Akte(
            id=asked,
            row=row,
            number=text(row.first(keys.number)) or number,
            reference=text(row.first(keys.reference)) or "",
            read_at=self._clock.monotonic(),
        )

    def _names(self, row: Row) -> set[str]:
        values = (row.first(self._config.akte.number), row.first(self._config.akte.reference))
        return {_plain(words) for value in values if (words := text(value)) is not None}

    def _wrong(self, number: CaseFileNumber, why: str) -> SafetyHalt:
        return SafetyHalt(f"case file {number} at {self._server.remote}: {why}", valve=WRONG_CASE)


def refers_elsewhere(akte: Akte, value: Any) -> bool:
    """Does an entry name an Akte, and another one?"""
    words = text(value)
    return words is not None and words != "0" and _plain(words) not in akte.names and words not in akte.names


def is_archived(row: Row, archive: Archive, dates: Dates) -> bool | None:
    """The predicate of the configuration; None: unknown."""
    value = row.first(archive.field)
    if value is MISSING or isinstance(value, dict | list):
        return None
    if value is None:
        return False if archive.null == "no" else None
    if archive.operator == "set":
        return _folded(value) not in _NO and not is_zero(value, dates)
    listed = _folded(value) in set(map(_folded, archive.values))
    return listed if archive.operator == "one_of" else not listed


def _folded(value: Any) -> str:
    return str(value).strip().casefold()


def _plain(words: str) -> str:
    return str(normalise_case_file_number(words))
