"""Raw requests to the emulator, past the connector."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from docsyncd.api import Clock
from docsyncd.testing.emulation import serve_emulator
from docsyncd_advoware import signing
from docsyncd_advoware.emulator import CONFIGURATOR_PATH, AdvowareEmulator, Behaviour, World

PREFIX = "/api/v1/advonet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: Any
    """Decoded JSON, or text if it was none."""
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The emulator and a client of its three hosts."""

    emulator: AdvowareEmulator
    urls: Mapping[str, str]
    session: aiohttp.ClientSession

    @property
    def world(self) -> World:
        return self.emulator.world

    async def ask(self, role: str, method: str, path: str, **request: Any) -> Answer:
        async with self.session.request(method, self.urls[role] + path, **request) as response:
            is_json = response.content_type == "application/json"
            body = await response.json() if is_json else await response.text()
            return Answer(status=response.status, body=body, headers=response.headers)

    async def addresses(self, kanzlei: str = "") -> Answer:
        params = {"Kanzlei": kanzlei or self.world.kanzlei}
        return await self.ask("configurator_url", "GET", CONFIGURATOR_PATH, params=params)

    def account(self, **changed: Any) -> dict[str, Any]:
        """A request for a token, signed; `changed` is changed after the signature, but for nonce and time."""
        world = self.world
        nonce = changed.pop("Nonce", str(uuid.uuid4()))
        stamp = changed.pop("RequestTimeStamp", signing.timestamp(world.server_now(), "ticks"))
        signed = signing.signature(
            signing.key_of(world.secrets["api_key"]), product=64, app_id=world.app_id, nonce=nonce, stamp=stamp
        )
        return {
            "AppID": world.app_id,
            "Kanzlei": world.kanzlei,
            "Database": world.database,
            "User": world.user,
            "Role": 2,
            "Product": 64,
            "Password": world.secrets["password"],
            "Nonce": nonce,
            "HMAC512Signature": signed,
            "RequestTimeStamp": stamp,
            **changed,
        }

    async def token(self, **changed: Any) -> Answer:
        return await self.ask("security_gateway", "POST", "/api/v1/Token", json=self.account(**changed))

    async def api(self, method: str, path: str, *, token: str | None = None, **request: Any) -> Answer:
        """With a fresh token, unless one is given."""
        value = (await self.token()).body["access_token"] if token is None else token
        headers = {"Authorization": f"Bearer {value}"}
        return await self.ask("base_url", method, PREFIX + path, headers=headers, **request)

    async def history(self, akte: str) -> Any:
        answer = await self.api("GET", f"/Akten/{akte}/History")
        assert answer.status == 200, answer.body
        return answer.body


@asynccontextmanager
async def asking(behaviour: Behaviour | None = None, *, clock: Clock | None = None) -> AsyncIterator[Asked]:
    emulator = AdvowareEmulator(behaviour=behaviour, clock=clock)
    async with serve_emulator(emulator) as urls, aiohttp.ClientSession() as session:
        yield Asked(emulator=emulator, urls=urls, session=session)
