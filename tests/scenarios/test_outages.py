"""What is away comes back, and nobody's document pays for it: no attempt counted, no event lost, nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web

from docsyncd.demo_daemon import free_port
from docsyncd.testing.emulation import Fault, RequestLog, on
from docsyncd.work.embedded import find_binary
from tests.scenarios.office import NEVER, Office, office

CONTENT = b"Es wird beantragt, die Klage abzuweisen."
SETTLING = 4.0
"""Seconds in which requests that were under way fail, are tried again and give up."""

REDIS_LEASE = {"lease": 60.0}
"""The default: it outlasts an outage of 20 s."""


@pytest.mark.parametrize("seconds", [5.0, pytest.param(20.0, marks=pytest.mark.chaos)])
@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_redis_away_refuses_webhooks_and_loses_nothing(tmp_path: Path, how: str, seconds: float) -> None:
    async with (
        redis_server(tmp_path) as redis,
        office(
            tmp_path,
            webhook_period=None,
            poll_every=1.0,
            tables={"queue": {"url": redis.url, **REDIS_LEASE}},
        ) as firm,
    ):
        for number in range(6):
            firm.put(f"Anlage K{number}.txt", b"Anlage %d" % number)
        await firm.espocrm.deliver()
        await firm.until(lambda: firm.xai.world.uploads >= 2, what="work to be under way")
        await redis.go_away(how)
        document = firm.put("Klage.txt", CONTENT)
        assert await firm.post("create", [{"id": document}]) == 503
        await anyio.sleep(seconds)
        assert await firm.post("create", [{"id": document}]) == 503
        await redis.come_back(how)
        await firm.until(firm.is_in_step, what="everything after the outage")
        await _nothing_was_counted(firm)
        assert firm.xai.world.uploads == 7
        assert await firm.post("create", [{"id": document}]) == 200


@pytest.mark.parametrize("how", ["503", "refused"])
@pytest.mark.parametrize("remote", ["xai", "espocrm"])
async def test_a_remote_away_is_only_probed_and_recovers_by_itself(tmp_path: Path, remote: str, how: str) -> None:
    async with office(tmp_path, webhook_period=None, poll_every=NEVER) as firm:
        await firm.swept()
        emulator = firm.xai if remote == "xai" else firm.espocrm
        doors = [firm.doors[role] for role in emulator.applications]
        if how == "503":
            emulator.faults.add(Fault(match=on("*"), times=None, status=503))
        else:
            for door in doors:
                await door.close()
        documents = [firm.put(f"Anlage K{number}.txt", b"Anlage %d" % number) for number in range(12)]
        assert await firm.post("create", [{"id": document} for document in documents]) == 200
        await anyio.sleep(SETTLING)
        since = emulator.requests.last
        assert since < 100 or how == "refused"
        await anyio.sleep(4.0)
        assert _unlike_probes(emulator.requests, since) == []
        assert len(emulator.requests.since(since)) <= 4 * len(doors)
        await _nothing_was_counted(firm)
        emulator.faults.clear()
        for door in doors:
            if how == "refused":
                await door.open()
        await firm.until(firm.is_in_step, what="everything after the outage")
        await firm.rest()
        assert firm.xai.world.uploads == 12
        assert not any(firm.espocrm.stage.standing(document).error for document in documents)


async def test_one_document_whose_download_fails_for_ever_holds_nobody_up(tmp_path: Path) -> None:
    async with office(tmp_path, webhook_period=None, poll_every=NEVER) as firm:
        await firm.swept()
        poison = firm.put("Gift.txt", CONTENT)
        attachment = firm.record(poison)["fileId"]
        firm.espocrm.faults.add(Fault(match=on("GET", f"/Attachment/file/{attachment}"), times=None, status=500))
        del firm.documents[poison]
        documents = [firm.put(f"Anlage K{number}.txt", b"Anlage %d" % number) for number in range(10)]
        assert await firm.post("create", [{"id": each} for each in (poison, *documents)]) == 200
        await firm.until(firm.is_in_step, what="all the others")
        await firm.until(lambda: firm.espocrm.stage.standing(poison).failed, what="the record to say so")
        assert "fehlgeschlagen" in firm.espocrm.stage.standing(poison).error
        failing = (await firm.daemon.ask("errors"))["errors"]
        assert [entry["key"] for entry in failing] == [f"doc:{poison}"]
        assert failing[0]["attempts"] >= 1
        firm.espocrm.faults.clear()
        firm.documents[poison] = CONTENT
        await firm.until(firm.is_in_step, what="the mended one, by itself")


async def test_a_wrong_xai_key_parks_nothing_and_a_corrected_one_takes_all_up(tmp_path: Path) -> None:
    """At the start, so that the daemon must take webhooks although it can do nothing with them."""
    async with office(tmp_path, start=False, webhook_period=None, poll_every=1.0) as firm:
        key = tmp_path / "secrets" / "xai_api_key"
        right = key.read_text(encoding="utf-8")
        key.write_text("xai-revoked", encoding="utf-8")
        await firm.start()
        documents = [firm.put(f"Anlage K{number}.txt", b"Anlage %d" % number) for number in range(5)]
        assert await firm.post("create", [{"id": document} for document in documents]) == 200
        await anyio.sleep(SETTLING)
        assert len(firm.xai.requests.all()) < 10
        assert (await firm.daemon.ask("errors"))["errors"] == []
        assert _logged(firm, "error", "credentials_refused")
        key.write_text(right, encoding="utf-8")
        os.kill(firm.daemon.pid, signal.SIGHUP)
        await firm.until(firm.is_in_step, what="everything with the right key")
        assert firm.xai.world.uploads == 5


async def test_a_key_revoked_in_mid_life_parks_nothing_either(tmp_path: Path) -> None:
    async with office(tmp_path, webhook_period=None, poll_every=NEVER) as firm:
        await firm.swept()
        refused = b'{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***."}'
        fault = Fault(match=_on_files_host, times=None, status=400, body=refused, headers=_JSON)
        firm.xai.faults.add(fault)
        documents = [firm.put(f"Anlage K{number}.txt", b"Anlage %d" % number) for number in range(8)]
        assert await firm.post("create", [{"id": document} for document in documents]) == 200
        await anyio.sleep(SETTLING)
        since = firm.xai.requests.last
        await anyio.sleep(3.0)
        assert [request.path for request in firm.xai.requests.since(since)] == []
        await _nothing_was_counted(firm)
        assert _logged(firm, "error", "credentials_refused")
        firm.xai.faults.clear()
        os.kill(firm.daemon.pid, signal.SIGHUP)
        await firm.until(firm.is_in_step, what="everything with a good key")
        assert firm.xai.world.uploads == 8


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
async def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state", mib=96):
        async with office(tmp_path, webhook_period=None, poll_every=NEVER) as firm:
            ballast = tmp_path / "state" / "ballast"
            ballast.write_bytes(b"\0" * 31 * 1024 * 1024)
            await firm.swept()
            documents = [firm.put(f"Anlage K{number}.txt", os.urandom(1024 * 1024)) for number in range(4)]
            assert await firm.post("create", [{"id": document} for document in documents]) == 200
            await anyio.sleep(2.0)
            await firm.idle()
            assert firm.xai.world.uploads == 0
            await _nothing_was_counted(firm)
            ballast.unlink()
            for document in documents:
                await firm.daemon.ask("sync", document=document)
            await firm.until(firm.is_in_step, what="everything once there is room")
            await firm.daemon.stop()


_JSON = {"Content-Type": "application/json"}


def _on_files_host(request: web.Request) -> bool:
    return request.path.startswith(("/v1/files", "/v1/api-key"))


def _unlike_probes(log: RequestLog, since: int) -> list[str]:
    """What was asked that is no health call."""
    probes = ("/v1/api-key", "/v1/collections", "/api/v1/", "/api/v1/App/user")
    return [request.path for request in log.since(since) if request.path not in probes or request.method != "GET"]


async def _nothing_was_counted(firm: Office) -> None:
    """No key in back-off, none parked."""
    assert (await firm.daemon.ask("errors"))["errors"] == []


def _logged(firm: Office, level: str, words: str) -> bool:
    log = firm.daemon.log.read_text(encoding="utf-8")
    return any(f'"level": "{level}"' in line and words in line for line in log.splitlines())


class RedisServer:
    """A Redis of the firm's own, which can be stopped and killed."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}"
        self._port = port
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        options = {"port": self._port, "bind": "127.0.0.1", "dir": self._folder, "appendonly": "yes", "save": ""}
        arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen([str(find_binary(None)), *arguments], stdout=subprocess.DEVNULL)
        with anyio.fail_after(10):
            while True:
                try:
                    await (await anyio.connect_tcp("127.0.0.1", self._port)).aclose()
                except OSError:
                    await anyio.sleep(0.02)
                else:
                    return

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    async def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            await anyio.to_thread.run_sync(self._process.wait)

    async def go_away(self, how: str) -> None:
        """`stopped` holds connections open and answers nothing; `killed` refuses them."""
        if how == "stopped":
            self.signal(signal.SIGSTOP)
        else:
            self.signal(signal.SIGTERM)
            await self.end()

    async def come_back(self, how: str) -> None:
        if how == "stopped":
            self.signal(signal.SIGCONT)
        else:
            await self.start()


@asynccontextmanager
async def redis_server(folder: Path) -> AsyncIterator[RedisServer]:
    data = folder / "redis"
    data.mkdir()
    server = RedisServer(data, free_port())
    await server.start()
    try:
        yield server
    finally:
        await server.end()


def small_disk(folder: Path, *, mib: int) -> Any:
    """A file system of this size, mounted while the context lasts."""
    return _Mounted(folder, mib)


class _Mounted:
    def __init__(self, folder: Path, mib: int) -> None:
        self._folder = folder
        self._mib = mib

    def __enter__(self) -> None:
        self._folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={self._mib}m", "tmpfs", str(self._folder)]
        if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
            pytest.skip("this machine lets nobody mount a small disk")

    def __exit__(self, *_error: object) -> None:
        subprocess.run(["umount", "--lazy", str(self._folder)], check=False)
