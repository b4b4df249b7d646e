"""The 52 rows of the decision table, each as the reference says it (rows.toml, typed by hand)."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from docsyncd.core.ancestor import Ancestor
from docsyncd.core.membership import unmapped
from docsyncd.core.metadata import Owner, merge
from docsyncd.core.model import CaseFileStage, FileState, Scan, Volume
from docsyncd.core.plan import copies, in_seed_terms
from docsyncd.core.reconcile import DECISIONS, ELSEWHERE, GATES, reconcile
from docsyncd.core.snapshot import Settings, Snapshot
from tests.core.case_world import VOLUME, ancestor, content, document, entry, file, memory, missing, snapshot

ROWS: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("rows.toml").read_text(encoding="utf-8"))["row"]


def _title(row: dict[str, Any]) -> str:
    return f"{row['number']}: {row['title']}"


def _given(row: dict[str, Any]) -> Snapshot:
    records: list[FileState] = []
    replicas: list[FileState] = []
    ancestors: list[Ancestor] = []
    history = list(row.get("history", []))
    for number, item in enumerate(row["items"], 1):
        name = item.get("name", "Klage.docx")
        if "base" in item:
            base = ancestor(
                item.get("base_name", name),
                item["base"],
                number,
                suppressed=item.get("suppressed", False),
                missing=missing(item["missing_hours"]) if "missing_hours" in item else None,
                older=tuple(h for letter in item.get("older", "") if (h := content(letter)) is not None),
                ours=item.get("ours", False),
            )
            ancestors.append(base)
        if "record" in item:
            records.append(document(item.get("record_name", name), item["record"], number))
        if "replica" in item:
            file_id = item.get("file_id", f"file-{number}")
            size, oddity = item.get("replica_size", 1000), item.get("oddity")
            shown = file(item.get("replica_name", name), item["replica"], number)
            replicas.append(replace(shown, file_id=file_id, size=size, oddity=oddity))
        if item.get("history", "history" not in row or row["number"] in (43, 44)):
            history.append(item.get("replica_name", name))
    return _in_case(row.get("case", {}), snapshot(records, replicas, ancestors, history))


def _in_case(case: dict[str, Any], usual: Snapshot) -> Snapshot:
    volume = Volume(
        serial=VOLUME.serial,
        journal=case.get("journal_id", VOLUME.journal),
        next_usn=case.get("next_usn", VOLUME.next_usn),
    )
    return replace(
        usual,
        replica=Scan(files=usual.replica.files, complete=True, volume=volume),
        journal=usual.journal if case.get("journal", True) else None,
        stage=CaseFileStage(case.get("stage", "admitted")),
        archived=case.get("archived", False),
        elsewhere=frozenset(case.get("elsewhere", ())),
        settings=Settings(history_writes=case.get("history_writes", False)),
        memory=memory(
            settled=case.get("settled", True),
            archived=case.get("was_archived", False),
            journal_entries=case.get("entries_before", 0),
        ),
    )


@pytest.mark.parametrize("row", [row for row in ROWS if "items" in row], ids=_title)
def test_a_row_decides_as_the_reference_says(row: dict[str, Any]) -> None:
    given = _given(row)
    plan = reconcile(given)
    shown = [in_seed_terms(decision) for decision in plan.decisions]
    assert [f"{s['row']} {s['action']} {s['path']}" for s in shown] == row["expect"]
    assert not plan.halts
    if "copies" in row:
        planned = [copy for decision in plan.steps for copy in copies(decision.change)]
        assert [f"{copy.target} {copy.path} {copy.content[0]}" for copy in planned] == row["copies"]
    if "rename" in row:
        assert [decision.rename for decision in plan.steps if decision.rename] == [row["rename"]]
    found = [finding.row for finding in plan.findings]
    assert set(row.get("findings", [])) <= set(found), found
    assert [r.path for r in plan.registrations] == row.get("registrations", [])
    assert unmapped(given.journal or ()) == row.get("unmapped", 0)


@pytest.mark.parametrize("row", [row for row in ROWS if "metadata" in row], ids=_title)
def test_a_field_is_merged_as_the_reference_says(row: dict[str, Any]) -> None:
    given = row["metadata"]
    changes = merge(
        {"kind": Owner(given["owner"])},
        base={"kind": given["base"]},
        history={"kind": given["history"]},
        record={"kind": given["record"]},
    )
    told = [f"{c.row} {c.value}" + (f" instead of {c.overruled}" if c.overruled else "") for c in changes]
    assert told == [row["field"]] if row["field"] else told == []


def test_every_row_of_the_reference_is_expected_somewhere() -> None:
    assert {row["number"] for row in ROWS} == set(range(1, 53))


def test_every_row_of_the_reference_has_one_place_in_the_code() -> None:
    decided = {row.number for row in DECISIONS} | {gate.number for gate in GATES}
    assert decided | set(ELSEWHERE) == set(range(1, 53))
    assert not decided & set(ELSEWHERE)


def test_two_entries_on_one_file_count_with_the_lowest_number() -> None:
    given = snapshot([document("Klage.docx", "A")], [file("Klage.docx", "A")], [ancestor("Klage.docx", "A")])
    journal = (entry("Klage.docx", 42), entry("klage.DOCX", 7), entry("Klage.docx", None))
    plan = reconcile(replace(given, journal=journal))
    assert [f.reason for f in plan.findings if f.row == 43] == [
        "several History entries name it: 7, 42, None; the lowest counts"
    ]
