"""The little that a connector asks of its host, for tests and contracts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from docsyncd.clock import Clock, SystemClock
from docsyncd.transport import Transport, TransportSettings, open_transport


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainHost:
    """A host that opens transports and does nothing else: nobody watches their breakers."""

    clock: Clock = field(default_factory=SystemClock)

    @asynccontextmanager
    async def transport(self, settings: TransportSettings) -> AsyncIterator[Transport]:
        async with open_transport(settings, self.clock) as transport:
            yield transport


class HandClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: datetime = datetime(2026, 11, 21, 12, tzinfo=UTC)) -> None:
        self._start = start
        self._seconds = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        return self._seconds

    def pass_by(self, seconds: float) -> None:
        self._seconds += seconds
