"""What the emulated firm has in Advoware, and how its server behaves where the vendor says nothing."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Literal
from zoneinfo import ZoneInfo

from aiohttp import web

from docsyncd.api import Clock
from docsyncd.testing.emulation import Handler

BERLIN = ZoneInfo("Europe/Berlin")


class Refusal(Exception):
    """The request is answered with an error: a German sentence in plain text."""

    def __init__(self, status: int, words: str) -> None:
        self.status = status
        self.words = words
        super().__init__(words)


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """One switch per undocumented or surprising trait (1.1 to 1.5). Change it at any time."""

    has_connector: bool = True
    """`connectorUrl` is set; else only the relay is, under `/relay`."""
    offline_status: int = 500
    """Status of "ist nicht angemeldet"."""
    licensed: bool = True
    """The App-ID is enabled for the Kanzlei."""
    token_seconds: float = 3300.0
    """Life of a token."""
    lifetime: Literal["expiration_utc", "expires_in", "none"] = "expiration_utc"
    """How the token says when it ends."""
    clock_ahead: float = 0.0
    """Seconds that the server's clock is ahead of everybody else's."""
    clock_tolerance: float = 300.0
    """Seconds that the time of a signed request may be off."""
    keys: Literal["camel", "pascal"] = "camel"
    """`hNr` or `HNr`."""
    numbers: Literal["number", "text"] = "number"
    """`hNr` as 42 or as "42"."""
    dates: Literal["naive", "fraction", "zoned"] = "fraction"
    """`2026-11-21T14:05:00`, the same with `.123`, or with a zone."""
    time_apart: bool = False
    """The time of day is in `zeit`, and `dat` is midnight."""
    ablage: Literal["number", "flag", "date", "null", "missing"] = "number"
    """What `ablage` holds; `number` stays when an Akte is re-activated."""
    akte_as_list: bool = False
    """One Akte comes as a list of one."""
    search_filters: bool = True
    """The search knows its parameter; else it lists every Akte."""
    create_answer: Literal["row", "empty"] = "row"
    """Body of the answer to a new entry."""
    history_lag: float = 0.0
    """Seconds until a new entry shows."""
    keeps_file: bool = True
    """A new entry keeps the file that was sent."""
    slow: float = 0.0
    """Seconds that the API takes; the vendor's client waits 15."""
    has_swagger: bool = True
    """The Swagger file is reachable."""


@dataclass(slots=True, kw_only=True)
class StoredEntry:
    """One row of the History. `file` is Advoware's own form, such as `T:\\Akten\\4711\\Klage.pdf`; `born` is monotonic."""

    number: int | None
    text: str
    kind: str
    file: str | None
    date: datetime | None
    born: float = float("-inf")
    row_id: str = field(default_factory=lambda: secrets.token_hex(6))


@dataclass(slots=True, kw_only=True)
class StoredAkte:
    """One Akte. `filing_number` is 0 until it was filed away for the first time."""

    id: str
    number: str
    reference: str
    row_id: str
    archived: bool = False
    archived_at: datetime | None = None
    filing_number: int = 0
    entries: list[StoredEntry] = field(default_factory=list)


