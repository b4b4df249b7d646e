"""The transport's table, row by row, against a real server on loopback whose faults the test places."""

from __future__ import annotations

import socket
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest
from aiohttp import web

from docsyncd.breaker import Breaker
from docsyncd.clock import SystemClock
from docsyncd.errors import (
    CredentialsRefused,
    OutcomeUnknown,
    ProtocolViolation,
    Rejected,
    RemoteError,
    RequestFailed,
    Unavailable,
)
from docsyncd.testing.emulation import Fault, Faults, RequestLog, instrument, on, serve
from docsyncd.testing.host import HandClock
from docsyncd.transport import MIB, Reply, Transport, TransportSettings, open_transport

KEY = "k9-throw-away-secret"
LARGE = bytes(range(256)) * (4096 * 3)
"""Three MiB: more than any buffer between the server and us."""


@dataclass(slots=True, kw_only=True)
class Remote:
    """A server with an echo, a large body and a health call, and a transport to it."""

    transport: Transport
    faults: Faults
    requests: RequestLog

    def fail(self, **fault: Any) -> Fault:
        return self.faults.add(Fault(**{"match": on("*", "/thing"), **fault}))

    def fail_health(self, **fault: Any) -> Fault:
        return self.faults.add(Fault(**{"match": on("GET", "/health"), "times": None, "status": 503, **fault}))

    def asked(self, path: str = "/thing") -> int:
        return sum(request.path == path for request in self.requests.all())


async def _echo(request: web.Request) -> web.Response:
    body = await request.read()
    return web.json_response({"method": request.method, "bytes": len(body), "key": request.headers.get("X-Key")})


def application(faults: Faults, requests: RequestLog) -> web.Application:
    async def large(request: web.Request) -> web.Response:
        return web.Response(body=LARGE)

    async def health(request: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/thing", _echo)
    app.router.add_get("/thing/large", large)
    app.router.add_get("/health", health)
    return instrument(app, faults, requests)


@asynccontextmanager
async def remote(**changes: Any) -> AsyncIterator[Remote]:
    faults, requests = Faults(), RequestLog()
    async with AsyncExitStack() as stack:
        url = changes.pop("base_url", None) or await stack.enter_async_context(serve(application(faults, requests)))
        settings = TransportSettings(
            remote="xai", base_url=url, headers={"X-Key": KEY}, health="/health", backoff=0.01, probe_every=0.05
        )
        transport = await stack.enter_async_context(open_transport(replace(settings, **changes), SystemClock()))
        yield Remote(transport=transport, faults=faults, requests=requests)


async def failure(place: Remote, method: str = "GET", **request: Any) -> RemoteError:
    with pytest.raises(RemoteError) as error:
        await place.transport.request(method, "/thing", **request)
    said = "\n".join([str(error.value), repr(error.value), *traceback.format_exception(error.value)])
    assert KEY not in said
    assert error.value.remote == "xai"
    return error.value


async def test_an_answer_is_an_answer() -> None:
    async with remote(sign=lambda method, path: {"X-Signed": f"{method} {path}"}) as place:
        reply = await place.transport.request("POST", "/thing", json_body={"a": 1})
        assert (reply.status, reply.json(remote="xai")) == (200, {"method": "POST", "bytes": 8, "key": KEY})
        assert reply.headers["content-type"].startswith("application/json")
        assert place.transport.breaker.reason is None


async def test_a_status_that_is_accepted_is_an_answer() -> None:
    async with remote() as place:
        place.fail(status=404)
        assert (await place.transport.request("GET", "/thing", accept=(404,))).status == 404


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_refused_connection_is_a_remote_that_is_away_for_any_request(method: str) -> None:
    async with remote(base_url=f"http://127.0.0.1:{unused_port()}") as place:
        error = await failure(place, method)
        assert type(error) is Unavailable
        assert str(error).startswith("xai: cannot be reached: ClientConnectorError: ")
        assert place.transport.breaker.reason is error


async def test_a_name_that_nobody_knows_is_a_remote_that_is_away() -> None:
    async with remote(base_url="http://nobody.invalid") as place:
        assert type(await failure(place)) is Unavailable


async def test_tls_that_does_not_come_about_is_a_remote_that_is_away() -> None:
    async with (
        serve(application(Faults(), RequestLog())) as url,
        remote(base_url=url.replace("http:", "https:")) as place,
    ):
        assert type(await failure(place, "POST")) is Unavailable


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504])
async def test_an_overloaded_remote_is_asked_again_if_that_may_be(status: int) -> None:
    async with remote() as place:
        place.fail(status=status, times=2)
        assert (await place.transport.request("PUT", "/thing")).status == 200
        assert place.asked() == 3
        assert place.transport.breaker.reason is None


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504])
async def test_an_overloaded_remote_is_away_after_the_last_attempt(status: int) -> None:
    async with remote() as place:
        place.fail(status=status, times=None, body=b"try later")
        error = await failure(place)
        assert type(error) is Unavailable
        assert str(error) == f"xai: GET /thing answered {status}: try later"
        assert (place.asked(), place.asked("/health")) == (3, 0)
        assert place.transport.breaker.reason is error


