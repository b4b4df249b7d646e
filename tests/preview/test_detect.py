"""The kind of a document is told from its bytes."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docsyncd.preview.detect import Sample, media_type, sample
from tests.preview import documents

OOXML = "application/vnd.openxmlformats-officedocument"


def kind_of(path: Path) -> str:
    document = os.open(path, os.O_RDONLY)
    try:
        return media_type(sample(document))
    finally:
        os.close(document)


def image(name: str, mode: str = "RGB") -> bytes:
    out = BytesIO()
    documents.halves((32, 32), mode).save(out, name)
    return out.getvalue()


def word() -> bytes:
    out = BytesIO()
    docx.Document().save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/x-empty"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
        (b"\x00\x00\r\njunk of a printer\r\n%PDF-1.4\n", "application/pdf"),
        (image("JPEG"), "image/jpeg"),
        (image("PNG"), "image/png"),
        (image("GIF"), "image/gif"),
        (image("WEBP"), "image/webp"),
        (image("TIFF"), "image/tiff"),
        (image("BMP"), "image/bmp"),
        (image("AVIF"), "image/avif"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "image/heic"),
        (word(), f"{OOXML}.wordprocessingml.document"),
        (documents.zip_with("[Content_Types].xml", "xl/workbook.xml"), f"{OOXML}.spreadsheetml.sheet"),
        (documents.zip_with("[Content_Types].xml", "ppt/presentation.xml"), f"{OOXML}.presentationml.presentation"),
        (
            documents.zip_with("content.xml", first=("mimetype", b"application/vnd.oasis.opendocument.text")),
            "application/vnd.oasis.opendocument.text",
        ),
        (documents.zip_with("Klage.txt"), "application/zip"),
        (documents.ole_with("WordDocument"), "application/msword"),
        (documents.ole_with("Workbook"), "application/vnd.ms-excel"),
        (documents.ole_with("PowerPoint Document"), "application/vnd.ms-powerpoint"),
        (documents.ole_with("__properties_version1.0"), "application/vnd.ms-outlook"),
        (documents.ole_with("Contents"), "application/x-ole-storage"),
        (rb"{\rtf1\ansi Klage}", "application/rtf"),
        (documents.mail(), "message/rfc822"),
        (b"<!DOCTYPE html><title>x</title>", "text/html"),
        ("Sehr geehrte Frau Müller".encode(), "text/plain"),
        ("Gebühren in Höhe von".encode("cp1252"), "text/plain"),
        ("Gebühren".encode("utf-16"), "text/plain"),
        (b"To: whom it may concern\nI write to you", "text/plain"),
        (b"\x00\x01\x02\x03 no kind at all", "application/octet-stream"),
    ],
)
def test_the_bytes_tell_the_kind(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "misleading.pdf").write_bytes(content)
    assert kind_of(tmp_path / "misleading.pdf") == kind


def test_the_names_at_the_end_of_a_large_archive_are_found(tmp_path: Path) -> None:
    archive = documents.zip_with(
        "[Content_Types].xml", *(f"word/media/{n}.xml" for n in range(9000)), "word/document.xml"
    )
    (tmp_path / "large.docx").write_bytes(archive)
    assert len(archive) > 1_000_000
    assert kind_of(tmp_path / "large.docx") == f"{OOXML}.wordprocessingml.document"


@given(
    st.sampled_from([b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"BM", b"\0\0\0\0ftyp"]),
    st.binary(),
    st.binary(),
)
def test_no_bytes_can_make_detection_fail(magic: bytes, rest: bytes, directory: bytes) -> None:
    assert "/" in media_type(Sample(head=magic + rest, directory=directory))


def test_a_directory_that_lies_beyond_the_end_is_no_error(tmp_path: Path) -> None:
    head = bytearray(documents.ole_with("WordDocument")[:600])
    head[0x30:0x34] = b"\xfe\xff\xff\xff"
    (tmp_path / "cut.doc").write_bytes(head)
    assert kind_of(tmp_path / "cut.doc") == "application/x-ole-storage"
