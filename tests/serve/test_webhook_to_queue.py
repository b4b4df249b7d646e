"""The whole way: EspoCRM's signature, the daemon's intake and a real queue."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from prometheus_client import CollectorRegistry

from docsyncd.clock import SystemClock
from docsyncd.core.model import WorkKey
from docsyncd.engine.intake import NoticeIntake
from docsyncd.serve.answers import Outcome
from docsyncd.serve.counters import WebhookCounters
from docsyncd.serve.http_server import serving
from docsyncd.serve.webhooks import ListenerSettings, webhook_server
from docsyncd.work.connection import connect
from docsyncd.work.embedded import EmbeddedServer, embedded_server
from docsyncd.work.ledger import Ledger
from docsyncd.work.queue import KeyState
from docsyncd.work.redis_queue import RedisQueue
from docsyncd_espocrm.config import EspoConfig
from docsyncd_espocrm.webhook import webhooks
from tests.serve.listening import batch, post, say, status

WEBHOOK_ID, SECRET = "6b01d452cf2575ea9", "85e2a27ad2931a82f4d6760c00210e56"
PATH, TOPIC = "/vmh/webhook/document/update", "vmh.document.update"


@dataclass
class Running:
    port: int
    queue: RedisQueue
    server: EmbeddedServer
    counters: WebhookCounters
    polls: list[None]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Running]:
    counters = WebhookCounters(CollectorRegistry(), SystemClock())
    polls: list[None] = []
    config = EspoConfig.model_validate(
        {
            "url": "http://espocrm.example",
            "api_key": {"env": "UNUSED"},
            "webhooks": {"secrets": [{"id": WEBHOOK_ID, "secret": {"env": "WEBHOOK_SECRET"}}]},
        }
    )
    routes = {webhook.path: webhook for webhook in webhooks(config)}
    async with embedded_server(folder) as redis, connect(redis.url) as client:
        queue = RedisQueue(client)
        intake = NoticeIntake(queue, Ledger(client, SystemClock(), prefix="docsyncd:"), lambda: polls.append(None))
        server = webhook_server(lambda: routes, intake, ListenerSettings(drain=0.2), counters, structlog.get_logger())
        bound = socket.create_server(("127.0.0.1", 0))
        async with serving(server, bound, drain=0.2):
            yield Running(bound.getsockname()[1], queue, redis, counters, polls)


def signed(body: bytes) -> bytes:
    """The current header of EspoCRM: base64 of the webhook's id, a colon and the digest as hex (espocrm.md, 1.5)."""
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return post(body, path=PATH, signed=base64.b64encode(f"{WEBHOOK_ID}:{digest}".encode()).decode())


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)


async def test_a_webhook_of_espocrm_becomes_work(tmp_path: Path) -> None:
    async with running(tmp_path) as docsyncd:
        assert status(await say(docsyncd.port, signed(batch("6b01d4530895917aa", "6b01d4530895917bb")))) == 200
        for document in ("6b01d4530895917aa", "6b01d4530895917bb"):
            entry = await docsyncd.queue.show(WorkKey(f"doc:{document}"))
            assert entry is not None
            assert entry.state is KeyState.READY
        assert status(await say(docsyncd.port, signed(b"{}"))) == 200, "one item without an id, and no list around it"
        assert docsyncd.polls == []


async def test_while_redis_is_away_espocrm_is_asked_to_come_back(tmp_path: Path) -> None:
    async with running(tmp_path) as docsyncd:
        os.kill(docsyncd.server.pid, signal.SIGKILL)
        answer = await say(docsyncd.port, signed(batch("6b01d4530895917aa")))
        assert status(answer) == 503
        assert b"Retry-After" in answer
        assert docsyncd.counters.stats().requests == {(TOPIC, Outcome.QUEUE_AWAY): 1}
