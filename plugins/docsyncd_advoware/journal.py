"""The port `Journal` on Advoware's Aktengeschichte."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import anyio
import structlog

from docsyncd.api import (
    CaseFileNumber,
    Clock,
    JournalEntry,
    NotReady,
    OutcomeUnknown,
    ProtocolViolation,
    Rejected,
)
from docsyncd_advoware.akten import Akte, Akten, is_archived
from docsyncd_advoware.config import AdvowareConfig
from docsyncd_advoware.dates import local
from docsyncd_advoware.entry import HistoryEntry, marked, read_entry
from docsyncd_advoware.files import Unmapped, relative_path, written_value
from docsyncd_advoware.server import Server

SWAGGER_KEPT: Final = 3600.0
"""Seconds that the Swagger file's hash is believed; releases of Advoware are rarer than that."""


class AdvowareJournal:
    """`docsyncd.ports.Journal`. Its methods' meaning and errors stand there; here stands what is Advoware's own."""

    def __init__(self, server: Server, config: AdvowareConfig, clock: Clock) -> None:
        self._server = server
        self._config = config
        self._clock = clock
        self._akten = Akten(server, config, clock)
        self._one_write = anyio.Lock()
        self._uncertain: dict[str, float] = {}
        self._swagger: tuple[str, float] | None = None
        self._told: set[str] = set()

    async def akte(self, case_file: CaseFileNumber) -> Akte:
        return await self._akten.fresh(case_file)

    async def entries(self, case_file: CaseFileNumber) -> Sequence[HistoryEntry]:
        return await self._read(case_file, await self._akten.known(case_file))

    async def archived(self, case_file: CaseFileNumber) -> bool | None:
        akte = await self._akten.fresh(case_file)
        return is_archived(akte.row, self._config.archived, self._config.dates)

    async def append(self, case_file: CaseFileNumber, entry: JournalEntry, *, marker: str) -> JournalEntry:
        """Our mark is looked for, the entry posted once, and read back. `Rejected` while `writes` does not allow it."""
        await self._require_allowed()
        async with self._one_write:
            akte = await self._akten.fresh(case_file)
            body = self._body(akte, entry, marker)
            if (found := await self._find(case_file, akte, entry, marker)) is not None:
                return found
            await self._post(akte, body, marker)
            found = await self._find(case_file, akte, entry, marker)
        if found is None:
            raise OutcomeUnknown("took an entry, but does not show it", remote=self._server.remote)
        return found

    async def _read(self, case_file: CaseFileNumber, akte: Akte) -> Sequence[HistoryEntry]:
        reply = await self._server.ask("GET", self._config.paths.history, id=akte.id)
        found = [
            read_entry(row, akte, self._config, remote=self._server.remote)
            for row in self._server.rows(reply, self._config.fields.envelope)
        ]
        for entry in found:
            if entry.unmapped is not None and entry.unmapped not in self._told:
                self._told.add(entry.unmapped)
                structlog.get_logger().warning(
                    "journal.unmapped", connector=self._server.remote, case_file=case_file, reason=entry.unmapped
                )
        return found

    async def _require_allowed(self) -> None:
        """`Rejected` unless the configuration allows entries to be made, and for this version of Advoware."""
        writes, remote = self._config.writes, self._server.remote
        if not writes.enabled:
            raise Rejected("makes no History entries: writes.enabled is off", remote=remote)
        if writes.swagger and (present := await self.swagger()) != writes.swagger:
            raise Rejected(
                f"makes no History entries: the Swagger file has changed ({present}). Try an entry by hand, then set "
                "writes.swagger",
                remote=remote,
            )

    async def swagger(self) -> str:
        """SHA-256 of the Swagger file. Raises `RemoteError`."""
        now = self._clock.monotonic()
        if self._swagger is None or now - self._swagger[1] >= SWAGGER_KEPT:
            reply = await self._server.ask("GET", self._config.paths.swagger)
            self._swagger = (hashlib.sha256(reply.body).hexdigest(), now)
        return self._swagger[0]

    def _body(self, akte: Akte, entry: JournalEntry, marker: str) -> Mapping[str, Any]:
        """What is posted. `Rejected` if the entry could not be found again afterwards."""
        writes, dates = self._config.writes, self._config.dates
        if not marker or "]" in marker:
            raise Rejected(f"{marker!r} cannot mark an entry", remote=self._server.remote)
        values = {
            writes.number: akte.number,
            writes.text: marked(entry.text, marker) if writes.marker == "text" else entry.text,
            writes.kind: entry.kind,
            writes.date: None if entry.date is None else local(entry.date, dates),
            writes.file: self._file_value(akte, entry),
        }
        return {**writes.constants, **{key: value for key, value in values.items() if key and value is not None}}

    def _file_value(self, akte: Akte, entry: JournalEntry) -> str | None:
        if entry.path is None:
            return None
        try:
            value = written_value(entry.path, akte.placeholders(), self._config.writes.file_value)
            back = relative_path(value, akte.placeholders(), self._config.files)
        except Unmapped as reason:
            raise Rejected(f"writes.file_value cannot be used: {reason}", remote=self._server.remote) from reason
        if back != entry.path:
            raise Rejected(
                "writes.file_value and files.rules do not fit: another path is read back", remote=self._server.remote
            )
        return value

    async def _post(self, akte: Akte, body: Mapping[str, Any], marker: str) -> None:
        """Once. After a lost answer the same entry is not posted before its absence can be believed."""
        now = self._clock.monotonic()
        left = self._config.writes.settles - (now - self._uncertain.get(marker, float("-inf")))
        if left > 0:
            raise NotReady("an entry may still appear", remote=self._server.remote, retry_after=left)
        self._uncertain[marker] = now
        try:
            await self._server.ask("POST", self._config.paths.history_create, body=body, id=akte.id)
        except Rejected:
            del self._uncertain[marker]
            raise

    async def _find(
        self, case_file: CaseFileNumber, akte: Akte, entry: JournalEntry, marker: str
    ) -> HistoryEntry | None:
        """Our entry, if it is there: the lowest number of those that bear the mark."""
        by_text = self._config.writes.marker == "text"
        found = [
            known
            for known in await self._read(case_file, akte)
            if (known.marker == marker if by_text else entry.path is not None and _same(known, entry))
        ]
        if not found:
            return None
        ours = min(found, key=lambda known: known.number or float("inf"))
        if entry.path is not None and not _same(ours, entry):
            raise ProtocolViolation("keeps our entry with another file than it was given", remote=self._server.remote)
        self._uncertain.pop(marker, None)
        return ours


def _same(one: JournalEntry, other: JournalEntry) -> bool:
    """Do they name one file, as NTFS sees it?"""
    return (one.path or "").casefold() == (other.path or "").casefold()
