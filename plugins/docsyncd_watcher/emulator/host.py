"""The emulated watcher's endpoints, at both levels, over any disk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from aiohttp import web
from blake3 import blake3

from docsyncd.api import Clock
from docsyncd_watcher.emulator import answers
from docsyncd_watcher.emulator.behaviour import Behaviour
from docsyncd_watcher.emulator.disk import Disk, Refused, Seen

CHUNK = 256 * 1024
"""Bytes of one piece of a download; what is not longer is sent in one answer, so that a fault can tear it."""

MAX_FILE = 4 * 1024**3
"""Bytes of one upload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An upload that took effect, so that its repetition does not."""

    target: tuple[str, str, str]
    answer: Mapping[str, Any]


class WatcherHost:
    """The handlers. Refusals are raised as `Refused` and shaped by the emulator's middleware.

    :param during_read: called with case file and path after the first piece of a long download was sent.
    """

    def __init__(self, disk: Disk, behaviour: Behaviour, clock: Clock, instance: str) -> None:
        self.disk = disk
        self.behaviour = behaviour
        self.clock = clock
        self.instance = instance
        self.during_read: Callable[[str, str], None] | None = None
        self.operations: dict[str, Operation] = {}
        self.fences: dict[str, int] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/capabilities", self.capabilities, allow_head=False),
            web.get("/akte-details", self.listing, allow_head=False),
            web.get("/file", self.download, allow_head=False),
            web.head("/file", self.look),
            web.put("/files/{akte}/{path:.+}", self.upload),
        ]

    async def capabilities(self, _request: web.Request) -> web.Response:
        """Extended only; a basic watcher knows no such address."""
        if self.behaviour.level == "basic":
            raise web.HTTPNotFound
        self.disk.root_id("")
        return web.json_response(
            {
                "protocol": "docsyncd-watcher",
                "version": 1,
                "instance": self.instance,
                "volumeSerial": self.disk.serial,
                "maxFileBytes": MAX_FILE,
                "generatedAt": self.clock.now().isoformat(),
            }
        )

    async def listing(self, request: web.Request) -> web.Response:
        case_file = _asked(request, "akte")
        files = self.disk.listing(case_file)
        if self.behaviour.level == "extended":
            return answers.extended_listing(case_file, files, self.disk, self.behaviour, self.clock.now())
        if self.disk.root_id(case_file) is None and self.behaviour.no_folder == "absent":
            raise Refused("absent", "Akte nicht gefunden")
        return answers.basic_listing(case_file, files, self.behaviour)

    async def look(self, request: web.Request) -> web.Response:
        """HEAD: what stands there now, with its hash."""
        if self.behaviour.level == "basic":
            raise web.HTTPMethodNotAllowed("HEAD", ["GET"])
        found = self.disk.require_readable(_asked(request, "akte"), _asked(request, "path"))
        headers = {**self._headers(found), "Content-Length": str(found.size), "X-Blake3-Hash": found.blake3}
        return web.Response(headers=headers)

    async def download(self, request: web.Request) -> web.StreamResponse:
        case_file, path = _asked(request, "akte"), _asked(request, "path")
        found = self.disk.require_readable(case_file, path)
        headers = self._headers(found) if self.behaviour.level == "extended" else {}
        if found.size <= CHUNK and not (self.behaviour.unannounced and self.behaviour.level == "basic"):
            body = await anyio.Path(found.bytes_at).read_bytes()
            return web.Response(body=body, headers=headers, content_type="application/octet-stream")
        return await self._stream(request, case_file, path, found, headers)

    async def _stream(
        self, request: web.Request, case_file: str, path: str, found: Seen, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        """Piece by piece; the connection is closed in the middle if the file does not stay what it was."""
        response = web.StreamResponse(headers=headers)
        response.content_type = "application/octet-stream"
        if self.behaviour.unannounced and self.behaviour.level == "basic":
            response.enable_chunked_encoding()
        else:
            response.content_length = found.size
        await response.prepare(request)
        async with await anyio.open_file(found.bytes_at, "rb") as file:
            while chunk := await file.read(CHUNK):
                now = self.disk.find(case_file, path)
                if self.behaviour.level == "extended" and (now is None or now.stamp != found.stamp):
                    if request.transport is not None:
                        request.transport.close()
                    return response
                await response.write(chunk)
                if self.during_read is not None:
                    happen, self.during_read = self.during_read, None
                    happen(case_file, path)
        await response.write_eof()
        return response

    async def upload(self, request: web.Request) -> web.Response:
        _, case_file, *parts = answers.segments(request)
        path = "/".join(parts)
        if any("/" in part or "\\" in part for part in parts):
            raise Refused("bad-name", "a separator inside a name")
        if self.behaviour.level == "basic":
            return await self._basic_upload(request, case_file, path)
        return await self._extended_upload(request, case_file, path)

    async def _basic_upload(self, request: web.Request, case_file: str, path: str) -> web.Response:
        if "/" in path:
            raise web.HTTPNotFound
        announced = request.headers.get("X-Blake3-Hash", "").lower()
        async with _received(request, self.disk) as (spooled, digest, size):
            if announced != digest and not self.behaviour.unverified:
                raise Refused("bad-request", "Blake3 stimmt nicht")
            self.disk.require_writable(case_file, path)
            self.disk.commit(case_file, path, spooled, digest, size)
        if self.behaviour.put_answer == "nothing":
            return web.Response(status=204)
        told = "0" * 64 if self.behaviour.put_answer == "wrong hash" else digest
        return web.json_response({"success": True, "filename": path, "blake3Hash": told})

    async def _extended_upload(self, request: web.Request, case_file: str, path: str) -> web.Response:
        announced = request.headers.get("X-Blake3-Hash", "").lower()
        operation = request.headers.get("X-Operation-Id", "")
        target = (case_file, path, announced)
        self._require_fence(request, case_file)
        async with _received(request, self.disk) as (spooled, digest, size):
            if announced != digest:
                raise Refused("hash-mismatch", f"{digest} arrived")
            known = self.operations.get(operation)
            if known is not None:
                if known.target != target:
                    raise Refused("operation-mismatch", "this operation id stood for another upload")
                return web.json_response({**known.answer, "replayed": True})
            self.disk.require_writable(case_file, path)
            before = self._require_precondition(request, case_file, path)
            seen, reference = self.disk.commit(case_file, path, spooled, digest, size)
        answer = {"file": answers.entry(seen, Behaviour()), "quarantine": reference, "replayed": False}
        if operation:
            self.operations[operation] = Operation(target=target, answer=answer)
        return web.json_response(answer, status=200 if before else 201)

    def _require_fence(self, request: web.Request, case_file: str) -> None:
        """The highest number that was ever seen for the case file counts; an old worker is refused."""
        raw = request.headers.get("X-Fence")
        if raw is None and self.behaviour.unconditional == "allow":
            return
        if raw is None or not re.fullmatch(r"\d{1,18}", raw):
            raise Refused("precondition-required", "X-Fence is needed, a number")
        highest = self.fences.get(case_file, 0)
        if int(raw) < highest:
            raise Refused("stale-fence", f"{highest} was seen already")
        self.fences[case_file] = int(raw)

    def _require_precondition(self, request: web.Request, case_file: str, path: str) -> Seen | None:
        """What stands there, if it is what the caller expects."""
        wanted, none = request.headers.get("If-Match"), request.headers.get("If-None-Match")
        now = self.disk.find(case_file, path)
        if wanted is None and none is None:
            if self.behaviour.unconditional == "refuse":
                raise Refused("precondition-required", "If-Match or If-None-Match is needed")
        elif none is not None:
            if none != "*":
                raise Refused("bad-request", 'If-None-Match can only be "*"')
            if now is not None:
                raise Refused("precondition-failed", "there is a file")
        elif now is None:
            raise Refused("precondition-failed", "there is no file any more")
        elif wanted != f'"{now.blake3}"':
            raise Refused("precondition-failed", "the file has another content")
        return now

    def _headers(self, found: Seen) -> Mapping[str, str]:
        headers = {"X-File-State": answers.state(found, self.disk)}
        if self.behaviour.hashes == "listed":
            headers["X-Blake3-Hash"] = found.blake3
        return headers


def _asked(request: web.Request, name: str) -> str:
    value = answers.query(request).get(name, "")
    if not value:
        raise Refused("bad-request", f"the parameter {name} is missing")
    return value.replace("\\", "/") if name == "path" else value


@asynccontextmanager
async def _received(request: web.Request, disk: Disk) -> AsyncIterator[tuple[Path, str, int]]:
    """The body, spooled and hashed; what is not committed is removed."""
    spooled, hasher, size = disk.spool(), blake3(), 0
    try:
        async with await anyio.open_file(spooled, "wb") as file:
            async for chunk in request.content.iter_chunked(CHUNK):
                hasher.update(chunk)
                size += len(chunk)
                await file.write(chunk)
        yield spooled, hasher.hexdigest(), size
    finally:
        spooled.unlink(missing_ok=True)
