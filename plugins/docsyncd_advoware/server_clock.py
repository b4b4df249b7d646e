"""The server's time, as the Date headers of its answers tell it. A signed request bears a time, and hosts' clocks are wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from docsyncd.api import Clock, Reply

COARSE = timedelta(seconds=2)
"""A Date header counts whole seconds and was on its way: less than this is no difference."""


class ServerClock:
    """`offset` is how far the server is ahead of this host; None until an answer came."""

    def __init__(self, clock: Clock, *, correct: bool) -> None:
        self._clock = clock
        self._correct = correct
        self.offset: timedelta | None = None

    def note(self, reply: Reply) -> None:
        try:
            said = parsedate_to_datetime(reply.headers.get("Date", ""))
        except ValueError:
            return
        self.offset = (said if said.tzinfo is not None else said.replace(tzinfo=UTC)) - self._clock.now()

    def server_now(self) -> datetime:
        """By the server's clock, as far as it is known."""
        offset = self.offset or timedelta()
        return self._clock.now() + (offset if abs(offset) > COARSE else timedelta())

    def signing_now(self) -> datetime:
        """The time to sign with."""
        return self.server_now() if self._correct else self._clock.now()
