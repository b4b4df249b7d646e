"""I1 to I18 of reference/advoware-windows-sync.md, 4.9, each as a named check that raises `Violation`.

Nothing here asks the daemon whether it did well: the checks read the world, the effects and the stores.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from docsyncd.core.ancestor import clashes
from docsyncd.core.model import ABSENT, Drift
from docsyncd.core.paths import ntfs_key
from docsyncd.core.plan import Adopt, Change, Copy, Plan, Remove
from docsyncd.core.reconcile import reconcile
from docsyncd.core.snapshot import Snapshot
from tests.core.simulator.memory import Memory
from tests.core.simulator.world import Effect, World


class Violation(AssertionError):
    """An invariant does not hold. Its text begins with the invariant's name."""


def demand(name: str, holds: object, said: str) -> None:
    if not holds:
        raise Violation(f"{name}: {said}")


def i1_no_text_is_lost(world: World) -> None:
    texts = world.texts()
    for version, text in world.heads.items():
        demand("I1", text in texts, f"the text {text} (version {version}) is on no side any more")


def i2_what_was_replaced_is_kept(effect: Effect, memory: Memory) -> None:
    gone = effect.before is not None and effect.before != effect.after
    demand("I2", not gone or effect.before in memory.store, f"{effect.before} was replaced and not kept")


def i4_no_entry_twice(world: World) -> None:
    markers = Counter(e.marker for e in world.entries if e.marker)
    demand("I4", all(n == 1 for n in markers.values()), f"History entries were made twice: {markers}")


def i6_only_what_was_planned_is_replaced(effect: Effect, planned: str | None) -> None:
    if effect.what in ("write", "remove"):
        demand("I6", effect.before == planned, f"{effect.before} was replaced at {effect.path}, planned was {planned}")


def i7_unknown_is_not_absent(snapshot: Snapshot, plan: Plan) -> None:
    unknown = not (snapshot.record.complete and snapshot.replica.complete)
    for decision in plan.steps:
        suppresses = isinstance(decision.change, Adopt) and decision.change.ancestor.suppressed
        demand(
            "I7", not unknown or not (decision.is_destructive or suppresses), f"{decision.item.name}: {decision.reason}"
        )
        if snapshot.journal is None:
            demand("I7", not _removes(decision.change), f"{decision.item.name}: deleted without a History")


def _removes(change: Change | None) -> bool:
    return isinstance(change, Remove)


def i8_deletions_stay_in_the_budget(plan: Plan) -> None:
    removals = sum(_removes(d.change) for d in plan.steps)
    demand("I8", removals <= max(3, 0.10 * len(plan.decisions)), f"{removals} deletions in one run")
    demand("I8", not plan.halts or not plan.steps, "steps in spite of a halt")


def i11_nothing_is_owned_twice(world: World, memory: Memory) -> None:
    found = clashes(memory.ancestors.values())
    demand("I11", not found, f"owned twice: {found}")
    keys = Counter(ntfs_key(f.path) for f in world.files.values())
    demand("I11", all(n == 1 for n in keys.values()), "two files have one NTFS key")


def i12_a_rename_keeps_the_document(world: World, memory: Memory) -> None:
    for file_id, document_id in world.renamed.items():
        document = world.document(document_id)
        if file_id not in world.files or document is None:
            continue
        owner = next((a for a in memory.ancestors.values() if a.replica and a.replica.file_id == str(file_id)), None)
        said = f"file {file_id} was only renamed and is now {owner and owner.item}, not {document_id}"
        kept = owner is not None and owner.record is not None and owner.record.file_id == document_id
        demand("I12", kept, said)


def i13_what_was_deleted_stays_so(world: World, copy: Copy) -> None:
    if copy.expect is not ABSENT or copy.record_only:
        return
    file = world.at_path(copy.source.path)
    said = f"{copy.content} was deleted in EspoCRM, left alone on Windows, and is back"
    demand("I13", file is None or world.buried.get(file.id) != copy.content, said)


def i14_nothing_in_a_frozen_case(effect: Effect, *, frozen: bool) -> None:
    demand("I14", not frozen, f"{effect.what} {effect.path} in a frozen case file")


def i16_the_plan_depends_on_the_snapshot_alone(snapshot: Snapshot, plan: Plan, dice: random.Random) -> None:
    twin = replace(
        snapshot,
        record=replace(snapshot.record, files=tuple(dice.sample(snapshot.record.files, len(snapshot.record.files)))),
        replica=replace(
            snapshot.replica, files=tuple(dice.sample(snapshot.replica.files, len(snapshot.replica.files)))
        ),
        ancestors=tuple(dice.sample(snapshot.ancestors, len(snapshot.ancestors))),
    )
    demand("I16", reconcile(twin) == plan, "the order of a listing changed the plan")


def i17_a_stale_worker_does_nothing(effect: Effect, fence: int) -> None:
    demand("I17", effect.fence == fence, f"worker {effect.fence} acted, the lease is {fence}'s")


def i18_every_replacement_is_audited(effect: Effect, memory: Memory) -> None:
    if effect.before is not None and effect.what in ("write", "remove"):
        demand(
            "I18",
            memory.audit and memory.audit[-1][2],
            f"{effect.what} {effect.path} without a line in the audit chain",
        )


def i3_both_sides_agree(plan: Plan, memory: Memory) -> None:
    """After the last quiet run: nothing is left to do, and what is not held is equal on both sides."""
    for d in plan.steps:
        demand("I3", not d.has_effect, f"still to do: row {d.row} {d.item.name}: {d.reason}")
    for d in plan.decisions:
        if d.held is not None or plan.halts:
            continue
        known = d.item.ancestor
        demand("I3", Drift.UNKNOWN not in (d.record, d.replica) or known is None, f"unknown: {d.item.name}: {d.reason}")
        if d.record in (Drift.CREATED, Drift.MODIFIED) or d.replica is Drift.MODIFIED:
            demand("I3", d.row == 23, f"not in step: row {d.row} {d.item.name}: {d.reason}")


def pictures(world: World) -> tuple[Counter[str], Counter[str]]:
    """What both sides hold in the end, without names and stamps (I9, I10)."""
    return Counter(f.text for f in world.files.values()), Counter(d.text for d in world.living())
