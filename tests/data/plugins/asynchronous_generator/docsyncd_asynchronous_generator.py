"""The same as an asynchronous generator."""

from __future__ import annotations

from collections.abc import AsyncIterator

from docsyncd import api


@api.hookimpl
async def docsyncd_conflict_policies() -> AsyncIterator[api.ConflictPolicy]:
    yield api.ConflictPolicy(name="late", winner=lambda _conflict: None)
