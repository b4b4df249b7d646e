"""Three hashes of one pass: however the bytes are cut, they are those of the whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from docsyncd.hashing import CHUNK, Hasher, digest_bytes, digest_file


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_the_hashes_are_those_of_the_whole(parts: list[bytes]) -> None:
    hasher = Hasher()
    for part in parts:
        hasher.update(part)
    whole = b"".join(parts)
    digests = hasher.digests()
    assert digests == digest_bytes(whole)
    assert digests.md5 == hashlib.md5(whole, usedforsecurity=False).hexdigest()
    assert digests.sha256 == hashlib.sha256(whole).hexdigest()
    assert digests.blake3 == blake3(whole).hexdigest()
    assert digests.size == len(whole)


def test_a_file_has_the_hashes_of_its_bytes(tmp_path: Path) -> None:
    content = b"Klage " * CHUNK
    (tmp_path / "content").write_bytes(content)
    assert digest_file(tmp_path / "content") == digest_bytes(content)
