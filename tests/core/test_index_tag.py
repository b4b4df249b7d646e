"""The tag in a file's name: what is composed can be read, whatever the document was called."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docsyncd.core import index_tag
from docsyncd.core.index_tag import Tag
from docsyncd.core.model import ContentHash, DocumentId

DOCUMENT = DocumentId("65f0c2a1b3d4e5f60")
CONTENT = ContentHash("0123456789ab" + "c" * 52)
TAG = "[65f0c2a1b3d4e5f60-0123456789ab]"


@pytest.mark.parametrize(
    ("name", "composed"),
    [
        ("Klage.pdf", f"Klage {TAG}.pdf"),
        ("Klage Müller ./. Groß.PDF", f"Klage Müller ./. Groß {TAG}.PDF"),
        ("Klage..pdf", f"Klage. {TAG}.pdf"),
        ("archive.tar.gz", f"archive.tar {TAG}.gz"),
        ("Vermerk", f"Vermerk {TAG}"),
        ("Brief vom 3. Mai 2026", f"Brief vom 3. Mai 2026 {TAG}"),
        (".profile", f".profile {TAG}"),
        ("..pdf", f"..pdf {TAG}"),
        ("", TAG),
        (".", f". {TAG}"),
        ("Entwurf [abc-0123456789ff].docx", f"Entwurf [abc-0123456789ff] {TAG}.docx"),
        ("Entwurf.[abc-0123456789ff]", f"Entwurf.[abc-0123456789ff] {TAG}"),
        ("Entwurf [abc-0123456789ff]", f"Entwurf [abc-0123456789ff] {TAG}"),
        (unicodedata.normalize("NFD", "Übergabe.txt"), f"Übergabe {TAG}.txt"),
    ],
)
def test_the_tag_stands_before_the_extension(name: str, composed: str) -> None:
    assert index_tag.compose(name, DOCUMENT, CONTENT) == composed
    assert index_tag.read(composed) == Tag(document=DOCUMENT, prefix="0123456789ab")


@given(st.text(max_size=400))
def test_whatever_a_document_is_called_its_tag_can_be_read(name: str) -> None:
    composed = index_tag.compose(name, DOCUMENT, CONTENT)
    read = index_tag.read(composed)
    assert read is not None
    assert str(read) == index_tag.tag(DOCUMENT, CONTENT)
    assert len(composed) <= index_tag.LIMIT
    assert index_tag.suffix(composed) == index_tag.suffix(unicodedata.normalize("NFC", name))


@pytest.mark.parametrize(
    "name",
    [
        "Klage.pdf",
        f"{TAG} Klage.pdf",
        f"Klage{TAG}.pdf",
        "Klage [65f0c2a1b3d4e5f60-0123456789].pdf",
        "Klage [65f0c2a1b3d4e5f60-0123456789AB].pdf",
        "Klage [Müller-0123456789ab].pdf",
        f"Klage {TAG}.tar.gz",
        "",
    ],
)
def test_what_only_resembles_a_tag_is_none(name: str) -> None:
    assert index_tag.read(name) is None


def test_an_id_with_dashes_is_read_whole() -> None:
    document = DocumentId("0f0e0d0c-1111-4222-8333-444455556666")
    assert index_tag.is_taggable(document)
    read = index_tag.read(index_tag.compose("Klage.pdf", document, CONTENT))
    assert read is not None
    assert read.document == document
    assert read.names(CONTENT)
    assert not read.names(ContentHash("f" * 64))


def test_what_is_too_long_is_cut_off_the_stem() -> None:
    composed = index_tag.compose("ä" * 300 + ".pdf", DOCUMENT, CONTENT)
    assert len(composed) == 255
    assert composed.endswith(f"ä {TAG}.pdf")
    assert index_tag.shorten("a" * 300 + ".pdf") == "a" * 251 + ".pdf"
    assert index_tag.shorten("a" * 300) == "a" * 255


@pytest.mark.parametrize(
    ("document", "content"), [("", CONTENT), ("a]b", CONTENT), ("x" * 65, CONTENT), ("a", "short"), ("a", "X" * 64)]
)
def test_no_tag_is_made_that_could_not_be_read(document: str, content: str) -> None:
    assert index_tag.is_taggable(DocumentId(document)) is (document == "a")
    with pytest.raises(ValueError, match="no tag can be made"):
        index_tag.tag(DocumentId(document), ContentHash(content))
