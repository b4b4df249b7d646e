"""An even pace for requests."""

from __future__ import annotations

import anyio


class Pace:
    """Lets at most `rate` requests begin per second, one after the other."""

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for one's turn."""
        now = anyio.current_time()
        at = max(now, self._next)
        self._next = at + self._gap
        if at > now:
            await anyio.sleep(at - now)
