"""What left the house and what was removed from there: an append-only, hash-chained file, kept ten years.

Each line is a JSON object whose `previous` is the BLAKE3 of the line before, so that nothing can be taken out or changed
unnoticed. It names ids, hashes and the remote's answers, never content or titles. One chain per daemon: back it up.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from blake3 import blake3

from docsyncd.clock import Clock
from docsyncd.errors import DocsyncdError
from docsyncd.work.durable import sync_folder

GENESIS = "0" * 64
"""`previous` of the first line."""


class AuditBroken(DocsyncdError):
    """The chain cannot be continued or verified; the text names the line."""


class Audit:
    """Appends to `<folder>/audit.jsonl`, durably, one line at a time."""

    def __init__(self, folder: Path, clock: Clock, *, daemon: str) -> None:
        self.path = folder / "audit.jsonl"
        self._clock = clock
        self._daemon = daemon
        self._one_at_a_time = anyio.Lock()

    async def append(self, event: str, facts: Mapping[str, Any]) -> None:
        """Returns after the line is on the disk. `OSError` stops the work that wanted to be recorded."""
        entry = {"at": self._clock.now().isoformat(), "daemon": self._daemon, "event": event, **facts}
        async with self._one_at_a_time:
            await anyio.to_thread.run_sync(self._append, entry)

    def _append(self, entry: Mapping[str, Any]) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_new = not self.path.exists()
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            tail = _cut_torn_line(file.fileno())
            line = json.dumps({"previous": tail, **entry}, ensure_ascii=False, sort_keys=True).encode() + b"\n"
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_folder(self.path.parent)


def verify(path: Path) -> int:
    """The number of lines of an unbroken chain; `AuditBroken` names the first line that does not follow."""
    previous = GENESIS
    count = 0
    with path.open("rb") as file:
        for count, line in enumerate(file, 1):
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise AuditBroken(f"{path}, line {count}: not JSON") from error
            if not isinstance(entry, dict) or entry.get("previous") != previous:
                raise AuditBroken(f"{path}, line {count}: does not follow the line before it")
            previous = _hash(line)
    return count


def _hash(line: bytes) -> str:
    return blake3(line).hexdigest()


def _cut_torn_line(descriptor: int) -> str:
    """The hash of the last whole line. A line without its end was never acknowledged (crash, full disk): it is cut off."""
    size = os.fstat(descriptor).st_size
    block = 65536
    while True:
        start = max(0, size - block)
        tail = os.pread(descriptor, size - start, start)
        end = tail.rfind(b"\n") + 1
        begin = tail.rfind(b"\n", 0, end - 1) + 1 if end else 0
        if begin or start == 0:
            break
        block *= 2
    if start + end < size:
        os.ftruncate(descriptor, start + end)
    return _hash(tail[begin:end]) if end else GENESIS
