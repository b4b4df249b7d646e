"""What NTFS and Win32 make of a name. Pure; of its own, so that a mistake of the connector's is not repeated here.

Source: reference/advoware-windows-sync.md, 2.3.
"""

from __future__ import annotations

import re

LONGEST = 255
"""UTF-16 units of one name."""

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", *(f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³")}
)


def upcase(name: str) -> str:
    """The volume's up-case table: each UTF-16 unit by itself. `ß` stays, and so does what would become two characters,
    leave the BMP, or turn a letter outside ASCII into one inside. No normalisation: NFC and NFD stay two names.
    """
    return "".join(map(_upcase_unit, name))


def _upcase_unit(unit: str) -> str:
    upper = unit.upper()
    if unit.isascii():
        return upper
    return upper if len(upper) == 1 and not upper.isascii() and ord(unit) <= 0xFFFF and ord(upper) <= 0xFFFF else unit


def refusal(name: str) -> str | None:
    """Why Win32 would not create this name, or None."""
    if name in ("", ".", ".."):
        return "no name"
    if _FORBIDDEN.search(name):
        return "a forbidden character"
    if name[-1] in " .":
        return "a trailing dot or space"
    if name.partition(".")[0].rstrip(" ").upper() in _DEVICES:
        return "a device's name"
    return "longer than 255 UTF-16 units" if units(name) > LONGEST else None


def units(name: str) -> int:
    """UTF-16 units; lone surrogates are units like any other."""
    return len(name.encode("utf-16-le", "surrogatepass")) // 2


def owner_file(name: str) -> str:
    """The file by which Word says that it has `name` open: `~$` and the name without its first two characters."""
    return "~$" + (name[2:] if len(name.rpartition(".")[0] or name) > 7 else name)
