"""How a run on one key ended, as a value. What stops a run is an exception of `docsyncd.errors`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Nothing is left to do until something changes. `summary` is a word: `indexed`, `unsupported`, `deleted`, …"""

    summary: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAgain:
    """Unfinished, by nobody's fault: free the lease and look again after `delay` seconds, without counting an attempt."""

    delay: float
    reason: str


Outcome = Done | LookAgain
