"""One remote's breaker: open while it is away, so that nobody waits for it and no key is blamed."""

from __future__ import annotations

import anyio

from docsyncd.clock import Clock
from docsyncd.errors import CredentialsRefused, Unavailable


class Breaker:
    """Closed while the remote is well; open from the first `Unavailable` until a health call succeeds.

    One breaker belongs to one `Transport`. It is the only thing that workers ask before they claim.
    """

    def __init__(self, remote: str, clock: Clock) -> None:
        self.remote = remote
        self._clock = clock
        self._reason: Unavailable | None = None
        self._since: float = 0.0
        self._not_before: float = 0.0
        self._changed = anyio.Event()

    @property
    def reason(self) -> Unavailable | None:
        """Why it is open, or None while it is closed."""
        return self._reason

    @property
    def open_seconds(self) -> float:
        """For how long it has been open; 0 while closed."""
        return 0.0 if self._reason is None else self._clock.monotonic() - self._since

    @property
    def refused_credentials(self) -> bool:
        """Open until the key changes: no health call will help."""
        return isinstance(self._reason, CredentialsRefused)

    def probe_delay(self) -> float:
        """Seconds that the remote asked us to stay away (Retry-After), from now."""
        return max(0.0, self._not_before - self._clock.monotonic())

    def require_closed(self) -> None:
        """Raise `Unavailable` if open, without sending anything."""
        if self._reason is not None:
            raise type(self._reason)(
                f"not asked, because it is away: {self._reason}", remote=self.remote, retry_after=self.probe_delay()
            )

    def trip(self, reason: Unavailable) -> None:
        """Open. A refused credential is not overwritten by a lesser reason."""
        if self._reason is None:
            self._since = self._clock.monotonic()
        if not self.refused_credentials:
            self._reason = reason
            self._not_before = self._clock.monotonic() + (reason.retry_after or 0.0)
        self._notify()

    def reset(self) -> None:
        """Close, after a health call succeeded."""
        self._reason = None
        self._notify()

    async def changed(self) -> None:
        """Wait for the next opening or closing."""
        await self._changed.wait()

    async def wait_closed(self) -> None:
        while self._reason is not None:
            await self.changed()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
