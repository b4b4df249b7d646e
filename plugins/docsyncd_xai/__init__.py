"""xAI Collections as the index."""

from __future__ import annotations

from collections.abc import Iterable

from docsyncd import api
from docsyncd_xai.client import connect
from docsyncd_xai.config import XaiConfig


def _emulator() -> api.Emulator:
    """Imported only where a remote is played: never by the daemon, whose start and memory it would cost."""
    from docsyncd_xai.emulator import XaiEmulator

    return XaiEmulator()


@api.hookimpl
def docsyncd_connectors() -> Iterable[api.Connector]:
    yield api.Connector(
        name="xai",
        config=XaiConfig,
        offers=frozenset({"index"}),
        connect=connect,
        emulator=_emulator,
        inherits={"max_file_mb": "index.max_file_mb"},
    )
