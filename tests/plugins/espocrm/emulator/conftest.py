"""A served emulator and a raw HTTP client: no line of the connector takes part in these tests."""

from __future__ import annotations

import base64
import io
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from aiohttp import ClientSession, web

from docsyncd.testing.emulation import serve, serve_emulator
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
            data=None if payload is None else io.BytesIO(payload),
            params=params,
            headers={**sent, "Content-Type": "application/json", **(headers or {})},
            allow_redirects=False,
        ) as response:
            return Answer(response.status, dict(response.headers), await response.read())

    async def drain(self, path: str) -> int:
        """The number of bytes of a download, read piece by piece."""
        async with self._session.get(f"{self.url}/api/v1/{path}", headers={"X-Api-Key": self.key}) as response:
            return sum([len(piece) async for piece in response.content.iter_chunked(65536)])

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


@dataclass(frozen=True, slots=True)
class Post:
    """One webhook request as it came in, and what it was told."""

    headers: list[tuple[str, str]]
    body: bytes
    status: int

    @property
    def items(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = json.loads(self.body)
        return items


class Receiver:
    """Takes webhooks. `statuses` and `delays` (seconds) are used up one per request; after them 200 at once."""

    def __init__(self) -> None:
        self.address = ""
        self.posts: list[Post] = []
        self.statuses: list[int] = []
        self.delays: list[float] = []
        self.arrived = anyio.Event()

    @property
    def items(self) -> list[dict[str, Any]]:
        """All items that were answered with 200, in order of arrival."""
        return [item for post in self.posts if post.status == 200 for item in post.items]

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"

    async def subscribe(self, call: Client, event: str) -> str:
        """A webhook for `event` to this receiver; its id."""
        answer = await call("POST", "Webhook", {"event": event, "url": self.url(event)})
        assert answer.status == 201, answer.reason
        return str(answer.json["id"])

    async def take(self, request: web.Request) -> web.Response:
        status = self.statuses.pop(0) if self.statuses else 200
        headers = [(name.decode(), value.decode()) for name, value in request.raw_headers]
        self.posts.append(Post(headers, await request.read(), status))
        self.arrived.set()
        if self.delays:
            await anyio.sleep(self.delays.pop(0))
        return web.Response(status=status)


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


ADMIN = basic("admin", "admin")


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def espo(clock: JumpingClock) -> EspoEmulator:
    return EspoEmulator(webhook_period=None, clock=clock)


@asynccontextmanager
async def client_of(espo: EspoEmulator) -> AsyncIterator[Client]:
    async with serve_emulator(espo) as urls, ClientSession() as session:
        yield Client(session, urls["url"], espo.api_key)


@pytest.fixture
async def call(espo: EspoEmulator) -> AsyncIterator[Client]:
    async with client_of(espo) as client:
        yield client


@pytest.fixture
def serve_client() -> Callable[[EspoEmulator], AbstractAsyncContextManager[Client]]:
    """For tests that build their own emulator."""
    return client_of


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    target = Receiver()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/{tail:.*}", target.take)
    async with serve(app) as address:
        target.address = address
        yield target


@pytest.fixture
def closed_port() -> int:
    """A port of loopback where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def admin() -> Mapping[str, str]:
    """Credentials of the administrator; send them with `anonymous=True`."""
    return ADMIN
