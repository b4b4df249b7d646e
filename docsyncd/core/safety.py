"""Named valves: predicates that stop what looks like an accident. They decide; they do not count, log or hold.

V1 to V25 are the valves of reference/advoware-windows-sync.md, 4.8, with the floors of case-file-sync.md, decision 10. Four have no
predicate: V8 (no deletion on Windows) and V13 (no unconditional write) cannot even be expressed in a plan, V16 and V20 (leases,
retries) are the work queue's.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime, timedelta
from typing import Final

from docsyncd.core.ancestor import Ancestor, CaseMemory, Missing
from docsyncd.core.identity import shortcuts_hold
from docsyncd.core.model import CaseFileStage, ContentHash, FileState, Volume
from docsyncd.core.paths import NtfsKey, owner_files
from docsyncd.core.snapshot import Firm, Level, Settings, Verdict

REMOVALS_FLOOR = 20
"""Removals that are never suspicious: an afternoon of tidying up one case file."""

REMOVALS_SHARE = 0.10
"""Part of everything that may be removed at once."""


def too_many_removals(removals: int, *, of: int) -> bool:
    """More than max(20, 10 %) at once (design: index-sync.md, "One document")."""
    return removals > max(REMOVALS_FLOOR, REMOVALS_SHARE * of)


FEW: Final = 5
"""Below so many entries a share says nothing: V2 and V5 stay open."""


def instance_changed(memory: CaseMemory, instances: tuple[str, ...], volume: Volume | None) -> bool:
    """V1: another watcher, EspoCRM, firm or volume than the one that the ancestors are about."""
    moved = memory.volume is not None and volume is not None and memory.volume.serial != volume.serial
    return moved or (bool(memory.instances) and memory.instances != instances)


def listing_is_short(seen: int, *, base: int) -> bool:
    """V2: a side that shows fewer than half of at least five known entries is not believed."""
    return base >= FEW and 2 * seen < base


def history_is_short(entries: int, memory: CaseMemory) -> bool:
    """V2 for the History (row 47): fewer than half of at least five entries, or none at all where there were some."""
    return (memory.journal_entries > 0 and entries == 0) or listing_is_short(entries, base=memory.journal_entries)


def history_is_doubted(entries: int, memory: CaseMemory, now: datetime, settings: Settings) -> bool:
    """A short History is not believed for a day: nothing comes in from Windows and nothing is deleted meanwhile."""
    sure = memory.doubted_since is not None and now - memory.doubted_since >= settings.confirm_absence
    return history_is_short(entries, memory) and not sure


def too_many_case_removals(removals: int, *, of: int) -> bool:
    """V4, one case file: more than max(3, 10 %) in one run. It stops deletions only."""
    return removals > max(3, 0.10 * of)


def too_many_firm_removals(removals: int, firm: Firm) -> bool:
    """V4, the firm: more than max(200, five times the usual day), those of this run included."""
    return removals > 0 and firm.removals_today + removals > max(200, 5 * firm.usual_removals)


def too_many_changes(changed: int, *, of: int) -> bool:
    """V5: more than half of at least five items changed on one side at once (a ransomware, a wrong folder, a new normaliser)."""
    return of >= FEW and 2 * changed > of


def too_many_conflicts(conflicts: int, *, of: int) -> bool:
    """V6: more than max(3, 10 %): no copies are made, all are held."""
    return conflicts > max(3, 0.10 * of)


SECOND_LOOK: Final = timedelta(seconds=60)
"""A watcher of level basic is believed only the second time that it does not list a file."""


def absence_is_believed(missing: Missing | None, now: datetime, level: Level) -> bool:
    """May a file be put back where none is seen? V3: at level basic only after two listings at least 60 s apart."""
    return level is Level.EXTENDED or (missing is not None and now - missing.since >= SECOND_LOOK)


def absence_is_sure(missing: Missing | None, now: datetime, wait: timedelta) -> bool:
    """V7: missing in two complete listings at least a day apart; only then may its document be deleted."""
    return missing is not None and now - missing.since >= wait


def journal_went_back(memory: CaseMemory, volume: Volume | None) -> bool:
    """V9: another change journal, or an end of it below what we saw: no hash is taken over, this run has no effects (row 51)."""
    return memory.volume is not None and volume is not None and not shortcuts_hold(memory.volume, volume)


def shows_older_version(state: FileState | None, ancestor: Ancestor | None) -> bool:
    """V10: a content that the item had before. It never overwrites the newer one: a backup may have been restored (row 15)."""
    return state is not None and ancestor is not None and state.content in ancestor.older


RESTORED_AT_MOST: Final = 20
"""Older versions in the firm within an hour that may be chance."""


def restore_suspected(restored: int, firm: Firm) -> bool:
    """V10, the firm: stop the flow as one incident."""
    return restored > 0 and firm.restored_this_hour + restored >= RESTORED_AT_MOST


def collapsed(before: int | None, after: int | None) -> bool:
    """V11: empty, or a tenth of what it was: a crash, a full disk, an encryption trojan. Unknown sizes say nothing."""
    return after is not None and bool(before) and (after == 0 or 10 * after < (before or 0))


def lost_its_type(before: str | None, after: str | None) -> bool:
    """V11, once the bytes are staged: the signature of a known type is gone. For the shell, just before the write."""
    return before is not None and after != before


SETTLE: Final = timedelta(seconds=30)
"""A file that was saved less than this ago may be saved again at once."""

READ_WAIT: Final = timedelta(minutes=10)
"""How long an owner file keeps us from reading: Word may be open all day, and what is saved is saved."""


def is_unsettled(file: FileState, now: datetime) -> bool:
    """V12: saved a moment ago, by its own stamp (in either direction: two clocks are involved)."""
    return file.modified_at is not None and abs(now - file.modified_at) < SETTLE


def is_open(file: FileState, listed: Container[NtfsKey]) -> bool:
    """V12: an owner file lies beside it. Nothing is written to it then."""
    return any(owner in listed for owner in owner_files(file.path))


def store_is_needed(*, destructive: bool, ready: bool) -> bool:
    """V14: nothing is replaced or removed unless its content can be kept first."""
    return destructive and not ready


def look_is_first(memory: CaseMemory, settings: Settings, archived: bool | None) -> bool:
    """V17, V18, row 49: first contact, other settings, or re-opened. A run that only creates, adopts and continues."""
    return not memory.settled or memory.settings != settings.fingerprint or is_reopened(memory, archived)


VERDICT_LASTS: Final = timedelta(days=14)
"""V19: how long the shell lets a person's decision hold, if the contents stand still."""


