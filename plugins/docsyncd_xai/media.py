"""Which kinds of file xAI indexes, told by the extension alone. Reads no content.

The list is xAI's own, which it calls non-exhaustive (reference/xai.md, 2.5): PDF, Office and OpenDocument texts, mail of
Outlook, RTF, HTML, CSV, EPUB, JSON, XML, ZIP and every text. Images, .eml, .p7s, .p7m and .vsd are not on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from docsyncd.api import index_tag

_OPENXML = "application/vnd.openxmlformats-officedocument"

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": f"{_OPENXML}.wordprocessingml.document",
    "dot": "application/msword",
    "dotx": f"{_OPENXML}.wordprocessingml.template",
    "epub": "application/epub+zip",
    "htm": "text/html",
    "html": "text/html",
    "ics": "text/calendar",
    "json": "application/json",
    "log": "text/plain",
    "md": "text/markdown",
    "msg": "application/vnd.ms-outlook",
    "odt": "application/vnd.oasis.opendocument.text",
    "pdf": "application/pdf",
    "potx": f"{_OPENXML}.presentationml.template",
    "ppsx": f"{_OPENXML}.presentationml.slideshow",
    "pptx": f"{_OPENXML}.presentationml.presentation",
    "rtf": "application/rtf",
    "text": "text/plain",
    "txt": "text/plain",
    "vcf": "text/vcard",
    "xls": "application/vnd.ms-excel",
    "xlsx": f"{_OPENXML}.spreadsheetml.sheet",
    "xltx": f"{_OPENXML}.spreadsheetml.template",
    "xml": "application/xml",
    "zip": "application/zip",
}
"""Extension, in lower case and without its dot → media type."""


def extension(name: str) -> str:
    """`pdf` of `Klage.PDF`; empty if there is none."""
    return index_tag.suffix(name).removeprefix(".").lower()


def media_type(name: str) -> str | None:
    """The media type by xAI's list, or None for what is not on it."""
    return MEDIA_TYPES.get(extension(name))