async def test_an_overloaded_remote_is_not_asked_again_what_must_not_be_repeated() -> None:
    async with remote() as place:
        place.fail(status=503)
        assert type(await failure(place, "POST")) is Unavailable
        assert place.asked() == 1
        assert place.transport.breaker.reason is not None


async def test_a_caller_may_say_that_its_post_can_be_repeated() -> None:
    async with remote() as place:
        place.fail(status=503, times=2)
        reply = await place.transport.request("POST", "/thing", data=lambda: b"twelve bytes", repeatable=True)
        assert reply.json(remote="xai")["bytes"] == 12


async def test_a_named_time_is_waited_for_and_not_tried_before() -> None:
    async with remote() as place:
        place.fail(status=429, times=None, headers={"Retry-After": "30"})
        error = await failure(place)
        assert isinstance(error, Unavailable)
        assert error.retry_after == 30.0
        assert place.asked() == 1
        assert 29.0 < place.transport.breaker.probe_delay() <= 30.0


@pytest.mark.parametrize("value", ["0", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_a_time_that_names_no_seconds_is_left_to_our_own_pace(value: str) -> None:
    async with remote() as place:
        place.fail(status=503, times=None, headers={"Retry-After": value})
        error = await failure(place)
        assert isinstance(error, Unavailable)
        assert not error.retry_after
        assert place.asked() == 3


@pytest.mark.parametrize("status", [500, 520, 529])
async def test_a_server_error_of_a_well_remote_is_the_requests_own(status: int) -> None:
    async with remote() as place:
        place.fail(status=status, times=None, body=b"the name holds a newline")
        error = await failure(place)
        assert type(error) is RequestFailed
        assert str(error) == f"xai: GET /thing answered {status}: the name holds a newline"
        assert (place.asked(), place.asked("/health")) == (3, 1)
        assert place.transport.breaker.reason is None


@pytest.mark.parametrize("health", [{"status": 503}, {"status": 500}, {"status": 403}, {"cut": True, "status": None}])
async def test_a_server_error_of_a_sick_remote_is_not_the_requests_own(health: dict[str, Any]) -> None:
    async with remote() as place:
        place.fail(status=500, times=None)
        place.fail_health(**health)
        error = await failure(place)
        assert type(error) is Unavailable
        assert isinstance(error.__cause__, RequestFailed)
        assert place.transport.breaker.reason is error


async def test_a_server_error_that_is_gone_the_second_time_is_none() -> None:
    async with remote() as place:
        place.fail(status=500)
        assert (await place.transport.request("GET", "/thing")).status == 200
        assert place.asked("/health") == 0


async def test_a_server_error_leaves_the_effect_of_a_post_unknown() -> None:
    async with remote() as place:
        place.fail(status=500, effect=True)
        assert type(await failure(place, "POST")) is OutcomeUnknown
        assert place.asked() == 1
        assert place.transport.breaker.reason is None


async def test_an_unknown_effect_at_a_sick_remote_is_kept_as_the_cause() -> None:
    async with remote() as place:
        place.fail(cut=True, effect=True)
        place.fail_health()
        error = await failure(place, "POST")
        assert type(error) is Unavailable
        assert isinstance(error.__cause__, OutcomeUnknown)


async def test_a_time_out_of_a_well_remote_is_the_requests_own() -> None:
    async with remote(read_timeout=0.1, attempts=2) as place:
        place.fail(delay=5.0, times=None)
        error = await failure(place)
        assert type(error) is RequestFailed
        assert "GET /thing broke off: SocketTimeoutError" in str(error)
        assert (place.asked(), place.asked("/health")) == (2, 1)


async def test_a_time_out_of_a_sick_remote_is_not_the_requests_own() -> None:
    async with remote(read_timeout=0.1, attempts=1) as place:
        place.faults.add(Fault(match=on("*"), times=None, delay=5.0))
        assert type(await failure(place)) is Unavailable


async def test_a_slow_answer_may_be_given_more_time() -> None:
    async with remote(read_timeout=0.1) as place:
        place.fail(delay=0.4)
        assert (await place.transport.request("POST", "/thing", read_timeout=5.0)).status == 200


async def test_a_cut_connection_is_tried_again_if_that_may_be() -> None:
    async with remote() as place:
        place.fail(cut=True, effect=True)
        assert (await place.transport.request("DELETE", "/thing")).status == 200
        assert place.asked() == 2


async def test_a_cut_connection_leaves_the_effect_of_a_post_unknown() -> None:
    async with remote() as place:
        place.fail(cut=True, effect=True)
        error = await failure(place, "POST")
        assert type(error) is OutcomeUnknown
        assert place.asked() == 1


async def test_a_refused_key_opens_the_breaker_at_the_first_answer() -> None:
    async with remote() as place:
        place.fail(status=401, times=None)
        error = await failure(place)
        assert type(error) is CredentialsRefused
        assert place.asked() == 1
        assert place.transport.breaker.refused_credentials


async def test_a_refused_key_is_not_asked_again_however_well_the_remote_is() -> None:
    async with remote() as place, anyio.create_task_group() as tasks:
        tasks.start_soon(place.transport.watch_breaker)
        place.fail(status=401)
        await failure(place)
        await anyio.sleep(0.3)
        assert place.asked("/health") == 0
        again = await failure(place)
        assert type(again) is CredentialsRefused
        assert "not asked, because it is away" in str(again)
        assert place.asked() == 1
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_refused_and_not_followed(status: int) -> None:
    async with remote() as place:
        place.fail(status=status, times=None, headers={"Location": "/health"})
        error = await failure(place, "GET")
        assert type(error) is ProtocolViolation
        assert "is the configured address right?" in str(error)
        assert (place.asked(), place.asked("/health")) == (1, 0)


@pytest.mark.parametrize("status", [400, 403, 404, 413, 422, 501])
async def test_any_other_status_is_a_refusal_in_the_remotes_words(status: int) -> None:
    async with remote(explain=lambda reply: reply.headers["X-Reason"]) as place:
        place.fail(status=status, headers={"X-Reason": "too large"})
        error = await failure(place)
        assert type(error) is Rejected
        assert str(error) == f"xai: GET /thing answered {status}: too large"
        assert place.asked() == 1
        assert place.transport.breaker.reason is None


async def test_a_connector_may_read_an_error_in_its_own_way() -> None:
    def classify(reply: Reply) -> RemoteError | None:
        return CredentialsRefused("a bad key is a 400 here", remote="xai") if reply.status == 400 else None

    async with remote(classify=classify) as place:
        place.fail(status=400)
        assert type(await failure(place)) is CredentialsRefused
        assert place.transport.breaker.refused_credentials


async def test_an_answer_that_is_no_json_is_told_with_its_beginning() -> None:
    async with remote() as place:
        place.fail(status=200, body=b"<html>\nPlease log in")
        reply = await place.transport.request("GET", "/thing")
        with pytest.raises(ProtocolViolation, match="not JSON: '<html> Please log in'"):
            reply.json(remote="xai")


async def test_an_open_breaker_refuses_without_sending() -> None:
    async with remote() as place:
        place.transport.breaker.trip(Unavailable("502", remote="xai"))
        error = await failure(place)
        assert type(error) is Unavailable
        with pytest.raises(Unavailable, match="not asked"):
            async with place.transport.stream("/thing/large"):
                pytest.fail("it was opened")
        assert place.requests.all() == ()


async def test_a_breaker_half_opens_with_the_health_call_alone() -> None:
    async with remote() as place, anyio.create_task_group() as tasks:
        tasks.start_soon(place.transport.watch_breaker)
        place.fail(status=503, times=3)
        place.fail_health(times=2)
        await failure(place)
        with anyio.fail_after(5):
            await place.transport.breaker.wait_closed()
        assert (place.asked(), place.asked("/health")) == (3, 3)
        assert (await place.transport.request("GET", "/thing")).status == 200
        tasks.cancel_scope.cancel()


async def test_a_health_call_waits_for_the_time_that_the_remote_named() -> None:
    async with remote() as place, anyio.create_task_group() as tasks:
        tasks.start_soon(place.transport.watch_breaker)
        place.fail(status=503, headers={"Retry-After": "1"})
        await failure(place)
        await anyio.sleep(0.6)
        assert place.asked("/health") == 0
        with anyio.fail_after(5):
            await place.transport.breaker.wait_closed()
        assert place.asked("/health") == 1
        tasks.cancel_scope.cancel()


async def test_a_health_call_that_is_refused_its_key_is_the_last() -> None:
    async with remote() as place, anyio.create_task_group() as tasks:
        tasks.start_soon(place.transport.watch_breaker)
        place.fail(status=503, times=3)
        place.fail_health(status=401)
        await failure(place)
        await anyio.sleep(0.4)
        assert place.transport.breaker.refused_credentials
        assert place.asked("/health") == 1
        tasks.cancel_scope.cancel()


async def test_a_body_is_streamed_in_chunks() -> None:
    async with remote() as place, place.transport.stream("/thing/large") as (reply, chunks):
        assert (reply.status, reply.body) == (200, b"")
        received = [chunk async for chunk in chunks]
        assert b"".join(received) == LARGE
        assert max(map(len, received)) <= MIB


async def test_a_stream_that_fails_before_its_first_byte_is_asked_again() -> None:
    async with remote() as place:
        place.fail(status=502, times=2)
        async with place.transport.stream("/thing/large") as (_, chunks):
            assert sum([len(chunk) async for chunk in chunks]) == len(LARGE)
        assert place.asked("/thing/large") == 3


async def test_a_stream_of_what_is_not_there_may_be_an_answer() -> None:
    async with remote() as place:
        place.fail(status=404, body=b"gone")
        async with place.transport.stream("/thing/large", accept=(404,)) as (reply, chunks):
            assert (reply.status, reply.body) == (404, b"gone")
            assert [chunk async for chunk in chunks] == []


async def read_all(place: Remote) -> int:
    async with place.transport.stream("/thing/large") as (_, chunks):
        return sum([len(chunk) async for chunk in chunks])


async def test_a_stream_that_breaks_in_the_middle_of_a_well_remote_is_the_requests_own() -> None:
    async with remote() as place:
        place.fail(cut=True, effect=True, keep=MIB)
        with pytest.raises(RequestFailed, match="GET /thing/large broke off in the body: ClientPayloadError"):
            await read_all(place)
        assert (place.asked("/thing/large"), place.asked("/health")) == (1, 1)
        assert await read_all(place) == len(LARGE)


async def test_a_stream_that_breaks_in_the_middle_of_a_sick_remote_opens_the_breaker() -> None:
    async with remote() as place:
        place.fail(cut=True, effect=True, keep=MIB)
        place.fail_health()
        with pytest.raises(Unavailable) as error:
            await read_all(place)
        assert isinstance(error.value.__cause__, RequestFailed)
        assert place.transport.breaker.reason is error.value


async def test_requests_wait_for_their_turn() -> None:
    async with remote(parallel=2) as place, anyio.create_task_group() as tasks:
        at_once: list[int] = []
        inside = 0

        async def enter(request: web.Request) -> None:
            nonlocal inside
            inside += 1
            at_once.append(inside)
            await anyio.sleep(0.05)
            inside -= 1

        place.fail(before=enter, times=None)
        for _ in range(6):
            tasks.start_soon(place.transport.request, "GET", "/thing")
        with anyio.fail_after(5):
            while place.asked() < 6:  # noqa: ASYNC110 - the server's log has no event
                await anyio.sleep(0.01)
        assert max(at_once) == 2


def test_a_breaker_knows_for_how_long_it_is_open_and_until_when() -> None:
    clock = HandClock()
    breaker = Breaker("xai", clock)
    assert breaker.open_seconds == 0.0
    breaker.trip(Unavailable("503", remote="xai", retry_after=10.0))
    clock.pass_by(4.0)
    assert (breaker.open_seconds, breaker.probe_delay()) == (4.0, 6.0)
    breaker.trip(CredentialsRefused("401", remote="xai"))
    breaker.trip(Unavailable("503", remote="xai"))
    assert breaker.refused_credentials
    assert breaker.open_seconds == 4.0
    breaker.reset()
    assert (breaker.reason, breaker.open_seconds) == (None, 0.0)
    breaker.require_closed()


@pytest.mark.parametrize(("method", "repeatable", "times"), [("PUT", False, 1), ("DELETE", False, 1), ("PUT", True, 3)])
async def test_nothing_is_sent_more_often_than_we_decide(method: str, repeatable: bool, times: int) -> None:
    """The HTTP library would, by itself, send a PUT again whose connection broke."""
    async with remote() as place:
        await place.transport.request("GET", "/thing")
        place.fail(match=on(method, "/thing"), cut=True, effect=True, times=None)
        await failure(place, method, repeatable=repeatable)
        assert sum(request.method == method for request in place.requests.all()) == times
