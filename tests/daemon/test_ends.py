"""How a daemon ends: told to, in time and with status 0; robbed of its queue, with the reason and a status that restarts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import pytest
from anyio.abc import Process

from docsyncd.demo_daemon import free_port, write_toml
from docsyncd.serve.control_client import ControlError, call
from docsyncd.testing.emulation import Fault, on
from tests.daemon.terminal import until
from tests.scenarios.office import NEVER, Office, office

IN_TIME = 25.0
"""Seconds from SIGTERM to the end: 20 that runs under way have, and some to close."""


@asynccontextmanager
async def running(firm: Office) -> AsyncIterator[Process]:
    """The office's daemon, with its process in our hands."""
    with firm.daemon.log.open("ab") as log:
        process = await anyio.open_process(
            [sys.executable, "-m", "docsyncd", "run", "--config", str(firm.daemon.config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        with anyio.fail_after(30):
            while True:
                try:
                    if (await firm.daemon.ask("status"))["mode"] != "starting":
                        break
                except ControlError:
                    await anyio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.wait()


def said(firm: Office) -> str:
    return firm.daemon.log.read_text(encoding="utf-8")


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_daemon_ends_at_once_with_status_0(tmp_path: Path, told: signal.Signals) -> None:
    async with office(tmp_path, start=False, poll_every=NEVER) as firm, running(firm) as process:
        begin = time.monotonic()
        process.send_signal(told)
        with anyio.fail_after(IN_TIME):
            assert await process.wait() == 0
        assert time.monotonic() - begin < 10
        assert "daemon.stopped" in said(firm)
        assert "Traceback" not in said(firm)
        assert not (tmp_path / "state" / "control.sock").exists()


async def test_a_run_that_hangs_is_released_in_time_and_costs_no_attempt(tmp_path: Path) -> None:
    async with office(tmp_path, start=False, poll_every=NEVER) as firm:
        hanging = firm.espocrm.faults.add(Fault(match=on("GET", "/Attachment/file"), delay=600.0))
        async with running(firm) as process:
            document = await firm.file("Klage.txt", b"Klage")
            await firm.until(lambda: hanging.times == 0 or process.returncode is not None)
            process.send_signal(signal.SIGTERM)
            with anyio.fail_after(IN_TIME):
                assert await process.wait() == 0
            assert '"outcome": "released"' in said(firm)
        async with running(firm):
            await firm.until(lambda: firm.is_indexed(document) or process.returncode is None)
            [first, *_] = (await firm.daemon.ask("explain", document=document))["decisions"]
            assert first["attempt"] == 1


async def test_a_daemon_whose_embedded_server_is_killed_ends_and_says_so(tmp_path: Path) -> None:
    async with office(tmp_path, start=False, poll_every=NEVER) as firm, running(firm) as process:
        [server] = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and f"PPid:\t{process.pid}\n" in status(entry) and "server" in name(entry)
        ]
        os.kill(server, signal.SIGKILL)
        with anyio.fail_after(IN_TIME):
            assert await process.wait() == 1
        told = [line for line in said(firm).splitlines() if line.startswith("error: ")]
        assert len(told) == 1
        assert told[0].startswith("error: The embedded server ended with status -9")
        assert "Traceback" not in said(firm)


def status(process: Path) -> str:
    try:
        return (process / "status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def name(process: Path) -> str:
    return (process / "comm").read_text(encoding="ascii", errors="replace")


async def test_sighup_with_a_bad_file_keeps_the_old_configuration(tmp_path: Path) -> None:
    async with office(tmp_path, start=False, poll_every=NEVER) as firm, running(firm) as process:
        config = firm.daemon.config
        good = config.read_text(encoding="utf-8")
        config.write_text("[index\n", encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        await until(lambda: "daemon.reload_refused" in said(firm))
        config.write_text(good, encoding="utf-8")
        document = await firm.file("Klage.txt", b"Klage")
        await firm.until(lambda: firm.is_indexed(document))
        process.send_signal(signal.SIGHUP)
        await until(lambda: "daemon.reloaded" in said(firm))
        assert process.returncode is None


async def test_a_client_that_waits_hears_that_the_daemon_ended(tmp_path: Path) -> None:
    async with office(tmp_path, start=False, poll_every=NEVER) as firm, running(firm) as process:
        await firm.daemon.ask("pause")
        lines = call(tmp_path / "state" / "control.sock", "sync", {"document": "65f0000000000abcd", "wait": True})
        assert "Work is paused" in (await anext(lines))["progress"]
        process.send_signal(signal.SIGTERM)
        with pytest.raises(ControlError, match="went away before it had answered"):
            await anext(lines)
        with anyio.fail_after(IN_TIME):
            assert await process.wait() == 0


async def test_sigterm_while_it_still_begins_ends_it(tmp_path: Path) -> None:
    """A remote that takes connections and says nothing must not hold up a stop."""
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen()
    port = silent.getsockname()[1]
    key = tmp_path / "key"
    key.write_text("k", encoding="utf-8")
    nowhere, secret = f"http://127.0.0.1:{port}", {"file": str(key)}
    connectors = {
        "espocrm": {"type": "espocrm", "url": nowhere, "api_key": secret},
        "xai": {
            "type": "xai",
            "api_key": secret,
            "management_key": secret,
            "files_url": nowhere,
            "management_url": nowhere,
        },
    }
    config = write_toml(tmp_path, f"127.0.0.1:{free_port()}", connectors)
    with closing(silent):
        process = await anyio.open_process(
            [sys.executable, "-m", "docsyncd", "run", "--config", str(config)], stdin=subprocess.DEVNULL
        )
        await until((tmp_path / "state" / "control.sock").exists)
        await anyio.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        try:
            with anyio.fail_after(IN_TIME):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
