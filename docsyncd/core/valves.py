"""The valves that look at a plan as a whole: what is too much at once is held, what makes the run pointless halts it.

The predicates and their floors are in `safety`; here they meet the plan. Holds items, never drops them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from docsyncd.core import safety
from docsyncd.core.model import Drift, Side
from docsyncd.core.plan import Action, Decision, Held, copies
from docsyncd.core.situation import World, fingerprint


def holding_what_is_too_much(decisions: list[Decision], world: World) -> list[Decision]:
    """V4, V5 and V6: what is too much at once is held, item by item, unless a person has approved exactly that."""
    known = sum(d.item.ancestor is not None for d in decisions)
    for valve, reason, caught, is_closed in _valves(world, known):
        concerned = [d for d in decisions if d.held is None and caught(d) and not world.approved(valve, d.item)]
        if is_closed(len(concerned)):
            marked = {id(d) for d in concerned}
            decisions = [_held(d, valve, reason) if id(d) in marked else d for d in decisions]
    return decisions


Valve = tuple[str, str, Callable[[Decision], bool], Callable[[int], bool]]


def _valves(world: World, known: int) -> Iterator[Valve]:
    items, firm = len(world.items), world.snapshot.firm
    yield "V4", "too many deletions at once", _removes, lambda n: safety.too_many_case_removals(n, of=items)
    yield "V4", "too many deletions in the firm", _removes, lambda n: safety.too_many_firm_removals(n, firm)
    for side in Side:
        yield (
            "V5",
            f"too much changed at once on side {side}",
            _brings(side),
            lambda n: safety.too_many_changes(n, of=known),
        )
    yield "V6", "too many conflicts at once", _conflicts, lambda n: safety.too_many_conflicts(n, of=items)
    yield (
        "V10",
        "restore suspected: older versions everywhere",
        _is_restored,
        lambda n: safety.restore_suspected(n, firm),
    )


def _removes(d: Decision) -> bool:
    return d.action is Action.REMOVE_RECORD


def _conflicts(d: Decision) -> bool:
    return d.action in (Action.KEEP_BOTH, Action.TWO_NAMES)


def _is_restored(d: Decision) -> bool:
    return d.row == 15


def _brings(side: Side) -> Callable[[Decision], bool]:
    """Changes of known items that come from this side."""
    return lambda d: d.has_effect and (d.record if side is Side.RECORD else d.replica) is Drift.MODIFIED


def _held(d: Decision, valve: str, reason: str) -> Decision:
    return replace(d, held=Held(valve=valve, reason=reason, fingerprint=fingerprint(valve, d.item)))


def ending_the_run(decisions: list[Decision], world: World) -> tuple[list[Decision], bool]:
    """V21: what is beyond the run's size waits for the next one."""
    changes, size, kept = 0, 0, []
    for d in decisions:
        moved = sum(copy.source.size or 0 for copy in copies(d.change)) if d.has_effect else 0
        if d.has_effect and changes and safety.run_is_full(changes + 1, size + moved, world.snapshot.settings):
            kept.append(replace(d, action=Action.WAIT, change=None, rename=None, reason=f"{d.reason}; in the next run"))
            continue
        changes, size = changes + d.has_effect, size + moved
        kept.append(d)
    return kept, any(k is not d for k, d in zip(kept, decisions, strict=True))


def halts(world: World, decisions: list[Decision]) -> Iterator[Held]:
    """V1, V2, V14, V25 and `wrong-case` stop the case file as a whole. (V9 stops one run by its gate, and then lifts.)"""
    snapshot = world.snapshot
    volume = snapshot.replica.volume
    if snapshot.paused:
        yield Held(valve="V25", reason="paused by a person", fingerprint="V25")
    if not snapshot.right_case:
        yield Held(valve="wrong-case", reason="Advoware's case file is another one", fingerprint="wrong-case")
    seen = "|".join((*snapshot.instances, volume.serial if volume else ""))
    if safety.instance_changed(snapshot.memory, snapshot.instances, volume) and not world.lets_pass(f"V1|{seen}"):
        yield Held(valve="V1", reason=f"a remote is not the one that we know: {seen}", fingerprint=f"V1|{seen}")
    yield from _short_listings(world)
    if safety.store_is_needed(destructive=any(d.is_destructive for d in decisions), ready=snapshot.store_ready):
        yield Held(valve="V14", reason="the version store cannot take what would be replaced", fingerprint="V14")


def _short_listings(world: World) -> Iterator[Held]:
    """V2, per side; gone in a way that was asked for or confirmed is not short."""
    snapshot = world.snapshot
    expected: Counter[Side] = Counter()
    for ancestor in world.ancestors:
        expected[Side.RECORD] += ancestor.record is not None and not ancestor.suppressed
        expected[Side.REPLICA] += ancestor.replica is not None and ancestor.missing is None
    listings = ((Side.RECORD, snapshot.record), (Side.REPLICA, snapshot.replica))
    for side, scan in listings:
        mark = f"V2|{side}|{'|'.join(sorted(file.path for file in scan.files))}"
        short = scan.complete and safety.listing_is_short(len(scan.files), base=expected[side])
        if short and not world.lets_pass(mark):
            reason = f"side {side} lists {len(scan.files)} of {expected[side]} known entries"
            yield Held(valve="V2", reason=reason, fingerprint=mark)
