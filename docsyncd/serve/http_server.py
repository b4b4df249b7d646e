"""An HTTP server that cannot say 400.

aiohttp answers 400 to what it cannot parse, 504 when a handler's time-out leaks, 413 above a size and 417 to an odd
Expect; EspoCRM drops the event on each of them (reference/espocrm.md, 1.3). The last two belong to aiohttp's
`Application`, which is not used here; the first two to the connection, whose one way of telling an error is replaced.
Bodies stay as they were sent: the signature is over those bytes, and nothing is inflated.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
OnError = Callable[[BaseException | None], web.Response]

LINGER: Final = 2.0
"""Seconds to go on reading, unseen, a body that was answered early: closing at once would reset the connection and could
take the answer along. libcurl stops sending when it sees an error, so this is long."""


class _Connection(web.RequestHandler):
    __slots__ = ("_on_error",)

    def __init__(self, server: web.Server, on_error: OnError, **options: Any) -> None:
        super().__init__(server, **options)
        self._on_error = on_error

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,  # noqa: ARG002 (aiohttp's choice, which is what must not be sent)
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 (aiohttp's words quote the request)
    ) -> web.StreamResponse:
        """aiohttp asks here for the answer to an unreadable request and to a handler that raised."""
        if request.writer.output_size > 0:
            raise ConnectionError("An answer had begun already; the connection is closed.")
        response = self._on_error(exc or sys.exc_info()[1])
        response.force_close()
        return response


class HttpServer(web.Server):
    """aiohttp's low-level server: `handler` answers every request, `on_error` words every error.

    :param on_error: gets an `HttpProcessingError` for bytes that are no request, else what the handler raised.
    :param keepalive_timeout: seconds that a connection may be idle, before its first request, too.
    """

    def __init__(self, handler: Handler, on_error: OnError, *, keepalive_timeout: float) -> None:
        super().__init__(handler)
        self._on_error = on_error
        self._keepalive_timeout = keepalive_timeout

    def __call__(self) -> web.RequestHandler:
        return _Connection(
            self,
            self._on_error,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=self._keepalive_timeout,
            lingering_time=LINGER,
            auto_decompress=False,
            access_log=None,
        )


@asynccontextmanager
async def serving(server: HttpServer, listening: socket.socket, *, drain: float) -> AsyncIterator[None]:
    """Serve on a bound socket; at the end stop listening, and give requests under way `drain` seconds."""
    runner = web.ServerRunner(server, shutdown_timeout=drain)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        yield
    finally:
        await runner.cleanup()
