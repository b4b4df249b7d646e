"""While the index works: looks are cheap, and what changes meanwhile is obeyed all the same."""

from __future__ import annotations

from pathlib import Path

from docsyncd_xai.emulator import Behaviour
from tests.scenarios.office import NEVER, office

SLOW = Behaviour(index_seconds=3.0)


async def test_looks_ask_for_links_and_consent_once_per_version(tmp_path: Path) -> None:
    async with office(tmp_path, behaviour=SLOW, poll_every=NEVER) as firm:
        await firm.file("Vollmacht.txt", b"Vollmacht")
        await firm.until(firm.is_in_step)
        await firm.rest()  # the sweeps of the start, which ask everything anew, are over
        start = firm.espocrm.requests.last
        document = await firm.file("Klage.txt", b"Es wird beantragt, die Klage abzuweisen.")
        await firm.until(firm.is_in_step)
        asked = [request.path for request in firm.espocrm.requests.since(start) if request.method == "GET"]
        assert asked.count(f"/api/v1/Document/{document}") > 2
        assert asked.count(f"/api/v1/Document/{document}/cAIKnowledges") == 1
        assert asked.count(f"/api/v1/CAkten/{firm.case_file}") == 1


async def test_consent_withdrawn_while_the_index_works_is_obeyed(tmp_path: Path) -> None:
    async with office(tmp_path, behaviour=SLOW, poll_every=0.5) as firm:
        document = await firm.file("Klage.txt", b"Es wird beantragt, die Klage abzuweisen.")
        await firm.until(lambda: bool(firm.xai.stage.holdings(document)), what="the document to be placed")
        firm.espocrm.world.update("CAkten", firm.case_file, aiFreigabe=False)
        await firm.until(lambda: not firm.xai.world.files, what="the document to leave the index")
        await firm.rest()
        assert not firm.xai.stage.holdings(document)
        assert firm.record(document)["xaiSyncStatus"] != "synced"
