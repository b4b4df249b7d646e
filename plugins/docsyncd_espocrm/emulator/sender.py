"""One POST of a batch, as libcurl (9.3) or Guzzle (10) puts it on the wire, and what its result means for the queue.

Sources: reference 1.3 (the retry table), 1.4 (the request), 1.7 (where EspoCRM may post to).
"""

from __future__ import annotations

import io
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from aiohttp import ClientConnectorDNSError, ClientConnectorError, ClientError, ClientSession, ClientTimeout, InvalidURL

from docsyncd_espocrm.emulator.errors import encode
from docsyncd_espocrm.emulator.signing import signature_headers

Dialect = Literal["9.3", "10"]
Outcome = Literal["delivered", "retry", "dropped", "webhook removed"]

NO_ANSWER = 0
"""The status when the connection failed or broke."""

RETRIED = frozenset({NO_ANSWER, 401, 403, 404, 405, 408, 500, 503})

EXPECT_ABOVE = 1024 * 1024
"""Bytes of a body from which curl asks with `Expect: 100-continue` first."""


@dataclass(slots=True, kw_only=True)
class WebhookSettings:
    """The knobs of `data/config-internal.php`, with EspoCRM's defaults; seconds where it is a time.

    :param allowed_addresses: webhookAllowedAddressList, `host:port` each. None: everything is allowed, as for a run on loopback.
    :param literal_ip_crashes: the 10.0-dev defect: one webhook with a literal IP address, and nothing is delivered to anybody.
    """

    event_portion: int = 20
    portion: int = 20
    batch: int = 50
    max_attempts: int = 4
    fail_period: float = 600.0
    connect_timeout: float = 5.0
    timeout: float = 10.0
    max_per_user: int = 50
    allowed_addresses: set[str] | None = None
    literal_ip_crashes: bool = False

    def allow(self, address: str) -> None:
        """What an administrator enters for a receiver on a private address; nothing to do while everything is allowed."""
        if self.allowed_addresses is not None:
            self.allowed_addresses.add(address)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a POST. `status` as curl reports it; `connected` False when nobody took the connection; `sendable` False when
    it was not even tried."""

    status: int
    connected: bool = True
    sendable: bool = True


def outcome_of(result: Result, dialect: Dialect) -> Outcome:
    """The retry table. Redirects count as success."""
    if not result.sendable or (dialect == "10" and not result.connected):
        return "dropped"
    if 200 <= result.status < 400:
        return "delivered"
    if result.status == 410:
        return "webhook removed"
    return "retry" if result.status in RETRIED else "dropped"


def is_refused_address(url: str, settings: WebhookSettings) -> bool:
    """Loopback and private addresses, unless the exact host:port is allowed."""
    parts = urlsplit(url)
    if settings.allowed_addresses is None or address_of(parts) in settings.allowed_addresses:
        return False
    literal = literal_ip(url)
    return (parts.hostname or "") == "localhost" or (literal is not None and not literal.is_global)


def address_of(parts: SplitResult) -> str:
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def literal_ip(url: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return None


async def post(
    session: ClientSession,
    *,
    webhook: Mapping[str, Any],
    items: Sequence[Mapping[str, Any]],
    dialect: Dialect,
    settings: WebhookSettings,
) -> Result:
    """Send one batch. Never raises for what the network does."""
    url, body = str(webhook["url"]), encode(list(items))
    if is_refused_address(url, settings) or not is_url(url):
        return Result(NO_ANSWER, sendable=False)
    try:
        async with session.post(
            url,
            data=io.BytesIO(body),
            headers=_headers(
                url, dialect, signature_headers(str(webhook["id"]), str(webhook["secretKey"]), body), body
            ),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            allow_redirects=False,
            expect100=len(body) > EXPECT_ABOVE,
            timeout=ClientTimeout(total=settings.timeout, sock_connect=settings.connect_timeout),
        ) as response:
            await response.read()
            return Result(response.status)
    except TimeoutError:
        return Result(408)
    except (ClientConnectorDNSError, InvalidURL):
        return Result(NO_ANSWER, sendable=False)
    except ClientConnectorError:
        return Result(NO_ANSWER, connected=False)
    except ClientError:
        return Result(NO_ANSWER)


def is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _headers(url: str, dialect: Dialect, signatures: Mapping[str, str], body: bytes) -> dict[str, str]:
    """In the order in which they go out."""
    host, length = {"Host": urlsplit(url).netloc}, {"Content-Length": str(len(body))}
    content = {"Content-Type": "application/json"}
    if dialect == "10":
        return {**host, "User-Agent": "GuzzleHttp/7", **content, **signatures, **length}
    return {**host, "Accept": "*/*", **content, **length, **signatures}
