"""Once per interval in the whole group of daemons, and how far polls have come."""

from __future__ import annotations

from uuid import uuid4

from redis.asyncio import Redis

from docsyncd.work.scripts import Scripts, redis_errors


class Intervals:
    """Which polls and sweeps are due, and their cursors. Losing it makes everything due and reads from the start.

    :param prefix: in front of the two keys, `<prefix>intervals` and `<prefix>cursors`.
    """

    def __init__(self, client: Redis, *, prefix: str = "docsyncd:") -> None:
        self._client = client
        self._scripts = Scripts(client, [f"{prefix}intervals"])
        self._cursors = f"{prefix}cursors"
        self._tokens: dict[str, str] = {}

    async def due(self, name: str, interval: float) -> bool:
        """True for exactly one caller per `interval` seconds, on any host, counted from the last one's start."""
        token = uuid4().hex
        mine = bool(await self._scripts.run("due", name, round(interval * 1_000_000), token))
        if mine:
            self._tokens[name] = token
        return mine

    async def release(self, name: str) -> bool:
        """The run that `due` granted us failed: due again at once. False if another has begun meanwhile."""
        token = self._tokens.pop(name, None)
        return token is not None and bool(await self._scripts.run("undo_due", name, token))

    async def cursor(self, name: str) -> str | None:
        """How far the poll `name` has come, in its own notation; None: read from the start."""
        with redis_errors():
            value = await self._client.hget(self._cursors, name)
        return None if value is None else str(value)

    async def set_cursor(self, name: str, value: str) -> None:
        """Remember it, after everything up to it is in the queue."""
        with redis_errors():
            await self._client.hset(self._cursors, name, value)
