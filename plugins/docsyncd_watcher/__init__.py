"""The watcher on the Windows file server: a Replica, and the set by which case files become due."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from docsyncd import api
from docsyncd_watcher.client import connect
from docsyncd_watcher.config import WatcherConfig


def _emulator(root: Path | None = None) -> api.Emulator:
    """Imported only where a remote is played: never by the daemon, whose start and memory it would cost."""
    from docsyncd_watcher.emulator import WatcherEmulator

    return WatcherEmulator(root=root)


@api.hookimpl
def docsyncd_connectors() -> Iterable[api.Connector]:
    yield api.Connector(
        name="watcher",
        config=WatcherConfig,
        offers=frozenset({"replica", "feed"}),
        connect=connect,
        emulator=_emulator,
    )
