"""The one request path to remotes: aiohttp, retries, error mapping and a breaker.

A connector makes one `Transport` per host and never sees aiohttp's exceptions. What happens to a failure:

=====================================  ==========================================================
connect, DNS or TLS failure            retried (nothing was sent), then `Unavailable`, breaker opens
502 503 504 408 425 429                repeatable requests retried, then `Unavailable`, breaker opens;
                                       not retried, but at once so, if a Retry-After names a time
500, 52x, time-out, broken answer      repeatable requests retried; then the health call decides:
                                       it fails → `Unavailable`; it answers → `RequestFailed`
the same, request not repeatable       `OutcomeUnknown` if it was sent (or `Unavailable`, if health fails, too,
                                       with `OutcomeUnknown` as its cause)
401                                    `CredentialsRefused`, breaker opens until the key changes
any other status not in `accept`       `classify(reply)` of the connector, else `Rejected`
=====================================  ==========================================================

A remote whose address is discovered or whose token changes brings an `Access`: it is asked before each attempt, and a 401 has one
more attempt with what it grants then.

An open breaker refuses at once and sends nothing. It half-opens with the health call, never with a key
(design/work-queue.md, 7); the daemon's `watch_breaker` makes that call.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
import anyio
import tenacity

from docsyncd.breaker import Breaker
from docsyncd.clock import Clock
from docsyncd.errors import (
    CredentialsRefused,
    OutcomeUnknown,
    ProtocolViolation,
    Rejected,
    RemoteError,
    RequestFailed,
    Unavailable,
)

MIB = 1024 * 1024
CHUNK = 256 * 1024
"""Bytes per chunk while streaming: below 64 KiB hashing loses two thirds (reference/performance.md, floors)."""

_OVERLOADED = frozenset({408, 425, 429, 502, 503, 504})
_TROUBLED = frozenset({500, *range(520, 530)})
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. Header names are case-insensitive."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    method: str
    path: str

    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self, *, remote: str) -> Any:
        """The decoded body; `ProtocolViolation` if it is not JSON (a login page, a proxy's error)."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            start = self.text()[:80].replace("\n", " ")
            raise ProtocolViolation(
                f"{self.method} {self.path} answered {self.status} with something that is not JSON: {start!r}",
                remote=remote,
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Where a remote is at this moment, and the headers that open it.

    :param base_url: without a trailing slash, as in `TransportSettings`.
    """

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Access(Protocol):
    """The way to a remote whose address is discovered, or whose credentials expire."""

    async def grant(self) -> Grant:
        """What the next attempt uses. Raises `Unavailable` (`CredentialsRefused` included) and nothing else."""

    def refused(self, grant: Grant) -> bool:
        """The remote answered 401 to this grant. True: another may be had, so the attempt is made once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportSettings:
    """How to reach one host.

    :param remote: the connector's name in the configuration, for errors, logs and metrics.
    :param base_url: without a trailing slash; request paths begin with one.
    :param headers: sent with every request; holds the credentials.
    :param sign: method and path (as given to `request`, without the query) in, further headers out; for keyed signatures.
    :param access: takes the place of `base_url` and adds headers, where both may change while the connection is open.
    :param tls: certificates to trust instead of the system's.
    :param health: path of a cheap authenticated GET that answers 2xx when the remote is well.
    :param healthy: statuses besides 2xx with which a remote that is well may answer it, unless `classify` sees it away.
    :param classify: a connector's own reading of an error reply: the exception to raise, or None for the default.
    :param explain: the human reason in an error reply.
    :param parallel: requests in flight at once.
    :param connect_timeout: seconds to connect; 10 covers a cold TLS handshake over a slow line.
    :param read_timeout: seconds without a byte; 60 covers EspoCRM's slowest list pages.
    :param attempts: tries of a repeatable request inside one call; more is the queue's, which does not hold a lease.
    :param backoff: seconds before the second try, doubled each time, with jitter.
    :param probe_every: seconds between health calls while the breaker is open, doubled each time up to a minute.
    """

    remote: str
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    sign: Callable[[str, str], Mapping[str, str]] | None = field(default=None, repr=False)
    access: Access | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    health: str = "/"
    healthy: Collection[int] = ()
    classify: Callable[[Reply], RemoteError | None] = lambda _reply: None
    explain: Callable[[Reply], str] = lambda reply: reply.text()[:300]
    parallel: int = 8
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    attempts: int = 3
    backoff: float = 0.5
    probe_every: float = 2.0


class _Again(Exception):
    """This attempt failed in a way that another attempt may cure. `final` is what to raise when none is left."""

    def __init__(self, final: RemoteError) -> None:
        self.final = final
        super().__init__(str(final))


class Transport:
    """Requests to one host. Use `open_transport`."""

    def __init__(self, settings: TransportSettings, session: aiohttp.ClientSession, clock: Clock) -> None:
        self.settings = settings
        self.breaker = Breaker(settings.remote, clock)
        self._session = session
        self._slots = anyio.Semaphore(settings.parallel)

    @property
    def remote(self) -> str:
        return self.settings.remote

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | list[tuple[str, str]] | None = None,
        json_body: Any = None,
        data: Callable[[], Any] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
        repeatable: bool | None = None,
        read_timeout: float | None = None,
    ) -> Reply:
        """Send and read the whole answer (use it for JSON, never for files).

        :param path: begins with `/`; must be percent-encoded already where it holds foreign text.
        :param data: makes a fresh body for each attempt (bytes, `aiohttp.FormData`, an async iterable).
        :param accept: statuses besides 2xx that are answers and not errors, such as 404.
        :param repeatable: may be sent twice; None decides by the method (GET, HEAD, PUT, DELETE are).
        :param read_timeout: seconds without a byte once the body is sent, where the settings' are too few.
        """
        may_repeat = method in _REPEATABLE if repeatable is None else repeatable

        async def attempt() -> Reply:
            async with (
                self._slots,
                self._send(
                    method, path, read_timeout, params=params, json_body=json_body, data=data, headers=headers
                ) as response,
            ):
                body = await response.read()
                return Reply(response.status, response.headers, body, method, path)

        return await self._settled(attempt, method, path, accept, may_repeat)

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
    ) -> AsyncIterator[tuple[Reply, AsyncIterator[bytes]]]:
        """GET a body of any size. The `Reply` holds status and headers; its `body` is empty unless the status is an error's.

        Failures before the first byte are retried. One in the middle raises from the iterator, sorted as in the table.
        """

        async with self._slots:
            self.breaker.require_closed()
            opened: list[aiohttp.ClientResponse] = []

            async def attempt() -> Reply:
                response = await self._start("GET", path, params=params)
                if response.status // 100 == 2:
                    opened.append(response)
                    return Reply(response.status, response.headers, b"", "GET", path)
                async with response:
                    return Reply(response.status, response.headers, await response.read(), "GET", path)

            try:
                reply = await self._settled(attempt, "GET", path, accept, True)
                yield reply, self._chunks(opened[-1], path) if opened else _no_bytes()
            finally:
                for response in opened:
                    response.close()

    async def health(self) -> None:
        """One authenticated GET; returns if the remote is well, else raises `Unavailable`. Ignores and moves no breaker."""
        path = self.settings.health
        try:
            response = await self._start("GET", path)
            async with response:
                reply = Reply(response.status, response.headers, await response.read(), "GET", path)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable(f"health call failed: {_words(error)}", remote=self.remote) from error
        if reply.status // 100 == 2:
            return
        refusal = self._error(reply)
        if isinstance(refusal, Unavailable):
            raise refusal
        if reply.status in self.settings.healthy:
            return
        raise Unavailable(f"health call answered {reply.status}: {self.settings.explain(reply)}", remote=self.remote)

    async def watch_breaker(self) -> None:
        """Runs for ever: while the breaker is open, ask for the remote's health, and close it when it answers."""
        while True:
            delay = self.settings.probe_every
            while self.breaker.reason is not None and not self.breaker.refused_credentials:
                await anyio.sleep(max(delay, self.breaker.probe_delay()))
                try:
                    await self.health()
                except Unavailable as error:
                    self.breaker.trip(error)
                    delay = min(delay * 2, 60.0)
                else:
                    self.breaker.reset()
            await self.breaker.changed()

    async def _start(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Mapping[str, Any]] = dict,
        **options: Any,
    ) -> aiohttp.ClientResponse:
        """The head of the answer. `body` is made anew for the second attempt that a changing credential has."""
        access = self.settings.access
        if access is None:
            plain = Grant(base_url=self.settings.base_url)
            return await self._go(plain, method, path, headers, {**options, **body()})
        grant = await access.grant()
        response = await self._go(grant, method, path, headers, {**options, **body()})
        if response.status == 401 and access.refused(grant):
            response.close()
            return await self._go(await access.grant(), method, path, headers, {**options, **body()})
        return response

    async def _go(
        self, grant: Grant, method: str, path: str, headers: Mapping[str, str] | None, options: Mapping[str, Any]
    ) -> aiohttp.ClientResponse:
        signed = self.settings.sign(method, path) if self.settings.sign is not None else {}
        every = {**self.settings.headers, **grant.headers, **signed, **(headers or {})}
        return await self._session.request(
            method, grant.base_url + path, headers=every, allow_redirects=False, **options
        )

    @asynccontextmanager
    async def _send(
        self,
        method: str,
        path: str,
        read_timeout: float | None,
        *,
        params: Any,
        json_body: Any,
        data: Callable[[], Any] | None,
        headers: Mapping[str, str] | None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        self.breaker.require_closed()

        def body() -> Mapping[str, Any]:
            return {"json": json_body} if json_body is not None else {"data": data()} if data is not None else {}

        options: dict[str, Any] = {"params": params}
        if read_timeout is not None:
            options["timeout"] = _timeouts(self.settings.connect_timeout, read_timeout)
        async with await self._start(method, path, headers=headers, body=body, **options) as response:
            yield response

    async def _settled(
        self, attempt: Callable[[], Awaitable[Reply]], method: str, path: str, accept: Collection[int], repeatable: bool
    ) -> Reply:
        """Run `attempt` until it answers, is refused for good, or no try is left; then sort the failure."""

        async def once() -> Reply:
            self.breaker.require_closed()
            reply = await self._reached(attempt, method, path, repeatable)
            return self._judged(reply, accept, repeatable)

        try:
            async for tried in tenacity.AsyncRetrying(
                stop=tenacity.stop_after_attempt(self.settings.attempts),
                wait=tenacity.wait_random_exponential(multiplier=self.settings.backoff, max=5.0),
                retry=tenacity.retry_if_exception_type(_Again),
                sleep=anyio.sleep,
                reraise=True,
            ):
                with tried:
                    return await once()
        except _Again as last:
            last.final.__cause__ = last.__cause__
            failed = await self._sorted(last.final)
            raise failed from failed.__cause__
        except RemoteError as error:
            failed = await self._sorted(error)
            raise failed from failed.__cause__
        raise AssertionError("unreachable: the retry loop returns or raises")

    async def _reached(
        self, attempt: Callable[[], Awaitable[Reply]], method: str, path: str, repeatable: bool
    ) -> Reply:
        """The answer, or the failure to get one: before anything was sent, or after."""
        try:
            return await attempt()
        except aiohttp.ClientConnectorError as error:
            raise _Again(self._away(f"cannot be reached: {_words(error)}")) from error
        except aiohttp.ConnectionTimeoutError as error:
            raise _Again(self._away("cannot be reached: no connection in time")) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            broken = self._broken(f"{method} {path} broke off: {_words(error)}", repeatable)
            raise (_Again(broken) if repeatable else broken) from error

    def _judged(self, reply: Reply, accept: Collection[int], repeatable: bool) -> Reply:
        """The reply if it is an answer, else the error that it stands for."""
        if reply.status // 100 == 2 or reply.status in accept:
            return reply
        failure = self._error(reply)
        if repeatable and reply.status in _OVERLOADED | _TROUBLED and not _waits_for_more(failure):
            raise _Again(failure)
        if not repeatable and reply.status in _TROUBLED and isinstance(failure, RequestFailed):
            raise OutcomeUnknown(str(failure), remote=self.remote)
        raise failure

    async def _chunks(self, response: aiohttp.ClientResponse, path: str) -> AsyncIterator[bytes]:
        try:
            async for chunk in response.content.iter_chunked(CHUNK):
                yield chunk
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            broken = self._broken(f"GET {path} broke off in the body: {_words(error)}", True)
            broken.__cause__ = error
            failed = await self._sorted(broken)
            raise failed from failed.__cause__

    def _error(self, reply: Reply) -> RemoteError:
        """The exception that an error reply stands for."""
        own = self.settings.classify(reply)
        if own is not None:
            return own
        words = f"{reply.method} {reply.path} answered {reply.status}: {self.settings.explain(reply)}".rstrip(": ")
        if reply.status == 401:
            return CredentialsRefused(words, remote=self.remote)
        if reply.status in _OVERLOADED:
            return Unavailable(words, remote=self.remote, retry_after=_retry_after(reply))
        if reply.status in _TROUBLED:
            return RequestFailed(words, remote=self.remote)
        if reply.status // 100 == 3:
            return ProtocolViolation(f"{words} (a redirect; is the configured address right?)", remote=self.remote)
        return Rejected(words, remote=self.remote)

    async def _sorted(self, error: RemoteError) -> RemoteError:
        """A failed request is the key's own fault only while the remote is well; `Unavailable` opens the breaker."""
        if isinstance(error, RequestFailed):
            try:
                await self.health()
            except Unavailable as away:
                away.__cause__ = error
                self.breaker.trip(away)
                return away
        if isinstance(error, Unavailable) and self.breaker.reason is None:
            self.breaker.trip(error)
        return error

    def _away(self, words: str) -> Unavailable:
        return Unavailable(words, remote=self.remote)

    def _broken(self, words: str, repeatable: bool) -> RequestFailed:
        return (RequestFailed if repeatable else OutcomeUnknown)(words, remote=self.remote)


@asynccontextmanager
async def open_transport(settings: TransportSettings, clock: Clock) -> AsyncIterator[Transport]:
    """A `Transport` with a connection pool of its own, closed at the end."""
    timeout = _timeouts(settings.connect_timeout, settings.read_timeout)
    connector = aiohttp.TCPConnector(limit=settings.parallel + 2, keepalive_timeout=15, ssl=settings.tls or True)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        read_bufsize=4 * CHUNK,
        auto_decompress=True,
        middlewares=(_sent_once,),
    ) as session:
        yield Transport(settings, session, clock)


