"""A plugin that wants to ask its remote while it declares itself."""

from __future__ import annotations

from collections.abc import Iterable

from docsyncd import api


@api.hookimpl
async def docsyncd_connectors() -> Iterable[api.Connector]:
    return ()
