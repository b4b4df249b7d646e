"""The daemon as a process of its own, as systemd would run it: started, watched, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import Process

from docsyncd.errors import DocsyncdError
from docsyncd.serve.control_client import ControlError, call

START = 20.0
"""Seconds that the daemon may take until it answers."""


class DaemonProcess:
    """`async with DaemonProcess(config, folder, addresses) as daemon`: ready inside, gone after."""

    def __init__(self, config: Path, folder: Path, addresses: Mapping[str, str]) -> None:
        self.config = config
        self.log = folder / "daemon.log"
        self.restarts = 0
        self.peak_rss = 0
        self._socket = folder / "state" / "control.sock"
        self._addresses = addresses
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self.stop()

    @property
    def pid(self) -> int:
        if self._process is None:
            raise DocsyncdError("the daemon is not running")
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return None if self._process is None else self._process.returncode

    async def start(self) -> None:
        """Start it and wait until it answers; `DocsyncdError` with the end of its log if it does not."""
        with self.log.open("ab") as log:
            self._process = await anyio.open_process(
                [sys.executable, "-m", "docsyncd", "run", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        with anyio.move_on_after(START):
            while self._process.returncode is None:
                with suppress(ControlError):
                    if (await self.ask("status"))["mode"] != "starting":
                        return
                await anyio.sleep(0.05)
        raise DocsyncdError(f"the daemon did not start. The end of its log:\n{self._log_end()}")

    async def ask(self, command: str, **arguments: Any) -> Mapping[str, Any]:
        """One command over the control socket."""
        async with aclosing(call(self._socket, command, arguments)) as lines:
            async for line in lines:
                if "result" in line:
                    return dict(line["result"])
        raise ControlError(f"no answer to {command}")

    async def look(self) -> None:
        """Note how much memory it has used so far; `DocsyncdError` if it has ended by itself."""
        process = self._process
        if process is None or process.returncode is not None:
            raise DocsyncdError(f"the daemon has ended. The end of its log:\n{self._log_end()}")
        self._note_memory(process.pid)

    async def kill_and_restart(self) -> None:
        """As a power cut would: no signal handler runs."""
        await self.kill()
        self.restarts += 1
        await self.start()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None and self._process.returncode is None:
            self._note_memory(self._process.pid)
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM; SIGKILL if it does not end."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._note_memory(process.pid)
        process.send_signal(signal.SIGTERM)
        with anyio.move_on_after(30):
            await process.wait()
        await self.kill()

    def addresses(self) -> str:
        """For `--stay`."""
        lines = [f"  {name}: {url}" for name, url in self._addresses.items()]
        return "\n".join(
            [
                "Everything keeps running until Ctrl-C:",
                *lines,
                f"  docsyncd status --config {self.config}",
                f"  log: {self.log}",
            ]
        )

    def _note_memory(self, pid: int) -> None:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
                if line.startswith("VmHWM:"):
                    self.peak_rss = max(self.peak_rss, int(line.split()[1]) * 1024)

    def _log_end(self) -> str:
        with suppress(OSError):
            return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        return "(no log)"


def free_port() -> int:
    """A port on loopback that nobody holds at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_toml(
    folder: Path,
    listener: str,
    connectors: Mapping[str, Mapping[str, Any]],
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> Path:
    """A whole configuration for a run on this machine, with the embedded queue; `overrides` by table and key."""
    tables: dict[str, Mapping[str, Any]] = {
        "daemon": {"state_dir": str(folder / "state"), "log_format": "json"},
        "queue": {"lease": 5.0},
        "listener": {"bind": listener},
        "index": {"mode": "live", "poll_every": 5.0, "first_look": 0.5, "upload_settles": 1.0},
    }
    for name, override in (overrides or {}).items():
        tables[name] = {**tables.get(name, {}), **override}
    lines: list[str] = []
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items()), ""]
    for name, table in connectors.items():
        lines += [f"[connectors.{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items()), ""]
    path = folder / "docsyncd.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    os.chmod(path, 0o600)  # noqa: PTH101 - one call says it best
    return path


def _toml(value: Any) -> str:
    """A TOML value; strings are JSON strings, which TOML's basic strings contain."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
