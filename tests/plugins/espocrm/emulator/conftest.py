"""A served emulator and a raw HTTP client: no line of the connector takes part in these tests."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientSession

from docsyncd.testing.emulation import serve_emulator
from docsyncd_espocrm.emulator import EspoEmulator


class JumpingClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    def jump(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str | None:
        return self.headers.get("X-Status-Reason")


class Client:
    """Sends what it is told, with the API key unless other credentials are given."""

    def __init__(self, session: ClientSession, url: str, key: str) -> None:
        self._session = session
        self.url = url
        self.key = key

    async def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        params: Mapping[str, str] | None = None,
        anonymous: bool = False,
    ) -> Answer:
        sent = {} if anonymous else {"X-Api-Key": self.key}
        payload = data if data is not None else json.dumps(body).encode() if body is not None else None
        async with self._session.request(
            method,
            f"{self.url}/api/v1/{path}",
            data=payload,
            params=params,
            headers={**sent, "Content-Type": "application/json", **(headers or {})},
            allow_redirects=False,
        ) as response:
            return Answer(response.status, dict(response.headers), await response.read())

    async def upload(self, name: str, data: bytes, kind: str = "application/pdf", **more: Any) -> Answer:
        encoded = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        body = {
            "name": name,
            "type": kind,
            "role": "Attachment",
            "relatedType": "Document",
            "field": "file",
            "file": encoded,
        }
        return await self("POST", "Attachment", body | more)

    async def document(self, name: str, data: bytes = b"%PDF-1.4", **more: Any) -> str:
        """A document made over the wire; its id."""
        attachment = await self.upload(f"{name}.pdf", data)
        body = {"name": name, "fileId": attachment.json["id"], "publishDate": "2026-11-21"}
        answer = await self("POST", "Document", body | more)
        assert answer.status == 200, answer.reason
        return str(answer.json["id"])


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


ADMIN = basic("admin", "admin")


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def espo(clock: JumpingClock) -> EspoEmulator:
    return EspoEmulator(webhook_period=None, clock=clock)


@pytest.fixture
async def call(espo: EspoEmulator) -> AsyncIterator[Client]:
    async with serve_emulator(espo) as urls, ClientSession() as session:
        yield Client(session, urls["url"], espo.api_key)


@pytest.fixture
def admin() -> Mapping[str, str]:
    """Credentials of the administrator; send them with `anonymous=True`."""
    return ADMIN
