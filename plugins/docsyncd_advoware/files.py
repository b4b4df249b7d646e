"""From the file of a History entry to a path below the Akte's folder, by rules. Pure; what no rule fits has no path.

Values are drive letters, UNC names or relative paths, by 8.3 aliases even (advoware-windows-sync.md, 1.6). Resolving an alias
needs the disk, so none is: a wrong path would make a stranger's file a member of the Akte.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from docsyncd.api import RelativePath
from docsyncd_advoware.config import Files
from docsyncd_advoware.wire import Row, text

_ABSOLUTE = re.compile(r"[a-z]:|/", re.IGNORECASE)
_SHORT = re.compile(r"[^./~]{1,6}~\d{1,2}(\.[^./]{0,3})?")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Unmapped(Exception):
    """No path; the text says why, without the file's name (names are client data)."""


def relative_path(value: str, akte: Mapping[str, Any], settings: Files) -> RelativePath:
    """The path below the Akte's folder. Raises `Unmapped`.

    :param akte: `number`, `id`, `reference` and the Akte's own keys, for the placeholders.
    """
    words = value.strip().replace("\\", "/")
    parts = _below(words, akte, settings).split("/")
    if any(part in ("", ".", "..") or ":" in part for part in parts):
        raise Unmapped("the value leads out of the folder, or is no path of a file")
    if not settings.short_names and any(_SHORT.fullmatch(part) for part in parts):
        raise Unmapped("an 8.3 name, which may stand for another one")
    return RelativePath("/".join(parts))


def _below(words: str, akte: Mapping[str, Any], settings: Files) -> str:
    """What is left behind the root of the first rule that fits."""
    if not _ABSOLUTE.match(words):
        if settings.relative:
            return words
        raise Unmapped("a relative value, and files.relative is off")
    for rule in settings.rules:
        pattern = _root(rule.root, akte)
        if pattern is not None and (match := re.match(pattern, words, re.IGNORECASE)):
            return words[match.end() :]
    raise Unmapped(f"no rule fits {_whereabouts(words)}")


def _root(root: str, akte: Mapping[str, Any]) -> str | None:
    """The rule as a pattern for this Akte; None if the Akte has no value for a placeholder."""
    known = Row(akte)
    pieces: list[str] = []
    for number, piece in enumerate(_PLACEHOLDER.split(root.replace("\\", "/").rstrip("/"))):
        if number % 2 == 0:
            pieces.append(re.escape(piece).replace(r"\*", "[^/]+"))
            continue
        value = text(known.get(piece))
        if value is None:
            return None
        pieces.append(re.escape(value.replace("\\", "/").rstrip("/")))
    return "".join(pieces) + "/"


def _whereabouts(words: str) -> str:
    """The drive or the server's name: enough to write a rule, and no client's name."""
    if words.startswith("//"):
        return f"values on the server {words[2:].partition('/')[0]}"
    return f"values on drive {words[:2]}" if words[1:2] == ":" else "values without a drive"


def written_value(path: RelativePath, akte: Mapping[str, Any], template: str) -> str:
    """The value that a new entry gets. Raises `Unmapped` if the Akte lacks what the template needs."""
    known = Row({**akte, "path": path.replace("/", "\\")})

    def value(match: re.Match[str]) -> str:
        found = text(known.get(match[1]))
        if found is None:
            raise Unmapped(f"the Akte has no value for {{{match[1]}}} of writes.file_value")
        return found

    return _PLACEHOLDER.sub(value, template)
