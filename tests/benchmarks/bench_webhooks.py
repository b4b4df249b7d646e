"""How fast signed webhooks become durable work, next to two floors in the same run (target P1).

`make bench` runs it. CONNECTIONS (default 50) keep-alive connections post signed one-record batches for SECONDS (default 3)
to each server in turn, ROUNDS (default 3) times; the best round of each counts, since what else the machine does only ever
makes a round slower. Each server is a process of its own, on uvloop where it is installed, as the daemon is:

* hmac: a plain aiohttp application that checks the signature and answers: no queue, nothing durable;
* lua: the same, and one call of a script with a single command in it per request;
* docsyncd: the listener, with group commit, over the daemon's intake (case files looked up, keys added).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import anyio
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from docsyncd.clock import SystemClock
from docsyncd.connector import Webhook
from docsyncd.engine.intake import NoticeIntake
from docsyncd.serve.counters import WebhookCounters
from docsyncd.serve.http_server import serving
from docsyncd.serve.webhooks import ListenerSettings, webhook_server
from docsyncd.work.connection import connect
from docsyncd.work.embedded import embedded_server
from docsyncd.work.ledger import Ledger
from docsyncd.work.redis_queue import RedisQueue
from docsyncd_espocrm.webhook import decode
from tests.benchmarks.measure import Row, Target, report, uvloop_installed

CONNECTIONS = int(os.environ.get("CONNECTIONS", "50"))
SECONDS = float(os.environ.get("SECONDS", "3"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
WARM_UP = 0.3
"""Seconds before the clock starts: connections, the script's first load."""
RECORDS = 100_000
"""Distinct records; a round rarely needs more, and a key that waits already is no cheaper to add."""

WEBHOOK_ID, SECRET = "6b01d452cf2575ea9", b"85e2a27ad2931a82f4d6760c00210e56"
TOPIC, PATH = "vmh.document.update", "/vmh/webhook/document/update"
FLOOR_ADD = "return redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])"
DECODE = partial(decode, {WEBHOOK_ID: (SECRET,)}, TOPIC)

# --- the servers ------------------------------------------------------------------------------------------------------


def application(client: Redis | None) -> web.Application:
    """The floors: aiohttp as everybody uses it."""
    sha = hashlib.sha1(FLOOR_ADD.encode(), usedforsecurity=False).hexdigest()

    async def receive(request: web.Request) -> web.Response:
        decoded = DECODE({name.lower(): value for name, value in request.headers.items()}, await request.read())
        if client is not None:
            await client.evalsha(sha, 1, "bench:floor", 0, *(notice.key for notice in decoded.notices))
        return web.json_response({"status": "accepted", "new_ids_count": len(decoded.notices)})

    app = web.Application()
    app.router.add_post(PATH, receive)
    return app


async def serve(variant: str, redis_url: str) -> None:
    """Run one server until standard input ends; its port is the first line of output."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    async with connect(redis_url) as client:
        if variant == "docsyncd":
            intake = NoticeIntake(RedisQueue(client), Ledger(client, SystemClock(), prefix="docsyncd:"), lambda: None)
            routes = {PATH: Webhook(path=PATH, topic=TOPIC, decode=DECODE)}
            counters = WebhookCounters(CollectorRegistry(), SystemClock())
            listener = webhook_server(lambda: routes, intake, ListenerSettings(), counters, structlog.get_logger())
            async with serving(listener, listening, drain=1.0):
                await until_told(listening)
            return
        await client.script_load(FLOOR_ADD)
        runner = web.AppRunner(application(client if variant == "lua" else None), access_log=None)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        await until_told(listening)
        await runner.cleanup()


async def until_told(listening: socket.socket) -> None:
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    await anyio.to_thread.run_sync(sys.stdin.read)


# --- the load ---------------------------------------------------------------------------------------------------------


def requests() -> Iterator[bytes]:
    """Distinct records, each in a batch as EspoCRM sends it: 413 bytes in the sample of reference/espocrm.md, 1.4."""
    for number in count():
        record = {"id": f"{number:017x}", "name": "Klage.pdf", "description": "x" * 340}
        body = json.dumps([record]).encode()
        digest = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        signature = base64.b64encode(f"{WEBHOOK_ID}:{digest}".encode()).decode()
        yield (
            f"POST {PATH} HTTP/1.1\r\nHost: docsyncd.example\r\nAccept: */*\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nSignature: {signature}\r\n\r\n"
        ).encode() + body


@dataclass
class Traffic:
    """What all connections of one round share."""

    requests: Iterator[bytes]
    latencies: list[float] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)


class Sender(asyncio.Protocol):
    """One keep-alive connection: the next request goes out when the answer to the last one is complete."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._traffic.requests))

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._traffic.refused.append(head)
        self._traffic.latencies.append(time.perf_counter() - self._sent)
        self._answer = b""
        self._send()


