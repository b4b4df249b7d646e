"""The decision: three trees in, a plan out. Two tables and a fold over them; the tables are the documentation.

Does not scan, hash, wait, write, log or read a clock: `reconcile` is a function of its snapshot alone, and the order in which
remotes happen to list things does not matter. Rows are those of reference/advoware-windows-sync.md, part 4.

What the shell (engine/sync_case_file.py) must guarantee, or nothing that is proved of this module holds:

1. *One run at a time* per case file, under a lease. A run whose lease may be over starts no effect, and its commits are refused.
2. *Truth, or unknown.* A scan is complete only if all of it was received. `FileState.content` is the hash of bytes that were
   read stably, or one reused under `identity.shortcuts_hold` and `hash_still_holds`; else None. A document that the listing
   lacks is in `gone` only if EspoCRM, asked by its id, said that it is deleted; in `elsewhere` if it is another case file's.
3. *Open intents first.* Before the scan, each destination of an unfinished intent is looked at. It holds the new content:
   commit the ancestor that the intent names. Anything else: drop the intent, the plan sees what is there.
4. *The plan goes to the ledger before anything is done*; with `Plan.halts`, nothing is done. `Plan.first` and every `Adopt` and
   `Forget` are committed before the first effect, in one transaction. V25 is asked before every effect.
5. *Per copy*: read the source and hash what was read: it is `Copy.content`, else stop. Put what `expect` names into the version
   store, fsynced. Write the intent. Look once more that the source is as observed. Write on condition that the destination is
   `expect` (its content, and its file id where there are any: two files may hold one text). Read back and compare. Commit
   `plan.agreed_after`, `CaseMemory.seeing` (the USN that the write was answered with) and the audit line in one transaction,
   then drop the intent.
   At level basic the condition is a read and a hash immediately before the PUT: what is saved between those two is lost
   there, and the log says `guard=checked`.
6. `KeepBoth.then` begins only after `keep` is committed. `Remove` is conditional and stored like a copy, then its ancestor goes.
7. A failed condition ends the work on that item, without a trace: the next plan sees the world as it is.
8. *The index* loses what `safety.may_be_indexed` no longer names before a document is deleted, and gets only what it names.
9. *The record's own fields* (`syncHash`, `syncPath`, status, `rename`) are written last, after the ancestor is committed.
10. `Plan.memory` is stored when all steps were carried out, and only then, `seeing` what this run wrote. The store refuses what
    `ancestor.clashes` finds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from docsyncd.core import safety, valves
from docsyncd.core import situation as s
from docsyncd.core.ancestor import Ancestor, CaseMemory, Missing
from docsyncd.core.draft import DRAFTS, Draft, Names, decision, is_in_edit, rename_to_come
from docsyncd.core.membership import Finding, findings, registrations
from docsyncd.core.model import CaseFileStage, Drift
from docsyncd.core.paths import caution_key, ntfs_key
from docsyncd.core.plan import Action as Do
from docsyncd.core.plan import Adopt, Decision, Forget, Plan
from docsyncd.core.situation import Case, World, look_at
from docsyncd.core.snapshot import Snapshot

_A, _N, _S, _C, _D, _U = Drift  # absent, new, same, changed, deleted, unknown
_ANY: Final = frozenset(Drift)
_HERE: Final = frozenset({_N, _S, _C})


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what both sides did, what else must be true, and what then happens."""

    number: int
    record: Drift | frozenset[Drift]
    replica: Drift | frozenset[Drift]
    when: Callable[[Case], bool]
    action: Do
    reason: str


