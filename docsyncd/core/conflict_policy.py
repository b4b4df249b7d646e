"""Who wins when both sides of a case file changed one item. Does not read, write or discard anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from docsyncd.core.model import FileState, RelativePath, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """One item, changed on both sides since they last agreed."""

    path: RelativePath
    record: FileState
    replica: FileState


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictPolicy:
    """A named, pure choice. None means that a person must decide. The loser is kept in any case.

    :param name: what `[case_files] conflict = "…"` says.
    """

    name: str
    winner: Callable[[Conflict], Side | None]
