"""Decisions that need more than one row: what a plan carries, the levels of the watcher, and bugs that others hit (B-…, U-…)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from docsyncd.core.ancestor import CaseMemory, ItemId, Missing
from docsyncd.core.conflicts import HOLD
from docsyncd.core.draft import DRAFTS, Names
from docsyncd.core.identity import Item
from docsyncd.core.model import ABSENT, Agreed, Drift, RelativePath, Scan, Side
from docsyncd.core.plan import (
    Action,
    Adopt,
    Copy,
    Decision,
    Forget,
    KeepBoth,
    Plan,
    Remove,
    agreed_after,
    copies,
    in_seed_terms,
    replaced,
)
from docsyncd.core.reconcile import reconcile
from docsyncd.core.situation import Case, World
from docsyncd.core.snapshot import Level, Settings, Snapshot, Verdict
from tests.core.case_world import NOW, VOLUME, ancestor, content, document, file, memory, missing, snapshot

HOUR = timedelta(hours=1)


def _only(given: Snapshot) -> Decision:
    (decision,) = reconcile(given).decisions
    return decision


def _pair(record: str, replica: str, base: str | None = None, name: str = "Klage.docx", **changes: Any) -> Snapshot:
    known = [] if base is None else [ancestor(name, base)]
    return snapshot([document(name, record)], [file(name, replica)], known, **changes)


# What a plan carries


def test_a_copy_names_its_source_and_what_it_replaces() -> None:
    given = _pair("A", "B", "A")
    change = _only(given).change
    assert change == Copy(
        origin=Side.REPLICA,
        target=Side.RECORD,
        content=content("B") or change,  # type: ignore[arg-type]
        source=file("Klage.docx", "B"),
        path=RelativePath("Klage.docx"),
        expect=document("Klage.docx", "A"),
    )
    assert list(replaced(change)) == [(Side.RECORD, document("Klage.docx", "A"))]


def test_a_removal_replaces_and_copies_nothing() -> None:
    change = Remove(item=ItemId("item-1"), expect=document("Klage.docx", "A"))
    assert list(replaced(change)) == [(Side.RECORD, change.expect)]
    assert not list(copies(change))
    assert not list(copies(Forget(item=ItemId("item-1"))))


def test_a_change_of_another_kind_is_a_bug_and_says_so() -> None:
    with pytest.raises(AssertionError):
        list(copies("a rename"))  # type: ignore[arg-type]


def test_the_loser_is_copied_before_it_is_replaced() -> None:
    change = _only(_pair("B", "C", "A")).change
    assert isinstance(change, KeepBoth)
    assert (change.keep.content, change.keep.expect, change.keep.record_only) == (content("B"), ABSENT, True)
    assert (change.then.content, change.then.expect) == (content("C"), document("Klage.docx", "B"))
    assert [c.origin for c in copies(change)] == [Side.RECORD, Side.REPLICA]


def test_a_copy_that_exists_is_not_made_again() -> None:
    given = _pair("B", "C", "A")
    made = document("Klage (Konflikt 2026-11-21 14.03 EspoCRM).docx", "B", 2)
    plan = reconcile(replace(given, record=Scan(files=(*given.record.files, made), complete=True)))
    assert [type(d.change) for d in plan.steps] == [Copy, Adopt]


def test_after_a_copy_both_sides_are_remembered_as_they_were_seen() -> None:
    decision = _only(_pair("A", "B", "A"))
    assert isinstance(decision.change, Copy)
    written = document("Klage.docx", "B")
    after = agreed_after(decision.item, decision.change, written, ItemId("unused"))
    assert (after.item, after.content, after.older) == ("item-1", content("B"), (content("A"),))
    assert (after.record, after.replica, after.ours) == (written, file("Klage.docx", "B"), False)


def test_after_a_first_upload_the_file_is_ours() -> None:
    decision = _only(snapshot([document("Klage.docx", "A")]))
    assert isinstance(decision.change, Copy)
    after = agreed_after(decision.item, decision.change, file("Klage.docx", "A"), ItemId("new"))
    assert (after.item, after.ours, after.replica) == ("new", True, file("Klage.docx", "A"))


def test_after_a_conflict_the_copy_is_an_item_of_its_own() -> None:
    decision = _only(_pair("B", "C", "A"))
    assert isinstance(decision.change, KeepBoth)
    after = agreed_after(decision.item, decision.change.keep, document("Kopie.docx", "B", 2), ItemId("copy"))
    assert after.record_only
    assert after.item == "copy"


def test_a_plan_has_a_digest_that_follows_its_decisions() -> None:
    given = _pair("A", "B", "A")
    assert reconcile(given).digest == reconcile(given).digest
    assert reconcile(given).digest != reconcile(_pair("A", "C", "A")).digest


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (_pair("A", "A", "A"), ("SKIP", "None", False, False)),
        (_pair("A", "B", "A"), ("UPDATE_ESPO", "Windows", False, True)),
        (_pair("B", "A", "A"), ("UPLOAD_WINDOWS", "EspoCRM", True, False)),
        (_pair("B", "C", "A"), ("CONFLICT", "Windows", False, True)),
        (snapshot([document("Klage.docx", "A")]), ("UPLOAD_WINDOWS", "EspoCRM", True, False)),
        (snapshot([], [file("Klage.docx", "A")]), ("CREATE", "Windows", False, True)),
        (_pair("B", "C", "A", settings=Settings(conflict=HOLD)), ("HOLD", "None", False, False)),
    ],
)
def test_a_decision_reads_as_seed_b_says_it(given: Snapshot, shown: tuple[object, ...]) -> None:
    told = in_seed_terms(_only(given))
    assert (told["action"], told["source"], told["needs_upload"], told["needs_download"]) == shown
    assert told["reason"]


def test_a_draft_that_the_table_would_never_ask_for_is_a_bug_and_says_so() -> None:
    world = World(snapshot())
    empty = Item(ancestor=None, record=None, replica=None)
    case = Case(item=empty, world=world, record=Drift.ABSENT, replica=Drift.ABSENT)
    with pytest.raises(AssertionError, match="nobody has read"):
        DRAFTS[Action.CREATE_RECORD](case, Names(world))
    with pytest.raises(AssertionError, match="has none"):
        DRAFTS[Action.FORGET](case, Names(world))


# Conflicts


def test_under_hold_a_person_lets_the_newer_keep_the_name() -> None:
    given = _pair("B", "C", "A", settings=Settings(conflict=HOLD))
    held = _only(given).held
    assert held is not None
    assert held.valve == "conflict"
    approved = replace(given, verdicts={held.fingerprint: Verdict(approved=True, until=NOW)})
    assert isinstance(_only(approved).change, KeepBoth)
    assert reconcile(approved).steps


def test_the_newer_record_takes_the_place_on_windows_and_windows_text_becomes_a_copy() -> None:
    given = snapshot(
        [document("Klage.docx", "B", modified_at=NOW - HOUR)], [file("Klage.docx", "C")], [ancestor("Klage.docx", "A")]
    )
    change = _only(given).change
    assert isinstance(change, KeepBoth)
    assert change.keep.path == "Klage (Konflikt 2026-11-21 14.05 Windows).docx"
    assert (change.then.target, change.then.content) == (Side.REPLICA, content("B"))


def test_a_conflict_copy_stays_a_record_until_somebody_chooses() -> None:
    name = "Klage (Konflikt 2026-11-21 14.05 EspoCRM).docx"
    fresh = snapshot([document(name, "B")])
    adopted = _only(fresh).change
    assert isinstance(adopted, Adopt)
    assert adopted.ancestor.record_only
    kept = replace(fresh, ancestors=(adopted.ancestor,))
    assert _only(kept).change is None
    chosen = replace(kept, record=Scan(files=(document("Klage neu.docx", "B"),), complete=True))
    assert _only(chosen).action is Action.CREATE_REPLICA
    deleted = replace(kept, record=Scan(files=(), complete=True), gone=frozenset({"document-1"}))
    assert _only(deleted).change == Forget(item=adopted.ancestor.item)


# Levels


@pytest.mark.parametrize(
    "given",
    [
        snapshot([document("Ordner/Klage.docx", "A")], level=Level.BASIC),
        _pair("B", "A", "A", name="Ordner/Klage.docx", level=Level.BASIC),
        _pair("A", "B", name="Ordner/Klage.docx", level=Level.BASIC),
        _pair("B", "C", "A", name="Ordner/Klage.docx", level=Level.BASIC, skew=None, settings=Settings()),
    ],
)
def test_a_basic_watcher_writes_no_subfolders(given: Snapshot) -> None:
    newer = replace(given.record.files[0], modified_at=NOW)
    held = _only(replace(given, record=Scan(files=(newer,), complete=True))).held
    assert held is not None
    assert held.valve == "subfolder-not-writable"


def test_a_basic_watcher_is_read_from_subfolders() -> None:
    given = snapshot([], [file("Ordner/Klage.docx", "A")], level=Level.BASIC)
    assert _only(given).action is Action.CREATE_RECORD


def test_a_basic_watcher_is_asked_twice_before_an_edit_goes_back() -> None:
    known = ancestor("Klage.docx", "A")
    given = snapshot([document("Klage.docx", "B")], [], [known], [], level=Level.BASIC)
    first = _only(given).change
    assert isinstance(first, Adopt)
    assert first.ancestor.missing == Missing(since=NOW)
    later = replace(given, ancestors=(first.ancestor,), now=NOW + timedelta(seconds=60))
    assert _only(later).action is Action.CREATE_REPLICA


# Names


def test_two_swapped_names_give_way_to_each_other_in_one_transaction() -> None:
    records = [document("a.docx", "A", 1), document("b.docx", "B", 2)]
    swapped = [file("b.docx", "C", 1), file("a.docx", "B", 2)]
    plan = reconcile(snapshot(records, swapped, [ancestor("a.docx", "A", 1), ancestor("b.docx", "B", 2)]))
    assert [d.row for d in plan.decisions] == [26, 25]
    (first,) = plan.first
    assert (first.item, first.replica and first.replica.path, first.content) == ("item-1", "b.docx", content("A"))


@pytest.mark.parametrize("noted", [False, True])
def test_a_missing_item_gives_way_to_what_took_its_name(*, noted: bool) -> None:
    gone = ancestor("a.docx", "A", 1, missing=missing(1) if noted else None)
    moved = file("a.docx", "B", 2)
    plan = reconcile(
        snapshot([document("a.docx", "X", 1), document("b.docx", "B", 2)], [moved], [gone, ancestor("b.docx", "B", 2)])
    )
    assert [a.missing for a in plan.first] == ([] if noted else [Missing(since=NOW)])
    copied = [c.path for d in plan.steps for c in copies(d.change)]
    assert copied == ["a (2).docx"], "the edit comes back under a free name"


def test_a_name_that_this_plan_gave_away_is_taken() -> None:
    plan = reconcile(snapshot([document("Klage.docx", "A", 1), document("KLAGE.docx", "B", 2)]))
    assert [c.path for d in plan.steps for c in copies(d.change)] == ["Klage.docx", "KLAGE (2).docx"]


# The seed's bugs, each a test


@pytest.mark.parametrize("lead", [-HOUR, timedelta(0), HOUR])
def test_b01_without_a_base_nothing_is_overwritten_whoever_is_newer(lead: timedelta) -> None:
    given = _pair("A", "B")
    stamped = replace(given.record.files[0], modified_at=(given.replica.files[0].modified_at or NOW) + lead)
    for record in (stamped, replace(stamped, modified_at=None)):
        decision = _only(replace(given, record=Scan(files=(record,), complete=True)))
        assert not decision.is_destructive
        assert [c.expect for c in copies(decision.change)] == [ABSENT, ABSENT]


@pytest.mark.parametrize(
    ("record", "replica", "action"),
    [("B", None, Action.CREATE_REPLICA), (None, "B", Action.CREATE_RECORD), (None, "A", Action.SUPPRESS)],
)
def test_b05_an_edit_beats_a_deletion(record: str | None, replica: str | None, action: Action) -> None:
    given = snapshot(
        [document("Klage.docx", record)] if record else [],
        [file("Klage.docx", replica)] if replica else [],
        [ancestor("Klage.docx", "A")],
        ["Klage.docx"],
    )
    assert _only(given).action is action


def test_b12_our_own_echo_is_no_change() -> None:
    """After we wrote, the USN, the attachment and the books of the record have moved; the content has not."""
    given = _pair("A", "A", "A")
    echoed = replace(
        given,
        record=Scan(
            files=(document("Klage.docx", "A", revision="next", agreed=Agreed(content=content("A"), path=None)),),
            complete=True,
        ),
        replica=Scan(files=(file("Klage.docx", "A", revision="next"),), complete=True, volume=VOLUME),
    )
    decision = _only(echoed)
    assert (decision.row, decision.has_effect) == (1, False)
    assert isinstance(decision.change, Adopt)
    assert _only(replace(echoed, ancestors=(decision.change.ancestor,))).change is None


def test_u10_a_duplicated_record_is_a_document_of_its_own() -> None:
    books = Agreed(content=content("A"), path=RelativePath("Klage.docx"))
    records = [document("Klage.docx", "A", n, agreed=books) for n in (1, 2)]
    plan = reconcile(snapshot(records, [file("Klage.docx", "A")], [], memory=CaseMemory()))
    assert [(d.row, d.action) for d in plan.decisions] == [(1, Action.NOTHING), (33, Action.CREATE_REPLICA)]


# Memory lost


def _after_loss(record: str, replica: str | None, agreed: str) -> Decision:
    books = Agreed(content=content(agreed), path=RelativePath("Klage.docx"))
    files = [file("Klage.docx", replica)] if replica else []
    return _only(snapshot([document("Klage.docx", record, agreed=books)], files, memory=CaseMemory()))


def test_a_lost_memory_is_rebuilt_from_the_records_own_fields() -> None:
    assert (_after_loss("A", "B", "A").row, _after_loss("B", "A", "A").row) == (2, 3)
    waiting = _after_loss("B", "C", "A")
    assert (waiting.row, type(waiting.change)) == (24, Adopt), "remembered, and decided in the next run"


def test_a_lost_memory_deletes_and_uploads_nothing() -> None:
    decision = _after_loss("A", None, "A")
    assert decision.row == 7
    assert isinstance(decision.change, Adopt)
    known = decision.change.ancestor
    assert known.missing == Missing(since=NOW, suspect=True)
    later = snapshot([document("Klage.docx", "A")], [], [known], [], now=NOW + 30 * HOUR, memory=memory())
    held = _only(later).held
    assert held is not None
    assert held.valve == "V9"


def test_what_is_committed_already_is_not_rebuilt() -> None:
    """A first run that was killed half-way."""
    books = Agreed(content=content("A"), path=RelativePath("Klage.docx"))
    records = [document("Klage.docx", "A", n, agreed=books) for n in (1, 2)]
    plan = reconcile(snapshot(records, [file("Klage.docx", "A")], [ancestor("Klage.docx", "A")], memory=CaseMemory()))
    assert [d.item.rebuilt for d in plan.decisions] == [False, False]


def test_a_deleted_document_that_is_restored_goes_on() -> None:
    known = ancestor("Klage.docx", "A", suppressed=True)
    decision = _only(snapshot([document("Klage.docx", "A")], [file("Klage.docx", "A")], [known]))
    assert isinstance(decision.change, Adopt)
    assert not decision.change.ancestor.suppressed


def test_a_suppressed_items_file_is_followed_where_it_goes() -> None:
    known = ancestor("Klage.docx", "A", suppressed=True)
    decision = _only(snapshot([], [file("Neu.docx", "A")], [known]))
    assert isinstance(decision.change, Adopt)
    assert decision.change.ancestor.key == "NEU.DOCX"
    assert _only(snapshot([], [file("Neu.docx", "A")], [decision.change.ancestor])).change is None


def test_a_document_that_nobody_could_ask_for_is_unknown() -> None:
    given = snapshot([], [file("Klage.docx", "A")], [ancestor("Klage.docx", "A")], gone=frozenset())
    assert (_only(given).row, _only(given).record) == (11, Drift.UNKNOWN)


def test_the_order_of_the_listings_does_not_matter() -> None:
    records = [document(f"{n}.docx", "AB"[n % 2], n) for n in range(6)]
    replicas = [file(f"{n}.docx", "BC"[n % 2], n) for n in range(4)]
    known = [ancestor(f"{n}.docx", "A", n) for n in range(3)]

    def plan(step: int) -> Plan:
        return reconcile(snapshot(records[::step], replicas[::step], known[::step], [r.path for r in replicas]))

    assert plan(1) == plan(-1)
