"""Bytes that aiohttp would answer with 400, 413 or 417: EspoCRM drops the event on each, so none may be said."""

from __future__ import annotations

import gzip

import anyio
import pytest

from docsyncd.serve.webhooks import ListenerSettings
from tests.serve.listening import PATH, TOPIC, batch, listener, post, signature, status

SETTINGS = ListenerSettings(body_timeout=0.5, keepalive_timeout=0.5, drain=0.2)
BODY = batch("a1")
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nSignature: {signature(BODY)}\r\nConnection: close\r\n"
LENGTH = f"Content-Length: {len(BODY)}\r\n"


def head(lines: str) -> bytes:
    return (HEAD + lines + "\r\n").encode("latin-1")


UNREADABLE = {
    "no request at all": b"\x00\x01\x02\x03\r\n\r\n",
    "a TLS client hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40 + b"\r\n\r\n",
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an odd version": f"POST {PATH} HTTP/9.9\r\nHost: x\r\n\r\n".encode(),
    "an odd method": b"P\xc3\x96ST / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target that is no URL": b"POST http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": f"POST {PATH} HTTP/1.1\r\n{LENGTH}\r\n".encode() + BODY,
    "two hosts": head(LENGTH + "Host: y\r\n") + BODY,
    "a header without a name": head(LENGTH + ": value\r\n") + BODY,
    "a header without a colon": head(LENGTH + "nonsense\r\n") + BODY,
    "a zero byte in a header": head(LENGTH + "X: a\x00b\r\n") + BODY,
    "a folded header": head(LENGTH + "X: a\r\n b\r\n") + BODY,
    "a space before the colon": head(LENGTH + "X : a\r\n") + BODY,
    "a request line that is too long": b"POST /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header that is too long": head(LENGTH + f"X: {'x' * 20_000}\r\n") + BODY,
    "a header name that is too long": head(LENGTH + f"{'x' * 20_000}: x\r\n") + BODY,
    "too many headers": head(LENGTH + "".join(f"X-{n}: x\r\n" for n in range(500))) + BODY,
    "a negative length": head("Content-Length: -1\r\n") + BODY,
    "a length that is no number": head("Content-Length: many\r\n") + BODY,
    "a length beyond 64 bits": head(f"Content-Length: {10**30}\r\n") + BODY,
    "two lengths": head(LENGTH + "Content-Length: 3\r\n") + BODY,
    "a length and chunks": head(LENGTH + "Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
    "an unknown transfer encoding": head("Transfer-Encoding: rot13\r\n") + BODY,
    "chunked before another encoding": head("Transfer-Encoding: chunked, gzip\r\n") + BODY,
    "a chunk size that is no number": head("Transfer-Encoding: chunked\r\n") + b"zz\r\n[]\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": head("Transfer-Encoding: chunked\r\n") + b"f" * 30 + b"\r\n[]\r\n0\r\n\r\n",
    "a chunk without an end": head("Transfer-Encoding: chunked\r\n") + b"2\r\n[]XX0\r\n\r\n",
    "chunks that stop": head("Transfer-Encoding: chunked\r\n") + b"2\r\n[]",
    "a body that stops": head("Content-Length: 500\r\n") + BODY,
    "headers that stop": HEAD.encode(),
    "a connection without a word": b"",
}


@pytest.mark.parametrize("request_bytes", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_what_cannot_be_read_is_asked_for_again_or_the_connection_is_closed(request_bytes: bytes) -> None:
    async with listener(SETTINGS) as running:
        answer = await running.say(request_bytes) if request_bytes else await _silence(running.port)
        assert status(answer) in {503, None}
        assert running.intake.commits == []
        assert running.counters.stats().in_flight == 0
        assert status(await running.say(post(BODY))) == 200, "the next request is served"


async def _silence(port: int) -> bytes:
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        with anyio.fail_after(5), pytest.raises(anyio.EndOfStream):
            await stream.receive()
    return b""


READABLE = {
    "an odd Expect": (head(LENGTH + "Expect: a-miracle\r\n") + BODY, 200),
    "chunks": (
        head("Transfer-Encoding: chunked\r\n") + f"{len(BODY):x}".encode() + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
        200,
    ),
    "HTTP/1.0": (HEAD.replace("1.1", "1.0").encode() + LENGTH.encode() + b"\r\n" + BODY, 200),
    "an upgrade to HTTP/2": (head(LENGTH + "Upgrade: h2c\r\n") + BODY, 200),
    "an upgrade to a websocket": (
        post(BODY, connection="Upgrade", extra="Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n"),
        200,
    ),
    "a range": (head(LENGTH + "Range: bytes=9-1\r\n") + BODY, 200),
    "a precondition": (head(LENGTH + 'If-Match: "x"\r\n') + BODY, 200),
    "an odd content type": (head(LENGTH + "Content-Type: ;;;/\r\n") + BODY, 200),
    "an odd cookie": (head(LENGTH + "Cookie: =;=;\xff\r\n") + BODY, 200),
    "an unknown charset": (head(LENGTH + "Content-Type: application/json; charset=klingon\r\n") + BODY, 200),
    "an absolute target": (head(LENGTH).replace(PATH.encode(), b"http://x" + PATH.encode()) + BODY, 200),
    "a signature in another body's encoding": (head(LENGTH + "Content-Encoding: gzip\r\n") + BODY, 200),
    "no version, which is HTTP/0.9": (f"POST {PATH}\r\n\r\n".encode(), 401),
    "no body": (head(""), 401),
    "a connect": (b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
    "a trace": (f"TRACE {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(), 404),
}


@pytest.mark.parametrize(("request_bytes", "expected"), READABLE.values(), ids=READABLE.keys())
async def test_what_can_be_read_is_answered_from_the_table(request_bytes: bytes, expected: int) -> None:
    async with listener(SETTINGS) as running:
        assert status(await running.say(request_bytes, patience=2.0)) == expected


async def test_a_sender_that_waits_for_the_go_ahead_gets_it() -> None:
    async with listener() as running, await anyio.connect_tcp("127.0.0.1", running.port) as stream:
        await stream.send(head(LENGTH + "Expect: 100-continue\r\n"))
        assert await stream.receive() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await stream.send(BODY)
        assert status(await stream.receive()) == 200
        assert running.intake.commits == [["doc:a1"]]


async def test_a_sender_that_waits_with_too_much_is_told_before_it_sends() -> None:
    async with listener() as running:
        announced = head(f"Expect: 100-continue\r\nContent-Length: {17 * 1024 * 1024}\r\n")
        assert status(await running.say(announced, patience=1.0)) == 503


async def test_a_compressed_body_is_not_inflated() -> None:
    """The signature is over the bytes as sent, so it fits; that they are no JSON makes a poll due."""
    bomb = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    async with listener() as running:
        assert status(await running.say(post(bomb, extra="Content-Encoding: gzip\r\n"))) == 200
        assert running.intake.polls == [TOPIC]


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "klingon"])
async def test_an_encoding_that_is_not_known_here_is_no_error(encoding: str) -> None:
    async with listener() as running:
        assert status(await running.say(post(BODY, extra=f"Content-Encoding: {encoding}\r\n"))) == 200


async def test_pipelined_requests_are_answered_one_by_one() -> None:
    async with listener() as running:
        first, second = post(batch("a1"), connection="keep-alive"), post(batch("b2"))
        answer = await running.say(first + second)
        assert answer.count(b"HTTP/1.1 200 OK") == 2
        assert running.intake.commits == [["doc:a1"], ["doc:b2"]]


async def test_what_follows_a_good_request_cannot_spoil_it() -> None:
    async with listener(SETTINGS) as running, await anyio.connect_tcp("127.0.0.1", running.port) as stream:
        await stream.send(post(BODY, connection="keep-alive"))
        assert status(await stream.receive()) == 200
        await stream.send(b"\x00garbage\r\n\r\n")
        assert status(await stream.receive()) == 503


async def test_a_refusal_is_seen_although_the_body_was_not_read() -> None:
    """Closing with unread bytes would reset the connection, and the sender might never see the 503."""
    async with listener() as running:
        flood = post(b"x" * (20 * 1024 * 1024))
        assert status(await running.say(flood)) == 503
