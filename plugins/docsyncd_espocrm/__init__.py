"""EspoCRM as catalog of documents, and its webhooks."""

from __future__ import annotations

from collections.abc import Iterable

from docsyncd import api


@api.hookimpl
def docsyncd_connectors() -> Iterable[api.Connector]:
    """The connector `espocrm`."""
    from .client import connect
    from .config import EspoConfig
    from .emulator import EspoEmulator
    from .webhook import webhooks

    yield api.Connector(
        name="espocrm",
        config=EspoConfig,
        offers=frozenset({"catalog"}),
        connect=connect,
        webhooks=webhooks,
        emulator=EspoEmulator,
        inherits={"consent_field": "index.consent_field"},
    )
