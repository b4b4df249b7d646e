"""Reading a request's body within its limits: size, time, and the memory of all bodies together."""

from __future__ import annotations

from dataclasses import dataclass

import anyio
from aiohttp import hdrs, web
from aiohttp.http import HttpProcessingError, HttpVersion11

from docsyncd.serve.answers import Outcome


@dataclass(slots=True)
class Memory:
    """Bytes of unverified bodies that may be held at once; strangers fill it as well as EspoCRM does."""

    limit: int
    held: int = 0


@dataclass(slots=True)
class Share:
    """What one request holds of it; `give_back` when the body is done with."""

    memory: Memory
    size: int = 0

    def take(self, size: int) -> bool:
        """Hold `size` more bytes, unless that passes the limit of all."""
        if self.memory.held + size > self.memory.limit:
            return False
        self.memory.held += size
        self.size += size
        return True

    def give_back(self) -> None:
        self.memory.held -= self.size
        self.size = 0


async def read_body(request: web.BaseRequest, *, limit: int, timeout: float, share: Share) -> bytes | Outcome:
    """The raw bytes, or what stands in their way."""
    if (request.content_length or 0) > limit:
        return Outcome.TOO_LARGE
    try:
        if request.content.is_eof():
            # All of it came with the head, as nearly always: nothing to wait for, and a time limit is a tenth of the work.
            return await _collect(request, limit, share)
        with anyio.fail_after(timeout):
            await _continue(request)
            return await _collect(request, limit, share)
    except TimeoutError:
        return Outcome.SLOW
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
        return Outcome.BROKEN


async def _continue(request: web.BaseRequest) -> None:
    """Some senders wait for this line before a large body. Any other Expect is ignored, as RFC 9110, 10.1.1 allows."""
    if request.version == HttpVersion11 and request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # An interim line is no answer yet: an error may still be told.
        request.writer.output_size = 0


async def _collect(request: web.BaseRequest, limit: int, share: Share) -> bytes | Outcome:
    body = bytearray()
    while chunk := await request.content.readany():
        if len(body) + len(chunk) > limit:
            return Outcome.TOO_LARGE
        if not share.take(len(chunk)):
            return Outcome.OVERLOADED
        body += chunk
    return bytes(body)
