"""A connection to the Advoware emulator, and the emulator as a world of the `Journal` contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from docsyncd.api import CaseFileNumber, Clock, Ports, RelativePath, SystemClock
from docsyncd.testing.emulation import serve_emulator
from docsyncd.testing.host import PlainHost
from docsyncd_advoware.client import connect
from docsyncd_advoware.config import AdvowareConfig
from docsyncd_advoware.emulator import AdvowareEmulator, Behaviour, World
from docsyncd_advoware.journal import AdvowareJournal

NUMBER = CaseFileNumber("4711")


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulated:
    """The emulator, served, and the connector's ports on it. Also a `JournalWorld`."""

    emulator: AdvowareEmulator
    urls: Mapping[str, str]
    ports: Ports
    config: AdvowareConfig
    _numbers: Any = field(default_factory=lambda: count(5000))

    @property
    def world(self) -> World:
        return self.emulator.world

    @property
    def journal(self) -> AdvowareJournal:
        assert isinstance(self.ports.journal, AdvowareJournal)
        return self.ports.journal

    def asked(self, part: str, method: str = "*") -> int:
        """How many requests there were whose path contains `part`."""
        requests = self.emulator.requests.all()
        return sum(part in request.path and method in ("*", request.method) for request in requests)

    def url(self, role: str) -> str:
        return self.urls[role]

    def reset_breaker(self) -> None:
        """As the daemon does once the health call succeeds."""
        for transport in self.ports.transports:
            transport.breaker.reset()

    async def open_case_file(self) -> CaseFileNumber:
        number = CaseFileNumber(str(next(self._numbers)))
        self.world.open_case_file(number)
        return number

    async def add_document(self, case_file: CaseFileNumber, path: RelativePath, text: str) -> int:
        return self.world.add_document(case_file, path, text).number or 0

    async def add_note(self, case_file: CaseFileNumber, text: str) -> int:
        return self.world.add_call(case_file, text).number or 0

    async def file_away(self, case_file: CaseFileNumber) -> None:
        self.world.archive(case_file)

    async def reactivate(self, case_file: CaseFileNumber) -> None:
        self.world.reactivate(case_file)

    async def swap(self, case_file: CaseFileNumber) -> None:
        await self.journal.archived(case_file)
        akte = self.world.case_file(case_file)
        akte.number, akte.reference = "1" + akte.number, "1/99"

    async def go_away(self) -> None:
        self.world.go_offline()

    async def texts(self, case_file: CaseFileNumber) -> Sequence[str]:
        numbers = (case_file, "1" + case_file)  # the second since `swap`
        return [entry.text for akte in self.world.akten.values() if akte.number in numbers for entry in akte.entries]


def merged(table: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The table with these settings in it; tables are merged, everything else is replaced."""
    found = dict(table)
    for key, value in settings.items():
        inner = found.get(key)
        found[key] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return found


@asynccontextmanager
async def emulated(
    behaviour: Behaviour | None = None, *, clock: Clock | None = None, host_clock: Clock | None = None, **settings: Any
) -> AsyncIterator[Emulated]:
    """Serve a fresh emulator with one Akte and connect to it. `settings` are keys of the connector's table."""
    emulator = AdvowareEmulator(behaviour=behaviour or Behaviour(ablage="flag"), clock=clock)
    emulator.world.open_case_file(NUMBER, reference="12/26 Mü")
    with TemporaryDirectory() as folder:
        async with serve_emulator(emulator) as urls:
            usual = {"rate": 1000.0, "writes": {"enabled": True}}
            table = merged(merged(emulator.table(urls, Path(folder)), usual), settings)
            config = AdvowareConfig.model_validate({key: value for key, value in table.items() if key != "type"})
            host = PlainHost(clock=host_clock or clock or SystemClock())
            async with connect("advoware", config, host) as ports:
                yield Emulated(emulator=emulator, urls=urls, ports=ports, config=config)
