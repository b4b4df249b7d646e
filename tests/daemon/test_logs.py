"""What the log says of a life, and what it never says: names, titles, parties, keys."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from docsyncd.testing.emulation import Fault, on
from tests.daemon.terminal import Terminal
from tests.scenarios.office import NEVER, Office, office

TEXT = b"Es wird beantragt, die Klage abzuweisen. Quarzuhrwerk."
WORDS = ("Zwiebelturm", "Drachenboot", "Quarzuhrwerk", "Xylophonbauer")
"""In a file's name, in a title, in a content, in a party's name."""


def lines(firm: Office) -> Sequence[Mapping[str, Any]]:
    """Every line of the log is one JSON object."""
    return [json.loads(line) for line in firm.daemon.log.read_text(encoding="utf-8").splitlines()]


def secrets(firm: Office) -> Sequence[str]:
    """Everything below the folder of secrets."""
    return [path.read_text(encoding="utf-8").strip() for path in (firm.folder / "secrets").rglob("*") if path.is_file()]


def put(firm: Office, name: str = "Zwiebelturm über Köln.txt") -> str:
    document = firm.put(name, TEXT)
    firm.espocrm.world.update("Document", document, name="Klage wegen Drachenboot")
    return document


async def everything_said(firm: Office) -> str:
    """The log, and what the commands that read show of it."""
    terminal = Terminal(config=firm.daemon.config)
    shown = [await terminal(command) for command in ("errors", "status")]
    shown.append(await terminal("errors", "--json"))
    return "\n".join([firm.daemon.log.read_text(encoding="utf-8"), *(each.out + each.err for each in shown)])


async def parked(firm: Office, document: str) -> None:
    with anyio.fail_after(60):
        while True:
            answer = await firm.daemon.ask("explain", document=document)
            if answer["summary"] == "parked":
                return
            if answer["summary"] == "failing":
                await firm.daemon.ask("retry", key=document)
            await anyio.sleep(0.1)


FAULTS = {
    "a good life": None,
    "a download that is refused": Fault(match=on("GET", "/Attachment/file"), times=None, status=403, body=b"no"),
    "a record that cannot be saved": Fault(match=on("PUT", "/Document/"), times=None, status=400),
    "an upload that is refused": Fault(match=on("POST", "/v1/files"), times=None, status=422, body=b'{"error": "no"}'),
}


@pytest.mark.parametrize("story", FAULTS)
async def test_no_line_and_no_error_names_a_file_a_title_a_party_or_a_key(tmp_path: Path, story: str) -> None:
    async with office(tmp_path, poll_every=NEVER, tables={"daemon": {"log_level": "debug"}}) as firm:
        firm.espocrm.world.update("CAkten", firm.case_file, name="Xylophonbauer ./. Müller")
        fault = FAULTS[story]
        document = put(firm)
        if fault is None:
            await firm.until(firm.is_in_step)
            firm.change(document, TEXT + b" neu")
            await firm.until(firm.is_in_step)
            unsupported = put(firm, "Zwiebelturm.eml")
            await firm.daemon.ask("sync", document=unsupported, wait=True)
            del firm.documents[unsupported]
            await firm.delete(document)
            await firm.until(lambda: firm.is_nowhere(document))
        else:
            fault.times = None
            firm.espocrm.faults.add(fault)
            firm.xai.faults.add(fault)
            await parked(firm, document)
        said = await everything_said(firm)
        assert document in said
        for word in (*WORDS, *secrets(firm)):
            assert word not in said, [line for line in said.splitlines() if word in line]


async def test_every_line_is_json_with_a_time_a_level_and_an_event_of_noun_and_verb(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        document = put(firm)
        await firm.until(firm.is_in_step)
        await firm.daemon.ask("sync", document=document, wait=True)
        for door in firm.doors.values():
            await door.close()
        await firm.daemon.ask("sync", document=document)
        await anyio.sleep(2)
        await firm.daemon.stop()
        found = lines(firm)
        assert {line["event"] for line in found} >= {"daemon.ready", "work.done", "control.command", "daemon.stopped"}
        for line in found:
            assert re.fullmatch(r"[a-z]+\.[a-z_]+", line["event"]), line
            assert line["level"] in ("debug", "info", "warning", "error")
            assert line["timestamp"].endswith("Z")


async def test_each_run_ends_with_one_line_that_has_its_key_its_trace_and_its_time(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        documents = [put(firm, f"Zwiebelturm {number}.txt") for number in range(3)]
        await firm.until(firm.is_in_step)
        await firm.rest()
        runs = [line for line in lines(firm) if line["event"] in ("work.done", "work.failed")]
        finished = (await firm.daemon.ask("status"))["finished"]
        assert len(runs) == sum(finished.values())
        assert {run["key"] for run in runs} >= {f"doc:{document}" for document in documents}
        assert all(re.fullmatch(r"[0-9a-f]{32}", run["trace"]) for run in runs)
        assert all(run["seconds"] >= 0 and run["attempt"] == 1 for run in runs)
        assert len({run["trace"] for run in runs}) <= len(runs)
        for document in documents:
            decided = {each["trace"] for each in (await firm.daemon.ask("explain", document=document))["decisions"]}
            assert decided
            assert decided <= {run["trace"] for run in runs if run["key"] == f"doc:{document}"}
        audit = [json.loads(line) for line in (tmp_path / "state" / "audit.jsonl").read_text("utf-8").splitlines()]
        assert {entry["trace"] for entry in audit} <= {run["trace"] for run in runs}


async def test_a_warning_within_a_run_carries_the_run_s_key_and_trace(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        firm.espocrm.faults.add(Fault(match=on("PUT", "/Document/"), times=None, status=400))
        firm.espocrm.faults.add(Fault(match=on("GET", "/Attachment/file"), times=None, status=403))
        document = put(firm)
        await parked(firm, document)
        warnings = [line for line in lines(firm) if line["event"] == "document.failure_not_written"]
        assert warnings
        ends = {line["trace"] for line in lines(firm) if line["event"] == "work.failed"}
        assert all(line["key"] == f"doc:{document}" and line["trace"] in ends for line in warnings)


async def test_for_people_the_log_is_plain_lines(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER, tables={"daemon": {"log_format": "console"}}) as firm:
        document = put(firm)
        await firm.until(firm.is_in_step)
        await firm.daemon.stop()
        said = firm.daemon.log.read_text(encoding="utf-8")
        assert "\x1b[" not in said, "colours are for terminals"
        done = [line for line in said.splitlines() if " work.done " in line]
        assert done
        assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[info +\] work\.done +key=doc:", line) for line in done)
        assert any(f"key=doc:{document} trace=" in line for line in done)
