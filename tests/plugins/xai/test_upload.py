"""One upload, byte for byte, and everything that can happen to it."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from docsyncd.api import (
    CorruptContent,
    CredentialsRefused,
    Digests,
    OutcomeUnknown,
    Rejected,
    Secret,
    Staged,
    Unavailable,
    index_tag,
)
from docsyncd.hashing import digest_bytes, digest_file
from docsyncd.testing.contracts.index import staged
from docsyncd.testing.emulation import Fault, on
from docsyncd.testing.host import PlainHost
from docsyncd_xai.client import connect
from docsyncd_xai.config import XaiConfig
from docsyncd_xai.emulator import Behaviour
from tests.plugins.xai.emulated import CONTENT, DOCUMENT, NAME, TAG, emulated

UPLOADS = on("POST", "/v1/files")


@asynccontextmanager
async def eavesdropper(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A bare socket that keeps what it hears and answers every request with the same JSON."""
    heard: list[bytes] = []

    async def listen(stream: SocketStream) -> None:
        async with stream:
            raw = b""
            while not raw.rstrip().endswith(b"--") or b"\r\n\r\n" not in raw:
                raw += await stream.receive()
            heard.append(raw)
            head = (
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            )
            await stream.send(head % len(answer) + answer)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, listen)
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - a typed attribute of anyio, no database
        yield f"http://127.0.0.1:{port}", heard
        tasks.cancel_scope.cancel()


async def test_a_german_name_goes_over_the_wire_unmangled(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("geheim", encoding="utf-8")
    key = Secret(file=tmp_path / "key")
    name = index_tag.compose("Klage Müller & Groß (100 %).txt", DOCUMENT, CONTENT)
    async with eavesdropper(b'{"id": "file_1", "bytes": 5}') as (url, heard):
        config = XaiConfig(api_key=key, management_key=key, files_url=url, management_url=url)
        async with connect("xai", config, PlainHost()) as ports, staged("Klage") as content:
            assert ports.index is not None
            assert await ports.index.upload(content, name) == "file_1"
    (raw,) = heard
    head, _, body = raw.partition(b"\r\n\r\n")
    match = re.search(rb"boundary=(\S+)", head)
    assert match is not None
    boundary = b"--" + match[1].strip(b'"')
    assert head.startswith(b"POST /v1/files HTTP/1.1\r\n")
    assert b"Authorization: Bearer geheim\r\n" in head
    assert f"Content-Length: {len(body)}".encode() in head
    assert body == b"\r\n".join(
        (
            boundary,
            b"Content-Type: text/plain; charset=utf-8",
            b'Content-Disposition: form-data; name="purpose"',
            b"",
            b"assistants",
            boundary,
            b"Content-Type: text/plain",
            f'Content-Disposition: form-data; name="file"; filename="Klage Müller & Groß (100 %) {TAG}.txt"'.encode(),
            b"",
            b"Klage",
            boundary + b"--",
            b"",
        )
    )


async def test_what_is_stored_is_what_was_staged() -> None:
    async with emulated() as xai, staged("Grüße\n" * 1000) as content:
        file = await xai.index.upload(content, NAME)
        stored = xai.emulator.world.files[file]
        assert (stored.name, stored.blake3, stored.expires_at) == (NAME, content.digests.blake3, None)


async def test_a_large_file_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as large:
        large.truncate(40_000_000)
    async with emulated() as xai:
        tracemalloc.start()
        try:
            await xai.index.upload(Staged(path=path, digests=digest_file(path)), NAME)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 10_000_000


async def test_a_lost_answer_leaves_the_outcome_open_and_the_tag_finds_the_file() -> None:
    async with emulated() as xai, staged("Klage") as content:
        xai.emulator.faults.add(Fault(match=UPLOADS, cut=True, effect=True))
        with pytest.raises(OutcomeUnknown):
            await xai.index.upload(content, NAME)
        assert [request.verb for request in xai.emulator.requests.all()].count("POST /v1/files") == 1
        (found,) = await xai.index.find(TAG, since=None)
        assert found.id in xai.emulator.world.files


@pytest.mark.parametrize("status", [500, 520, 524])
async def test_a_server_error_leaves_the_outcome_open(status: int) -> None:
    async with emulated() as xai, staged("Klage") as content:
        xai.emulator.faults.add(Fault(match=UPLOADS, status=status, body=b"<html>oops</html>"))
        with pytest.raises(OutcomeUnknown):
            await xai.index.upload(content, NAME)


async def test_an_answer_that_cannot_be_read_leaves_the_outcome_open() -> None:
    async with emulated() as xai, staged("Klage") as content:
        xai.emulator.faults.add(Fault(match=UPLOADS, status=200, body=b"<html>welcome</html>", effect=True))
        with pytest.raises(OutcomeUnknown):
            await xai.index.upload(content, NAME)
        assert len(xai.emulator.world.files) == 1


async def test_no_connection_is_no_upload() -> None:
    async with emulated(files_url="http://127.0.0.1:9") as xai, staged("Klage") as content:
        with pytest.raises(Unavailable):
            await xai.index.upload(content, NAME)


async def test_a_truncated_copy_does_not_stay() -> None:
    async with emulated() as xai, staged("Klage") as content:
        digests: Digests = digest_bytes(b"Klage und mehr")
        with pytest.raises(CorruptContent):
            await xai.index.upload(Staged(path=content.path, digests=digests), NAME)
        assert xai.emulator.world.files == {}


async def test_too_large_is_refused_before_it_is_sent() -> None:
    async with emulated(max_file_mb=0.000004) as xai, staged("Klage") as content:
        with pytest.raises(Rejected, match="zu groß"):
            await xai.index.upload(content, NAME)
        assert xai.emulator.requests.all() == ()


async def test_an_unexpected_413_is_final() -> None:
    async with emulated(Behaviour(max_bytes=4)) as xai, staged("Klage") as content:
        with pytest.raises(Rejected, match="413"):
            await xai.index.upload(content, NAME)


async def test_zero_data_retention_stops_uploads_before_they_are_sent() -> None:
    async with emulated() as xai, staged("Klage") as content:
        xai.emulator.behaviour.zero_data_retention = True
        await xai.ports.check()
        before = xai.emulator.requests.last
        with pytest.raises(CredentialsRefused, match="zero data retention"):
            await xai.index.upload(content, NAME)
        with pytest.raises(CredentialsRefused, match="zero data retention"):
            await xai.index.upload(content, NAME)
        assert xai.emulator.requests.last == before


async def test_uploads_go_a_few_at_a_time() -> None:
    under_way = 0
    most = 0

    async def begin(_request: object) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await anyio.sleep(0.05)

    async def end(_request: object) -> None:
        nonlocal under_way
        under_way -= 1

    async with emulated(parallel_uploads=2) as xai, staged("Klage") as content:
        xai.emulator.faults.add(Fault(match=UPLOADS, times=None, before=begin, after=end))
        async with anyio.create_task_group() as uploads:
            for _ in range(6):
                uploads.start_soon(xai.index.upload, content, NAME)
    assert most == 2
