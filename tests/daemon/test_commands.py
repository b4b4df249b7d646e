"""What an operator types at a running daemon: status, sync, errors, retry, pause, resume, reload."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anyio

from docsyncd.testing.emulation import Fault, on
from tests.daemon.terminal import Terminal
from tests.scenarios.office import NEVER, Office, office

TEXT = b"Es wird beantragt, die Klage abzuweisen."


def terminal_of(firm: Office) -> Terminal:
    return Terminal(config=firm.daemon.config)


def refuse_downloads(firm: Office) -> Fault:
    """EspoCRM refuses to hand out files, for good: every document is parked."""
    return firm.espocrm.faults.add(Fault(match=on("GET", "/Attachment/file"), times=None, status=403))


async def parked(firm: Office, count: int) -> list[Any]:
    with anyio.fail_after(30):
        while True:
            found = (await firm.daemon.ask("errors"))["errors"]
            if sum(entry["state"] == "parked" for entry in found) == count:
                return list(found)
            await anyio.sleep(0.05)


async def test_status_says_the_same_to_people_and_programs(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        await firm.file("Klage.txt", TEXT)
        await firm.until(firm.is_in_step)
        await firm.rest()
        answer = (await terminal_of(firm)("status", "--json")).json()
        assert answer["mode"] == "live"
        assert {remote["name"] for remote in answer["remotes"]} == {"espocrm", "xai"}
        assert not any(remote["away"] for remote in answer["remotes"])
        assert answer["finished"]["indexed"] >= 1
        shown = await terminal_of(firm)("status", columns=80)
        assert shown.status == 0
        assert "mode live" in shown.words
        assert re.search(r"finished .*\d+ indexed", shown.words)
        assert "vmh.document.create" in shown.words
        assert shown.words.count("well") == 3
        assert max(map(len, shown.out.splitlines())) <= 80


async def test_sync_with_wait_shows_the_steps_and_how_it_ended(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER, webhook_period=None) as firm:
        await anyio.sleep(3)  # the first sweeps have seen an empty world
        document = firm.put("Klage.txt", TEXT)
        shown = await terminal_of(firm)("sync", document, "--wait")
        assert shown.status == 0, shown.err
        assert shown.out.startswith(f"doc:{document}: indexed\n")
        steps = [line.strip(" ·") for line in shown.err.splitlines()]
        file = firm.record(document)["xaiFileId"]
        for step in ("fetch", "announce", "upload", f"place {file} in {firm.collection}", "save"):
            assert step in steps
        assert firm.is_indexed(document)
        answer = (await terminal_of(firm)("sync", document, "--wait", "--json")).json()
        assert (answer["word"], answer["ok"]) == ("indexed", True)


async def test_sync_without_wait_only_makes_it_due(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER, webhook_period=None) as firm:
        document = firm.put("Klage.txt", TEXT)
        shown = await terminal_of(firm)("sync", document)
        assert shown.status == 0
        assert shown.words.endswith(f"To see what becomes of it: docsyncd explain {document}")
        await firm.until(lambda: firm.is_indexed(document))


async def test_sync_of_an_id_that_espocrm_does_not_know_is_no_success(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        shown = await terminal_of(firm)("sync", "65f0000000000abcd", "--wait")
        assert shown.status == 1
        assert "doc:65f0000000000abcd: unknown" in shown.words
        assert "espocrm has no document 65f0000000000abcd, and docsyncd never knew one" in shown.words
        assert "Check the id" in shown.words
        assert await firm.daemon.ask("errors") == {"errors": []}


async def test_sync_of_a_document_that_espocrm_refuses_fails_with_its_reason(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER, webhook_period=None) as firm:
        refuse_downloads(firm)
        document = firm.put("Klage.txt", TEXT)
        shown = await terminal_of(firm)("sync", document, "--wait")
        assert shown.status == 1
        assert f"doc:{document}: parked" in shown.words
        assert "answered 403" in shown.words
        assert f"then: docsyncd retry doc:{document}" in shown.words


async def test_errors_lists_what_is_parked_and_retry_works_it_off(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        terminal = terminal_of(firm)
        fault = refuse_downloads(firm)
        first, second, third = [firm.put(f"Anlage {n}.txt", TEXT + bytes([n])) for n in (48, 49, 50)]
        await parked(firm, 3)
        shown = await terminal("errors", columns=80)
        for document in (first, second, third):
            assert f"doc:{document}" in shown.out
        assert "3 parked, 0 failing. All parked ones at once: docsyncd retry --all" in shown.words
        assert max(map(len, shown.out.splitlines())) <= 80
        fault.times = 0
        shown = await terminal("retry", first)  # an id is as good as a key
        assert "1 key is tried again now" in shown.words
        await firm.until(lambda: firm.is_indexed(first))
        shown = await terminal("retry", "--all")
        assert "2 keys are tried again now" in shown.words
        await firm.until(firm.is_in_step)
        assert (await terminal("errors")).out == "No errors: nothing is parked and nothing is failing.\n"
        assert "Nothing is parked" in (await terminal("retry", "--all")).words


async def test_retry_of_a_key_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        shown = await terminal_of(firm)("retry", "doc:nobody")
        assert (shown.status, shown.out) == (1, "")
        assert shown.err.startswith("error: docsyncd knows no key doc:nobody.\n  fix: ")
        shown = await terminal_of(firm)("retry")
        assert (shown.status, shown.err) == (
            1,
            "error: retry needs either a key or --all.\n  fix: `docsyncd errors` lists the keys.\n",
        )


async def test_retry_of_a_document_that_the_index_failed_indexes_it(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        document = await firm.file("Klage.txt", TEXT)
        await firm.until(firm.is_in_step)
        await firm.rest()
        [member] = firm.xai.world.collections[firm.collection].members.values()
        name, member.file.name = member.file.name, member.file.name.replace(".txt", ".xyz")  # a kind that it fails
        assert (await terminal_of(firm)("sync", document, "--wait")).status == 1
        assert (await firm.daemon.ask("explain", document=document))["advice"].endswith(
            f"then: docsyncd retry doc:{document}"
        )
        member.file.name = name
        assert (await terminal_of(firm)("retry", f"doc:{document}")).status == 0
        await firm.until(firm.is_in_step)


async def test_paused_claims_nothing_and_takes_webhooks(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        terminal = terminal_of(firm)
        await firm.rest()
        assert (await terminal("pause")).out.startswith("Paused: ")
        document = await firm.file("Klage.txt", TEXT)
        with anyio.fail_after(20):
            while True:
                status = (await terminal("status", "--json")).json()
                if status["webhooks"]["last_good"]:
                    break
        assert status["queue"]["paused"] is True
        await anyio.sleep(1)
        assert firm.touches(document, 0) == []
        assert (await firm.daemon.ask("explain", document=document))["queue"]["state"] == "ready"
        assert "paused: nothing new is begun. To go on: docsyncd resume" in (await terminal("status")).words
        assert (await terminal("resume")).out == "Not paused: work goes on.\n"
        await firm.until(lambda: firm.is_indexed(document))


async def test_sync_with_wait_says_that_work_is_paused(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER, webhook_period=None) as firm:
        terminal = terminal_of(firm)
        document = firm.put("Klage.txt", TEXT)
        await terminal("pause")
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                shown = await terminal("sync", document, "--wait")
                assert shown.status == 0
                assert "Work is paused. To go on: docsyncd resume" in shown.err

            tasks.start_soon(wait)
            await anyio.sleep(3)  # the command has started, and has read that work is paused
            await terminal("resume")


async def test_reload_takes_a_good_configuration_and_keeps_the_old_one_on_a_bad_one(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER, mode="observe") as firm:
        terminal = terminal_of(firm)
        config = firm.daemon.config
        good = config.read_text(encoding="utf-8")
        config.write_text(good.replace('mode = "observe"', 'mode = "alive"'), encoding="utf-8")
        shown = await terminal("reload", "--socket", str(tmp_path / "state" / "control.sock"))
        assert (shown.status, shown.out) == (1, "")
        assert "index.mode: Input should be 'observe' or 'live'." in shown.words
        assert (await firm.daemon.ask("status"))["mode"] == "observe"
        config.write_text(good + '\n[listener2]\nbind = "127.0.0.1:1"\n', encoding="utf-8")
        assert (await terminal("reload", "--socket", str(tmp_path / "state" / "control.sock"))).status == 1
        config.write_text(good.replace(firm.listener, "127.0.0.1:1"), encoding="utf-8")
        shown = await terminal("reload")
        assert shown.status == 1
        assert "listener: this changed, and a reload cannot change it; nothing was reloaded." in shown.words
        assert "fix: Take the change back, or restart the service." in shown.words
        config.write_text(good.replace('mode = "observe"', 'mode = "live"'), encoding="utf-8")
        shown = await terminal("reload")
        assert (shown.status, shown.out) == (0, f"Reloaded: {config} is in force.\n")
        assert (await firm.daemon.ask("status"))["mode"] == "live"
        document = await firm.file("Klage.txt", TEXT)
        await firm.until(lambda: firm.is_indexed(document))


async def test_reload_refuses_a_key_that_the_remote_refuses(tmp_path: Path) -> None:
    async with office(tmp_path, poll_every=NEVER) as firm:
        key = tmp_path / "secrets" / "xai_api_key"
        right = key.read_text(encoding="utf-8")
        key.write_text("wrong", encoding="utf-8")
        shown = await terminal_of(firm)("reload")
        assert shown.status == 1
        assert "xai" in shown.err
        assert "wrong" not in shown.err
        key.write_text(right, encoding="utf-8")
        document = await firm.file("Klage.txt", TEXT)
        await firm.until(lambda: firm.is_indexed(document))
