"""The webhook listener: a signed body in, ids in the queue, one of four statuses out.

The body is only a hint: ids are taken from it and the rest is dropped, so duplicates, disorder and replays are harmless
(reference/reliability.md, 5.1). What is said in which case stands in `answers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import anyio.to_thread
from aiohttp import web
from aiohttp.http import HttpProcessingError
from structlog.typing import FilteringBoundLogger

from docsyncd.connector import Decoded, Webhook
from docsyncd.core.model import Notice
from docsyncd.errors import QueueUnavailable, SignatureRefused
from docsyncd.serve.answers import ANSWERS, Outcome
from docsyncd.serve.body import Memory, Share, read_body
from docsyncd.serve.counters import NO_TOPIC, WebhookCounters
from docsyncd.serve.group_commit import GroupCommit
from docsyncd.serve.http_server import HttpServer
from docsyncd.transport import MIB

_INLINE = 64 * 1024
"""Bytes up to which a body is decoded in the event loop (below 1 ms); a batch of 50 items is rarely larger."""


class Intake(Protocol):
    """Where notices go."""

    async def offer(self, notices: Sequence[Notice]) -> object:
        """Make them due. Durable when it returns, else `QueueUnavailable`."""

    def poll_due(self, topic: str) -> None:
        """An event of this topic was lost or unreadable: make the next poll due now."""


Routes = Callable[[], Mapping[str, Webhook] | None]
"""The webhooks by path. Asked per request, so that a reload swaps them while the port stays open; None: not ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """The listener's limits.

    :param max_body: bytes of one body. A batch is 50 items at most; 16 MiB leaves 335 KB for each record's fields.
    :param max_in_flight: requests being answered at once. EspoCRM sends one after the other; more is a flood.
    :param max_held: bytes of all bodies being read; bounds what strangers can make the daemon hold.
    :param enqueue_deadline: seconds for the queue to confirm. EspoCRM gives up after 10 and sends everything again.
    :param body_timeout: seconds for a body to arrive; leaves half of EspoCRM's 10 for the rest.
    :param keepalive_timeout: seconds that an idle connection stays open; above a reverse proxy's own 60, so that the
        proxy closes first and no connection closes under its request (it would answer 502: the event would be lost).
    :param retry_after: seconds in the Retry-After of a 503. EspoCRM waits ten minutes whatever it says; proxies listen.
    :param drain: seconds for requests under way when the listener stops.
    """

    max_body: int = 16 * MIB
    max_in_flight: int = 64
    max_held: int = 64 * MIB
    enqueue_deadline: float = 2.0
    body_timeout: float = 5.0
    keepalive_timeout: float = 75.0
    retry_after: int = 30
    drain: float = 5.0


def webhook_server(
    routes: Routes,
    intake: Intake,
    settings: ListenerSettings,
    counters: WebhookCounters,
    log: FilteringBoundLogger,
) -> HttpServer:
    """The listener, to be run by `http_server.serving`. Needs a running event loop."""
    listener = _Listener(routes, intake, settings, counters, log)
    return HttpServer(listener.respond, listener.on_error, keepalive_timeout=settings.keepalive_timeout)


class _Listener:
    def __init__(
        self,
        routes: Routes,
        intake: Intake,
        settings: ListenerSettings,
        counters: WebhookCounters,
        log: FilteringBoundLogger,
    ) -> None:
        self._routes = routes
        self._intake = intake
        self._settings = settings
        self._counters = counters
        self._log = log
        self._memory = Memory(settings.max_held)
        self._queue: GroupCommit[Notice] = GroupCommit(intake.offer, deadline=settings.enqueue_deadline)

    async def respond(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        routes = self._routes()
        if routes is None:
            return self._answer(NO_TOPIC, Outcome.NOT_READY)
        webhook = routes.get(request.path) if request.method == "POST" else None
        if webhook is None:
            return self._answer(NO_TOPIC, Outcome.NOT_FOUND)
        if self._counters.in_flight >= self._settings.max_in_flight:
            return self._answer(webhook.topic, Outcome.OVERLOADED)
        self._counters.in_flight += 1
        try:
            return await self._receive(request, webhook)
        finally:
            self._counters.in_flight -= 1

    def on_error(self, error: BaseException | None) -> web.Response:
        """The answer to bytes that are no HTTP request, and to a bug of ours or of a connector's `decode`."""
        if isinstance(error, HttpProcessingError):
            self._log.info("webhook.unreadable", error=type(error).__name__)
            return self._answer(NO_TOPIC, Outcome.BROKEN)
        self._log.error("webhook.failed", exc_info=error)
        return self._answer(NO_TOPIC, Outcome.FAILED)

    async def _receive(self, request: web.BaseRequest, webhook: Webhook) -> web.Response:
        limits = self._settings
        share = Share(self._memory)
        try:
            body = await read_body(request, limit=limits.max_body, timeout=limits.body_timeout, share=share)
            if isinstance(body, Outcome):
                return self._answer(webhook.topic, body)
            decoded = await _decode(webhook, request, body)
        except SignatureRefused as refusal:
            return self._answer(webhook.topic, Outcome.REFUSED, error=str(refusal))
        finally:
            share.give_back()
        return await self._enqueue(webhook.topic, decoded)

    async def _enqueue(self, topic: str, decoded: Decoded) -> web.Response:
        # One record is often in a batch several times (reference/espocrm.md, 0, fact 5).
        notices = tuple(dict.fromkeys(decoded.notices))
        if decoded.skipped:
            self._counters.skipped(decoded.skipped)
            self._log.warning("webhook.items_skipped", topic=topic, items=decoded.skipped)
        if notices:
            start = self._counters.clock.monotonic()
            try:
                await self._queue.add(notices)
            except QueueUnavailable as away:
                return self._answer(topic, Outcome.QUEUE_AWAY, error=str(away))
            finally:
                self._counters.enqueue_seconds.observe(self._counters.clock.monotonic() - start)
        if decoded.malformed:
            return self._answer(topic, Outcome.UNDECODABLE)
        return self._answer(
            topic,
            Outcome.ACCEPTED,
            new_ids_count=len(notices),
            total_ids_in_batch=len(decoded.notices) + decoded.skipped,
        )

    def _answer(self, topic: str, outcome: Outcome, *, error: str = "", **counts: int) -> web.Response:
        """Count, log what is not routine, make a poll due where the table says so, and word the answer."""
        answer = ANSWERS[outcome]
        self._counters.answered(topic, outcome)
        if outcome is Outcome.ACCEPTED:
            self._log.debug("webhook.accepted", topic=topic, **counts)
        elif topic:
            self._log.warning("webhook.not_accepted", topic=topic, outcome=outcome.value, error=error)
        if answer.poll:
            self._intake.poll_due(topic)
        headers = {"Server": "docsyncd"}
        if answer.status == 503:
            headers["Retry-After"] = str(self._settings.retry_after)
        words: dict[str, Any] = {"status": outcome.value}
        if outcome is Outcome.ACCEPTED:
            words |= {"action": topic.rpartition(".")[2], **counts}
        else:
            words["reason"] = answer.reason
        response = web.json_response(words, status=answer.status, headers=headers)
        if answer.close:
            response.force_close()
        return response


async def _decode(webhook: Webhook, request: web.BaseRequest, body: bytes) -> Decoded:
    """The connector's reading of the body; a large one in a thread, so that the loop's lease renewals go on."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    decode = partial(webhook.decode, headers, body)
    return decode() if len(body) <= _INLINE else await anyio.to_thread.run_sync(decode)
