"""What a decision may depend on, all of it: the observations of one run, the memory, the settings.

Gathers nothing. The shell fills it in (engine), and whatever is not in it cannot change a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from docsyncd.core.ancestor import Ancestor, CaseMemory
from docsyncd.core.conflict_policy import ConflictPolicy
from docsyncd.core.conflicts import NEWER
from docsyncd.core.model import CaseFileStage, JournalEntry, Scan

MIB: Final = 1024 * 1024


class Level(StrEnum):
    """What the watcher can promise (case-file-sync.md, decision 8): EXTENDED has file ids and conditional writes, BASIC has not."""

    BASIC = "basic"
    EXTENDED = "extended"


class Deletions(StrEnum):
    """What a file that is gone from Windows means for its document: TRASH after a day, or HOLD for a person."""

    TRASH = "trash"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the operator wants it.

    :param fingerprint: of mapping, filters and roots; see `CaseMemory.settings`.
    :param confirm_absence: how long a file must be missing before its document is deleted.
    :param largest: bytes of the largest file that is synced (row 52, V21).
    :param most_changes: effects of one run, and `most_bytes` the bytes that they move; the rest comes in the next (V21).
    """

    conflict: ConflictPolicy = NEWER
    deletions: Deletions = Deletions.TRASH
    history_writes: bool = False
    fingerprint: str = ""
    confirm_absence: timedelta = timedelta(hours=24)
    largest: int = 200 * MIB
    most_changes: int = 500
    most_bytes: int = 2048 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Firm:
    """What is counted over all case files.

    :param removals_today: documents that we deleted within 24 hours.
    :param usual_removals: the daily median of the last 30 days.
    :param restored_this_hour: items that showed an older known version.
    """

    removals_today: int = 0
    usual_removals: int = 0
    restored_this_hour: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a person decided about one held thing, until when (V19: fourteen days)."""

    approved: bool
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One look at one case file.

    :param now: aware, the daemon's clock, in the zone that people read: it names conflict copies.
    :param journal: the History; None if it did not answer.
    :param gone: documents of ancestors that EspoCRM itself, asked by id, said were deleted. What a listing merely lacks is unknown.
    :param elsewhere: documents and file ids that now belong to another case file (row 37).
    :param instances: who the remotes say that they are.
    :param skew: how far Windows' clock is from ours; None if unknown.
    :param store_ready: the version store takes what is about to be replaced, with more than a tenth of its quota free.
    :param verdicts: by fingerprint.
    """

    now: datetime
    level: Level
    stage: CaseFileStage
    record: Scan
    replica: Scan
    journal: tuple[JournalEntry, ...] | None
    ancestors: tuple[Ancestor, ...]
    memory: CaseMemory
    settings: Settings
    gone: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    instances: tuple[str, ...] = ()
    archived: bool | None = None
    skew: timedelta | None = None
    store_ready: bool = True
    paused: bool = False
    right_case: bool = True
    firm: Firm = field(default_factory=Firm)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
