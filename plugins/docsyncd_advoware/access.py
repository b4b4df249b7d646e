"""The way in: addresses by discovery, a token by a signed request, both shared by all requests and renewed one at a time.

Whatever keeps us out is `Unavailable`: no Akte is to blame for it. What only a person can mend (password, licence, a request that
the gateway calls wrong) is `CredentialsRefused`, after which nothing is sent any more: repeated log-ins could lock the account.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio

from docsyncd.api import Clock, CredentialsRefused, Grant, RemoteError, Reply, Transport, Unavailable
from docsyncd_advoware import signing
from docsyncd_advoware.config import AdvowareConfig
from docsyncd_advoware.discovery import Directory
from docsyncd_advoware.error_table import ErrorRule, Meaning
from docsyncd_advoware.refusals import explain, failure, meaning
from docsyncd_advoware.server_clock import ServerClock
from docsyncd_advoware.wire import Row, text, whole

REFUSING: Final = frozenset({400, 401, 403, 409, 422})
"""Statuses with which the gateway says that the request itself is wrong."""

CLOCK_MATTERS: Final = timedelta(seconds=30)
"""A refused request is signed once more if the answer shows that our time was wrong by more than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`until` is monotonic."""

    value: str
    until: float

    @property
    def header(self) -> str:
        return f"Bearer {self.value}"


class Gateway:
    """`Access` to the host that issues tokens: its address alone."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def grant(self) -> Grant:
        return Grant(base_url=(await self._directory.addresses()).security_gateway)

    def refused(self, _grant: Grant) -> bool:
        return False


class Entrance:
    """`Access` to the API."""

    def __init__(
        self,
        gateway: Transport,
        directory: Directory,
        config: AdvowareConfig,
        secrets: tuple[bytes, str],
        clock: Clock,
        server: ServerClock,
    ) -> None:
        self._gateway = gateway
        self._directory = directory
        self._config = config
        self._key, self._password = secrets
        self._clock = clock
        self._server = server
        self._token: Token | None = None
        self._one_renewal = anyio.Lock()

    @property
    def remote(self) -> str:
        return self._gateway.remote

    def doubt(self) -> None:
        """Advoware is away: it may have moved."""
        self._directory.doubt()

    async def grant(self) -> Grant:
        async with self._one_renewal:
            addresses = await self._directory.addresses()
            token = self._token
            if token is None or self._clock.monotonic() >= token.until:
                token = self._token = await self._renewed()
        return Grant(base_url=addresses.base_url, headers={"Authorization": token.header})

    def refused(self, grant: Grant) -> bool:
        """Drop the token, unless another request has renewed it already."""
        if self._token is not None and grant.headers.get("Authorization") == self._token.header:
            self._token = None
        return True

    async def _renewed(self) -> Token:
        try:
            return self._read(await self._asked())
        except Unavailable:
            raise
        except RemoteError as error:
            reason = str(error).removeprefix(f"{self.remote}: ")
            raise Unavailable(f"no token can be had: {reason}", remote=self.remote) from error
        finally:
            self._gateway.breaker.reset()  # the API's breaker speaks for all three hosts

    async def _asked(self) -> Reply:
        """An accepted request. A second one is signed only if the first shows how wrong our clock is."""
        before = self._server.offset or timedelta()
        reply = await self._ask()
        after = self._server.offset or timedelta()
        if reply.status in REFUSING and self._config.auth.correct_clock and abs(after - before) > CLOCK_MATTERS:
            reply = await self._ask()
        if reply.status in REFUSING:
            raise refusal(reply, self._config.error_table, remote=self.remote, pause=self._config.offline_pause)
        return reply

    async def _ask(self) -> Reply:
        reply = await self._gateway.request(
            "POST",
            self._config.paths.token,
            data=lambda: json.dumps(self._request()).encode(),  # a nonce may be used once: each attempt has its own
            headers={"Content-Type": "application/json"},
            accept=REFUSING,
            repeatable=True,
        )
        self._server.note(reply)
        return reply

    def _request(self) -> dict[str, Any]:
        """The vendor's keys, as it spells them (1.1)."""
        config = self._config
        nonce = str(uuid.uuid4())
        stamp = signing.timestamp(self._server.signing_now(), config.auth.timestamp)
        product = config.auth.product
        return {
            "AppID": config.app_id,
            "Kanzlei": config.kanzlei,
            "Database": config.database,
            "User": config.user,
            "Role": config.auth.role,
            "Product": product,
            "Password": self._password,
            "Nonce": nonce,
            "HMAC512Signature": signing.signature(
                self._key, product=product, app_id=config.app_id, nonce=nonce, stamp=stamp
            ),
            "RequestTimeStamp": stamp,
        }

    def _read(self, reply: Reply) -> Token:
        body = reply.json(remote=self.remote)
        row = Row(body) if isinstance(body, dict) else Row({})
        value = text(row.get("access_token"))
        if value is None:
            raise Unavailable("the gateway's answer holds no access_token", remote=self.remote)
        life = self._lifetime(row)
        return Token(value=value, until=self._clock.monotonic() + life - min(self._config.auth.margin, life / 2))

    def _lifetime(self, row: Row) -> float:
        """Seconds: by the end that it names, else by its life, else by experience."""
        auth = self._config.auth
        for key in auth.expiration:
            end = _utc(text(row.get(key)))
            if end is not None and (left := (end - self._server.server_now()).total_seconds()) > 0:
                return left
        for key in auth.lifetime:
            if (seconds := whole(row.get(key))) is not None:
                return seconds
        return auth.fallback_lifetime


def refusal(reply: Reply, rules: Iterable[ErrorRule], *, remote: str, pause: float) -> RemoteError:
    """Why there is no token. A request that the gateway calls wrong stays wrong until the configuration changes."""
    means = meaning(reply, rules) or Meaning.UNKNOWN
    if means in (Meaning.VALIDATION, Meaning.UNKNOWN):
        return CredentialsRefused(f"the gateway refuses the request for a token: {explain(reply)}", remote=remote)
    known = failure(reply, means, remote=remote, pause=pause)
    return known or Unavailable(f"no token can be had: {explain(reply)}", remote=remote)


def _utc(value: str | None) -> datetime | None:
    try:
        end = datetime.fromisoformat(value or "")
    except ValueError:
        return None
    return end if end.tzinfo is not None else end.replace(tzinfo=UTC)
