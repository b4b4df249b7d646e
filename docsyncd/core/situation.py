"""One item in its surroundings, and the questions that the decision table asks about it. Each is a named predicate.

Answers; does not conclude.
"""

from __future__ import annotations

from dataclasses import dataclass

from docsyncd.core import safety
from docsyncd.core.ancestor import Ancestor, ItemId, Missing, rebuilt
from docsyncd.core.identity import Found, Item, identify, is_copy_of_a_conflict
from docsyncd.core.membership import Belonging, History, read_history
from docsyncd.core.model import Drift, FileState, Side
from docsyncd.core.paths import NtfsKey, is_nobodys, ntfs_key
from docsyncd.core.snapshot import Snapshot


class World:
    """A snapshot with what follows from it for the case file as a whole. Made once per plan; nothing in it changes."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        entries, settings = snapshot.journal, snapshot.settings
        self.doubted = entries is not None and safety.history_is_doubted(
            len(entries), snapshot.memory, snapshot.now, settings
        )
        self.history: History = read_history(None if self.doubted else entries)
        again = () if snapshot.memory.settled else _remembered_by_the_record(snapshot)
        self.ancestors: tuple[Ancestor, ...] = (*snapshot.ancestors, *again)
        self.items = identify(
            self.ancestors,
            snapshot.record.files,
            snapshot.replica.files,
            rebuilt=frozenset(ancestor.item for ancestor in again),
        )
        self.listed = frozenset(ntfs_key(file.path) for file in snapshot.replica.files)
        self.owned: dict[NtfsKey, ItemId] = {a.key: a.item for a in self.ancestors if a.key is not None}
        self.item_ids = frozenset(ancestor.item for ancestor in self.ancestors)
        self.journal_went_back = safety.journal_went_back(snapshot.memory, snapshot.replica.volume)
        self.first_look = safety.look_is_first(snapshot.memory, snapshot.settings, snapshot.archived)

    def approved(self, valve: str, item: Item) -> bool:
        """Did a person let exactly this pass?"""
        return self.lets_pass(fingerprint(valve, item))

    def lets_pass(self, mark: str) -> bool:
        return safety.verdict_holds(self.snapshot.verdicts.get(mark), self.snapshot.now)


def _remembered_by_the_record(snapshot: Snapshot) -> tuple[Ancestor, ...]:
    """Ancestors that are rebuilt at first contact; what is committed already has the first claim."""
    documents = {a.record.file_id for a in snapshot.ancestors if a.record is not None}
    keys = {a.key for a in snapshot.ancestors}
    taken = {a.item for a in snapshot.ancestors}
    unknown = [state for state in snapshot.record.files if state.file_id not in documents]
    found = rebuilt(sorted(unknown, key=lambda state: state.file_id or ""))
    return tuple(ancestor for ancestor in found if ancestor.key not in keys and ancestor.item not in taken)


def fingerprint(valve: str, item: Item) -> str:
    """Binds a person's decision to the contents on all sides: it lapses when one of them moves."""
    who = item.ancestor.item if item.ancestor else item.name
    contents = [state.content if state else None for state in (item.record, item.replica)]
    return "|".join((valve, who, *(str(c or "") for c in (item.ancestor and item.ancestor.content, *contents))))


@dataclass(slots=True, kw_only=True)
class Case:
    """One item of a world, with its two drifts."""

    item: Item
    world: World
    record: Drift
    replica: Drift


def look_at(item: Item, world: World) -> Case:
    """The item with what each side did since they last agreed."""
    return Case(item=item, world=world, record=_record_drift(item, world), replica=_replica_drift(item, world))


def _record_drift(item: Item, world: World) -> Drift:
    if not world.snapshot.record.complete:
        return Drift.UNKNOWN
    if item.record is not None:
        return _drift(item, item.record)
    if item.ancestor is None:
        return Drift.ABSENT
    known = item.ancestor.record
    return Drift.DELETED if known is not None and known.file_id in world.snapshot.gone else Drift.UNKNOWN


def _replica_drift(item: Item, world: World) -> Drift:
    if not world.snapshot.replica.complete:
        return Drift.UNKNOWN
    if item.replica is not None:
        return _drift(item, item.replica)
    return Drift.ABSENT if item.ancestor is None or item.ancestor.record_only else Drift.DELETED


def _drift(item: Item, state: FileState) -> Drift:
    if state.content is None:
        return Drift.UNKNOWN
    if item.ancestor is None:
        return Drift.CREATED
    return Drift.UNCHANGED if state.content == item.ancestor.content else Drift.MODIFIED


# The questions. Each takes a Case and stands in the tables under its name.


def always(_: Case) -> bool:
    return True


def is_odd(case: Case) -> bool:
    """No ordinary file, or too large."""
    states = (case.item.record, case.item.replica)
    settings = case.world.snapshot.settings
    return any(s is not None and (s.oddity is not None or safety.is_too_large(s, settings)) for s in states)


