"""Draws one of the kinds that `docsyncd_good` draws, too."""

from __future__ import annotations

from docsyncd import api


@api.hookimpl
def docsyncd_previewer(media_type: str) -> api.Previewer | None:
    return api.Previewer(name="first", render="first:draw") if media_type == "image/x-good-and-first" else None