# fmt: off
DECISIONS: Final = (  # The first row that applies decides.
    # no.  EspoCRM  Windows  when                          action                 reason
    Row(52, _ANY,   _ANY,    s.is_odd,                     Do.HOLD,           "no ordinary file, or too large"),
    Row(23, _ANY,   _ANY,    s.is_nobodys_file,            Do.NOTHING,        "a temporary, owner or empty file"),
    Row(37, _ANY,   _ANY,    s.lives_elsewhere,            Do.WAIT,           "it moved to another case file"),
    Row( 5, _HERE,  _A,      s.is_copy,                    Do.ADOPT,          "a conflict copy, until a person chooses"),
    Row( 5, _D,     _A,      s.was_copy,                   Do.FORGET,         "a person deleted the conflict copy"),
    Row(47, _A,     _ANY,    s.is_new_and_history_silent,  Do.WAIT,           "the History cannot be asked"),
    Row(19, _A,     _ANY,    s.is_new_and_unregistered,    Do.REPORT,         "not in the History"),
    Row(11, _U,     _ANY,    s.always,                     Do.WAIT,           "EspoCRM's side is unknown"),
    Row(11, _ANY,   _U,      s.always,                     Do.WAIT,           "Windows' side is unknown"),
    # both sides known, and agreed before
    Row(30, _S,     _S,      s.case_changed,               Do.RENAME,         "renamed on Windows, in case only"),
    Row(32, _S,     _S,      s.both_renamed,               Do.ADOPT,          "renamed on both sides: each keeps its name"),
    Row(27, _S,     _S,      s.moved_by_hash,              Do.RENAME,         "renamed on Windows, found by its content"),
    Row(25, _S,     _S,      s.moved,                      Do.RENAME,         "renamed on Windows"),
    Row(31, _S,     _S,      s.renamed,                    Do.ADOPT,          "renamed in EspoCRM; Windows keeps its name"),
    Row( 1, _S,     _S,      s.always,                     Do.NOTHING,        "no changes"),
    Row(16, _C,     _C,      s.same_without_agreed_hash,   Do.ADOPT,          "never hashed, and equal"),
    Row( 4, _C,     _C,      s.same,                       Do.ADOPT,          "the same change on both sides"),
    Row(14, _ANY,   _ANY,    s.is_collapsed,               Do.HOLD,           "empty, or less than a tenth of what it was"),
    Row(15, _HERE,  _HERE,   s.is_outdated,                Do.KEEP_BOTH,      "one side shows an older version"),
    Row(16, _C,     _C,      s.has_no_agreed_hash,         Do.KEEP_BOTH,      "never hashed, and different"),
    Row( 5, _C,     _C,      s.always,                     Do.KEEP_BOTH,      "changed on both sides"),
    Row(26, _S,     _C,      s.moved,                      Do.UPDATE_RECORD,  "renamed and changed on Windows"),
    Row( 2, _S,     _C,      s.always,                     Do.UPDATE_RECORD,  "changed on Windows"),
    Row( 3, _C,     _S,      s.always,                     Do.UPDATE_REPLICA, "changed in EspoCRM"),
    Row(12, _D,     _S,      s.is_suppressed,              Do.NOTHING,        "deleted in EspoCRM, and unchanged since"),
    Row(13, _D,     _C,      s.is_suppressed,              Do.CREATE_RECORD,  "deleted in EspoCRM, changed on Windows since"),
    Row( 6, _D,     _S,      s.always,                     Do.SUPPRESS,       "deleted in EspoCRM; Windows keeps it"),
    Row(10, _D,     _C,      s.always,                     Do.CREATE_RECORD,  "deleted in EspoCRM, but changed on Windows"),
    Row(41, _S,     _D,      s.is_linked,                  Do.CANDIDATE,      "gone from Windows, but the History names it"),
    Row(28, _S,     _D,      s.is_ambiguous,               Do.CANDIDATE,      "gone from Windows, its content found elsewhere"),
    Row( 7, _S,     _D,      s.is_surely_gone,             Do.REMOVE_RECORD,  "gone from Windows for a day"),
    Row( 7, _S,     _D,      s.always,                     Do.CANDIDATE,      "gone from Windows"),
    Row( 9, _C,     _D,      s.is_believed_gone,           Do.CREATE_REPLICA, "gone from Windows, but changed in EspoCRM"),
    Row( 9, _C,     _D,      s.always,                     Do.CANDIDATE,      "gone from Windows, as it seems"),
    Row( 8, _D,     _D,      s.is_surely_gone,             Do.FORGET,         "deleted on both sides"),
    Row( 8, _D,     _D,      s.always,                     Do.CANDIDATE,      "deleted on both sides, as it seems"),
    # both sides known, never agreed
    Row(20, _N,     _N,      s.same,                       Do.ADOPT,          "the same on both sides"),
    Row(47, _N,     _N,      s.history_is_silent,          Do.WAIT,           "the History cannot be asked"),
    Row(36, _N,     _N,      s.is_unregistered,            Do.CREATE_REPLICA, "its name is taken by a file outside the History"),
    Row(21, _N,     _N,      s.always,                     Do.TWO_NAMES,      "one name, never agreed, different"),
    Row(17, _HERE,  _A,      s.always,                     Do.CREATE_REPLICA, "new in EspoCRM"),
    Row(18, _A,     _N,      s.always,                     Do.CREATE_RECORD,  "new on Windows, in the History"),
)
# fmt: on

