"""Raw requests to the emulator, past the connector."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import aiohttp

from docsyncd.api import Clock
from docsyncd.testing.emulation import serve_emulator
from docsyncd_xai.emulator import API_KEY, MANAGEMENT_KEY, Behaviour, World, XaiEmulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: Any
    """Decoded JSON, or text if it was none."""
    headers: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The emulator and a client that holds both keys."""

    emulator: XaiEmulator
    urls: dict[str, str]
    session: aiohttp.ClientSession

    @property
    def world(self) -> World:
        return self.emulator.world

    async def files(self, method: str, path: str, *, key: str | None = API_KEY, **request: Any) -> Answer:
        return await self._ask("files_url", method, path, key, request)

    async def management(self, method: str, path: str, *, key: str | None = MANAGEMENT_KEY, **request: Any) -> Answer:
        return await self._ask("management_url", method, path, key, request)

    async def _ask(self, host: str, method: str, path: str, key: str | None, request: dict[str, Any]) -> Answer:
        headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
        url = self.urls[host] + path
        async with self.session.request(method, url, headers=headers, **request) as response:
            is_json = response.content_type == "application/json"
            body = await response.json() if is_json else await response.text()
            return Answer(
                status=response.status, body=body, headers={k.lower(): v for k, v in response.headers.items()}
            )

    async def upload(self, parts: Sequence[tuple[str, str | None, bytes]], *, quote: bool = False) -> Answer:
        """Parts as (field, file name, content), in this order. `quote` as aiohttp does by default."""
        form = aiohttp.FormData(quote_fields=quote, default_to_multipart=True)
        for field, filename, content in parts:
            if filename is None:
                form.add_field(field, content.decode())
            else:
                form.add_field(field, BytesIO(content), filename=filename, content_type="text/plain")
        return await self.files("POST", "/v1/files", data=form)


@asynccontextmanager
async def asking(behaviour: Behaviour | None = None, *, clock: Clock | None = None) -> AsyncIterator[Asked]:
    emulator = XaiEmulator(behaviour=behaviour, clock=clock)
    async with serve_emulator(emulator) as urls, aiohttp.ClientSession() as session:
        yield Asked(emulator=emulator, urls=dict(urls), session=session)
