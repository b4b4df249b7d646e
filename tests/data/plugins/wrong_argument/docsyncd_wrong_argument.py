"""A plugin that calls a hook's argument by another name."""

from __future__ import annotations

from docsyncd import api


@api.hookimpl
def docsyncd_previewer(mime: str) -> api.Previewer | None:
    return None
