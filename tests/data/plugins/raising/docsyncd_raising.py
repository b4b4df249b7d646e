"""A plugin that imports its library when it declares itself."""

from __future__ import annotations

from collections.abc import Iterable

from docsyncd import api


@api.hookimpl
def docsyncd_connectors() -> Iterable[api.Connector]:
    raise ImportError("libdwg.so.7: cannot open shared object file")
