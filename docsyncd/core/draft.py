"""Turns an action into the exact change: which content, from where, over what, under which name.

Chooses nothing but names (rows 33, 35 and 36) and, by the policy, the winner of a conflict. What cannot be done is held,
with the reason; it is never done in part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from docsyncd.core import safety
from docsyncd.core.ancestor import Ancestor, Missing, new_item
from docsyncd.core.conflict_policy import Conflict
from docsyncd.core.conflicts import NEWER, stamp, winner_of
from docsyncd.core.identity import Item
from docsyncd.core.model import ABSENT, Absent, ContentHash, Drift, FileState, RelativePath, Side
from docsyncd.core.paths import (
    NtfsKey,
    conflict_copy,
    free_path,
    has_folder,
    is_conflict_copy,
    ntfs_key,
    windows_path,
)
from docsyncd.core.plan import Action, Adopt, Change, Copy, Decision, Forget, Held, KeepBoth, Remove
from docsyncd.core.situation import Case, World, fingerprint, outdated_side
from docsyncd.core.snapshot import Deletions, Level


class Names:
    """The Windows names that are taken: by what is there, by what items own, and by what this plan has given away."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.given: set[NtfsKey] = set()

    def free(self, path: RelativePath, item: Item) -> tuple[RelativePath, int | None]:
        """A name that nobody has, and the row that says why it is another one (33: an item's, 36: an untracked file's)."""
        others = _Others(names=self, own=None if item.ancestor is None else item.ancestor.key)
        found = free_path(path, others)
        self.given.add(ntfs_key(found))
        if found == path:
            return found, None
        return found, 33 if others.own(ntfs_key(path)) else 36