async def load(port: int, prepared: Sequence[bytes]) -> tuple[float, float]:
    """Requests per second and the 99th percentile of their latency in milliseconds."""
    traffic = Traffic(cycle(prepared))
    loop = asyncio.get_running_loop()
    transports = [
        (await loop.create_connection(lambda: Sender(traffic), "127.0.0.1", port))[0] for _ in range(CONNECTIONS)
    ]
    await anyio.sleep(WARM_UP)
    traffic.latencies.clear()
    started = time.perf_counter()
    await anyio.sleep(SECONDS)
    rate = len(traffic.latencies) / (time.perf_counter() - started)
    for transport in transports:
        transport.abort()
    if traffic.refused:
        raise SystemExit(f"{len(traffic.refused)} requests were refused, such as with {traffic.refused[0]!r}")
    return rate, statistics.quantiles(traffic.latencies, n=100)[98] * 1000


@asynccontextmanager
async def server(variant: str, redis_url: str) -> AsyncIterator[int]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_webhooks", "serve", variant, redis_url]
    async with await anyio.open_process(command, stderr=None) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(await process.stdout.receive())
        await process.stdin.aclose()
        await process.wait()


@dataclass
class Best:
    rate: float = 0.0
    p99: float = float("inf")


async def compare() -> dict[str, Best]:
    best = {"hmac": Best(), "lua": Best(), "docsyncd": Best()}
    prepared = tuple(islice(requests(), RECORDS))
    with TemporaryDirectory() as folder:
        async with embedded_server(Path(folder)) as redis, connect(redis.url) as client:
            for _ in range(ROUNDS):
                for variant, kept in best.items():
                    await client.flushall()
                    async with server(variant, redis.url) as port:
                        rate, p99 = await load(port, prepared)
                    kept.rate, kept.p99 = max(kept.rate, rate), min(kept.p99, p99)
    return best


def main() -> None:
    options = {"use_uvloop": uvloop_installed()}
    if sys.argv[1:2] == ["serve"]:
        anyio.run(serve, sys.argv[2], sys.argv[3], backend_options=options)
        return
    best = anyio.run(compare, backend_options=options)
    hmac_only, lua, ours = best["hmac"], best["lua"], best["docsyncd"]
    rows = [
        Row(
            what="signed webhooks, durable",
            ours=ours.rate,
            unit="/s",
            alternative=hmac_only.rate,
            named="aiohttp with HMAC, no queue",
            target=Target(name="P1", at="least", limit=0.5, of="ratio"),
        ),
        Row(
            what="signed webhooks, durable",
            ours=ours.rate,
            unit="/s",
            alternative=lua.rate,
            named="aiohttp, one Lua call each",
            target=Target(name="P1", at="least", limit=2.0, of="ratio"),
        ),
        Row(
            what="99th percentile of the latency",
            ours=ours.p99,
            unit="ms",
            alternative=hmac_only.p99,
            named="aiohttp with HMAC, no queue",
            target=Target(name="P1", at="most", limit=3.0, of="ratio"),
        ),
    ]
    report(f"webhook intake, {CONNECTIONS} connections, AOF everysec, best of {ROUNDS}", rows)


if __name__ == "__main__":
    main()
