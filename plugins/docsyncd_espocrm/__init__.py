"""EspoCRM as catalog of documents, and its webhooks."""

from __future__ import annotations

from collections.abc import Iterable

from docsyncd import api


def _emulator() -> api.Emulator:
    """Imported only where a remote is played: never by the daemon, whose start and memory it would cost."""
    from .emulator import EspoEmulator

    return EspoEmulator()


@api.hookimpl
def docsyncd_connectors() -> Iterable[api.Connector]:
    """The connector `espocrm`."""
    from .client import connect
    from .config import EspoConfig
    from .webhook import webhooks

    yield api.Connector(
        name="espocrm",
        config=EspoConfig,
        offers=frozenset({"catalog"}),
        connect=connect,
        webhooks=webhooks,
        emulator=_emulator,
        inherits={"consent_field": "index.consent_field"},
    )
