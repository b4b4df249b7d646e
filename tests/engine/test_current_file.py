"""Which of a document's files holds a content, as far as a hash or a tag tells."""

from __future__ import annotations

import pytest

from docsyncd.core.model import IndexFileId
from docsyncd.engine.survey import current_file, holds
from docsyncd.hashing import digest_bytes
from docsyncd.work.ledger import StoredFile

CONTENT = digest_bytes(b"Klage")
OTHER = digest_bytes(b"Klage, berichtigt")


@pytest.mark.parametrize("known", [CONTENT.blake3, CONTENT.sha256, CONTENT.md5, CONTENT.blake3[:12]])
def test_a_hash_or_the_twelve_digits_of_a_tag_name_the_content(known: str) -> None:
    assert holds(StoredFile(content=known), CONTENT)
    assert not holds(StoredFile(content=known), OTHER)


@pytest.mark.parametrize("known", ["", CONTENT.blake3[:11], CONTENT.blake3[:13], CONTENT.sha256[:12]])
def test_less_than_a_tag_names_nothing(known: str) -> None:
    assert not holds(StoredFile(content=known), CONTENT)


def test_of_several_files_with_one_content_every_run_chooses_the_same() -> None:
    same = StoredFile(content=CONTENT.blake3)
    files = {IndexFileId("f3"): same, IndexFileId("f1"): StoredFile(content=OTHER.blake3), IndexFileId("f2"): same}
    assert current_file(files, CONTENT) == "f2"
    assert current_file(dict(reversed(files.items())), CONTENT) == "f2"
    assert current_file(files, None) is None
    assert current_file({}, CONTENT) is None
