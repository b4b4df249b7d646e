"""Which protocol the watcher speaks: asked once, and again now and then, for a watcher may be replaced by a better one."""

from __future__ import annotations

from typing import Final

import anyio
import structlog

from docsyncd.api import Clock, ProtocolViolation, RequestFailed
from docsyncd_watcher import basic, extended, wire
from docsyncd_watcher.basic import BasicLevel
from docsyncd_watcher.extended import ExtendedLevel
from docsyncd_watcher.lines import Lines
from docsyncd_watcher.refusals import HEALTH

ASK_AGAIN: Final = 900.0
"""Seconds that an answer is believed."""

Level = BasicLevel | ExtendedLevel


class Discovery:
    """Remembers the answer. Raises what the transport raises while the watcher is away; nothing is assumed of it then.

    An upgrade is taken up, a downgrade is not: one strange answer must not turn enforced preconditions into checked ones.
    """

    def __init__(self, lines: Lines, clock: Clock) -> None:
        self._lines = lines
        self._clock = clock
        self._basic = BasicLevel(lines)
        self._level: Level | None = None
        self._asked_at = 0.0
        self._one_asks = anyio.Lock()

    async def level(self) -> Level:
        """`ProtocolViolation` if level extended is demanded and the watcher is of another."""
        if self._lines.config.level == "basic":
            return self._keep(self._basic)
        async with self._one_asks:
            if self._level is None or self._clock.monotonic() - self._asked_at > ASK_AGAIN:
                await self.ask()
            return self._level or self._basic

    async def ask(self) -> wire.WireCapabilities | None:
        """Ask now; None for a watcher of level basic."""
        reply = await self._lines.ask("GET", HEALTH, accept={400, 404, 405, 501})
        found = wire.capabilities(reply)
        if found is None and self._lines.config.level == "extended":
            raise ProtocolViolation(
                'level = "extended" is configured, and this watcher does not speak it', remote=self._lines.remote
            )
        known = self._level.instance if isinstance(self._level, ExtendedLevel) else None
        if found is None and known is not None:
            raise RequestFailed(
                "spoke level extended and does not any more: a proxy in between, or another watcher? "
                "If it is meant, reload docsyncd",
                remote=self._lines.remote,
            )
        if found is None:
            self._keep(self._basic)
        elif found.instance != known:
            self._keep(ExtendedLevel(self._lines, found.instance))
        self._asked_at = self._clock.monotonic()
        return found

    def _keep(self, level: Level) -> Level:
        if level is not self._level:
            name, guard = described(level)
            log = structlog.get_logger(__name__)
            log.info("watcher.level", remote=self._lines.remote, protocol=name, guard=guard)
        self._level = level
        return level


def described(level: Level) -> tuple[str, str]:
    """Name and guard, for people."""
    if isinstance(level, ExtendedLevel):
        return "extended", extended.GUARD
    return "basic", basic.GUARD
