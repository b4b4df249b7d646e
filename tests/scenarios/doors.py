"""The addresses of emulated remotes, which can be closed and opened again: connections are refused in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from docsyncd.demo_daemon import free_port


@dataclass(slots=True)
class Door:
    """One application on one port of loopback."""

    runner: web.AppRunner
    port: int
    site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        self.site = web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True)
        await self.site.start()

    async def close(self) -> None:
        """Refuse new connections and cut the open ones."""
        if self.site is not None and self.runner.server is not None:
            await self.site.stop()
            await self.runner.server.shutdown(0.05)  # 0 would mean: wait for ever
        self.site = None


@asynccontextmanager
async def opened_doors(applications: Mapping[str, web.Application]) -> AsyncIterator[Mapping[str, Door]]:
    """Serve each application until the context ends, by its role."""
    doors: dict[str, Door] = {}
    try:
        for role, app in applications.items():
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handle_signals=False)
            await runner.setup()
            doors[role] = Door(runner, free_port())
            await doors[role].open()
        yield doors
    finally:
        for door in doors.values():
            await door.runner.cleanup()
