"""Names, types and sizes, judged before anything is sent."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docsyncd.api import index_tag
from docsyncd_xai.emulator.multipart import name_refusal
from docsyncd_xai.media import MEDIA_TYPES
from docsyncd_xai.names import acceptable_name, refusal
from tests.plugins.xai.emulated import CONTENT, DOCUMENT, TAG


@pytest.mark.parametrize(
    ("name", "acceptable"),
    [
        ("Klage Müller ./. Groß.pdf", "Klage Müller ._. Groß.pdf"),
        ('Vollmacht "alt"; C:\\Akten.pdf', "Vollmacht _alt__ C:_Akten.pdf"),
        ("a\r\nb\x00c\x7fd\x85e\u2028f\u2029g.txt", "a__b_c_d_e_f_g.txt"),
        (unicodedata.normalize("NFD", "Übergabe.txt"), "Übergabe.txt"),
        ("\ud800.txt", "_.txt"),
        ("50 % [Entwurf] 'neu' & §§ 1–3.txt", "50 % [Entwurf] 'neu' & §§ 1–3.txt"),  # noqa: RUF001 - lawyers write it so
        ("", "_"),
    ],
)
def test_what_xai_forbids_becomes_an_underscore(name: str, acceptable: str) -> None:
    assert acceptable_name(name) == acceptable


@given(st.text(max_size=400))
def test_every_tagged_name_is_accepted_and_keeps_its_tag(name: str) -> None:
    sent = acceptable_name(index_tag.compose(name, DOCUMENT, CONTENT))
    assert name_refusal(sent) is None
    assert str(index_tag.read(sent)) == TAG
    assert sent.encode("utf-8")


def accepted(name: str, size: int) -> str | None:
    return refusal(name, size, max_bytes=48_000_000, media_types=MEDIA_TYPES)


@pytest.mark.parametrize(
    "name", ["Klage.pdf", "KLAGE.PDF", "Brief vom 3. Mai.docx", "Mail.msg", "notiz.txt", "a.tar.zip"]
)
def test_the_files_of_a_law_firm_are_accepted(name: str) -> None:
    assert accepted(name, 48_000_000) is None


@pytest.mark.parametrize(
    ("name", "size", "reason"),
    [
        ("Klage.pdf", 0, "Die Datei ist leer (0 Byte); xAI nimmt keine leeren Dateien an."),
        ("Klage.pdf", 48_000_001, "Die Datei ist zu groß für xAI: 48,1 MB, erlaubt sind 48 MB."),
        ("Klage.pdf", 62_914_560, "Die Datei ist zu groß für xAI: 63 MB, erlaubt sind 48 MB."),
        ("Klage", 10, "Die Datei hat keine Endung; ohne sie erkennt xAI den Dateityp nicht."),
        (".pdf", 10, "Die Datei hat keine Endung; ohne sie erkennt xAI den Dateityp nicht."),
    ],
)
def test_a_refusal_says_why_in_german(name: str, size: int, reason: str) -> None:
    assert accepted(name, size) == reason


def test_a_refused_type_is_named_with_what_would_be_accepted() -> None:
    reason = accepted("Unfallfoto.JPG", 10)
    assert reason is not None
    assert reason.startswith("Dateityp .jpg nimmt xAI nicht an (möglich sind PDF, Office,")


def test_a_configured_type_is_accepted() -> None:
    assert refusal("Mail.eml", 10, max_bytes=100, media_types={**MEDIA_TYPES, "eml": "message/rfc822"}) is None
