"""Opening a Redis or Valkey by its URL: TCP, TLS, unix socket, or by way of Sentinels."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import ExponentialWithJitterBackoff

from docsyncd.errors import ConfigError

SENTINEL_PORT: Final = 26379

EXAMPLES: Final = (
    "redis://host:6379/0, rediss://host:6379/0, unix:///run/redis.sock or redis+sentinel://a,b,c/mymaster/0"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """How long one call to Redis may take."""

    reply_timeout: float = 2.0
    """Seconds until a reply counts as lost. No command of ours blocks; the slowest takes some 10 ms."""
    connect_timeout: float = 2.0
    """Seconds to connect; a host that is down must not hold a webhook for longer."""
    retries: int = 2
    """Repetitions of a call without a reply: three times two seconds is well below the lease's margin of ten."""
    connections: int = 256
    """Most connections at once: workers, webhooks in flight (64) and the hints; more means a leak."""
    check_idle: float = 15.0
    """Seconds of idleness after which a connection is tried by PING before use: firewalls forget quiet ones."""


@asynccontextmanager
async def connect(
    url: str, *, password: str | None = None, settings: ConnectionSettings | None = None
) -> AsyncIterator[Redis]:
    """A client whose replies are strings. Connects with the first call; `ConfigError` if the URL makes no sense.

    :param url: see `EXAMPLES`. User and password may stand in it, but belong into `password`, which comes from a secret.
    """
    options = _options(settings or ConnectionSettings())
    if password is not None:
        options["password"] = password
    if url.startswith(("redis+sentinel://", "rediss+sentinel://")):
        async with _sentinel(url, options) as client:
            yield client
        return
    try:
        client = Redis.from_url(url, **options)
    except ValueError:
        # Its own words may hold a part of the password, where that has a character which a URL cannot hold.
        raise ConfigError("this is no address of a Redis.", key="queue.url", fix=f"Write {EXAMPLES}.") from None
    async with client:
        yield client


def _options(settings: ConnectionSettings) -> dict[str, Any]:
    return {
        "decode_responses": True,
        "socket_timeout": settings.reply_timeout,
        "socket_connect_timeout": settings.connect_timeout,
        "health_check_interval": settings.check_idle,
        "max_connections": settings.connections,
        "retry": Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), settings.retries),
    }


@asynccontextmanager
async def _sentinel(url: str, options: dict[str, Any]) -> AsyncIterator[Redis]:
    """The master that the Sentinels name, asked anew for each new connection: a failover needs nothing from us."""
    parts = urlsplit(url)
    service, database = _service(parts)
    if parts.username:
        options["username"] = unquote(parts.username)
    if parts.password:
        options.setdefault("password", unquote(parts.password))
    timeouts = {name: options[name] for name in ("socket_timeout", "socket_connect_timeout", "decode_responses")}
    tls = parts.scheme.startswith("rediss")
    sentinel = Sentinel(_sentinels(parts), sentinel_kwargs={**timeouts, "ssl": tls})  # type: ignore[no-untyped-call]
    try:
        async with sentinel.master_for(service, db=database, ssl=tls, **options) as client:
            yield client
    finally:
        for watcher in sentinel.sentinels:
            await watcher.aclose()


def _sentinels(parts: SplitResult) -> list[tuple[str, int]]:
    try:
        hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
        found = [(host.hostname, host.port or SENTINEL_PORT) for host in hosts]
    except ValueError as error:
        raise ConfigError(f"bad Sentinel address: {error}", key="queue.url", fix=f"Write {EXAMPLES}.") from error
    return [(name, port) for name, port in found if name]


def _service(parts: SplitResult) -> tuple[str, int]:
    """The master's name among the Sentinels, and the database's number."""
    service, _, database = parts.path.strip("/").partition("/")
    if not service or not (database or "0").isdigit() or not _sentinels(parts):
        raise ConfigError("a Sentinel URL names hosts and a service.", key="queue.url", fix=f"Write {EXAMPLES}.")
    return unquote(service), int(database or 0)