def verdict_holds(verdict: Verdict | None, now: datetime) -> bool:
    """V19: approved, and not lapsed."""
    return verdict is not None and verdict.approved and now <= verdict.until


def run_is_full(changes: int, size: int, settings: Settings) -> bool:
    """V21: the rest comes in the next run; nothing is held for it."""
    return changes > settings.most_changes or size > settings.most_bytes


def is_too_large(state: FileState | None, settings: Settings) -> bool:
    """V21 and row 52."""
    return state is not None and state.size is not None and state.size > settings.largest


def is_filed_away(memory: CaseMemory, archived: bool | None) -> bool:
    """V22: it was filed away since we last looked. A number that stood there already says nothing (decision 7)."""
    return memory.archived is False and archived is True


def is_reopened(memory: CaseMemory, archived: bool | None) -> bool:
    """Row 49: filed away at the last look, and not any more."""
    return memory.archived is True and archived is False


def is_frozen(stage: CaseFileStage, *, filed_away: bool) -> bool:
    """V22: nothing is written, on either side."""
    return stage is CaseFileStage.REFUSED or filed_away


def may_be_indexed(ancestor: Ancestor | None, content: ContentHash | None) -> bool:
    """V23: committed with this very content, no conflict copy, not deleted, not missing. A candidate leaves the index first."""
    return (
        ancestor is not None
        and content is not None
        and ancestor.content == content
        and not (ancestor.record_only or ancestor.suppressed)
        and ancestor.missing is None
    )


def has_drifted(effects: int) -> bool:
    """V24: a plan made right after a run has effects left: report it, and use no short cuts in the next run."""
    return effects > 0
