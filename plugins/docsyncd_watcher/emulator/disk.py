"""What the emulated watcher serves: a disk with case files on it. `Ntfs` is one in memory, `Folder` one that people can see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

OpenState = Literal["closed", "reading", "writing", "exclusive"]

FOLDER = 0x10
ARCHIVE = 0x20
REPARSE_POINT = 0x400


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One file as the disk shows it now.

    :param path: below the case file's folder, `/` between its parts; any UTF-16, lone surrogates included.
    :param bytes_at: a local file that holds the content, which nobody changes.
    :param stamp: what must stay equal while the file is being read.
    """

    path: str
    file_id: str
    parent_id: str
    usn: int
    size: int
    modified: datetime
    changed: datetime
    attributes: int
    links: int
    open_state: OpenState
    blake3: str
    bytes_at: Path

    @property
    def stamp(self) -> tuple[str, int, int, datetime]:
        return self.file_id, self.usn, self.size, self.modified


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The volume's change journal. `active` is False while it is deleted or switched off."""

    id: str
    first_usn: int
    next_usn: int
    active: bool = True


class Refused(Exception):
    """The disk says no. `code` is the extended protocol's: absent, locked, denied, bad-name, …"""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


class Disk(Protocol):
    """The little that the HTTP side asks. Every method is immediate."""

    @property
    def serial(self) -> str:
        """Of the volume."""

    @property
    def journal(self) -> Journal:
        """As it stands now."""

    def root_id(self, case_file: str) -> str | None:
        """The file id of the case file's folder, or None if it has none."""

    def listing(self, case_file: str) -> Sequence[Seen]:
        """Every file and folder below it, folders included; empty without a folder."""

    def find(self, case_file: str, path: str) -> Seen | None:
        """The file that Windows would open under this path, in whatever case it is written; `Refused` if it is denied."""

    def require_readable(self, case_file: str, path: str) -> Seen:
        """The same, opened for reading: `Refused` as absent, locked or denied."""

    def require_writable(self, case_file: str, path: str) -> None:
        """`Refused` if the path is no name for Windows, or what stands there cannot be replaced now."""

    def spool(self) -> Path:
        """Where arriving bytes go first: on the same volume."""

    def commit(self, case_file: str, path: str, spooled: Path, blake3: str, size: int) -> tuple[Seen, str | None]:
        """Put spooled bytes in place, whole or not at all; the file, and the quarantine's reference of what stood there."""
