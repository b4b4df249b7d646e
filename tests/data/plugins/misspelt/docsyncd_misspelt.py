"""A plugin with a typing error in its hook's name."""

from __future__ import annotations

from collections.abc import Iterable

from docsyncd import api


@api.hookimpl
def docsyncd_conectors() -> Iterable[api.Connector]:
    return ()
