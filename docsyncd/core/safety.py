"""Named valves: predicates that stop what looks like an accident. They decide; they do not count, log or hold."""

from __future__ import annotations

REMOVALS_FLOOR = 20
"""Removals that are never suspicious: an afternoon of tidying up one case file."""

REMOVALS_SHARE = 0.10
"""Part of everything that may be removed at once."""


def too_many_removals(removals: int, *, of: int) -> bool:
    """More than max(20, 10 %) at once (design: index-sync.md, "One document")."""
    return removals > max(REMOVALS_FLOOR, REMOVALS_SHARE * of)
