"""Which addresses a firm's Advoware has: the vendor's configurator says it, the configuration may overrule it (1.1)."""

from __future__ import annotations

from dataclasses import dataclass

from docsyncd.api import Clock, RemoteError, Reply, Transport, Unavailable
from docsyncd_advoware.config import Discovery
from docsyncd_advoware.server_clock import ServerClock
from docsyncd_advoware.wire import Row, text

STALE: float = 300.0
"""Seconds that known addresses are kept when the configurator cannot be asked: it being away does not mean that the firm is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Without trailing slashes."""

    base_url: str
    security_gateway: str


def read(reply: Reply, discovery: Discovery, *, remote: str) -> Addresses:
    """`connectorUrl` MUST be used if it is set, else `relayUrl` (vendor's rule). Raises `RemoteError`."""
    body = reply.json(remote=remote)
    row = Row(body) if isinstance(body, dict) else Row({})
    base = discovery.base_url or _address(row, "connectorUrl") or _address(row, "relayUrl")
    gateway = discovery.security_gateway or _address(row, "securityGateway")
    if base is None or gateway is None:
        raise Unavailable("the configurator names no address for this Kanzlei", remote=remote)
    named = {base, gateway} - {discovery.base_url, discovery.security_gateway}
    if not discovery.allow_http and any(not address.startswith("https://") for address in named):
        raise Unavailable(f"the configurator names addresses without TLS ({', '.join(sorted(named))})", remote=remote)
    return Addresses(base_url=base, security_gateway=gateway)


def _address(row: Row, key: str) -> str | None:
    address = text(row.get(key))
    return None if address is None else address.rstrip("/")


class Directory:
    """The addresses, kept for `discovery.ttl` seconds."""

    def __init__(
        self, configurator: Transport, discovery: Discovery, kanzlei: str, clock: Clock, server: ServerClock
    ) -> None:
        self._configurator = configurator
        self._discovery = discovery
        self._kanzlei = kanzlei
        self._clock = clock
        self._server = server
        self._known: Addresses | None = None
        self._until = 0.0

    def doubt(self) -> None:
        """Advoware could not be reached there: ask again before the next attempt."""
        self._until = 0.0

    async def addresses(self) -> Addresses:
        """Raises `Unavailable`."""
        fixed = self._discovery
        if fixed.base_url is not None and fixed.security_gateway is not None:
            return Addresses(base_url=fixed.base_url, security_gateway=fixed.security_gateway)
        known = self._known
        if known is None or self._clock.monotonic() >= self._until:
            known = self._known = await self._asked(known)
        return known

    async def _asked(self, known: Addresses | None) -> Addresses:
        remote = self._configurator.remote
        try:
            reply = await self._configurator.request("GET", "", params={"Kanzlei": self._kanzlei})
            self._server.note(reply)
            found = read(reply, self._discovery, remote=remote)
        except RemoteError as error:
            if known is not None:
                self._until = self._clock.monotonic() + STALE
                return known
            if isinstance(error, Unavailable):
                raise
            reason = str(error).removeprefix(f"{remote}: ")
            raise Unavailable(
                f"the configurator does not say where this Kanzlei is: {reason}", remote=remote
            ) from error
        finally:
            self._configurator.breaker.reset()  # the API's breaker speaks for all three hosts
        self._until = self._clock.monotonic() + self._discovery.ttl
        return found