class _Others:
    """The names that are taken in the eyes of one item: its own is free for it, unless something lies there."""

    def __init__(self, *, names: Names, own: NtfsKey | None) -> None:
        self._names = names
        self._own = own

    def own(self, key: object) -> bool:
        return key != self._own and (key in self._names.world.owned or key in self._names.given)

    def __contains__(self, key: object) -> bool:
        return key in self._names.world.listed or self.own(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an action comes to. `row` replaces the table's if a name had to be found."""

    change: Change | None = None
    held: Held | None = None
    rename: RelativePath | None = None
    row: int | None = None
    note: str = ""


def hold(valve: str, item: Item, reason: str, change: Change | None = None) -> Draft:
    return Draft(change=change, held=Held(valve=valve, reason=reason, fingerprint=fingerprint(valve, item)))


def _contents(state: FileState | None) -> tuple[FileState, ContentHash]:
    """The state and its hash; the table asks for a copy only of what was seen and read."""
    if state is None or state.content is None:
        raise AssertionError("a content is copied that nobody has read")
    return state, state.content


def _ancestor(item: Item) -> Ancestor:
    if item.ancestor is None:
        raise AssertionError("an action on a known item has none")
    return item.ancestor


def _bare(state: FileState | None) -> FileState | None:
    """As the memory keeps it: our own copy of the agreement, in the record's fields, is no part of the agreement."""
    return state if state is None or state.agreed is None else replace(state, agreed=None)


def _copy(case: Case, target: Side, *, path: RelativePath, expect: FileState | Literal[Absent.ABSENT]) -> Copy:
    source, content = _contents(case.item.replica if target is Side.RECORD else case.item.record)
    origin = Side.REPLICA if target is Side.RECORD else Side.RECORD
    bare = replace(source, agreed=None)
    return Copy(origin=origin, target=target, content=content, source=bare, path=path, expect=expect)


def _remember(case: Case, _: Names) -> Draft:
    """Both sides are as the ancestor says, or agree on something new; only what the memory holds may have to follow."""
    item = case.item
    if item.ancestor is None:
        document = item.record.file_id if item.record and item.record.file_id else ""
        fresh = Ancestor(item=new_item(document, case.world.item_ids), content=None, record=None, replica=None)
    else:
        fresh = item.ancestor
    state, content = _contents(item.record)
    rename = rename_to_come(item)
    ancestor = replace(fresh.agreeing(content, record=_bare(state), replica=item.replica), rename=rename)
    adopts = ancestor != item.ancestor or item.rebuilt
    return Draft(change=Adopt(ancestor=ancestor) if adopts else None, rename=rename)


def rename_to_come(item: Item) -> RelativePath | None:
    """The name that the document gets from its file: now, or still from a run that was killed. A person's own name stays."""
    known, seen, file = item.known_record, item.record, item.replica
    if item.ancestor is None or known is None or seen is None or file is None or known.path != seen.path:
        return None
    followed = item.known_replica is not None and item.known_replica.path != file.path
    wished = file.path if followed else item.ancestor.rename
    return None if wished == seen.path else wished


def _is_known(item: Item, ancestor: Ancestor) -> bool:
    """Nothing at all moved, and nothing is pending: by far the most frequent case."""
    pending = item.rebuilt or ancestor.suppressed or ancestor.missing is not None or ancestor.rename is not None
    return not pending and item.record == ancestor.record and item.replica == ancestor.replica


def _nothing(case: Case, names: Names) -> Draft:
    """Rows 1 and 12 follow what moved without meaning (USN, file id, path); row 23 remembers nothing."""
    item = case.item
    if item.ancestor is None or item.replica is None or case.replica is not Drift.UNCHANGED:
        return Draft()
    if item.record is not None:
        return Draft() if _is_known(item, item.ancestor) else _remember(case, names)
    followed = replace(item.ancestor, replica=item.replica, missing=None)
    return Draft(change=Adopt(ancestor=followed) if followed != item.ancestor else None)


def _suppress(case: Case, _: Names) -> Draft:
    ancestor = _ancestor(case.item)
    change = Adopt(ancestor=replace(ancestor, replica=case.item.replica, suppressed=True, missing=None))
    if case.world.snapshot.settings.deletions is Deletions.HOLD and not case.world.approved("deletion", case.item):
        return hold("deletion", case.item, "deleted in EspoCRM; a person decides", change)
    return Draft(change=change)


def _candidate(case: Case, _: Names) -> Draft:
    """Remember since when. After the journal went back, or before our memory began, absence proves nothing (see `Missing`)."""
    ancestor, now = _ancestor(case.item), case.world.snapshot.now
    if case.world.journal_went_back:
        suspect = ancestor.missing is None or ancestor.missing.suspect
        missing = Missing(since=now, suspect=suspect)
    else:
        missing = ancestor.missing or Missing(since=now, suspect=case.item.rebuilt)
    changed = missing != ancestor.missing or case.item.rebuilt
    return Draft(change=Adopt(ancestor=replace(ancestor, missing=missing)) if changed else None)


def _remove(case: Case, _: Names) -> Draft:
    ancestor = _ancestor(case.item)
    state, _content = _contents(case.item.record)
    change = Remove(item=ancestor.item, expect=replace(state, agreed=None))
    if ancestor.missing is not None and ancestor.missing.suspect and not case.world.approved("V9", case.item):
        return hold("V9", case.item, "gone since the file server lost its memory, or since before ours began", change)
    if case.world.snapshot.settings.deletions is Deletions.HOLD and not case.world.approved("deletion", case.item):
        return hold("deletion", case.item, "gone from Windows; a person decides", change)
    return Draft(change=change)


def _forget(case: Case, _: Names) -> Draft:
    return Draft(change=Forget(item=_ancestor(case.item).item))


def _create_record(case: Case, _: Names) -> Draft:
    source, _content = _contents(case.item.replica)
    return Draft(change=_copy(case, Side.RECORD, path=source.path, expect=ABSENT))


def _create_replica(case: Case, names: Names) -> Draft:
    item = case.item
    source, _content = _contents(item.record)
    known = item.known_replica
    wished = known.path if known else windows_path(source.path)
    if wished is None:
        return hold("name", item, "no name that Windows accepts can be made of it")
    path, row = names.free(wished, item)
    if row is None and known is None and wished != source.path:
        row = 35
    if blocked := _not_writable(case, path):
        return blocked
    note = f'as "{path}"' if path != source.path else ""
    return Draft(change=_copy(case, Side.REPLICA, path=path, expect=ABSENT), row=row, note=note)


def _update_record(case: Case, _: Names) -> Draft:
    target, _content = _contents(case.item.record)
    copy = _copy(case, Side.RECORD, path=target.path, expect=replace(target, agreed=None))
    return Draft(change=copy, rename=rename_to_come(case.item))


def _update_replica(case: Case, _: Names) -> Draft:
    target, _content = _contents(case.item.replica)
    if blocked := _not_writable(case, target.path):
        return blocked
    return Draft(change=_copy(case, Side.REPLICA, path=target.path, expect=target))


def _keep_both(case: Case, names: Names) -> Draft:
    """The loser's text becomes a document of its own; only then the winner takes its place."""
    record, replica = _contents(case.item.record)[0], _contents(case.item.replica)[0]
    conflict = Conflict(path=replica.path, record=record, replica=replica)
    snapshot = case.world.snapshot
    policy, outdated = snapshot.settings.conflict, outdated_side(case)
    winner = winner_of(conflict, policy, skew=snapshot.skew, outdated=outdated)
    approved = case.world.approved("conflict", case.item)
    chosen = winner or winner_of(conflict, NEWER, skew=snapshot.skew, outdated=outdated) or Side.REPLICA
    loser, loser_side = (replica, Side.REPLICA) if chosen is Side.RECORD else (record, Side.RECORD)
    placed = (_update_replica if chosen is Side.RECORD else _update_record)(case, names)
    if placed.held is not None or not isinstance(placed.change, Copy):
        return placed
    keep = Copy(
        origin=loser_side,
        target=Side.RECORD,
        content=_contents(loser)[1],
        source=replace(loser, agreed=None),
        path=conflict_copy(record.path, snapshot.now, loser_side),
        expect=ABSENT,
        record_only=True,
    )
    operation = f"{_ancestor(case.item).item}:{keep.content}"
    exists = any(s.content == keep.content and is_conflict_copy(s.path) for s in snapshot.record.files)
    change = placed.change if exists else KeepBoth(operation=operation, keep=keep, then=placed.change)
    if winner is None and not approved:
        return hold("conflict", case.item, "changed on both sides; a person decides", change)
    stamps = f"EspoCRM {stamp(record.modified_at)}, Windows {stamp(replica.modified_at)}"
    return Draft(change=change, rename=placed.rename, note=f"{chosen} keeps the name ({stamps})")


def _two_names(case: Case, names: Names) -> Draft:
    """Nothing is replaced: the file gets a document of its own, and the document a file under a free name (row 21, B-01)."""
    keep = _create_record(case, names).change
    then = _create_replica(case, names)
    if then.held is not None or not isinstance(keep, Copy) or not isinstance(then.change, Copy):
        return then
    document = case.item.record.file_id if case.item.record else ""
    return Draft(change=KeepBoth(operation=f"{document}:{keep.content}", keep=keep, then=then.change), note=then.note)


def _hold(case: Case, _: Names) -> Draft:
    states = [state for state in (case.item.replica, case.item.record) if state is not None]
    if odd := next((state.oddity for state in states if state.oddity), None):
        return hold("type", case.item, odd)
    large = any(safety.is_too_large(state, case.world.snapshot.settings) for state in states)
    return hold("V21" if large else "V11", case.item, "")


def _wait(case: Case, _: Names) -> Draft:
    """Nothing; but what was rebuilt from the record's fields is remembered, so that the next run knows it."""
    ancestor = case.item.ancestor
    return Draft(change=Adopt(ancestor=ancestor) if ancestor is not None and case.item.rebuilt else None)


def _not_writable(case: Case, path: RelativePath) -> Draft | None:
    if case.world.snapshot.level is Level.BASIC and has_folder(path):
        return hold("subfolder-not-writable", case.item, f'this watcher writes no subfolders: "{path}"')
    return None


DRAFTS: Final[Mapping[Action, Callable[[Case, Names], Draft]]] = {
    Action.NOTHING: _nothing,
    Action.ADOPT: _remember,
    Action.RENAME: _remember,
    Action.CREATE_RECORD: _create_record,
    Action.CREATE_REPLICA: _create_replica,
    Action.UPDATE_RECORD: _update_record,
    Action.UPDATE_REPLICA: _update_replica,
    Action.KEEP_BOTH: _keep_both,
    Action.TWO_NAMES: _two_names,
    Action.SUPPRESS: _suppress,
    Action.CANDIDATE: _candidate,
    Action.REMOVE_RECORD: _remove,
    Action.FORGET: _forget,
    Action.WAIT: _wait,
    Action.REPORT: _wait,
    Action.HOLD: _hold,
}


def is_in_edit(case: Case, action: Action) -> bool:
    """V12: a file somebody has open is not written; one that is open or was just saved is not read yet, for ten minutes."""
    file, now = case.item.replica, case.world.snapshot.now
    if file is None or action not in READS | WRITES:
        return False
    opened = safety.is_open(file, case.world.listed)
    if action in WRITES and opened:
        return True
    fresh = file.modified_at is None or abs(now - file.modified_at) < safety.READ_WAIT
    return safety.is_unsettled(file, now) or (opened and fresh)


READS: Final = frozenset({Action.CREATE_RECORD, Action.UPDATE_RECORD, Action.KEEP_BOTH, Action.TWO_NAMES})
WRITES: Final = frozenset({Action.UPDATE_REPLICA, Action.KEEP_BOTH})
"""Which actions read the Windows file, and which replace it."""


def decision(row: int, case: Case, action: Action, reason: str, draft: Draft) -> Decision:
    """The decision that a row's action comes to."""
    return Decision(
        row=draft.row or row,
        item=case.item,
        record=case.record,
        replica=case.replica,
        action=action,
        reason=f"{reason} {draft.note}".strip() if draft.note else reason,
        change=draft.change,
        held=replace(draft.held, reason=draft.held.reason or reason) if draft.held else None,
        rename=draft.rename,
    )
