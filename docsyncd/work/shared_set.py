"""The keys that tools outside know: two sets of Aktennummern and the lock of the earlier implementation (SEED-B,
"Redis Keys Used", "Manual Operations").

The sets are kept by the queue's own scripts, in the same step as the transition that they show.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import anyio
from redis.asyncio import Redis

from docsyncd.core.model import CaseFileNumber
from docsyncd.errors import LeaseLost, QueueUnavailable
from docsyncd.work.scripts import ScriptName, Scripts

TAKEN: Final = "it was deleted, or taken by another"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacySets:
    """Names of the sets; the defaults are SEED-B's."""

    pending: str = "advoware:pending_aktennummern"
    """Aktennummern that are due: outsiders add, `intake` takes. One that failed stands here until it runs again."""
    processing: str = "advoware:processing_aktennummern"
    """Exactly the Aktennummern being worked on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockSettings:
    """The one lock of the earlier implementation, which takes it by SET NX EX 1800 and releases it unchecked."""

    key: str = "advoware_document_sync_global"
    """Its name in SEED-B."""
    lease: float = 1800.0
    """Seconds until a dead holder's lock ends: SEED-B's figure, so that both systems wait equally long."""
    renew_every: float = 60.0
    """Seconds between renewals: a lock that somebody deleted by hand is noticed within a minute."""
    margin: float = 60.0
    """Seconds before the lease's end from which the lock counts as lost if it could not be renewed."""


class GlobalLock:
    """`locking = "global"`: one Akte at a time, beside the old system. Not ownership: only a sign to others."""

    def __init__(self, client: Redis, *, settings: LockSettings | None = None) -> None:
        self._settings = settings or LockSettings()
        self._scripts = Scripts(client, [self._settings.key])

    @asynccontextmanager
    async def hold(self, number: CaseFileNumber) -> AsyncIterator[bool]:
        """Hold the lock, renewed, while the context lasts; yields False if somebody else holds it.

        A lock that is lost meanwhile (deleted, taken, or not renewed in time) cancels the body and raises `LeaseLost`.
        `QueueUnavailable` if Redis is away at the beginning or the end; the lock then ends with its lease.
        """
        value = f"{number}:{uuid4().hex}"
        asked_at = time.monotonic()
        if not await self._run("take", value, self._milliseconds):
            yield False
            return
        lost: list[str] = []
        try:
            async with anyio.create_task_group() as tasks:

                async def keep() -> None:
                    lost.append(await self._renew_until_lost(value, asked_at))
                    tasks.cancel_scope.cancel()

                tasks.start_soon(keep)
                yield True
                tasks.cancel_scope.cancel()
        except ExceptionGroup as group:
            # The caller sees its own error, as from any context manager.
            raise (group.exceptions[0] if len(group.exceptions) == 1 else group) from None
        finally:
            with anyio.CancelScope(shield=True):
                if not await self._run("compare_delete", value) and not lost:
                    lost.append(TAKEN)
        if lost:
            raise LeaseLost(f"The lock {self._settings.key} is not ours any more: {lost[0]}.")

    @property
    def _milliseconds(self) -> int:
        return round(self._settings.lease * 1000)

    async def _renew_until_lost(self, value: str, renewed_at: float) -> str:
        """Why it is lost."""
        while True:
            await anyio.sleep(self._settings.renew_every)
            asked_at = time.monotonic()
            try:
                if not await self._run("compare_expire", value, self._milliseconds):
                    return TAKEN
                renewed_at = asked_at
            except QueueUnavailable:
                if time.monotonic() > renewed_at + self._settings.lease - self._settings.margin:
                    return "Redis did not answer in time"

    async def _run(self, name: ScriptName, *args: str | int) -> bool:
        return bool(await self._scripts.run(name, *args))
