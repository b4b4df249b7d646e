"""Requests to Advoware's API, paced, and answers that are what they should be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from docsyncd.api import ProtocolViolation, RemoteError, Reply, Transport, Unavailable
from docsyncd_advoware.access import Entrance
from docsyncd_advoware.config import AdvowareConfig
from docsyncd_advoware.pace import Pace
from docsyncd_advoware.refusals import failure, meaning
from docsyncd_advoware.wire import Row


class Server:
    """The API of one firm."""

    def __init__(self, transport: Transport, entrance: Entrance, config: AdvowareConfig) -> None:
        self._transport = transport
        self._entrance = entrance
        self._config = config
        self._pace = Pace(config.rate)

    @property
    def remote(self) -> str:
        return self._transport.remote

    async def health(self) -> None:
        """Returns if a request that needs a token is answered well, else raises `Unavailable` and opens the breaker."""
        try:
            await self._transport.health()
        except Unavailable as away:
            self._transport.breaker.trip(away)
            raise

    async def ask(self, method: str, template: str, *, body: Any = None, **values: str) -> Reply:
        """A request to the path of a template. One that may have changed something is never repeated."""
        await self._pace.turn()
        try:
            return await self._transport.request(method, filled(template, values), json_body=body)
        except Unavailable:
            self._entrance.doubt()
            raise

    def rows(self, reply: Reply, envelope: str = "") -> Sequence[Row]:
        """A list of objects. Anything else is an error, for it must not be read as an empty list."""
        body = self.decoded(reply)
        if envelope and isinstance(body, dict):
            body = Row(body).get(envelope)
        if not isinstance(body, list) or not all(isinstance(item, dict) for item in body):
            raise self._senseless(reply, "with something that is no list of objects")
        return [Row(item) for item in body]

    def one(self, reply: Reply) -> Row:
        """One object, or a list that holds one."""
        body = self.decoded(reply)
        if isinstance(body, list) and len(body) == 1:
            body = body[0]
        if not isinstance(body, dict):
            raise self._senseless(reply, "with something that is no single object")
        return Row(body)

    def decoded(self, reply: Reply) -> Any:
        """The JSON of an answer."""
        try:
            return json.loads(reply.body)
        except ValueError as error:
            raise self._senseless(reply, "with something that is not JSON") from error

    def _senseless(self, reply: Reply, what: str) -> RemoteError:
        """A success that is none: an error in words that the table knows, else a breach of protocol."""
        means = meaning(reply, [rule for rule in self._config.error_table if rule.pattern])
        known = None
        if means is not None:
            known = failure(reply, means, remote=self.remote, pause=self._config.offline_pause)
        if isinstance(known, Unavailable):
            self._transport.breaker.trip(known)
        return known or ProtocolViolation(
            f"{reply.method} {reply.path} answered {reply.status} {what}", remote=self.remote
        )


def filled(template: str, values: Mapping[str, str]) -> str:
    """A path with its values, percent-encoded."""
    path = template
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path
