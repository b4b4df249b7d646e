"""From any Pillow picture to the WebP that EspoCRM shows. Runs in the worker only."""

from __future__ import annotations

from io import BytesIO
from typing import Final

from PIL import Image

from docsyncd.preview.previewer import Box

_METHOD: Final = 2
"""libwebp's effort, 0 to 6: a text page costs 27 ms against 39 at 4, for one per cent more bytes (reference/performance.md)."""


def webp(picture: Image.Image, *, box: Box, quality: int) -> tuple[bytes, int, int]:
    """The bytes, width and height: fits the box in its own ratio, never enlarged, on white, without metadata."""
    if picture.has_transparency_data and picture.mode != "RGBA":
        picture = picture.convert("RGBA")
    elif picture.mode not in ("RGB", "RGBA"):
        picture = picture.convert("RGB")
    if picture.width > box[0] or picture.height > box[1]:
        picture.thumbnail(box)
    # A new picture: EXIF, ICC and XMP of the old one stay behind.
    sheet = Image.new("RGB", picture.size, "white")
    sheet.paste(picture, mask=picture if picture.mode == "RGBA" else None)
    out = BytesIO()
    sheet.save(out, "WEBP", quality=quality, method=_METHOD)
    return out.getvalue(), sheet.width, sheet.height
