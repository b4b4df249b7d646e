"""The emulator, asked directly and not through the connector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from aiohttp import ClientSession
from yarl import URL

from docsyncd.testing.emulation import serve_emulator
from docsyncd_watcher.emulator import TOKEN, WatcherEmulator
from tests.plugins.watcher.connected import AKTE, hash_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    json: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Requests with the right token."""

    emulator: WatcherEmulator
    url: str
    session: ClientSession

    async def ask(self, method: str, path: str, **request: Any) -> Answer:
        async with self.session.request(method, URL(self.url + path, encoded=True), **request) as response:
            body = await response.read()
            json = await response.json() if response.content_type == "application/json" and body else None
            return Answer(status=response.status, headers=dict(response.headers), body=body, json=json)

    async def listing(self) -> Any:
        return (await self.ask("GET", f"/akte-details?akte={AKTE}")).json

    async def get(self, path: str, method: str = "GET") -> Answer:
        return await self.ask(method, f"/file?akte={AKTE}&path={quote(path.encode('utf-8', 'surrogatepass'), safe='')}")

    async def put(self, path: str, content: bytes, **headers: str) -> Answer:
        """`If_Match` is `If-Match`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"X-Blake3-Hash": hash_of(content), **named}
        return await self.ask("PUT", f"/files/{AKTE}/{quote(path)}", data=content, headers=sent)


@asynccontextmanager
async def asking(emulator: WatcherEmulator) -> AsyncIterator[Asking]:
    async with (
        serve_emulator(emulator) as urls,
        ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session,
    ):
        yield Asking(emulator=emulator, url=urls["url"], session=session)
