"""Names: which two are one on NTFS, which Windows refuses, which are nobody's document, and what we call a copy.

Knows strings only: asks no file system, resolves no 8.3 alias and never changes a name that exists.
Source: reference/advoware-windows-sync.md, 2.3 and 2.4.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from datetime import datetime
from functools import lru_cache
from typing import Final, NewType

from docsyncd.core.model import RelativePath, Side

NtfsKey = NewType("NtfsKey", str)
"""Equal for exactly those paths that NTFS takes for one file."""

LONGEST_PATH: Final = 240
"""UTF-16 units of a path below the case file's root: Word and Advoware stop at 260 for the whole path (NTFS itself: 255 a name)."""

_FORBIDDEN = re.compile(r'[<>:"\\|?*\x00-\x1f]')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³]) *(?:\..*)?", re.IGNORECASE | re.DOTALL)
_NOBODYS = re.compile(
    r"~\$.*|\.~lock\..*|~.*\.tmp|.*\.(?:tmp|part|partial|crdownload)|thumbs\.db|desktop\.ini|\.ds_store",
    re.IGNORECASE | re.DOTALL,
)
_COPY = re.compile(
    r".* \(Konflikt \d{4}-\d\d-\d\d \d\d\.\d\d (?:EspoCRM|Windows)\)(?: \(\d+\))?(?:\.[^.]*)?", re.DOTALL
)

SIDE_NAMES: Final = {Side.RECORD: "EspoCRM", Side.REPLICA: "Windows"}
"""How people call the two sides, in the names of conflict copies."""


@lru_cache(maxsize=65_536)
def ntfs_key(path: str) -> NtfsKey:
    """Each UTF-16 unit in upper case, as the volume's table has it: no full folding (ß stays ß), no normalisation."""
    plain = path.replace("\\", "/")
    return NtfsKey(plain.upper() if plain.isascii() else "".join(map(_upper, plain)))


def _upper(unit: str) -> str:
    if unit < "\x80":
        return unit.upper()
    upper = unit.upper()
    return upper if len(upper) == 1 and "\x7f" < upper <= "\uffff" else unit


def caution_key(path: str) -> str:
    """Equal for paths that people confuse: NFC and NFD, ß and ss, trailing dots. It only warns (row 34)."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path.replace("\\", "/")).casefold())
    return "/".join(part.rstrip(". ") for part in folded.split("/"))


def name_of(path: str) -> str:
    """The last component."""
    return path.rpartition("/")[2]


def has_folder(path: str) -> bool:
    """A bare name has none. A watcher of level basic writes bare names only."""
    return "/" in path


def refusal(path: str) -> str | None:
    """Why Windows, Word or Explorer would refuse this path, as words for a person, or None."""
    if _units(path) > LONGEST_PATH:
        return f"longer than {LONGEST_PATH} characters"
    return next(filter(None, map(_part_refusal, path.split("/"))), None)


def _part_refusal(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "a part of the path is no name"
    if _FORBIDDEN.search(part):
        return "a character that Windows forbids"
    if _DEVICE.fullmatch(part):
        return "a name that Windows reserves for a device"
    return "a dot or a space at its end" if part[-1] in " ." else None


def windows_path(path: RelativePath) -> RelativePath | None:
    """The path that a record's name gets on Windows: itself, or with what is refused replaced; None if nothing helps (row 35).

    The item remembers both names, so nothing has to be read back from the mapped one.
    """
    mapped = RelativePath("/".join(_mapped(part) for part in path.split("/")))
    return mapped if refusal(mapped) is None else None


def _mapped(part: str) -> str:
    if part in ("", ".", ".."):
        return part
    clean = _FORBIDDEN.sub("_", part)
    clean = clean.rstrip(". ") + "_" * (len(clean) - len(clean.rstrip(". ")))
    return f"_{clean}" if _DEVICE.fullmatch(clean) else clean


def is_nobodys(path: str) -> bool:
    """Owner files, temporary files, unfinished downloads, Explorer's own (row 23): no document, and never a deletion."""
    return _NOBODYS.fullmatch(name_of(path)) is not None


def owner_files(path: str) -> frozenset[NtfsKey]:
    """The owner files that Word, Excel or LibreOffice would put beside the file while somebody has it open."""
    folder, slash, name = path.rpartition("/")
    marks = (f"~${name}", f"~${name[1:]}", f"~${name[2:]}", f".~lock.{name}#")
    return frozenset(ntfs_key(f"{folder}{slash}{mark}") for mark in marks)


def conflict_copy(path: RelativePath, when: datetime, side: Side) -> RelativePath:
    """`Klage.docx` → `Klage (Konflikt 2026-11-21 14.05 EspoCRM).docx`: whose text it is, and when we found out.

    :param when: in the zone that people read.
    """
    return _marked(path, f" (Konflikt {when:%Y-%m-%d %H.%M} {SIDE_NAMES[side]})")


def is_conflict_copy(path: str) -> bool:
    """Is this a name that `conflict_copy` made? Then it stays a record only, even if our memory was lost."""
    return _COPY.fullmatch(name_of(path)) is not None


def free_path(path: RelativePath, taken: Container[NtfsKey]) -> RelativePath:
    """The path, or the first of `Name (2).docx`, `Name (3).docx` … that NTFS takes for nobody else's (rows 33 and 36)."""
    candidate, count = path, 1
    while ntfs_key(candidate) in taken:
        count += 1
        candidate = _marked(path, f" ({count})")
    return candidate


def _marked(path: RelativePath, mark: str) -> RelativePath:
    """The mark before the extension; what is too long is cut off the stem."""
    folder, slash, name = path.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    tail = f"{mark}{dot}{extension}"
    room = LONGEST_PATH - _units(folder + slash) - _units(tail)
    while _units(stem) > max(room, 1):
        stem = stem[:-1]
    return RelativePath(f"{folder}{slash}{stem.rstrip()}{tail}")


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