ELSEWHERE: Final = {
    22: "twins under different names stay two items, and are reported: `_findings`",
    29: "an item follows its file id, what took its old path is new: `identity`",
    33: "another item has the name: `draft.Names`",
    34: "names that people confuse, both synced and reported: `_findings`",
    35: "a name that Windows refuses is mapped, or held: `draft`",
    38: "the History entry of a file that we made: `membership.registrations`",
    39: "an entry is gone, the file is not: `membership.findings`",
    40: "an entry without a file: `membership.findings`",
    42: "an entry that names no file: `membership.unmapped`",
    43: "several entries on one file: `membership.History.entry`",
    44: "an entry outside the mapped roots: `membership.unmapped`",
    45: "a field changed in the History: `metadata.merge`",
    46: "a field changed on both sides: `metadata.merge`",
}
"""The rows that are no line of the two tables."""

_MEMORY: Final = frozenset({Do.NOTHING, Do.ADOPT, Do.CANDIDATE, Do.WAIT, Do.REPORT, Do.HOLD})
_CREATES: Final = _MEMORY | {Do.CREATE_RECORD, Do.CREATE_REPLICA, Do.TWO_NAMES}
_EDITS: Final = _CREATES | {Do.UPDATE_RECORD, Do.UPDATE_REPLICA, Do.RENAME}


@dataclass(frozen=True, slots=True)
class Gate:
    """A state of the whole case file in which only some actions are allowed."""

    number: int
    closed: Callable[[World], bool]
    allows: frozenset[Do]
    reason: str


def _is_frozen(world: World) -> bool:
    snapshot = world.snapshot
    filed_away = safety.is_filed_away(snapshot.memory, snapshot.archived)
    return safety.is_frozen(snapshot.stage, filed_away=filed_away)


def _is_reopened(world: World) -> bool:
    return safety.is_reopened(world.snapshot.memory, world.snapshot.archived)


# fmt: off
GATES: Final = (  # Every gate that is closed must allow what a row wants.
    Gate(48, _is_frozen,                                              frozenset(), "archived"),
    Gate(50, lambda w: w.snapshot.stage is CaseFileStage.UNKNOWN,     frozenset(), "its status is unknown"),
    Gate(51, lambda w: w.journal_went_back,                           _MEMORY,     "the file server's journal went back"),
    Gate(49, _is_reopened,                                            _EDITS,      "re-opened: a careful run first"),
    Gate(24, lambda w: w.first_look,                                  _EDITS,      "first look: a careful run first"),
    Gate(47, lambda w: not w.history.known,
         frozenset(Do) - {Do.REMOVE_RECORD, Do.FORGET, Do.TWO_NAMES},                  "the History is unknown"),
)
# fmt: on


def _by_drifts() -> dict[tuple[Drift, Drift], tuple[Row, ...]]:
    """The rows that can apply to each pair of drifts, in the table's order."""
    found: dict[tuple[Drift, Drift], list[Row]] = defaultdict(list)
    for row in DECISIONS:
        for record in row.record if isinstance(row.record, frozenset) else {row.record}:
            for replica in row.replica if isinstance(row.replica, frozenset) else {row.replica}:
                found[record, replica].append(row)
    return {drifts: tuple(rows) for drifts, rows in found.items()}


_ROWS: Final = _by_drifts()


