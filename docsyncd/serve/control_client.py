"""The other end of the control socket: what the command line calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from docsyncd.errors import DocsyncdError

MAX_LINE: Final = 64 * 1024 * 1024
"""Bytes of one line of the answer; the whole list of a large law firm's parked keys has a few MiB."""


class ControlError(DocsyncdError):
    """The daemon cannot be asked, or says no. `fix` is a sentence, or empty."""

    def __init__(self, message: str, fix: str = "") -> None:
        self.fix = fix
        super().__init__(message)


async def call(socket: Path, command: str, arguments: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any]]:
    """Run a command in the daemon: yields its progress, then `{"result": …}`; `ControlError` if it cannot or will not.

    Closing the generator (use `contextlib.aclosing`) or cancelling it cancels the command.
    """
    reader, writer = await _connect(socket)
    with closing(writer):
        writer.write(json.dumps({"command": command, "arguments": dict(arguments)}).encode() + b"\n")
        while True:
            line = await _line(reader)
            match line:
                case {"error": {"message": str(message), "fix": str(fix)}}:
                    raise ControlError(message, fix)
            yield line
            if "result" in line:
                return


async def _connect(socket: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await asyncio.open_unix_connection(socket, limit=MAX_LINE)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise ControlError(
            f"No docsyncd answers on {socket}.",
            "Start it with `sudo systemctl start docsyncd` (or `docsyncd run`). If it runs, [admin] control_socket of its"
            " configuration says where it answers.",
        ) from error
    except PermissionError as error:
        group = _group(socket)
        raise ControlError(
            f"You may not connect to {socket}; the members of the group {group} may.",
            f"Join it (`sudo usermod -aG {group} $USER`) and log in again, or use sudo.",
        ) from error
    except OSError as error:
        raise ControlError(f"{socket} cannot be connected to: {error.strerror or error}.") from error


def _group(socket: Path) -> str:
    """The group of the socket, or of the nearest directory above that may be looked at."""
    for path in (socket, *socket.parents):
        try:
            return path.group()
        except (PermissionError, FileNotFoundError, KeyError):
            continue
    return "docsyncd"


async def _line(reader: asyncio.StreamReader) -> Mapping[str, Any]:
    try:
        line: Mapping[str, Any] = json.loads(await reader.readuntil(b"\n"))
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise ControlError(
            "The daemon went away before it had answered.", "`systemctl status docsyncd` says why."
        ) from error
    return line
