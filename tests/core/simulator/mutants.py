"""Wrong daemons: the six mutants of reference/advoware-windows-sync.md, 4.7. Each must be found out by the invariants.

(The seventh of that table, the first draft, is kept as directed regressions: test_first_draft.py.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from docsyncd.core.ancestor import Ancestor, CaseMemory, ItemId
from docsyncd.core.identity import Item
from docsyncd.core.membership import Belonging, read_history
from docsyncd.core.model import ABSENT, Drift, FileState, RelativePath, Side
from docsyncd.core.paths import NtfsKey, ntfs_key, windows_path
from docsyncd.core.plan import Action, Adopt, Change, Copy, Decision, KeepBoth, Plan, Remove
from docsyncd.core.reconcile import reconcile
from docsyncd.core.snapshot import Snapshot
from tests.core.simulator.memory import Flaws


def _each(change: Callable[[Decision, Snapshot], Decision]) -> Callable[[Snapshot], Plan]:
    """The true plan with every decision bent."""

    def plan(snapshot: Snapshot) -> Plan:
        true = reconcile(snapshot)
        return replace(true, decisions=tuple(change(d, snapshot) for d in true.decisions))

    return plan


def _loser_dropped(d: Decision, _: Snapshot) -> Decision:
    return replace(d, change=d.change.then) if isinstance(d.change, KeepBoth) and d.row != 21 else d


def _delete_beats_edit(d: Decision, _: Snapshot) -> Decision:
    if d.row != 9 or d.action is not Action.CREATE_REPLICA or d.item.ancestor is None or d.item.record is None:
        return d
    return replace(d, change=Remove(item=d.item.ancestor.item, expect=d.item.record))


def _name_taken(d: Decision, snapshot: Snapshot) -> Decision:
    """Writes over whatever has the wished name."""
    change = d.change
    if not isinstance(change, Copy) or change.target is not Side.REPLICA or change.expect is not ABSENT:
        return d
    wished = windows_path(change.source.path) or change.path
    there = next((f for f in snapshot.replica.files if ntfs_key(f.path) == ntfs_key(wished)), None)
    return d if there is None else replace(d, change=replace(change, path=there.path, expect=there))


def seed_table(snapshot: Snapshot) -> Plan:
    """SEED-B as its notes describe it: the Windows list is filtered by the History and matched by name, a USN means a change, a
    missing partner means "new", and of two changes the newer wins."""
    decisions = tuple(_seed_decisions(snapshot)) if snapshot.record.complete and snapshot.replica.complete else ()
    return Plan(decisions=decisions, halts=(), findings=(), registrations=(), memory=CaseMemory(settled=True))


def _seed_decisions(snapshot: Snapshot) -> Iterator[Decision]:
    history = read_history(snapshot.journal)
    listed = [f for f in snapshot.replica.files if history.belonging(f.path) is Belonging.REGISTERED]
    files: dict[NtfsKey, FileState] = {ntfs_key(f.path): f for f in listed if f.content is not None}
    known = {a.record.file_id: a for a in snapshot.ancestors if a.record is not None}
    for document in snapshot.record.files:
        path = windows_path(document.path)
        file = files.pop(ntfs_key(path), None) if path else None
        item = Item(ancestor=known.get(document.file_id), record=document, replica=file)
        if path and (change := _seed_change(item, path)) is not None:
            yield Decision(row=0, item=item, record=Drift.UNKNOWN, replica=Drift.UNKNOWN, action=Action.WAIT,
                           reason="SEED-B", change=change)  # fmt: skip
    for file in files.values():
        item = Item(ancestor=None, record=None, replica=file)
        yield Decision(row=0, item=item, record=Drift.ABSENT, replica=Drift.CREATED, action=Action.CREATE_RECORD,
                       reason="SEED-B", change=_to_record(item, file.path))  # fmt: skip


def _seed_change(item: Item, path: RelativePath) -> Change | None:
    document, file, ancestor = item.record, item.replica, item.ancestor
    if document is None or file is None:
        return _to_replica(item, path)
    if ancestor is None and document.content == file.content:
        fresh = Ancestor(item=_new(item), content=None, record=None, replica=None)
        return Adopt(ancestor=fresh.agreeing(file.content, record=document, replica=file))
    usn_moved = ancestor is None or ancestor.replica is None or ancestor.replica.revision != file.revision
    edited = ancestor is None or ancestor.content != document.content
    if not (usn_moved or edited):
        return None
    stamps = document.modified_at, file.modified_at
    newer = stamps[0] is not None and stamps[1] is not None and stamps[0] > stamps[1]
    return _to_replica(item, path) if edited and (newer or not usn_moved) else _to_record(item, document.path)


def _new(item: Item) -> ItemId:
    return ItemId(f"seed-{item.record.file_id if item.record else item.name}")


def _to_record(item: Item, path: RelativePath) -> Copy | None:
    file = item.replica
    if file is None or file.content is None:
        return None
    expect = item.record or ABSENT
    return Copy(origin=Side.REPLICA, target=Side.RECORD, content=file.content, source=file, path=path, expect=expect)


def _to_replica(item: Item, path: RelativePath) -> Copy | None:
    document = item.record
    if document is None or document.content is None:
        return None
    expect = item.replica or ABSENT
    return Copy(
        origin=Side.RECORD, target=Side.REPLICA, content=document.content, source=document, path=path, expect=expect
    )


MUTANTS: Final = {
    "no preconditions at write": Flaws(unconditional=True),
    "newest wins, the loser is dropped": Flaws(plan=_each(_loser_dropped)),
    "delete beats edit, no pre-image": Flaws(plan=_each(_delete_beats_edit), no_pre_image=True),
    "overwrite before the copy exists": Flaws(then_first=True),
    "overwrite untracked names": Flaws(plan=_each(_name_taken)),
    "SEED-B's table": Flaws(plan=seed_table, unconditional=True, no_pre_image=True),
}
"""By the names that the reference gives them."""
