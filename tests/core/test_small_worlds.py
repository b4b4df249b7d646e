"""Every small world of one item: each combination of what was agreed and of what each side shows, and what holds in all."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from docsyncd.core.ancestor import CaseMemory
from docsyncd.core.model import ABSENT, CaseFileStage, Scan
from docsyncd.core.plan import Adopt, Remove, copies
from docsyncd.core.reconcile import reconcile
from docsyncd.core.snapshot import Deletions, Level, Settings, Snapshot
from tests.core.case_world import VOLUME, ancestor, content, document, file, memory, missing, snapshot

LETTERS = (None, "A", "B", "C", "?")


def _worlds() -> list[tuple[tuple[str | None, ...], Snapshot]]:
    found: list[tuple[tuple[str | None, ...], Snapshot]] = []
    for base, record, replica, linked, gone in product((None, "", "A"), LETTERS, LETTERS, (True, False), (0, 30)):
        known = (
            []
            if base is None
            else [ancestor("Klage.docx", base, older=(content("C"),), missing=missing(gone) if gone else None)]
        )
        records = [document("Klage.docx", record)] if record else []
        replicas = [file("Klage.docx", replica)] if replica else []
        given = snapshot(records, replicas, known, ["Klage.docx"] if linked else [])
        found.append(((base, record, replica), given))
    return found


WORLDS = _worlds()


def test_every_small_world_has_exactly_one_decision_per_item() -> None:
    for letters, given in WORLDS:
        plan = reconcile(given)
        assert len(plan.decisions) == (1 if any(x is not None for x in letters) else 0), letters
        assert all(d.row in range(1, 53) and d.reason for d in plan.decisions)


def test_what_is_replaced_is_always_what_was_seen() -> None:
    for letters, given in WORLDS:
        seen = {*given.record.files, *given.replica.files}
        for d in reconcile(given).steps:
            for copy in copies(d.change):
                assert copy.source in seen, letters
                assert copy.expect is ABSENT or copy.expect in seen, letters
                assert copy.expect is ABSENT or copy.expect.content != copy.content, letters


def test_unknown_never_leads_to_an_effect() -> None:
    for (_, record, replica), given in WORLDS:
        if "?" in (record, replica):
            assert not any(d.has_effect for d in reconcile(given).steps)


def test_without_complete_listings_nothing_happens() -> None:
    for letters, given in WORLDS:
        for broken in (
            replace(given, record=replace(given.record, complete=False)),
            replace(given, replica=replace(given.replica, complete=False)),
        ):
            assert not any(d.has_effect for d in reconcile(broken).steps), letters


def test_a_first_look_replaces_no_conflict_and_removes_nothing() -> None:
    for letters, given in WORLDS:
        for d in reconcile(replace(given, memory=CaseMemory())).steps:
            assert not isinstance(d.change, Remove), letters
            assert d.row in (2, 3) or not d.is_destructive, letters


def test_a_frozen_or_unknown_case_file_changes_nothing_at_all() -> None:
    for letters, given in WORLDS:
        for stage in (CaseFileStage.REFUSED, CaseFileStage.UNKNOWN):
            assert reconcile(replace(given, stage=stage)).steps == (), letters


def test_after_the_journal_went_back_a_run_only_remembers() -> None:
    for letters, given in WORLDS:
        back = replace(given, replica=replace(given.replica, volume=replace(VOLUME, next_usn=1)))
        assert all(isinstance(d.change, Adopt) and not d.has_effect for d in reconcile(back).steps), letters


def test_a_conflict_never_ends_with_one_text() -> None:
    for (base, record, replica), given in WORLDS:
        if base == "A" and {record, replica} == {"B", "C"}:
            for level, deletions in product(Level, Deletions):
                plan = reconcile(replace(given, level=level, settings=Settings(deletions=deletions)))
                written = {copy.content for d in plan.steps for copy in copies(d.change)}
                assert written == {content("B"), content("C")}


def test_an_empty_case_file_has_an_empty_plan() -> None:
    plan = reconcile(snapshot(memory=memory(volume=None), replica=Scan(files=(), complete=True)))
    assert (plan.decisions, plan.halts, plan.findings, plan.steps) == ((), (), (), ())
