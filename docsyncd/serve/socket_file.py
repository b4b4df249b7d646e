"""The file of a unix socket: who may connect is its mode, who owns it is settled before it is replaced."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from docsyncd.errors import ConfigError

MODE: Final = 0o660
MAX_PATH: Final = 107
"""Bytes of a socket's path: `sun_path` has 108 with its final zero (unix(7))."""
_SETTING: Final = "admin.control_socket"


@asynccontextmanager
async def listening_on(path: Path) -> AsyncIterator[socket.socket]:
    """A listening socket on `path` until the context ends, then remove it. What a killed daemon left behind is replaced.

    `ConfigError` if the path is too long, taken (by another daemon, or by a file that is no socket) or not writable.
    """
    _require_fitting(path)
    try:
        if _inode(path) is not None:
            await _require_abandoned(path)
        listener = _bound(path)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {path}: {error.strerror}.",
            key=_SETTING,
            fix=f"{path.parent} must be a directory in which the daemon's user may write.",
        ) from error
    made = _inode(path)
    try:
        with listener:
            yield listener
    finally:
        _remove(path, made)


def _bound(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        path.unlink(missing_ok=True)
        listener.bind(bytes(path))
        path.chmod(MODE)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _require_fitting(path: Path) -> None:
    length = len(bytes(path))
    if length > MAX_PATH:
        raise ConfigError(
            f"the path of a socket has {MAX_PATH} bytes at most, {path} has {length}.",
            key=_SETTING,
            fix="Choose a shorter one, such as /run/docsyncd/control.sock.",
        )


async def _require_abandoned(path: Path) -> None:
    if not Path.is_socket(path):
        raise ConfigError(f"{path} is there and is no socket.", key=_SETTING, fix="Remove it, or choose another path.")
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except ConnectionRefusedError:
        return
    writer.close()
    raise ConfigError(
        f"another docsyncd answers on {path}.",
        key=_SETTING,
        fix="Stop it, or give this one a control socket of its own.",
    )


def _inode(path: Path) -> int | None:
    """What stands there now; None for nothing."""
    return path.stat().st_ino if path.exists() else None


def _remove(path: Path, inode: int | None) -> None:
    """Unless somebody has put something else there meanwhile."""
    if inode is not None and _inode(path) == inode:
        path.unlink()
