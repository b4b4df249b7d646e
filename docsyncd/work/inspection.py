"""Is this Redis fit for the queue? Start-up and `doctor` ask once; the answers come from INFO, which managed services
allow, and not from CONFIG, which they forbid (taskforcesh/bullmq#1437).

A table of named checks over one snapshot; reading the snapshot is the only I/O.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis import exceptions
from redis.asyncio import Redis, SSLConnection, UnixDomainSocketConnection

from docsyncd.connector import Finding, Severity
from docsyncd.errors import QueueUnavailable
from docsyncd.work.scripts import redis_errors
from docsyncd.work.shared_set import LegacySets, LockSettings

OLDEST_VERSION: Final = (6, 2)
SLOW: Final = 0.05
"""Seconds that one script call may take: above, every webhook and every step of every document feels it."""
CLOCK_SKEW: Final = 2.0
"""Seconds that the host may differ from Redis: people compare our log with the queue's times."""
FULL: Final = 0.8
"""Part of maxmemory in use from which it is time to act; at 1.0 Redis refuses writes."""
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What was read. `types`: of the legacy keys, by name. `fsync`: None where CONFIG is forbidden."""

    info: Mapping[str, Any]
    types: Mapping[str, str]
    expected_types: Mapping[str, str]
    fsync: str | None
    script_refused: str | None
    round_trip: float
    clock_skew: float
    private: bool
    authenticated: bool


def _finding(subject: str, severity: Severity, message: str, fix: str = "") -> Finding:
    return Finding(subject=f"Redis {subject}", severity=severity, message=message, fix=fix)


def _role(seen: Snapshot) -> Finding | None:
    role = seen.info.get("role")
    if role == "master":
        return None
    return _finding(
        "role", Severity.ERROR, f"This server is a {role}: it takes no writes.", "Name the master, or the Sentinels."
    )


def _loading(seen: Snapshot) -> Finding | None:
    if not int(seen.info.get("loading", 0)):
        return None
    return _finding("loading", Severity.ERROR, "The server still reads its data.", "Wait until it has.")


def _version(seen: Snapshot) -> Finding | None:
    text = str(seen.info.get("redis_version", "0"))
    if tuple(int(part) for part in text.split(".")[:2] if part.isdigit()) >= OLDEST_VERSION:
        return None
    return _finding("version", Severity.ERROR, f"{text} is too old.", "Use Redis 6.2 or newer, or any Valkey.")


def _eviction_policy(seen: Snapshot) -> Finding | None:
    policy = seen.info.get("maxmemory_policy")
    if policy == "noeviction":
        return None
    return _finding(
        "maxmemory-policy",
        Severity.ERROR,
        f"With {policy} the server throws keys of the queue away when memory is short.",
        "Set maxmemory-policy noeviction.",
    )


def _evicted(seen: Snapshot) -> Finding | None:
    evicted = int(seen.info.get("evicted_keys", 0))
    if not evicted:
        return None
    return _finding(
        "evicted keys",
        Severity.ERROR,
        f"The server has thrown {evicted} keys away since it started.",
        "Set maxmemory-policy noeviction, then restart the server; sweeps find what the queue lost.",
    )


def _aof(seen: Snapshot) -> Finding | None:
    if int(seen.info.get("aof_enabled", 0)):
        return None
    return _finding(
        "append-only file",
        Severity.WARNING,
        "Off: a restart of the server loses what waits, until polls and sweeps find it again.",
        "Set appendonly yes and appendfsync everysec.",
    )


def _last_saves(seen: Snapshot) -> Finding | None:
    names = ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
    failed = [name for name in names if seen.info.get(name, "ok") != "ok"]
    if not failed:
        return None
    return _finding("disk", Severity.WARNING, f"Failed: {', '.join(failed)}.", "Look at the server's log and disk.")


def _fsync(seen: Snapshot) -> Finding | None:
    if seen.fsync != "no":
        return None
    return _finding(
        "appendfsync",
        Severity.WARNING,
        "no: a power failure loses up to half a minute of the queue.",
        "Set appendfsync everysec.",
    )


def _memory(seen: Snapshot) -> Finding | None:
    limit, used = int(seen.info.get("maxmemory", 0)), int(seen.info.get("used_memory", 0))
    if limit and used < FULL * limit:
        return None
    message = f"{used / limit:.0%} of maxmemory is in use." if limit else "No maxmemory is set."
    return _finding("memory", Severity.WARNING, message, "Set maxmemory to what the host can spare, or raise it.")


def _scripts(seen: Snapshot) -> Finding | None:
    if seen.script_refused is None:
        return None
    return _finding("scripts", Severity.ERROR, seen.script_refused, "Allow our user +@all ~* in the server's ACL.")


def _legacy_types(seen: Snapshot) -> Finding | None:
    wrong = [
        f"{name} is a {kind}, not a {seen.expected_types[name]}"
        for name, kind in seen.types.items()
        if kind not in ("none", seen.expected_types[name])
    ]
    if not wrong:
        return None
    return _finding("legacy keys", Severity.ERROR, "; ".join(wrong) + ".", "Delete or rename the key.")


def _private(seen: Snapshot) -> Finding | None:
    if seen.private:
        return None
    return _finding("transport", Severity.WARNING, "Unencrypted over a network.", "Use rediss:// or a unix socket.")


def _authenticated(seen: Snapshot) -> Finding | None:
    if seen.authenticated:
        return None
    return _finding("password", Severity.WARNING, "None: anybody who reaches it may read and write.", "Set one.")


def _round_trip(seen: Snapshot) -> Finding | None:
    if seen.round_trip <= SLOW:
        return None
    return _finding(
        "latency",
        Severity.WARNING,
        f"A script takes {seen.round_trip * 1000:.0f} ms.",
        "Move Redis nearer, or unload it.",
    )


def _clock(seen: Snapshot) -> Finding | None:
    if abs(seen.clock_skew) <= CLOCK_SKEW:
        return None
    return _finding(
        "clock", Severity.WARNING, f"It differs from this host's by {seen.clock_skew:.1f} s.", "Run NTP on both."
    )


CHECKS: Final[tuple[Callable[[Snapshot], Finding | None], ...]] = (
    _role, _loading, _version, _eviction_policy, _evicted, _aof, _last_saves, _fsync, _memory, _scripts,
    _legacy_types, _private, _authenticated, _round_trip, _clock,
)  # fmt: skip


def judge(seen: Snapshot) -> Sequence[Finding]:
    """What is wrong, or one OK."""
    findings = [finding for check in CHECKS if (finding := check(seen)) is not None]
    server = seen.info.get("server_name") or "redis"
    version = seen.info.get("valkey_version") or seen.info.get("redis_version")
    return findings or [_finding("server", Severity.OK, f"{server} {version} is fit for the queue.")]


async def inspect(
    client: Redis, *, legacy: LegacySets | None = None, lock: LockSettings | None = None
) -> Sequence[Finding]:
    """Look at the server. Reports what it finds; a server that does not answer is a finding, too."""
    try:
        with redis_errors():
            return judge(await _look(client, legacy or LegacySets(), lock or LockSettings()))
    except QueueUnavailable as error:
        return [_finding("server", Severity.ERROR, str(error), "Start it, and check [queue] url.")]


async def _look(client: Redis, legacy: LegacySets, lock: LockSettings) -> Snapshot:
    info = await client.info()
    expected = {legacy.pending: "set", legacy.processing: "set", lock.key: "string"}
    started = time.monotonic()
    refused = await _try_script(client)
    round_trip = time.monotonic() - started
    seconds, micros = await client.time()
    private, authenticated = _access(client)
    return Snapshot(
        info=info,
        types={name: str(await client.type(name)) for name in expected},
        expected_types=expected,
        fsync=await _read_fsync(client),
        script_refused=refused,
        round_trip=round_trip,
        clock_skew=time.time() - seconds - micros / 1e6,
        private=private,
        authenticated=authenticated,
    )


async def _try_script(client: Redis) -> str | None:
    """The server's reason, if it does not let us run scripts."""
    try:
        await client.eval("return redis.call('TIME')", 0)
    except exceptions.NoPermissionError as error:
        return str(error)
    return None


async def _read_fsync(client: Redis) -> str | None:
    try:
        answer = await client.config_get("appendfsync")
    except exceptions.ResponseError:  # forbidden or renamed: unknown
        return None
    return str(answer["appendfsync"]) if "appendfsync" in answer else None


def _access(client: Redis) -> tuple[bool, bool]:
    """Private: encrypted, or never on a network. Authenticated: by password, or by the socket's owner."""
    pool = client.connection_pool
    options = pool.connection_kwargs
    on_socket = issubclass(pool.connection_class, UnixDomainSocketConnection)
    encrypted = issubclass(pool.connection_class, SSLConnection)
    private = on_socket or encrypted or options.get("host") in LOOPBACK
    return private, on_socket or bool(options.get("password"))
