"""The first frame of a picture. Runs in the worker only."""

from __future__ import annotations

from pathlib import Path
from typing import Final

# Registers these formats. Without them Pillow would import all of its forty readers at the first TIFF.
from PIL import AvifImagePlugin as AvifImagePlugin
from PIL import BmpImagePlugin as BmpImagePlugin
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL import GifImagePlugin as GifImagePlugin
from PIL import JpegImagePlugin as JpegImagePlugin
from PIL import PngImagePlugin as PngImagePlugin
from PIL import TiffImagePlugin as TiffImagePlugin
from PIL import WebPImagePlugin as WebPImagePlugin

from docsyncd.preview.previewer import Box, NoPreview

FORMATS: Final = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""Readers that a document may reach; a bomb in one of the others (FITS: CVE-2026-40192) stays out."""

_LYING: Final = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height (Exif 2.32, 4.6.4, tag 0x0112)."""

_AVERAGED_AS: Final = {"1": "L", "P": "RGBA", "PA": "RGBA", "I;16": "I", "I;16B": "I", "I;16L": "I"}
"""Pixels that cannot be averaged as they are: without this a scanned page in black and white loses its letters."""


def first_frame(path: Path, box: Box) -> Image.Image:
    """The upright picture, fitting the box. Shrinks first and turns then: the other way takes 220 MiB for 24 megapixels."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            small: Image.Image = picture
            # The size of a TIFF is already that of the upright picture; Pillow turns it when it is loaded.
            lying = picture.format != "TIFF" and picture.getexif().get(ExifTags.Base.Orientation) in _LYING
            if plain := _AVERAGED_AS.get(small.mode):
                small = small.convert(plain)
            small.thumbnail((box[1], box[0]) if lying else box)
            if small.mode == "I":  # 16 bits of grey; `convert` alone would make everything from 255 on white
                small = small.point(lambda grey: grey * (1 / 256)).convert("L")
            return ImageOps.exif_transpose(small)
    except UnidentifiedImageError:
        raise NoPreview("broken image: begins like one, but cannot be read") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise NoPreview(f"broken image: {error}") from error
