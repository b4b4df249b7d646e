"""What xAI accepts, told before anything is sent: names, types and sizes. Asks nobody.

`refusal` ends in EspoCRM's `xaiSyncError`, for the people of a German law firm.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from docsyncd.api import index_tag
from docsyncd_xai.media import extension

_FORBIDDEN = re.compile('[\x00-\x1f\x7f\x85\u2028\u2029";\\\\/\ud800-\udfff]')
"""Control characters, NEL, the separators, `"`, `;` and `\\` (xai.md, 1.2, from the protocol's own comments). A `/` may be taken
for a path by the other side, and a lone surrogate has no UTF-8 form."""


def acceptable_name(name: str) -> str:
    """The name in NFC with `_` for what xAI forbids, at most 255 characters; its tag and its extension stay whole."""
    return index_tag.shorten(_FORBIDDEN.sub("_", unicodedata.normalize("NFC", name))) or "_"


def refusal(name: str, size: int, *, max_bytes: int, media_types: Mapping[str, str]) -> str | None:
    """Why this content cannot be indexed, in German, or None."""
    kind = extension(name)
    if size == 0:
        return "Die Datei ist leer (0 Byte); xAI nimmt keine leeren Dateien an."
    if size > max_bytes:
        return f"Die Datei ist zu groß für xAI: {_megabytes(size)} MB, erlaubt sind {_megabytes(max_bytes)} MB."
    if not kind:
        return "Die Datei hat keine Endung; ohne sie erkennt xAI den Dateityp nicht."
    if kind not in media_types:
        return f"Dateityp .{kind} nimmt xAI nicht an (möglich sind PDF, Office, OpenDocument, RTF, HTML, CSV, Text, .msg, .zip)."
    return None


def _megabytes(size: int) -> str:
    """German decimal comma; rounded up, so that what is too large never reads as allowed."""
    tenths = -(-size // 100_000)
    whole, rest = divmod(tenths, 10)
    return f"{whole},{rest}" if rest else str(whole)
