"""The first page of a PDF, by poppler. Runs in the worker only."""

from __future__ import annotations

from pathlib import Path

from pdf2image import convert_from_path
from pdf2image.exceptions import PDFPageCountError
from PIL import Image

from docsyncd.preview.previewer import Box, NoPreview


def first_page(path: Path, box: Box) -> Image.Image:
    """The first page as a reader shows it (crop box), its longer side as long as the box's.

    Scaled to pixels and never by dpi: a 14,400 pt page costs what a letter costs. `pdftoppm` exits 0 even when it ran
    out of memory (reference/reliability.md, 5.3), so what counts is whether a whole page came out.
    """
    try:
        pages = convert_from_path(
            path, first_page=1, last_page=1, single_file=True, size=max(box), use_cropbox=True, output_file="page"
        )
    except PDFPageCountError as error:
        raise NoPreview(_refusal(str(error))) from error
    except ValueError as error:
        raise NoPreview("broken PDF: only a part of the first page came out") from error
    if not pages:
        raise NoPreview("broken PDF: no page came out")
    try:
        pages[0].load()
    except OSError as error:
        raise NoPreview("broken PDF: only a part of the first page came out") from error
    return pages[0]


def _refusal(complaint: str) -> str:
    """What `pdfinfo` said, in a sentence."""
    if "Incorrect password" in complaint:
        return "encrypted PDF: needs a password"
    lines = [line.strip() for line in complaint.splitlines()[1:] if line.strip()]
    return f"broken PDF: {lines[-1] if lines else 'pdfinfo cannot read it'}"
