"""The temp folder of a worker that sees the real file system.

A daemon that is killed cannot tidy up. So each folder is locked for as long as its daemon lives, and the next daemon removes
every folder of this user that nobody holds.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

PREFIX: Final = "docsyncd-preview-"


class Scratch:
    """A private folder, held until `remove`."""

    def __init__(self) -> None:
        """:raises OSError: no place for it, a full disk for example."""
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        while (held := _hold(self.path)) is None:
            # Another daemon's sweep took the new folder in the instant before we held it.
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._held = held

    def remove(self) -> None:
        """With all that is in it. Nobody may be writing there any more.

        :raises OSError: something in it resists; the next `sweep` tries again.
        """
        try:
            shutil.rmtree(self.path)
        finally:
            os.close(self._held)


def sweep() -> list[str]:
    """Remove what a killed daemon left; returns what could not be removed, in words."""
    resisting = []
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if (held := _hold(folder)) is not None:
            try:
                shutil.rmtree(folder)
            except OSError as error:
                resisting.append(f"{folder}: {error}")
            finally:
                os.close(held)
    return resisting


def _hold(folder: Path) -> int | None:
    """A descriptor that holds the folder; None if another process does, or it is gone or not ours."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.fstat(descriptor).st_uid == os.getuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if folder.exists():
                return descriptor
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None
