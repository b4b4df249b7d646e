"""Mode observe, as installed: not one request that changes anything, over a whole life; and yet it can be explained."""

from __future__ import annotations

from pathlib import Path

import anyio

from docsyncd.testing.emulation import RequestLog
from tests.scenarios.office import NEVER, Office, office

TEXT = b"Es wird beantragt, die Klage abzuweisen."
SWEEPS = {"sweeps": {"every": 2.0}}


def changes(log: RequestLog, since: int) -> list[str]:
    """Everything but reading. The people of these stories act without requests, so the log is the daemon's alone."""
    return [request.verb for request in log.since(since) if request.method not in ("GET", "HEAD")]


async def observed(firm: Office, document: str) -> str:
    """What the daemon says that it would do, once it has looked at the present state."""
    with anyio.fail_after(40):
        while True:
            answer = await firm.daemon.ask("explain", document=document)
            if answer["summary"] == "observed":
                return str(answer["reason"])
            await anyio.sleep(0.05)


async def test_a_whole_life_in_mode_observe_changes_nothing_anywhere(tmp_path: Path) -> None:
    async with office(tmp_path, start=False, mode="observe", webhook_period=None, tables=SWEEPS) as firm:
        begin = firm.espocrm.requests.last, firm.xai.requests.last
        stays, changed, gone = (firm.put(f"Anlage {name}.txt", TEXT + name.encode()) for name in ("A", "B", "C"))
        loose = firm.put("Lose.txt", TEXT, linked=False)
        before = {each: firm.record(each) for each in (stays, loose)}
        await firm.start()
        for document in (stays, changed, gone):
            assert await observed(firm, document) == f"would upload it and place it in {firm.collection}"
        firm.change(changed, TEXT + b"neu")
        firm.espocrm.world.delete("Document", gone)
        for each in ("create", "update", "delete"):
            assert await firm.post(each, [{"id": stays}, {"id": changed}, {"id": gone}]) == 200
        await anyio.sleep(5)  # two rounds of sweeps and polls
        assert await observed(firm, changed) == f"would upload it and place it in {firm.collection}"
        asked = {request.verb for request in firm.xai.requests.since(begin[1])}
        assert "GET /v1/files" in asked, "no sweep has come by"
        assert changes(firm.espocrm.requests, begin[0]) == []
        assert changes(firm.xai.requests, begin[1]) == []
        assert {each: firm.record(each) for each in (stays, loose)} == before
        assert firm.xai.world.files == {}
        assert (await firm.daemon.ask("errors"))["errors"] == []


async def test_what_a_live_daemon_did_is_only_looked_at_afterwards(tmp_path: Path) -> None:
    """Going back to observe: a document that is deleted or unlinked stays where it is, and explain says what would be done."""
    async with office(tmp_path, poll_every=NEVER) as firm:
        gone, stays = firm.put("Klage.txt", TEXT), firm.put("Anlage.txt", TEXT)
        await firm.until(firm.is_in_step)
        await firm.rest()
        config = firm.daemon.config
        config.write_text(config.read_text(encoding="utf-8").replace('"live"', '"observe"'), encoding="utf-8")
        await firm.daemon.ask("reload")
        begin = firm.espocrm.requests.last, firm.xai.requests.last
        firm.espocrm.world.delete("Document", gone)
        firm.espocrm.world.unlink("Document", stays, "cAIKnowledges", firm.knowledge)
        for document in (gone, stays):
            await firm.daemon.ask("sync", document=document, wait=True)
        file = firm.record(stays)["xaiFileId"]
        assert await observed(firm, stays) == f"would withdraw {file} from {firm.collection} (unwanted)"
        assert "would remove 1 file" in await observed(firm, gone)
        assert changes(firm.espocrm.requests, begin[0]) == []
        assert changes(firm.xai.requests, begin[1]) == []
        assert len(firm.xai.world.files) == 2
