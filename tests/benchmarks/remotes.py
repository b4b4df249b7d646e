"""Both remotes, emulated in the benchmark's process with a delay for each request, and a configured daemon beside them."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from aiohttp import web

from docsyncd.demo_daemon import DaemonProcess, free_port, write_toml
from docsyncd.testing.emulation import Fault, Faults, serve_emulator, verb_of
from docsyncd_espocrm.emulator import EspoEmulator
from docsyncd_xai.emulator import Behaviour, XaiEmulator

LATENCY = 0.02
"""Seconds added to each answer: a remote on another continent's side of the country."""
POLL = "GET /v1/collections/{collection}/documents/{file}"
"""The look whether a file is indexed yet."""
PATIENCE = 300.0
"""Seconds that a benchmark waits for the world to converge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request of the daemon's, by the benchmark's monotonic clock."""

    remote: str
    verb: str
    arrived: float
    answered: float


@dataclass(slots=True, kw_only=True)
class Remotes:
    """One law firm, and everything that the daemon asks of its remotes."""

    espocrm: EspoEmulator
    xai: XaiEmulator
    daemon: DaemonProcess
    latency: float
    url: str
    """EspoCRM's address."""
    asked: list[Asked] = field(default_factory=list)
    case_files: list[str] = field(default_factory=list)

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "docsyncd", "run", "--config", str(self.daemon.config)]

    async def open_case_files(self, count: int) -> None:
        for number in range(count):
            collection = self.xai.stage.open_collection(f"Akte {number}")
            self.case_files.append(await self.espocrm.stage.open_case_file(number + 1, f"Akte {number}", collection))

    async def file(self, name: str, content: bytes, number: int = 0) -> str:
        """A lawyer files a document in one of the case files, in turn."""
        case_file = self.case_files[number % len(self.case_files)]
        return await self.espocrm.stage.file_document(name, content, case_file)

    def is_indexed(self, document: str) -> bool:
        return self.espocrm.stage.standing(document).indexed

    async def until(self, done: Callable[[], bool], what: str, *, every: float = 0.01) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > deadline or not self.daemon.is_alive:
                log = self.daemon.log.read_text(encoding="utf-8")[-3000:]
                raise SystemExit(f"waited in vain for {what}; the daemon's log ends with\n{log}")
            await anyio.sleep(every)

    async def until_quiet(self, seconds: float = 1.0) -> None:
        """Until the daemon has asked nothing for so long."""
        quiet_since, seen = time.monotonic(), len(self.asked)
        while time.monotonic() - quiet_since < seconds:
            await anyio.sleep(0.02)
            if len(self.asked) != seen:
                quiet_since, seen = time.monotonic(), len(self.asked)

    def watch(self) -> None:
        """From now on the daemon's requests are slow, and noted."""
        self._slow_down("espocrm", self.espocrm.faults)
        self._slow_down("xai", self.xai.faults)

    def _slow_down(self, remote: str, faults: Faults) -> None:
        arrivals: dict[int, float] = {}

        async def arrive(request: web.Request) -> None:
            arrivals[id(request)] = time.monotonic()

        async def answer(request: web.Request) -> None:
            await anyio.sleep(self.latency)
            arrived = arrivals.pop(id(request))
            self.asked.append(Asked(remote=remote, verb=verb_of(request), arrived=arrived, answered=time.monotonic()))

        faults.add(Fault(match=_is_the_daemons, times=None, before=arrive, after=answer))


def _is_the_daemons(request: web.Request) -> bool:
    """People log in with a password; the daemon has keys."""
    return not request.headers.get("Authorization", "").startswith("Basic")


@asynccontextmanager
async def remotes(
    folder: Path,
    *,
    behaviour: Behaviour | None = None,
    latency: float = LATENCY,
    webhook_period: float | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    connectors: Mapping[str, Mapping[str, Any]] | None = None,
) -> AsyncIterator[Remotes]:
    """Both remotes are served, the daemon is configured and not started. `settings` and `connectors` add to its tables."""
    async with AsyncExitStack() as stack:
        espocrm = EspoEmulator(webhook_period=webhook_period)
        xai = XaiEmulator(behaviour=behaviour or Behaviour(index_seconds=0.0))
        espocrm_urls = await stack.enter_async_context(serve_emulator(espocrm))
        xai_urls = await stack.enter_async_context(serve_emulator(xai))
        listener = f"127.0.0.1:{free_port()}"
        secrets = folder / "secrets"
        secrets.mkdir(mode=0o700)
        more = connectors or {}
        tables = {
            "espocrm": {
                **await espocrm.stage.settings(espocrm_urls, f"http://{listener}", secrets),
                **more.get("espocrm", {}),
            },
            "xai": {**xai.stage.stage_settings(xai_urls, secrets), **more.get("xai", {})},
        }
        daemon = DaemonProcess(write_toml(folder, listener, tables, settings), folder, {})
        try:
            yield Remotes(espocrm=espocrm, xai=xai, daemon=daemon, latency=latency, url=espocrm_urls["url"])
        finally:
            with anyio.CancelScope(shield=True):
                await daemon.stop()
