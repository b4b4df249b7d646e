"""What the listener's tests share: a webhook with a signature of its own, a recording intake, and HTTP as bytes."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import LogCapture

from docsyncd.clock import SystemClock
from docsyncd.connector import Decoded, Webhook
from docsyncd.core.model import DocumentId, Notice, document_key
from docsyncd.errors import QueueUnavailable, SignatureRefused
from docsyncd.serve.counters import WebhookCounters
from docsyncd.serve.http_server import serving
from docsyncd.serve.webhooks import ListenerSettings, webhook_server

SECRET = b"the webhook's secret"
PATH = "/hook/update"
TOPIC = "vmh.document.update"


def signature(body: bytes) -> str:
    return hmac.new(SECRET, body, hashlib.sha256).hexdigest()


def decode(headers: Mapping[str, str], body: bytes) -> Decoded:
    """Like a connector's: HMAC first, then a list of records with ids; a record called `bug` meets one."""
    if not hmac.compare_digest(headers.get("signature", "").encode("utf-8", "replace"), signature(body).encode()):
        raise SignatureRefused("No secret fits.")
    try:
        records = json.loads(body)
    except ValueError:
        return Decoded(malformed=True)
    if not isinstance(records, list):
        return Decoded(malformed=True)
    ids = [record["id"] for record in records if "id" in record]
    if "bug" in ids:
        raise KeyError("a bug in a connector")
    notices = tuple(Notice(key=document_key(DocumentId(each)), topic=TOPIC) for each in ids)
    return Decoded(notices=notices, skipped=len(records) - len(ids))


WEBHOOK = Webhook(path=PATH, topic=TOPIC, decode=decode)


@dataclass
class RecordingIntake:
    """Remembers what it was offered. `gate` holds a commit back until it is set; `failure` is raised instead."""

    commits: list[list[str]] = field(default_factory=list)
    polls: list[str] = field(default_factory=list)
    failure: Exception | None = None
    gate: anyio.Event | None = None

    async def offer(self, notices: Sequence[Notice]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.commits.append([notice.key for notice in notices])

    def poll_due(self, topic: str) -> None:
        self.polls.append(topic)


async def eventually(true: Callable[[], bool]) -> None:
    """Wait until something that no event tells is so; a failure after five seconds."""
    with anyio.fail_after(5):
        while not true():  # noqa: ASYNC110 (what is waited for is the server's own state)
            await anyio.sleep(0.005)


AWAY = QueueUnavailable("Redis does not answer.")


@dataclass
class Listener:
    """A running listener, and what is around it."""

    port: int
    intake: RecordingIntake
    counters: WebhookCounters
    registry: CollectorRegistry
    log: LogCapture
    routes: Mapping[str, Webhook] | None

    async def say(self, request: bytes, *, patience: float = 5.0) -> bytes:
        return await say(self.port, request, patience=patience)


async def say(port: int, request: bytes, *, patience: float = 5.0) -> bytes:
    """Send bytes, and everything that comes back until the server closes (or `patience` seconds pass)."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(request)
        answer = b""
        with anyio.move_on_after(patience):
            try:
                while True:
                    answer += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass
        return answer


@asynccontextmanager
async def listener(settings: ListenerSettings | None = None) -> AsyncIterator[Listener]:
    capture = LogCapture()
    log = structlog.wrap_logger(structlog.PrintLogger(), processors=[capture])
    registry = CollectorRegistry()
    counters = WebhookCounters(registry, SystemClock())
    bound = socket.create_server(("127.0.0.1", 0))
    running = Listener(bound.getsockname()[1], RecordingIntake(), counters, registry, capture, {PATH: WEBHOOK})
    settings = settings or ListenerSettings(drain=0.2)
    server = webhook_server(lambda: running.routes, running.intake, settings, counters, log)
    async with serving(server, bound, drain=settings.drain):
        yield running


def post(
    body: bytes,
    *,
    path: str = PATH,
    method: str = "POST",
    signed: str | None = None,
    length: int | None = None,
    extra: str = "",
    connection: str = "close",
) -> bytes:
    """A request as EspoCRM's libcurl writes it (reference/espocrm.md, 1.4). `signed` replaces the right signature."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: docsyncd.example\r\nAccept: */*\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\nConnection: {connection}\r\n"
        f"Signature: {signature(body) if signed is None else signed}\r\n{extra}\r\n"
    )
    return head.encode("latin-1") + body


def batch(*ids: str) -> bytes:
    return json.dumps([{"id": each, "name": "Klage.pdf"} for each in ids]).encode()


def status(answer: bytes) -> int | None:
    """The status of the first answer; None if the connection was closed without one."""
    return int(answer.split(b" ", 2)[1]) if answer else None


def words(answer: bytes) -> Mapping[str, object]:
    """The JSON that an answer carries for people."""
    decoded: Mapping[str, object] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return decoded
