"""What the example of `docsyncd_previewer` names."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def first_sheet(path: Path, box: tuple[int, int]) -> Image.Image:
    """A white sheet of the asked size."""
    if not path.is_file():
        raise FileNotFoundError(path)
    return Image.new("RGB", box, "white")