class _BrokeOff(aiohttp.ClientError):
    """The connection broke after something was sent; the cause says how."""


async def _sent_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """aiohttp by itself sends a GET, PUT or DELETE again whose connection broke. Whether a request may be sent twice is decided
    here, and by who looks before each attempt; so its error becomes one that aiohttp leaves alone.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _BrokeOff(str(error)) from error


def _timeouts(connect: float, read: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=read)


async def _no_bytes() -> AsyncIterator[bytes]:
    return
    yield b""


def _retry_after(reply: Reply) -> float | None:
    """Seconds of a Retry-After header; its date form is left to the breaker's own pace."""
    value = reply.headers.get("Retry-After", "").strip()
    return float(value) if value.isdigit() else None


def _waits_for_more(failure: RemoteError) -> bool:
    """A refused key needs a person, and a remote that names a time is not asked before it."""
    return isinstance(failure, CredentialsRefused) or (isinstance(failure, Unavailable) and bool(failure.retry_after))


def _words(error: BaseException) -> str:
    """What happened, without the URL (it may hold ids) and without the headers (they hold keys)."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{type(error).__name__}: {_system_words(error.os_error)}"
    return type(error.__cause__ if isinstance(error, _BrokeOff) else error).__name__


def _system_words(error: OSError) -> str:
    """`Connection refused`, where asyncio's own text is `Connect call failed ('127.0.0.1', 9)`; a resolver's are negative."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