def reconcile(snapshot: Snapshot) -> Plan:
    """The plan for one case file. Deterministic; never raises for anything that remotes can show."""
    world = World(snapshot)
    names = Names(world)
    closed = tuple(gate for gate in GATES if gate.closed(world))
    decisions = [_decide(look_at(item, world), names, closed) for item in world.items]
    decisions, more = valves.ending_the_run(valves.holding_what_is_too_much(decisions, world), world)
    halts = tuple(valves.halts(world, decisions))
    registers = snapshot.settings.history_writes and not closed and not halts
    return Plan(
        decisions=tuple(decisions),
        halts=halts,
        findings=tuple(_findings(world, closed)),
        registrations=tuple(registrations(world.history, world.items)) if registers else (),
        memory=_next_memory(world),
        first=tuple(_giving_way(world, decisions)),
        more=more,
    )


def _decide(case: Case, names: Names, closed: tuple[Gate, ...]) -> Decision:
    row = next(row for row in _ROWS[case.record, case.replica] if row.when(case))
    number, action, reason = row.number, row.action, row.reason
    gate = next((gate for gate in closed if action not in gate.allows), None)
    if gate is not None:
        number, action, reason = gate.number, Do.WAIT if gate.allows else Do.REPORT, f"{gate.reason} ({reason})"
    elif is_in_edit(case, action):
        action, reason = Do.WAIT, f"{reason}; the file is in use"
    draft = DRAFTS[action](case, names) if action is not Do.REPORT else Draft()
    return decision(number, case, action, reason, draft)


def _giving_way(world: World, decisions: list[Decision]) -> Iterator[Ancestor]:
    """Items whose old path is somebody else's now, and whose own change would come too late for that."""
    holders = {ntfs_key(item.replica.path): item for item in world.items if item.replica is not None}
    for item in (d.item for d in decisions if not isinstance(d.change, Adopt | Forget) or d.held is not None):
        known, key = item.known_replica, None if item.ancestor is None else item.ancestor.key
        if item.ancestor is None or known is None or holders.get(key or ntfs_key(""), item) is item:
            continue
        if item.replica is not None:
            place = replace(known, path=item.replica.path, file_id=item.replica.file_id)
            yield replace(item.ancestor, replica=place, rename=rename_to_come(item))
        elif item.ancestor.missing is None:
            yield replace(item.ancestor, missing=Missing(since=world.snapshot.now, suspect=item.rebuilt))


def _findings(world: World, closed: tuple[Gate, ...]) -> Iterator[Finding]:
    yield from findings(world.history, world.items)
    yield from (Finding(row=gate.number, subject="", reason=gate.reason) for gate in closed)
    alike: dict[str, list[str]] = defaultdict(list)
    for file in sorted(world.snapshot.replica.files, key=lambda file: file.path):
        alike[caution_key(file.path)].append(file.path)
    for paths in alike.values():
        if len(paths) > 1:
            yield Finding(row=34, subject=paths[0], reason=f"easily confused with {', '.join(paths[1:])}")
    contents: dict[str, list[str]] = defaultdict(list)
    for item in world.items:
        state = item.record or item.replica
        if item.ancestor is None and state is not None and state.content is not None:
            contents[state.content].append(item.name)
    for twins in contents.values():
        if len(twins) > 1:
            yield Finding(row=22, subject=twins[0], reason=f"the same content as {', '.join(twins[1:])}")


def _next_memory(world: World) -> CaseMemory:
    """What the next run starts from. An unknown answer leaves what was known."""
    snapshot, memory = world.snapshot, world.snapshot.memory
    looked = snapshot.record.complete and snapshot.replica.complete
    return CaseMemory(
        settled=memory.settled or looked,
        settings=snapshot.settings.fingerprint,
        instances=snapshot.instances or memory.instances,
        volume=(snapshot.replica.volume if snapshot.replica.complete else None) or memory.volume,
        archived=memory.archived if snapshot.archived is None else snapshot.archived,
        journal_entries=len(snapshot.journal or ()) if world.history.known else memory.journal_entries,
        doubted_since=(memory.doubted_since or snapshot.now) if world.doubted else None,
    )
