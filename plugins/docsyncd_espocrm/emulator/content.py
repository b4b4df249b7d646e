"""The bytes of one attachment: in memory while small, in an unnamed temporary file when large."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator

IN_MEMORY = 1024 * 1024
"""Bytes up to which content stays in memory. 1 MiB: most documents; a 60 MB one must not need several copies."""

PIECE = 256 * 1024


class Content:
    """Append-only bytes. Several readers may read at once; nobody moves a shared position."""

    def __init__(self, data: bytes = b"") -> None:
        self._memory = bytearray()
        self._file: int | None = None
        self.size = 0
        self.append(data)

    def append(self, data: bytes) -> None:
        if self._file is None and self.size + len(data) > IN_MEMORY:
            self._file = _unnamed_file(self)
            os.pwrite(self._file, self._memory, 0)
            self._memory = bytearray()
        if self._file is None:
            self._memory += data
        else:
            _write_all(self._file, data, self.size)
        self.size += len(data)

    def read(self, offset: int, length: int) -> bytes:
        if self._file is None:
            return bytes(self._memory[offset : offset + length])
        return os.pread(self._file, length, offset)

    def pieces(self, length: int) -> Iterator[bytes]:
        """The first `length` bytes, as they stood when reading began, piece by piece."""
        offset = 0
        while offset < length:
            piece = self.read(offset, min(PIECE, length - offset))
            yield piece
            offset += len(piece)

    def bytes(self) -> bytes:
        """Everything at once; for assertions on small files."""
        return self.read(0, self.size)


def _unnamed_file(owner: Content) -> int:
    descriptor, path = tempfile.mkstemp(prefix="espocrm-emulator-")
    os.unlink(path)  # noqa: PTH108 - the name goes at once, the descriptor keeps the bytes
    weakref.finalize(owner, os.close, descriptor)
    return descriptor


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
