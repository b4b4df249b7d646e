"""`docsyncd explain` answers "why is this document not synced", in every state, with the one thing that helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

from docsyncd.testing.emulation import Fault, on
from docsyncd_xai.emulator import Behaviour
from tests.daemon.terminal import Terminal
from tests.scenarios.office import NEVER, Office, office

TEXT = b"Es wird beantragt, die Klage abzuweisen."


async def until(firm: Office, document: str, reached: Callable[[Any], bool]) -> Any:
    """Ask until the answer is as expected and stays so while people ask, too, who read the same."""
    with anyio.fail_after(40):
        while True:
            before = await firm.daemon.ask("explain", document=document)
            if reached(before):
                shown = await terminal_of(firm)("explain", document)
                answer = await firm.daemon.ask("explain", document=document)
                if reached(answer) and answer["summary"] in shown.words and answer["advice"] in shown.words:
                    return answer
            await anyio.sleep(0.05)


def terminal_of(firm: Office) -> Terminal:
    return Terminal(config=firm.daemon.config)


async def test_a_document_that_was_never_seen(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        answer = await until(firm, "65f0000000000abcd", lambda answer: answer["summary"] == "never seen")
        assert answer["advice"].endswith("To look now: docsyncd sync 65f0000000000abcd --wait")


async def test_an_indexed_document_shows_its_steps_its_trace_and_where_it_is(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        terminal = terminal_of(firm)
        document = await firm.file("Klage.txt", TEXT)
        await firm.until(firm.is_in_step)
        answer = await until(firm, document, lambda answer: answer["summary"] == "indexed")
        assert answer["advice"] == f"Nothing is left to do. To look at all of it again: docsyncd sync {document}"
        assert answer["collections"] == [firm.collection]
        assert list(answer["files"]) == [firm.record(document)["xaiFileId"]]
        shown = await terminal("explain", document)
        assert f"place {firm.record(document)['xaiFileId']} in {firm.collection}" in shown.words
        assert f"trace {answer['decisions'][0]['trace']}" in shown.words
        # People paste what they see elsewhere: the key of `docsyncd errors`.
        assert (await terminal("explain", f"doc:{document}", "--json")).json()["document"] == document


async def test_a_document_that_nothing_leads_to_a_collection(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        document = firm.put("Notiz.txt", TEXT, linked=False)
        answer = await until(firm, document, lambda answer: answer["summary"] == "unplaced")
        assert answer["advice"].startswith("To have it indexed: link it in EspoCRM to a case file with consent")
        assert answer["reason"] == "no link leads to a collection"
        assert answer["collections"] == []


async def test_a_document_without_consent(tmp_path: Path) -> None:
    async with office(tmp_path, start=False, poll_every=NEVER) as firm:
        firm.espocrm.world.update("CAkten", firm.case_file, aiFreigabe=False)
        document = firm.put("Notiz.txt", TEXT)
        await firm.start()
        answer = await until(firm, document, lambda answer: answer["summary"] == "unplaced")
        assert "with consent" in answer["advice"]
        assert answer["reason"] == f"CAIKnowledge/{firm.knowledge}: there is no consent"
        assert firm.is_nowhere(document)


async def test_an_unsupported_document_with_the_index_s_reason_in_german(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        document = firm.put("Mail.eml", TEXT)
        answer = await until(firm, document, lambda answer: answer["summary"] == "unsupported")
        assert "nimmt xAI nicht an (möglich sind" in answer["reason"]
        assert answer["advice"].startswith("The index cannot take this file.")
        shown = await terminal_of(firm)("explain", document, columns=80)
        assert max(map(len, shown.out.splitlines())) <= 80


async def test_a_parked_document(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        firm.espocrm.faults.add(
            Fault(match=on("GET", "/Attachment/file"), times=None, status=403, headers={"X-Status-Reason": "no"})
        )
        document = firm.put("Klage.txt", TEXT)
        answer = await until(firm, document, lambda answer: answer["summary"] == "parked")
        assert answer["advice"] == f"Mend what the error names, then: docsyncd retry doc:{document}"
        assert "answered 403" in answer["queue"]["error"]


async def test_a_document_in_back_off(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        firm.espocrm.faults.add(Fault(match=on("GET", "/Attachment/file"), times=None, status=500))
        document = firm.put("Klage.txt", TEXT)
        answer = await until(firm, document, lambda answer: answer["summary"] == "failing")
        assert answer["queue"]["state"] == "delayed"
        assert answer["advice"] == f"It is tried again by itself. To try now: docsyncd retry doc:{document}"


async def test_a_document_while_a_remote_is_away(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        for role in firm.xai.applications:
            await firm.doors[role].close()
        document = await firm.file("Klage.txt", TEXT)
        answer = await until(firm, document, lambda answer: "can be reached again" in answer["advice"])
        assert answer["summary"] == "under way"
        assert answer["advice"].startswith("It goes on by itself when xai can be reached again.")
        status = await terminal_of(firm)("status")
        assert "away for" in status.words
        assert "Connection refused" in status.words


async def test_a_document_in_mode_observe_says_what_would_be_done(tmp_path: Path) -> None:
    async with office(tmp_path, mode="observe", poll_every=NEVER) as firm:
        document = firm.put("Klage.txt", TEXT)
        answer = await until(firm, document, lambda answer: answer["summary"] == "observed")
        assert answer["reason"] == f"would upload it and place it in {firm.collection}"
        assert answer["advice"].startswith('The index flow only observes. To let it work: set [index] mode = "live"')


async def test_a_document_that_waits_for_its_indexing(tmp_path: Path) -> None:
    async with office(tmp_path, behaviour=Behaviour(index_seconds=3600.0), first_look=20.0, poll_every=NEVER) as firm:
        document = await firm.file("Klage.txt", TEXT)
        answer = await until(firm, document, lambda answer: (answer["queue"] or {}).get("state") == "delayed")
        assert answer["summary"] == "under way"
        assert answer["advice"] == "Nothing has to be done: it is in the queue, and its turn comes by itself."
        assert answer["queue"]["error"] == "the index still works on it"
        assert answer["decisions"][0]["outcome"] == "waiting for indexing"


async def test_a_document_while_work_is_paused(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        terminal = terminal_of(firm)
        await terminal("pause")
        document = await firm.file("Klage.txt", TEXT)
        answer = await until(firm, document, lambda answer: answer["queue"] is not None)
        assert answer["advice"] == "Work is paused. To go on: docsyncd resume"


async def test_a_document_that_is_gone(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        document = await firm.file("Klage.txt", TEXT)
        await firm.until(firm.is_in_step)
        await firm.delete(document)
        await firm.until(firm.is_in_step)
        answer = await until(firm, document, lambda answer: answer["summary"] == "deleted")
        assert answer["decisions"][0]["outcome"] == "deleted"
        assert answer["advice"].startswith("Nothing is left to do: it is gone")
