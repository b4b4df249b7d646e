"""Which kinds of documents have a preview without any plugin, and which programs of the system that takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from docsyncd.preview.previewer import Previewer

_PDF = Previewer(name="pdf", render="docsyncd.preview.pdf:first_page")
_IMAGE = Previewer(name="image", render="docsyncd.preview.image:first_frame")

BUILT_IN: Final[Mapping[str, Previewer]] = {
    "application/pdf": _PDF,
    "image/avif": _IMAGE,
    "image/bmp": _IMAGE,
    "image/gif": _IMAGE,
    "image/jpeg": _IMAGE,
    "image/png": _IMAGE,
    "image/tiff": _IMAGE,
    "image/webp": _IMAGE,
}

PROGRAMS: Final[Mapping[Previewer, tuple[str, ...]]] = {_PDF: ("pdftoppm", "pdfinfo")}
"""Both come with Debian's poppler-utils; pdf2image calls both."""
