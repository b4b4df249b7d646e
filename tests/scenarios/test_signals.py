"""SIGTERM loses nothing of what is under way; SIGHUP never lets a webhook wait, whatever the file says."""

from __future__ import annotations

import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import aiohttp
import anyio

from docsyncd.tasks import task_group
from docsyncd.testing.emulation import Fault, on
from tests.scenarios.office import NEVER, Office, office

DOCUMENTS = 24


async def test_a_stop_while_working_counts_nothing_and_the_next_start_goes_on(tmp_path: Path) -> None:
    async with office(tmp_path, webhook_period=None, poll_every=NEVER) as firm:
        await firm.swept()
        firm.xai.faults.add(Fault(match=on("POST", "/v1/files"), times=None, delay=0.3))
        documents = [firm.put(f"Anlage K{number}.txt", b"Anlage %d" % number) for number in range(DOCUMENTS)]
        assert await firm.post("create", [{"id": document} for document in documents]) == 200
        await firm.until(lambda: firm.xai.world.uploads >= 4, what="work to be under way")
        os.kill(firm.daemon.pid, signal.SIGTERM)
        with anyio.fail_after(30):
            while firm.daemon.is_alive:  # noqa: ASYNC110 - a process gives no event
                await anyio.sleep(0.05)
        assert firm.daemon.exit_status == 0
        assert firm.xai.world.uploads < DOCUMENTS
        await firm.start()
        assert (await firm.daemon.ask("errors"))["errors"] == []
        await firm.until(firm.is_in_step, what="the rest, after the next start")
        assert firm.xai.world.uploads == DOCUMENTS


async def test_a_reload_that_cannot_be_says_why_and_no_webhook_is_refused_meanwhile(tmp_path: Path) -> None:
    async with office(tmp_path, webhook_period=None, poll_every=NEVER) as firm:
        document = firm.put("Klage.txt", b"Es wird beantragt, die Klage abzuweisen.")
        await firm.until(firm.is_in_step)
        config = firm.daemon.config
        good = config.read_text(encoding="utf-8")
        broken = {
            "not valid TOML": good + "\n[index\n",
            "wie_bitte": good.replace("[index]", "[index]\nwie_bitte = true"),
            "nowhere": good.replace(str(tmp_path / "secrets" / "xai_api_key"), "/nowhere/xai_api_key"),
            "cannot change": good.replace("[queue]", '[queue]\nprefix = "another:"'),
        }
        answers: Counter[object] = Counter()
        async with task_group() as tasks:
            tasks.start_soon(_knock, firm, document, answers)
            for number, (reason, text) in enumerate(broken.items(), start=1):
                config.write_text(text, encoding="utf-8")
                os.kill(firm.daemon.pid, signal.SIGHUP)
                await firm.until(partial(_were_refused, firm, number), what=f"the refusal of {reason}")
                assert reason in _refusals(firm)[-1]
            another = firm.put("Neu.txt", b"Neues")
            assert await firm.post("create", [{"id": another}]) == 200
            await firm.until(firm.is_in_step, what="work to go on with the old configuration")
            config.write_text(good, encoding="utf-8")
            os.kill(firm.daemon.pid, signal.SIGHUP)
            await firm.until(lambda: "daemon.reloaded" in _log(firm), what="a good file to be taken")
            await anyio.sleep(0.5)
            tasks.cancel_scope.cancel()
        assert answers.keys() == {200}
        assert answers[200] > 10


async def _knock(firm: Office, document: str, answers: Counter[object]) -> None:
    """Post without pause, each time over a new connection."""
    while True:
        try:
            answers[await firm.post("update", [{"id": document}])] += 1
        except aiohttp.ClientError as error:
            answers[repr(error)] += 1
        await anyio.sleep(0.01)


def _log(firm: Office) -> str:
    return firm.daemon.log.read_text(encoding="utf-8")


def _refusals(firm: Office) -> list[str]:
    return [line for line in _log(firm).splitlines() if "daemon.reload_refused" in line]


def _were_refused(firm: Office, number: int) -> bool:
    return len(_refusals(firm)) == number
