"""Three hashes of one pass over the bytes.

MD5 and SHA-256 because EspoCRM's fields and the earlier implementation hold them, BLAKE3 because xAI and the watcher do.
One worker thread hashes 256 KiB chunks: a thread per chunk costs a quarter of the rate (reference: performance.md, floors).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from blake3 import blake3

from docsyncd.core.model import ContentHash, Digests

CHUNK = 1024 * 1024


class Hasher:
    """Feed it the bytes in order; `digests` may be asked at any time."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._blake3 = blake3()
        self._size = 0

    def update(self, data: bytes) -> None:
        self._md5.update(data)
        self._sha256.update(data)
        self._blake3.update(data)
        self._size += len(data)

    def digests(self) -> Digests:
        return Digests(
            blake3=ContentHash(self._blake3.hexdigest()),
            sha256=self._sha256.hexdigest(),
            md5=self._md5.hexdigest(),
            size=self._size,
        )


def digest_bytes(data: bytes) -> Digests:
    hasher = Hasher()
    hasher.update(data)
    return hasher.digests()


def digest_file(path: Path) -> Digests:
    """Blocking; call it in a worker thread."""
    hasher = Hasher()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
    return hasher.digests()
