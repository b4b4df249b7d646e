"""The values: what they normalise, and what they compare."""

from __future__ import annotations

import pytest

from docsyncd.core.model import (
    CaseFileNumber,
    DocumentId,
    HolderId,
    case_file_key,
    document_key,
    holder_key,
    normalise_case_file_number,
)
from tests.core.index_world import NEW


@pytest.mark.parametrize(
    ("raw", "number"),
    [("123", "123"), (" 00123 ", "123"), ("0", "0"), ("000", "0"), ("", ""), (" ", ""), ("1020/24", "1020/24")],
)
def test_a_case_file_has_one_number_however_it_is_written(raw: str, number: str) -> None:
    assert normalise_case_file_number(raw) == number


def test_a_key_says_what_it_is_the_key_of() -> None:
    assert document_key(DocumentId("65f0")) == "doc:65f0"
    assert case_file_key(CaseFileNumber("123")) == "case:123"
    assert holder_key(HolderId("CAkten/65f0")) == "holder:CAkten/65f0"


@pytest.mark.parametrize("digest", [NEW.blake3, NEW.sha256, NEW.md5, NEW.md5.upper()])
def test_any_of_the_three_hashes_names_the_content(digest: str) -> None:
    assert NEW.names(digest)


@pytest.mark.parametrize("digest", [None, "", "0" * 32])
def test_no_other_hash_names_the_content(digest: str | None) -> None:
    assert not NEW.names(digest)
