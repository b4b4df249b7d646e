"""Every valve: where it closes, and what it holds. V8 and V13 are kept by what cannot be said; V16 and V20 by the work queue."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any, get_type_hints

import pytest

from docsyncd.core import safety
from docsyncd.core.ancestor import Ancestor, CaseMemory
from docsyncd.core.model import CaseFileStage, FileState, Scan
from docsyncd.core.plan import Action, Copy, Decision, Plan, Remove
from docsyncd.core.reconcile import reconcile
from docsyncd.core.snapshot import Deletions, Firm, Level, Settings, Snapshot, Verdict
from tests.core.case_world import NOW, VOLUME, ancestor, content, document, file, memory, missing, snapshot

HOUR = timedelta(hours=1)
Trees = tuple[list[FileState], list[FileState], list[Ancestor]]


def _trees(letters: str) -> Trees:
    """One item per group of three: ancestor, document, Windows file; "-" for what is not there."""
    records: list[FileState] = []
    replicas: list[FileState] = []
    ancestors: list[Ancestor] = []
    for number, item in enumerate(letters.split(), 1):
        base, record, replica = list(item)
        name = f"{number:02}.docx"
        if base != "-":
            ancestors.append(ancestor(name, base, number, missing=missing(25) if replica == "-" else None))
        if record != "-":
            records.append(document(name, record, number))
        if replica != "-":
            replicas.append(file(name, replica, number))
    return records, replicas, ancestors


def _plan(letters: str, **changes: Any) -> Plan:
    return reconcile(_snapshot(letters, **changes))


def _snapshot(letters: str, **changes: Any) -> Snapshot:
    records, replicas, ancestors = _trees(letters)
    return snapshot(records, replicas, ancestors, **changes)


def _valves(plan: Plan) -> list[str]:
    return [held.valve for held in plan.held]


def _approving(given: Snapshot) -> Snapshot:
    """With everything approved that is held."""
    verdict = Verdict(approved=True, until=NOW + safety.VERDICT_LASTS)
    return replace(given, verdicts={held.fingerprint: verdict for held in reconcile(given).held})


# V1


@pytest.mark.parametrize(
    ("known", "now", "changed"),
    [(("a",), ("a",), False), (("a",), ("b",), True), ((), ("b",), False)],
)
def test_v1_another_instance_is_another_remote(known: tuple[str, ...], now: tuple[str, ...], *, changed: bool) -> None:
    assert safety.instance_changed(CaseMemory(instances=known), now, None) is changed


def test_v1_another_volume_halts_until_a_person_knows_it() -> None:
    disk = replace(VOLUME, serial="new disk")
    given = _snapshot("AAB", replica=Scan(files=(file("01.docx", "B"),), complete=True, volume=disk))
    plan = reconcile(given)
    assert _valves(plan) == ["V1"]
    assert plan.steps == ()
    assert _valves(reconcile(_approving(given))) == []


# V2, V3


@pytest.mark.parametrize(("seen", "base", "short"), [(0, 4, False), (2, 5, True), (3, 5, False), (3, 6, False)])
def test_v2_fewer_than_half_of_at_least_five_is_no_listing(seen: int, base: int, *, short: bool) -> None:
    assert safety.listing_is_short(seen, base=base) is short


def test_v2_a_side_that_is_suddenly_short_halts_and_a_person_may_believe_it() -> None:
    given = snapshot([], [], [ancestor(f"{n}.docx", "A", n) for n in range(5)])
    assert _valves(reconcile(given)) == ["V2", "V2"]
    assert reconcile(given).steps == ()
    assert not reconcile(_approving(given)).halts


def test_v2_what_is_known_to_be_missing_or_deleted_is_not_expected() -> None:
    gone = [ancestor(f"{n}.docx", "A", n, missing=missing(1), suppressed=True) for n in range(5)]
    assert _valves(reconcile(snapshot([], [], gone))) == []


@pytest.mark.parametrize("side", ["record", "replica"])
def test_v3_a_listing_that_broke_off_says_nothing(side: str) -> None:
    plan = _plan("AA- A-A ABC", **{side: Scan(files=(), complete=False)})
    assert {d.action for d in plan.decisions} == {Action.WAIT}
    assert plan.steps == ()


def test_v3_a_run_that_could_not_look_settles_nothing() -> None:
    plan = _plan("--A", memory=CaseMemory(), replica=Scan(files=(), complete=False))
    assert not plan.memory.settled


# V4 to V8


@pytest.mark.parametrize(("removals", "of", "many"), [(3, 3, False), (4, 4, True), (4, 40, False), (5, 40, True)])
def test_v4_more_than_three_and_more_than_a_tenth(removals: int, of: int, *, many: bool) -> None:
    assert safety.too_many_case_removals(removals, of=of) is many


@pytest.mark.parametrize(
    ("removals", "today", "usual", "many"),
    [(1, 199, 0, False), (1, 200, 0, True), (1, 200, 50, False), (1, 250, 50, True), (0, 900, 0, False)],
)
def test_v4_the_firm_has_a_day(removals: int, today: int, usual: int, *, many: bool) -> None:
    firm = Firm(removals_today=today, usual_removals=usual)
    assert safety.too_many_firm_removals(removals, firm) is many


def test_v4_holds_the_deletions_and_nothing_else() -> None:
    given = _snapshot("AA- AA- AA- AA- AAB", history=["05.docx"])
    plan = reconcile(given)
    assert _valves(plan) == ["V4"] * 4
    assert [d.action for d in plan.steps] == [Action.UPDATE_RECORD]
    approved = reconcile(_approving(given))
    assert [d.action for d in approved.steps].count(Action.REMOVE_RECORD) == 4


def test_v4_the_firms_day_holds_a_single_deletion() -> None:
    assert _valves(_plan("AA-", history=[], firm=Firm(removals_today=500))) == ["V4"]


@pytest.mark.parametrize(("changed", "of", "many"), [(4, 4, False), (2, 5, False), (3, 5, True), (5, 10, False)])
def test_v5_more_than_half_of_at_least_five(changed: int, of: int, *, many: bool) -> None:
    assert safety.too_many_changes(changed, of=of) is many


def test_v5_holds_what_the_one_side_brings() -> None:
    plan = _plan("AAB AAB AAB ABA AAA")
    assert _valves(plan) == ["V5"] * 3
    assert [d.action for d in plan.steps] == [Action.UPDATE_REPLICA]


@pytest.mark.parametrize(("conflicts", "of", "many"), [(3, 3, False), (4, 4, True), (4, 40, False)])
def test_v6_more_than_three_and_more_than_a_tenth(conflicts: int, of: int, *, many: bool) -> None:
    assert safety.too_many_conflicts(conflicts, of=of) is many


def test_v6_makes_no_copies_of_too_many_conflicts() -> None:
    assert _valves(_plan("ABC ABC ABC ABC")) == ["V6"] * 4
    assert _valves(_plan("-BC -BC -BC -BC")) == ["V6"] * 4


def test_v7_a_document_is_deleted_a_day_after_its_file() -> None:
    wait = timedelta(hours=24)
    assert not safety.absence_is_sure(None, NOW, wait)
    assert not safety.absence_is_sure(missing(23.9), NOW, wait)
    assert safety.absence_is_sure(missing(24), NOW, wait)


def test_v7_the_first_sighting_only_starts_the_day() -> None:
    known = ancestor("Klage.docx", "A")
    plan = reconcile(snapshot([document("Klage.docx", "A")], [], [known], []))
    assert [(d.action, d.has_effect) for d in plan.steps] == [(Action.CANDIDATE, False)]
    later = reconcile(snapshot([document("Klage.docx", "A")], [], [replace(known, missing=missing(1))], []))
    assert later.steps == ()


def test_v7_at_level_basic_absence_is_believed_the_second_time() -> None:
    assert safety.absence_is_believed(None, NOW, Level.EXTENDED)
    assert not safety.absence_is_believed(None, NOW, Level.BASIC)
    assert not safety.absence_is_believed(missing(0.01), NOW, Level.BASIC)
    assert safety.absence_is_believed(missing(1 / 60), NOW, Level.BASIC)


def test_v8_nothing_deletes_on_windows() -> None:
    """A removal names a document, never a side."""
    assert {f.name for f in fields(Remove)} == {"item", "expect"}


# V9 to V15


@pytest.mark.parametrize(
    ("volume", "back"),
    [
        (VOLUME, False),
        (replace(VOLUME, next_usn=1001), False),
        (replace(VOLUME, next_usn=999), True),
        (replace(VOLUME, journal="second"), True),
        (None, False),
    ],
)
def test_v9_the_journal_never_goes_back(volume: Any, *, back: bool) -> None:
    assert safety.journal_went_back(memory(), volume) is back
    assert not safety.journal_went_back(CaseMemory(), volume)


def test_v9_what_we_write_raises_the_mark() -> None:
    assert memory().seeing(replace(VOLUME, next_usn=2000)).volume == replace(VOLUME, next_usn=2000)
    assert memory().seeing(replace(VOLUME, next_usn=2)).volume == VOLUME
    assert memory().seeing(replace(VOLUME, journal="second")).volume == VOLUME
    assert CaseMemory().seeing(VOLUME).volume == VOLUME


def test_v9_one_run_without_effects_and_what_vanished_is_for_a_person() -> None:
    back = replace(VOLUME, next_usn=10)
    known = ancestor("Klage.docx", "A")
    gone = snapshot([document("Klage.docx", "A")], [], [known], [])
    first = reconcile(replace(gone, replica=Scan(files=(), complete=True, volume=back)))
    assert not any(d.has_effect for d in first.steps)
    assert first.memory.volume == back
    suspect = replace(known, missing=missing(30, suspect=True))
    later = replace(gone, ancestors=(suspect,))
    assert _valves(reconcile(later)) == ["V9"]
    assert [d.action for d in reconcile(_approving(later)).steps] == [Action.REMOVE_RECORD]


@pytest.mark.parametrize("suspect", [False, True])
def test_v9_what_was_missing_before_stays_what_it_was(*, suspect: bool) -> None:
    back = replace(VOLUME, next_usn=10)
    known = ancestor("Klage.docx", "A", missing=missing(1, suspect=suspect))
    given = snapshot([document("Klage.docx", "A")], [], [known], [], replica=Scan(files=(), complete=True, volume=back))
    (decision,) = reconcile(given).steps
    assert decision.change is not None
    assert decision.change.ancestor.missing == missing(0, suspect=suspect)  # type: ignore[union-attr]


def test_v10_an_older_version_is_known() -> None:
    known = ancestor("Klage.docx", "B", older=(content("A"),))
    assert safety.shows_older_version(file("Klage.docx", "A"), known)
    assert not safety.shows_older_version(file("Klage.docx", "C"), known)
    assert not safety.shows_older_version(None, known)
    assert not safety.shows_older_version(file("Klage.docx", "A"), None)


@pytest.mark.parametrize(("now", "before", "stops"), [(1, 18, False), (1, 19, True), (20, 0, True), (0, 99, False)])
def test_v10_twenty_older_versions_in_an_hour_are_a_restore(now: int, before: int, *, stops: bool) -> None:
    assert safety.restore_suspected(now, Firm(restored_this_hour=before)) is stops


def test_v10_a_restore_stops_as_one_incident() -> None:
    known = ancestor("Klage.docx", "B", older=(content("A"),))
    trees = [document("Klage.docx", "B")], [file("Klage.docx", "A")], [known]
    assert _valves(reconcile(snapshot(*trees, firm=Firm(restored_this_hour=30)))) == ["V10"]
    assert [d.row for d in reconcile(snapshot(*trees)).steps] == [15]


@pytest.mark.parametrize(
    ("before", "after", "is_so"),
    [(1000, 0, True), (1000, 99, True), (1000, 100, False), (0, 0, False), (None, 0, False), (1000, None, False)],
)
def test_v11_empty_or_less_than_a_tenth(before: int | None, after: int | None, *, is_so: bool) -> None:
    assert safety.collapsed(before, after) is is_so


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [("pdf", "pdf", False), ("pdf", None, True), ("pdf", "zip", True), (None, "zip", False)],
)
def test_v11_a_file_that_lost_its_type(before: str | None, after: str | None, *, lost: bool) -> None:
    assert safety.lost_its_type(before, after) is lost


def test_v11_a_person_may_mean_an_empty_file() -> None:
    known = ancestor("Klage.docx", "A")
    given = snapshot([document("Klage.docx", "A")], [file("Klage.docx", "B", size=0)], [known])
    assert _valves(reconcile(given)) == ["V11"]
    assert [d.row for d in reconcile(_approving(given)).steps] == [2]


@pytest.mark.parametrize(
    ("letters", "age", "owner", "action"),
    [
        ("AAB", 10, False, Action.WAIT),
        ("AAB", -10, False, Action.WAIT),
        ("AAB", 31, False, Action.UPDATE_RECORD),
        ("AAB", 300, True, Action.WAIT),
        ("AAB", 700, True, Action.UPDATE_RECORD),
        ("ABA", 700, True, Action.WAIT),
        ("ABA", 31, False, Action.UPDATE_REPLICA),
        ("ABC", 700, True, Action.WAIT),
        ("--B", 10, False, Action.WAIT),
        ("A-A", 10, False, Action.SUPPRESS),
    ],
)
def test_v12_a_file_in_use_is_not_written_and_not_read_too_early(
    letters: str, age: float, action: Action, *, owner: bool
) -> None:
    records, replicas, ancestors = _trees(letters)
    replicas = [replace(state, modified_at=NOW - timedelta(seconds=age)) for state in replicas]
    history = [state.path for state in replicas]
    replicas += [file("~$01.docx", None, 99)] if owner else []
    plan = reconcile(snapshot(records, replicas, ancestors, history))
    assert plan.decisions[0].action is action


def test_v12_without_a_stamp_an_open_file_waits_and_a_closed_one_does_not() -> None:
    known, unstamped = ancestor("01.docx", "A"), file("01.docx", "B", modified_at=None)
    given = snapshot([document("01.docx", "A")], [unstamped], [known])
    assert reconcile(given).decisions[0].action is Action.UPDATE_RECORD
    opened = replace(given, replica=replace(given.replica, files=(unstamped, file("~$01.docx", None, 9))))
    assert reconcile(opened).decisions[0].action is Action.WAIT


def test_v13_every_copy_says_what_it_replaces() -> None:
    assert "expect" in get_type_hints(Copy)


def test_v14_nothing_is_replaced_that_cannot_be_kept() -> None:
    assert _valves(_plan("AAB", store_ready=False)) == ["V14"]
    assert _valves(_plan("--B", store_ready=False)) == []


# V17 to V19


def test_v17_other_settings_are_a_first_look() -> None:
    settings = Settings(fingerprint="other")
    assert safety.look_is_first(memory(), settings, None)
    assert safety.look_is_first(CaseMemory(), Settings(), None)
    assert safety.look_is_first(memory(archived=True), Settings(), archived=False)
    assert not safety.look_is_first(memory(), Settings(), archived=True)
    plan = _plan("ABC AA-", settings=settings, history=["01.docx"])
    assert plan.steps == ()
    assert plan.memory.settings == "other"


def test_v18_the_first_look_creates_at_once() -> None:
    plan = _plan("--A -A-", memory=CaseMemory(), history=["01.docx"])
    assert [d.action for d in plan.steps] == [Action.CREATE_REPLICA, Action.CREATE_RECORD]
    assert plan.memory.settled


@pytest.mark.parametrize(
    ("verdict", "holds"),
    [
        (None, False),
        (Verdict(approved=True, until=NOW), True),
        (Verdict(approved=True, until=NOW - HOUR), False),
        (Verdict(approved=False, until=NOW + HOUR), False),
    ],
)
def test_v19_a_verdict_holds_until_it_lapses(verdict: Verdict | None, *, holds: bool) -> None:
    assert safety.verdict_holds(verdict, NOW) is holds


def test_v19_an_approval_is_for_these_contents_only() -> None:
    hold = Settings(deletions=Deletions.HOLD)
    approved = _approving(_snapshot("A-A", settings=hold))
    assert [d.action for d in reconcile(approved).steps] == [Action.SUPPRESS]
    edited = replace(_snapshot("B-B", settings=hold), verdicts=approved.verdicts)
    assert _valves(reconcile(edited)) == ["deletion"]


def test_deletions_wait_for_a_person_if_the_operator_wants_it() -> None:
    given = _snapshot("AA-", settings=Settings(deletions=Deletions.HOLD), history=[])
    assert _valves(reconcile(given)) == ["deletion"]
    assert [d.action for d in reconcile(_approving(given)).steps] == [Action.REMOVE_RECORD]


# V21 to V25


@pytest.mark.parametrize("settings", [Settings(most_changes=1), Settings(most_bytes=1500)])
def test_v21_a_long_run_ends_and_goes_on_in_the_next(settings: Settings) -> None:
    assert safety.run_is_full(501, 0, Settings())
    plan = _plan("AAB AAB AAA", settings=settings)
    assert plan.more
    assert [d.action for d in plan.decisions] == [Action.UPDATE_RECORD, Action.WAIT, Action.NOTHING]
    assert not _plan("AAB", settings=settings).more


def test_v21_one_file_larger_than_a_run_still_goes() -> None:
    assert _plan("AAB", settings=Settings(most_bytes=10)).steps


def test_v21_a_file_that_is_too_large_is_held() -> None:
    assert _valves(_plan("AAB", settings=Settings(largest=999))) == ["V21"]
    assert not safety.is_too_large(None, Settings())


def test_v22_only_a_filing_that_we_saw_happen_freezes() -> None:
    assert safety.is_filed_away(memory(archived=False), archived=True)
    assert not safety.is_filed_away(CaseMemory(), archived=True)
    assert not safety.is_filed_away(memory(archived=True), archived=True)
    assert not safety.is_filed_away(memory(archived=False), None)
    assert _plan("AAB", memory=memory(archived=True), archived=True).steps
    assert _plan("AAB", stage=CaseFileStage.REFUSED).steps == ()


def test_v23_the_index_gets_only_what_is_agreed_and_present() -> None:
    known = ancestor("Klage.docx", "A")
    assert safety.may_be_indexed(known, content("A"))
    assert not safety.may_be_indexed(known, content("B"))
    assert not safety.may_be_indexed(None, content("A"))
    assert not safety.may_be_indexed(known, None)
    for out in ({"suppressed": True}, {"missing": missing(1)}, {"replica": None}):
        assert not safety.may_be_indexed(replace(known, **out), content("A"))


def test_v24_effects_that_are_left_after_a_run_are_drift() -> None:
    assert safety.has_drifted(1)
    assert not safety.has_drifted(0)


def test_v25_a_person_stops_everything() -> None:
    assert _valves(_plan("AAB", paused=True)) == ["V25"]


def test_the_wrong_case_file_stops_everything() -> None:
    plan = _plan("AAB", right_case=False)
    assert (_valves(plan), plan.steps) == (["wrong-case"], ())


def test_the_history_is_doubted_for_a_day() -> None:
    had = memory(journal_entries=10)
    assert safety.history_is_short(4, had)
    assert not safety.history_is_short(5, had)
    assert safety.history_is_short(0, memory(journal_entries=1))
    doubting = _plan("--A", memory=had, history=["01.docx"])
    assert [d.row for d in doubting.decisions] == [47]
    assert doubting.memory.doubted_since == NOW
    for hours, rows in ((23, [47]), (24, [18])):
        plan = _plan("--A", memory=replace(had, doubted_since=NOW - hours * HOUR), history=["01.docx"])
        assert [d.row for d in plan.decisions] == rows
    assert plan.memory.doubted_since is None
    assert plan.memory.journal_entries == 1


def test_a_decision_that_is_held_has_no_effect() -> None:
    held: tuple[Decision, ...] = _plan("ABC ABC ABC ABC").decisions
    assert not any(d.has_effect or d.is_destructive for d in held)
