"""A remote whose credentials change while it is spoken to: what a 401 means then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from docsyncd.clock import SystemClock
from docsyncd.errors import CredentialsRefused, Unavailable
from docsyncd.testing.emulation import Faults, RequestLog, instrument, serve
from docsyncd.transport import Grant, Transport, TransportSettings, open_transport


@dataclass(slots=True)
class Turnstile:
    """Grants tickets; the remote admits one of them."""

    url: str = ""
    ticket: int = 1
    admitted: int = 1
    renewals: int = 0
    away: Unavailable | None = None
    requests: RequestLog = field(default_factory=RequestLog)

    async def grant(self) -> Grant:
        if self.away is not None:
            raise self.away
        return Grant(base_url=self.url, headers={"Ticket": str(self.ticket)})

    def refused(self, grant: Grant) -> bool:
        if grant.headers["Ticket"] == str(self.ticket):
            self.renewals += 1
            self.ticket += 1
        return True


@asynccontextmanager
async def guarded(turnstile: Turnstile) -> AsyncIterator[Transport]:
    async def answer(request: web.Request) -> web.Response:
        body = await request.text()
        return web.Response(status=200 if request.headers["Ticket"] == str(turnstile.admitted) else 401, text=body)

    async def missing(_request: web.Request) -> web.Response:
        return web.Response(status=404)

    app = web.Application()
    app.router.add_route("*", "/thing", answer)
    app.router.add_get("/missing", missing)
    async with serve(instrument(app, Faults(), turnstile.requests)) as turnstile.url:
        settings = TransportSettings(remote="r", base_url="", access=turnstile, health="/missing", healthy={404})
        async with open_transport(settings, SystemClock()) as transport:
            yield transport


async def test_an_expired_ticket_is_renewed_once_and_the_body_sent_again() -> None:
    turnstile = Turnstile(admitted=2)
    async with guarded(turnstile) as transport:
        reply = await transport.request("POST", "/thing", data=lambda: b"Klage")
    assert (reply.text(), turnstile.renewals, len(turnstile.requests.all())) == ("Klage", 1, 2)


async def test_a_remote_that_refuses_the_new_ticket_too_refuses_us() -> None:
    turnstile = Turnstile(admitted=9)
    async with guarded(turnstile) as transport:
        with pytest.raises(CredentialsRefused):
            await transport.request("GET", "/thing")
        assert len(turnstile.requests.all()) == 2
        assert transport.breaker.refused_credentials


async def test_without_a_grant_nothing_is_sent_and_the_breaker_opens() -> None:
    turnstile = Turnstile(away=Unavailable("no ticket", remote="r"))
    async with guarded(turnstile) as transport:
        with pytest.raises(Unavailable, match="no ticket"):
            await transport.request("GET", "/thing")
        with pytest.raises(Unavailable, match="no ticket"):
            await transport.health()
        assert transport.breaker.reason is not None
    assert turnstile.requests.all() == ()


async def test_a_health_call_may_be_answered_by_what_is_no_success() -> None:
    async with guarded(Turnstile()) as transport:
        await transport.health()
