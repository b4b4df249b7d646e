"""A plugin that brings a connector by a name that another one has."""

from __future__ import annotations

from collections.abc import Iterable

import docsyncd_xai
from docsyncd import api


@api.hookimpl
def docsyncd_connectors() -> Iterable[api.Connector]:
    yield from docsyncd_xai.docsyncd_connectors()
