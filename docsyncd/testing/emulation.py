"""What every emulator shares: a request log, faults that can be placed anywhere, and serving on loopback.

An emulator is an ordinary aiohttp application wrapped by `instrument(app, faults, requests)`. Its module docstring is the list of
the remote's quirks, each with its source and one test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import anyio
from aiohttp import web
from aiohttp.payload import Payload

from docsyncd.connector import Emulator

MAX_BODY = 512 * 1024 * 1024
"""Bytes an emulator accepts in one request: above every limit that it emulates itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it arrived. `verb` names it for people and kill points: `GET Document/{id}`, by the route."""

    number: int
    method: str
    path: str
    query: str
    verb: str
    role: str
    status: int | None
    """The answer's status; None if the connection was cut or the handler never ended."""


@dataclass(slots=True)
class RequestLog:
    """Every request in the order of arrival. Bodies are not kept."""

    _requests: dict[int, Request] = field(default_factory=dict)
    _next: int = 0

    def arrived(self, request: web.Request, role: str) -> int:
        self._next += 1
        self._requests[self._next] = Request(
            number=self._next,
            method=request.method,
            path=request.path,
            query=request.query_string,
            verb=verb_of(request),
            role=role,
            status=None,
        )
        return self._next

    def answered(self, number: int, status: int) -> None:
        entry = self._requests[number]
        self._requests[number] = Request(
            number=number,
            method=entry.method,
            path=entry.path,
            query=entry.query,
            verb=entry.verb,
            role=entry.role,
            status=status,
        )

    def all(self) -> Sequence[Request]:
        return tuple(self._requests.values())

    def verbs(self) -> Sequence[str]:
        """`POST /v1/files`, … in order."""
        return tuple(request.verb for request in self._requests.values())

    def since(self, number: int) -> Sequence[Request]:
        return tuple(request for request in self._requests.values() if request.number > number)

    @property
    def last(self) -> int:
        return self._next


def verb_of(request: web.Request) -> str:
    """Method and route template, so that all requests of one kind have one name."""
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource is not None else request.path}"


@dataclass(slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with matching requests, `times` times (None: for ever), after the first `skip` matches.

    :param match: which requests; see `on`.
    :param before: awaited before the handler runs: nothing has happened yet.
    :param after: awaited after the handler ran and before the answer goes out: the effect exists, the caller does not know.
    :param status: answer with this instead; the handler runs first only if `effect`.
    :param cut: close the connection instead of answering; the handler runs first only if `effect`.
    :param keep: with `cut` and `effect`: first send the head and this many bytes of the body, as a download breaks off.
    :param delay: seconds to wait before answering.
    """

    match: Callable[[web.Request], bool]
    times: int | None = 1
    skip: int = 0
    before: Callable[[web.Request], Awaitable[None]] | None = None
    after: Callable[[web.Request], Awaitable[None]] | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False
    keep: int | None = None
    effect: bool = False
    delay: float = 0.0

    def takes(self, request: web.Request) -> bool:
        """Does this fault apply now? Counts the match."""
        if self.times == 0 or not self.match(request):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


def on(method: str, part: str = "") -> Callable[[web.Request], bool]:
    """Requests of this method (`*` for all) whose path contains `part`."""
    return lambda request: method in ("*", request.method) and part in request.path


@dataclass(slots=True)
class Faults:
    """The faults of one emulator, tried in order; the first that applies is used."""

    _faults: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()

    def take(self, request: web.Request) -> Fault | None:
        return next((fault for fault in self._faults if fault.takes(request)), None)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def instrument(app: web.Application, faults: Faults, requests: RequestLog, *, role: str = "url") -> web.Application:
    """Log every request of `app` and apply the faults. Call it once, after the routes are added."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        number = requests.arrived(request, role)
        fault = faults.take(request)
        response = await _answer(request, handler, fault)
        if not (fault is not None and fault.cut):
            requests.answered(number, response.status)
        return response

    app.middlewares.insert(0, middleware)
    return app


async def _answer(request: web.Request, handler: Handler, fault: Fault | None) -> web.StreamResponse:
    if fault is None:
        return await _handled(request, handler)
    if fault.before is not None:
        await fault.before(request)
    replaced = fault.status is not None or fault.cut
    response: web.StreamResponse | None = None
    if not replaced or fault.effect:
        response = await _handled(request, handler)
    if fault.after is not None:
        await fault.after(request)
    if fault.delay:
        await anyio.sleep(fault.delay)
    if fault.cut and request.transport is not None:
        if fault.keep is not None and isinstance(response, web.Response):
            return await _torn(request, response, fault.keep)
        request.transport.abort()
    if fault.status is not None or response is None:
        return web.Response(status=fault.status or 500, headers=fault.headers, body=fault.body)
    return response


async def _torn(request: web.Request, response: web.Response, keep: int) -> web.StreamResponse:
    """The head as it is, with its Content-Length, but only `keep` bytes of the body, and then the end of the connection."""
    begun = web.StreamResponse(status=response.status, headers=response.headers)
    begun.content_length = response.content_length
    await begun.prepare(request)
    await begun.write((await _body(response))[:keep])
    if request.transport is not None:
        request.transport.close()
    return begun


async def _body(response: web.Response) -> bytes:
    body = response.body
    if isinstance(body, Payload):
        return await body.as_bytes()
    return bytes(body or b"")


async def _handled(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as answer:
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


@asynccontextmanager
async def serve(app: web.Application, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve one application until the context ends; yields its address without a trailing slash."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        address = runner.addresses[0]
        yield f"http://{address[0]}:{address[1]}"
    finally:
        await runner.cleanup()


@runtime_checkable
class Published(Protocol):
    """An emulator whose hosts name each other's addresses in their answers."""

    def publish(self, urls: Mapping[str, str]) -> None:
        """Called once all hosts are served, with their addresses by role."""


@asynccontextmanager
async def serve_emulator(emulator: Emulator, *, port: int = 0) -> AsyncIterator[Mapping[str, str]]:
    """Serve every host of a remote; yields the addresses by role. `port` is the first one's; 0 chooses freely."""
    async with AsyncExitStack() as stack:
        urls: dict[str, str] = {}
        for number, (role, app) in enumerate(emulator.applications.items()):
            urls[role] = await stack.enter_async_context(serve(app, port=port + number if port else 0))
        if isinstance(emulator, Published):
            emulator.publish(urls)
        yield urls