def is_nobodys_file(case: Case) -> bool:
    """An owner or temporary file, also one that a tracked file has become; of new ones, an empty file, too."""
    item = case.item
    seen = [state for state in (item.record, item.replica) if state is not None]
    return any(is_nobodys(s.path) or (item.ancestor is None and s.size == 0) for s in seen)


def lives_elsewhere(case: Case) -> bool:
    """Its document or its file now belongs to another case file."""
    item, elsewhere = case.item, case.world.snapshot.elsewhere
    pairs = ((item.known_record, item.record), (item.known_replica, item.replica))
    return any(known is not None and seen is None and known.file_id in elsewhere for known, seen in pairs)


def is_copy(case: Case) -> bool:
    """A conflict copy that nobody has chosen yet: under its name, in the record alone."""
    return is_copy_of_a_conflict(case.item) and (case.item.ancestor is None or case.item.ancestor.record_only)


def was_copy(case: Case) -> bool:
    return case.item.ancestor is not None and case.item.ancestor.record_only


def is_only_on_windows(case: Case) -> bool:
    return case.item.ancestor is None and case.item.record is None


def is_unregistered(case: Case) -> bool:
    return case.world.history.belonging(case.item.name) is Belonging.UNREGISTERED


def is_new_and_unregistered(case: Case) -> bool:
    return is_only_on_windows(case) and is_unregistered(case)


def history_is_silent(case: Case) -> bool:
    return not case.world.history.known


def is_new_and_history_silent(case: Case) -> bool:
    return is_only_on_windows(case) and history_is_silent(case)


def is_linked(case: Case) -> bool:
    """The History still names the file that is gone."""
    known = case.item.known_replica
    return known is not None and case.world.history.belonging(known.path) is Belonging.REGISTERED


def same(case: Case) -> bool:
    record, replica = case.item.record, case.item.replica
    return record is not None and replica is not None and record.content == replica.content


def has_no_agreed_hash(case: Case) -> bool:
    return case.item.ancestor is not None and case.item.ancestor.content is None


def same_without_agreed_hash(case: Case) -> bool:
    return has_no_agreed_hash(case) and same(case)


def outdated_side(case: Case) -> Side | None:
    """The one side that shows an older known version; None if neither does, or both."""
    record = safety.shows_older_version(case.item.record, case.item.ancestor)
    replica = safety.shows_older_version(case.item.replica, case.item.ancestor)
    if record is replica:
        return None
    return Side.RECORD if record else Side.REPLICA


def is_outdated(case: Case) -> bool:
    return outdated_side(case) is not None


def is_collapsed(case: Case) -> bool:
    """V11, unless a person has said that it is meant."""
    item = case.item
    usual = max((known.size or 0 for known in (item.known_record, item.known_replica) if known is not None), default=0)
    sides = ((case.record, item.record), (case.replica, item.replica))
    shrunk = any(drift is Drift.MODIFIED and seen and safety.collapsed(usual, seen.size) for drift, seen in sides)
    return shrunk and not case.world.approved("V11", item)


def is_suppressed(case: Case) -> bool:
    return case.item.ancestor is not None and case.item.ancestor.suppressed


def is_surely_gone(case: Case) -> bool:
    """V7: gone for long enough, and found nowhere by its content."""
    now, wait = case.world.snapshot.now, case.world.snapshot.settings.confirm_absence
    return not case.item.ambiguous and safety.absence_is_sure(_missing(case), now, wait)


def is_believed_gone(case: Case) -> bool:
    return safety.absence_is_believed(_missing(case), case.world.snapshot.now, case.world.snapshot.level)


def _missing(case: Case) -> Missing | None:
    return None if case.item.ancestor is None else case.item.ancestor.missing


def is_ambiguous(case: Case) -> bool:
    return case.item.ambiguous


def _has_new_path(known: FileState | None, seen: FileState | None) -> bool:
    return known is not None and seen is not None and known.path != seen.path


def moved(case: Case) -> bool:
    """The Windows file has another path than when both sides agreed."""
    return _has_new_path(case.item.known_replica, case.item.replica)


def renamed(case: Case) -> bool:
    """The document has another name than when both sides agreed."""
    return _has_new_path(case.item.known_record, case.item.record)


def both_renamed(case: Case) -> bool:
    return moved(case) and renamed(case)


def case_changed(case: Case) -> bool:
    """Another path, but one and the same to NTFS."""
    return moved(case) and not renamed(case) and case.item.found is not Found.HASH and _key_is_owned(case)


def _key_is_owned(case: Case) -> bool:
    ancestor, file = case.item.ancestor, case.item.replica
    return ancestor is not None and file is not None and ancestor.key == ntfs_key(file.path)


def moved_by_hash(case: Case) -> bool:
    return moved(case) and case.item.found is Found.HASH
