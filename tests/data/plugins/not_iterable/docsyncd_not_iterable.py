"""A plugin that returns its policy instead of yielding it."""

from __future__ import annotations

from docsyncd import api


@api.hookimpl
def docsyncd_conflict_policies() -> api.ConflictPolicy:
    return api.ConflictPolicy(name="alone", winner=lambda _conflict: None)
