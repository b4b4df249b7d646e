"""Opening a Redis by its URL, by way of Sentinels, too; and what its INFO says about it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from redis import exceptions
from redis.asyncio import Redis

from docsyncd.connector import Severity
from docsyncd.errors import ConfigError, QueueUnavailable
from docsyncd.work.connection import connect
from docsyncd.work.inspection import Snapshot, inspect, judge
from docsyncd.work.redis_queue import RedisQueue
from docsyncd.work.scripts import redis_errors
from tests.work.workplace import PENDING, binary, claim, key, offer

FIT = Snapshot(
    info={
        "role": "master",
        "redis_version": "7.0.15",
        "maxmemory_policy": "noeviction",
        "maxmemory": 100,
        "used_memory": 10,
        "aof_enabled": 1,
    },
    types={},
    expected_types={PENDING: "set"},
    fsync="everysec",
    script_refused=None,
    round_trip=0.001,
    clock_skew=0.0,
    private=True,
    authenticated=True,
)


def _with(**info: Any) -> Snapshot:
    return replace(FIT, info={**FIT.info, **info})


@pytest.mark.parametrize(
    ("seen", "severity", "subject"),
    [
        (FIT, Severity.OK, "server"),
        (_with(role="slave"), Severity.ERROR, "role"),
        (_with(loading=1), Severity.ERROR, "loading"),
        (_with(redis_version="6.0.16"), Severity.ERROR, "version"),
        (_with(maxmemory_policy="allkeys-lru"), Severity.ERROR, "maxmemory-policy"),
        (_with(evicted_keys=3), Severity.ERROR, "evicted keys"),
        (_with(aof_enabled=0), Severity.WARNING, "append-only file"),
        (_with(aof_last_write_status="err"), Severity.WARNING, "disk"),
        (_with(used_memory=90), Severity.WARNING, "memory"),
        (_with(maxmemory=0), Severity.WARNING, "memory"),
        (replace(FIT, fsync="no"), Severity.WARNING, "appendfsync"),
        (replace(FIT, script_refused="NOPERM"), Severity.ERROR, "scripts"),
        (replace(FIT, types={PENDING: "string"}), Severity.ERROR, "legacy keys"),
        (replace(FIT, private=False), Severity.WARNING, "transport"),
        (replace(FIT, authenticated=False), Severity.WARNING, "password"),
        (replace(FIT, round_trip=0.2), Severity.WARNING, "latency"),
        (replace(FIT, clock_skew=-5.0), Severity.WARNING, "clock"),
    ],
)
async def test_every_weakness_of_the_server_is_found(seen: Snapshot, severity: Severity, subject: str) -> None:
    [finding] = judge(seen)
    assert (finding.severity, finding.subject) == (severity, f"Redis {subject}")
    assert (finding.fix == "") is (severity is Severity.OK)


async def test_a_legacy_key_of_the_wrong_type_is_found_on_a_real_server(client: Redis) -> None:
    await client.set(PENDING, "12345")
    [finding] = await inspect(client)
    assert (finding.severity, finding.subject) == (Severity.ERROR, "Redis legacy keys")
    await client.delete(PENDING)


async def test_a_server_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    async with connect(f"unix://{tmp_path}/none.sock") as client:
        [finding] = await inspect(client)
    assert finding.severity is Severity.ERROR


@pytest.mark.parametrize(
    "url",
    ["http://host", "redis+sentinel://host", "redis+sentinel://host/service/x", "redis+sentinel://h:port/service"],
)
async def test_an_address_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"queue\.url"):
        async with connect(url):
            pytest.fail("it was accepted")


@pytest.mark.parametrize(
    "refusal",
    [
        exceptions.ReadOnlyError("You can't write against a read only replica."),
        exceptions.BusyLoadingError("Redis is loading the dataset in memory"),
        exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"),
        exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."),
    ],
)
async def test_a_server_that_takes_no_writes_is_unavailable(refusal: Exception) -> None:
    with pytest.raises(QueueUnavailable), redis_errors():
        raise refusal


async def test_a_full_server_is_unavailable_and_changes_nothing(client: Redis) -> None:
    queue = RedisQueue(client)
    await queue.add([offer("a")])
    before = (await client.config_get("maxmemory"))["maxmemory"] or "0"
    await client.config_set("maxmemory", "1")
    try:
        with pytest.raises(QueueUnavailable):
            await queue.add([offer("b")])
        with pytest.raises(QueueUnavailable):
            await claim(queue)
    finally:
        await client.config_set("maxmemory", before)
    assert (await claim(queue)).key == key("a")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fleet:
    sentinel: int
    master: Process


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def _running(*arguments: str) -> AsyncIterator[Process]:
    async with await anyio.open_process([str(binary("redis")), *arguments], stdout=DEVNULL, stderr=DEVNULL) as process:
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()


async def _until(condition: Callable[[], Any]) -> None:
    with anyio.fail_after(20):
        while True:
            try:
                if await condition():
                    return
            except (QueueUnavailable, exceptions.RedisError):
                pass  # not up yet: asked again until the time is over
            await anyio.sleep(0.05)


@asynccontextmanager
async def _fleet(folder: Path) -> AsyncIterator[_Fleet]:
    """A master, a replica and one Sentinel that may decide alone."""
    master, replica, sentinel = _free_port(), _free_port(), _free_port()
    for name in ("master", "replica", "sentinel"):
        (folder / name).mkdir()
    config = folder / "sentinel" / "sentinel.conf"
    config.write_text(
        f"port {sentinel}\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 {master} 1\n"
        "sentinel down-after-milliseconds mymaster 1500\nsentinel failover-timeout mymaster 2000\n"
    )
    common = ("--bind", "127.0.0.1", "--save", "", "--dir")
    async with (
        _running("--port", str(master), *common, str(folder / "master")) as first,
        _running(
            "--port", str(replica), *common, str(folder / "replica"), "--replicaof", "127.0.0.1", str(master),
            "--repl-diskless-sync-delay", "0",
        ),
        connect(f"redis://127.0.0.1:{master}") as client,
    ):  # fmt: skip
        # A Sentinel looks for replicas every ten seconds only: this one finds it at once.
        await _until(lambda: _has_replica(client))
        async with _running(str(config), "--sentinel", "--dir", str(folder / "sentinel")):
            async with connect(f"redis://127.0.0.1:{sentinel}") as watcher:
                await _until(lambda: _knows_replica(watcher))
            yield _Fleet(sentinel=sentinel, master=first)


async def test_the_queue_follows_a_failover_and_its_fences_do_not_go_back(tmp_path: Path) -> None:
    async with _fleet(tmp_path) as fleet, connect(f"redis+sentinel://127.0.0.1:{fleet.sentinel}/mymaster/0") as client:
        queue = RedisQueue(client)
        await queue.add([offer("a"), offer("b")])
        before = await claim(queue)
        offset = int((await client.info("replication"))["master_repl_offset"])
        await _until(lambda: _replicated(client, offset))
        fleet.master.kill()
        await _until(lambda: queue.renew([before]))
        assert await queue.renew([before]) == {before.key}
        after = await claim(queue)
        assert (after.key, after.fence > before.fence) == (key("b"), True)


async def _has_replica(client: Redis) -> bool:
    info = await client.info("replication")
    return bool(info["connected_slaves"]) and info["slave0"]["state"] == "online"


async def _knows_replica(sentinel: Redis) -> bool:
    return int((await sentinel.info("sentinel"))["master0"]["slaves"]) == 1


async def _replicated(client: Redis, offset: int) -> bool:
    return int((await client.info("replication"))["slave0"]["offset"]) >= offset
