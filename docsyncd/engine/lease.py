"""The right to work on a key, as the work sees it."""

from __future__ import annotations

from docsyncd.clock import Clock
from docsyncd.errors import LeaseLost
from docsyncd.work.queue import Claim

MARGIN = 1 / 6
"""Part of the lease that must be left before an effect starts: 10 of 60 s, more than the slowest answer we wait for."""


class Lease:
    """One claim and how long it surely holds, by this host's monotonic clock. `renewed` moves the end."""

    def __init__(self, claim: Claim, clock: Clock, *, seconds: float) -> None:
        self.claim = claim
        self._clock = clock
        self._seconds = seconds
        self._end = clock.monotonic() + seconds

    def renewed(self, asked_at: float) -> None:
        """The queue extended the lease; `asked_at` is the monotonic time before the question, so the end is never too late."""
        self._end = asked_at + self._seconds

    def lose(self) -> None:
        """The queue refused to extend it."""
        self._end = self._clock.monotonic()

    def holds(self) -> bool:
        """Does it surely outlast the beginning of an effect?"""
        return self._clock.monotonic() <= self._end - self._seconds * MARGIN

    def require(self) -> None:
        """Raise `LeaseLost` unless it does."""
        if not self.holds():
            raise LeaseLost(f"the lease on {self.claim.key} may have run out")
