"""A plugin that names its connector instead of describing it."""

from __future__ import annotations

from collections.abc import Iterable

from docsyncd import api


@api.hookimpl
def docsyncd_connectors() -> Iterable[str]:
    yield "folder"