class World:
    """Everything that the firm's Advoware holds; read it and change it freely between requests.

    * `akten`: Advoware's id → `StoredAkte` (`.number`, `.reference`, `.archived`, `.entries`)
    * `open_case_file(number, reference)`: an Akte; `case_file(number)`: what is stored of it
    * `add_document(number, path, text)`: an entry for a file below the Akte's folder; whether it exists is nobody's business here
    * `add_call(number, text)`, `add_mail(number, text)`: entries without a file
    * `add_entry(number, file=…)`: an entry whose file value you choose
    * `delete_entry(number, hnr)`: "keep the document" (the vendor's question, answered with no)
    * `entries(number)`: the History as stored; `file_value(number, path)`: how Advoware names a file
    * `archive(number)`, `reactivate(number)`: Ablage
    * `go_offline()`, `go_online()`: the firm's server; `expire_tokens()`: as if an hour had passed
    * `app_id`, `kanzlei`, `database`, `user`, `secrets["api_key"]`, `secrets["password"]`: the account
    * `behaviour`: the switches
    """

    def __init__(self, clock: Clock, behaviour: Behaviour) -> None:
        self.clock = clock
        self.behaviour = behaviour
        self.akten: dict[str, StoredAkte] = {}
        self.root = "T:\\Akten"
        self.app_id = "3f2c9d1e-emulated-app"
        self.kanzlei = "musterkanzlei"
        self.database = "advoware"
        self.user = "SYNC"
        self.secrets = {
            "api_key": base64.b64encode(b"emulated key of the App-ID").decode(),
            "password": "emulated-password",
        }
        self.online = True
        self.tokens: dict[str, datetime] = {}
        """Valid until, by the server's clock."""
        self.nonces: set[str] = set()
        self._next_id = 90210

    def server_now(self) -> datetime:
        return self.clock.now() + timedelta(seconds=self.behaviour.clock_ahead)

    def open_case_file(self, number: str, reference: str = "", *, id: str = "") -> str:  # noqa: A002 - Advoware's word
        """An active Akte; returns Advoware's id, which is not the number."""
        self._next_id += 1
        akte = StoredAkte(
            id=id or str(self._next_id),
            number=number,
            reference=reference or f"{number}/26",
            row_id=secrets.token_hex(6),
        )
        self.akten[akte.id] = akte
        return akte.id

    def case_file(self, number: str) -> StoredAkte:
        return next(akte for akte in self.akten.values() if akte.number == number)

    def file_value(self, number: str, path: str) -> str:
        return f"{self.root}\\{number}\\" + path.replace("/", "\\")

    def add_document(self, number: str, path: str, text: str = "", *, hnr: int | None = None) -> StoredEntry:
        """An entry for a file; `hnr` where a certain number is wanted."""
        return self.add_entry(number, text=text or path, kind="S", file=self.file_value(number, path), hnr=hnr)

    def add_call(self, number: str, text: str) -> StoredEntry:
        return self.add_entry(number, text=text, kind="T")

    def add_mail(self, number: str, text: str) -> StoredEntry:
        return self.add_entry(number, text=text, kind="M")

    def add_entry(
        self, number: str, *, text: str = "", kind: str = "S", file: str | None = None, hnr: int | None = None
    ) -> StoredEntry:
        akte = self.case_file(number)
        entry = StoredEntry(
            number=self._next_number() if hnr is None else hnr,
            text=text,
            kind=kind,
            file=file,
            date=self.server_now().replace(microsecond=123000),
        )
        akte.entries.append(entry)
        return entry

    def create(self, akte: StoredAkte, *, text: str, kind: str, file: str | None, date: datetime | None) -> StoredEntry:
        """As a client of the API creates one."""
        entry = StoredEntry(
            number=self._next_number(),
            text=text,
            kind=kind,
            file=file if self.behaviour.keeps_file else None,
            date=date,
            born=self.clock.monotonic(),
        )
        akte.entries.append(entry)
        return entry

    def _next_number(self) -> int:
        numbers = (entry.number or 0 for akte in self.akten.values() for entry in akte.entries)
        return max(numbers, default=0) + 1

    def delete_entry(self, number: str, hnr: int) -> None:
        akte = self.case_file(number)
        akte.entries = [entry for entry in akte.entries if entry.number != hnr]

    def entries(self, number: str) -> list[StoredEntry]:
        return self.case_file(number).entries

    def shown(self, akte: StoredAkte) -> list[StoredEntry]:
        """The entries that the API shows by now."""
        now = self.clock.monotonic()
        return [entry for entry in akte.entries if now - entry.born >= self.behaviour.history_lag]

    def archive(self, number: str) -> None:
        """File the Akte away; the first time it gets a filing number, for ever."""
        akte = self.case_file(number)
        akte.archived, akte.archived_at = True, self.server_now()
        akte.filing_number = akte.filing_number or 1 + max(known.filing_number for known in self.akten.values())

    def reactivate(self, number: str) -> None:
        akte = self.case_file(number)
        akte.archived, akte.archived_at = False, None

    def go_offline(self) -> None:
        self.online = False

    def go_online(self) -> None:
        self.online = True

    def expire_tokens(self) -> None:
        self.tokens.clear()

    def require_firm(self) -> None:
        """Raise what the vendor says while the firm's server is off, or the App-ID is not enabled."""
        if not self.online:
            raise Refusal(self.behaviour.offline_status, f"Die Kanzlei '{self.kanzlei}' ist nicht angemeldet.")
        if not self.behaviour.licensed:
            raise Refusal(403, f"Das Produkt 64 ist für die Kanzlei '{self.kanzlei}' nicht freigeschaltet.")

    @web.middleware
    async def dated(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refusals as German text, and a Date header by the server's own clock."""
        try:
            response = await handler(request)
        except Refusal as refusal:
            response = web.Response(status=refusal.status, text=refusal.words)
        except web.HTTPException as answer:
            response = web.Response(status=answer.status, text=answer.reason)
        response.headers["Date"] = format_datetime(self.server_now().astimezone(UTC), usegmt=True)
        return response
