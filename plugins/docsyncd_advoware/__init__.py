"""Advoware's Aktengeschichte (History) as the journal."""

from __future__ import annotations

from collections.abc import Iterable

from docsyncd import api
from docsyncd_advoware.client import connect
from docsyncd_advoware.config import AdvowareConfig


def _emulator() -> api.Emulator:
    """Imported only where a remote is played: never by the daemon, whose start and memory it would cost."""
    from docsyncd_advoware.emulator import AdvowareEmulator

    return AdvowareEmulator()


@api.hookimpl
def docsyncd_connectors() -> Iterable[api.Connector]:
    yield api.Connector(
        name="advoware",
        config=AdvowareConfig,
        offers=frozenset({"journal"}),
        connect=connect,
        emulator=_emulator,
    )
