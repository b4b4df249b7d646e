"""What happened so lately that a 404 for it is not believed."""

from __future__ import annotations

from collections.abc import Hashable

from docsyncd.api import Clock


class Recently:
    """Keys, each for a number of seconds."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._began = clock.monotonic()
        self._moments: dict[Hashable, float] = {}

    def note(self, key: Hashable) -> None:
        """It happened now."""
        now = self._clock.monotonic()
        self._moments = {old: at for old, at in self._moments.items() if now - at < self._seconds}
        self._moments[key] = now

    def drop(self, key: Hashable) -> None:
        """It was undone."""
        self._moments.pop(key, None)

    def holds(self, key: Hashable) -> bool:
        """Did it happen lately, as far as this connection knows?"""
        at = self._moments.get(key)
        return at is not None and self._clock.monotonic() - at < self._seconds

    def may_hold(self, key: Hashable) -> bool:
        """The same, but what happened before this connection began may have happened just then."""
        at = self._moments.get(key, self._began)
        return self._clock.monotonic() - at < self._seconds
