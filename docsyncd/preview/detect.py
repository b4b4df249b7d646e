"""What kind of document is this? Told from its bytes; name and declared type are only hints and not asked here.

Pure: works on the first bytes and, for the two container formats, on a bounded piece of their directory. Does not open
files (`sample` does, given a descriptor), does not unpack anything and does not validate: a PDF is what begins like one.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

UNKNOWN: Final = "application/octet-stream"
EMPTY: Final = "application/x-empty"

HEAD_BYTES: Final = 8192
"""Enough for every magic number, and for telling text from binary."""

_TAIL_BYTES: Final = 128 * 1024
"""A ZIP's directory stands at the end, behind it at most 65,557 bytes (APPNOTE.TXT 4.3.16). The part of the directory
that lies in this window tells the kind; reading all of it would let a hostile file choose how much memory we take."""

_OLE_SECTORS: Final = 4096
"""The first 32 entries of an OLE directory."""

_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"{\\rtf", "application/rtf"),
)
_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_OOXML: Final = {
    "word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt/": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_OLE_STREAMS: Final = {  # [MS-DOC] 2.1, [MS-XLS] 2.1, [MS-PPT] 2.1, [MS-OXMSG] 2.4
    "WordDocument": "application/msword",
    "Workbook": "application/vnd.ms-excel",
    "Book": "application/vnd.ms-excel",
    "PowerPoint Document": "application/vnd.ms-powerpoint",
    "__properties_version1.0": "application/vnd.ms-outlook",
}

_LATE_PDF = re.compile(rb"^%PDF-[12]\.\d", re.MULTILINE)
_ODF_TYPE = re.compile(rb"application/vnd\.oasis\.opendocument\.[a-z-]+")
_MAIL = re.compile(
    rb"(?:From |(?:Received|Return-Path|Delivered-To|MIME-Version|Message-ID|DKIM-Signature|X-[\w-]+"
    rb"|From|To|Subject|Date): ?\S.*\r?\n(?:[ \t].*\r?\n|[\w-]+:.*\r?\n)*?(?:From|To|Subject|Date|Received|Message-ID): )",
    re.IGNORECASE,
)
_HTML = re.compile(rb"\s*(?:<!doctype html|<html)", re.IGNORECASE)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The bytes that are looked at.

    :param head: the first `HEAD_BYTES` or all of it.
    :param directory: the end of a ZIP, or the beginning of an OLE directory; else nothing.
    """

    head: bytes
    directory: bytes = b""


def sample(document: int) -> Sample:
    """Read from an open descriptor what `media_type` needs. Does not move its position."""
    head = os.pread(document, HEAD_BYTES, 0)
    return Sample(head=head, directory=os.pread(document, *_directory_place(head, os.fstat(document).st_size)))


def media_type(seen: Sample) -> str:
    """The media type; `UNKNOWN` where nothing fits, `EMPTY` for no bytes at all."""
    head = seen.head
    if not head:
        return EMPTY
    if head.startswith(_ZIP):
        return _zip_kind(seen)
    if head.startswith(_OLE):
        return _ole_kind(seen.directory)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    return _image_container(head) or _late_pdf(head) or _text_kind(head) or UNKNOWN


def _directory_place(head: bytes, size: int) -> tuple[int, int]:
    """Length and offset of the directory's piece, as `os.pread` wants them."""
    if head.startswith(_ZIP):
        return _TAIL_BYTES, max(0, size - _TAIL_BYTES)
    if (
        head.startswith(_OLE) and len(head) >= 0x34
    ):  # [MS-CFB] 2.2: sector shift at 0x1E, first directory sector at 0x30
        shift, first = struct.unpack_from("<H", head, 0x1E)[0], struct.unpack_from("<I", head, 0x30)[0]
        if shift in (9, 12):
            return _OLE_SECTORS, (first + 1) << shift
    return 0, 0


def _zip_kind(seen: Sample) -> str:
    if seen.head[30:38] == b"mimetype" and (declared := _ODF_TYPE.match(seen.head, 38)):  # ODF 1.3 part 2, 3.3
        return declared[0].decode("ascii")
    for name in _zip_names(seen.directory):
        for folder, kind in _OOXML.items():
            if name.startswith(folder):
                return kind
    return "application/zip"


def _zip_names(directory: bytes) -> Iterator[str]:
    """The names in a piece of a ZIP's directory, whose beginning may be cut off (APPNOTE.TXT 4.3.12)."""
    at = directory.find(b"PK\x01\x02")
    while at >= 0:
        if len(directory) >= at + 46:
            (length,) = struct.unpack_from("<H", directory, at + 28)
            yield directory[at + 46 : at + 46 + length].decode("utf-8", "replace")
        at = directory.find(b"PK\x01\x02", at + 4)


def _ole_kind(directory: bytes) -> str:
    """An entry takes 128 bytes: 64 of name in UTF-16, then the name's length with its end mark ([MS-CFB] 2.6.1)."""
    for at in range(0, len(directory) - 127, 128):
        (length,) = struct.unpack_from("<H", directory, at + 64)
        name = directory[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
        if kind := _OLE_STREAMS.get(name):
            return kind
    return "application/x-ole-storage"


def _image_container(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if (
        head[:2] == b"BM"
        and len(head) >= 26
        and struct.unpack_from("<I", head, 14)[0] in (12, 40, 52, 56, 64, 108, 124)
    ):
        return "image/bmp"
    if head[4:8] == b"ftyp":
        brands = head[8 : struct.unpack_from(">I", head)[0]]
        if b"avif" in brands or b"avis" in brands:
            return "image/avif"
        if any(brand in brands for brand in (b"heic", b"heix", b"hevc", b"heim", b"mif1")):
            return "image/heic"
    return None


def _late_pdf(head: bytes) -> str | None:
    """Readers accept up to 1,024 bytes of junk before the header (ISO 32000-1, annex H, note 13)."""
    return "application/pdf" if _LATE_PDF.search(head, 0, 1024) else None


def _text_kind(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text/plain"
    if _CONTROL.search(head):
        return None
    body = head.removeprefix(b"\xef\xbb\xbf")
    if _MAIL.match(body):
        return "message/rfc822"
    return "text/html" if _HTML.match(body) else "text/plain"
