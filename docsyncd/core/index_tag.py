"""The tag by which we know our files in the index: `Klage [<document id>-<first 12 of the hash>].pdf`.

Ownership is this tag or the ledger, never a name or a size. Composes and reads names; knows nothing of what a
particular index forbids in them, and does no I/O.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from docsyncd.core.model import ContentHash, DocumentId

LIMIT: Final = 255
"""Unicode characters of a name (reference/xai.md, 1.2). What is too much is cut off the stem."""

PREFIX: Final = 12
"""Hex digits of the content's BLAKE3: 48 bits tell two contents of one document apart, and leave the name readable."""

_EXTENSION = r"\.[^.\s\[\]/]{1,20}"
_DOCUMENT = r"[A-Za-z0-9_-]{1,64}"
_TAG = rf"\[(?P<document>{_DOCUMENT})-(?P<prefix>[0-9a-f]{{{PREFIX}}})\]"
_TAGGED = re.compile(rf"(?:.*\s|){_TAG}(?:{_EXTENSION})?", re.DOTALL)
_TAIL = re.compile(rf"(?:(?:^|\s){_TAG})?(?:{_EXTENSION})?\Z")
_SUFFIX = re.compile(rf"(?<=.){_EXTENSION}\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """Whose file it is, and which content. `str(tag)` is what `Index.find` looks for."""

    document: DocumentId
    prefix: str

    def __str__(self) -> str:
        return f"[{self.document}-{self.prefix}]"

    def names(self, content: ContentHash) -> bool:
        """Can the tagged file hold this content?"""
        return content.startswith(self.prefix)


def tag(document: DocumentId, content: ContentHash) -> str:
    """`[<document id>-<first 12 of the hash>]`. ValueError for an id or a hash that no tag can carry."""
    text = str(Tag(document=document, prefix=content[:PREFIX]))
    if re.fullmatch(_TAG, text) is None:
        raise ValueError(f"no tag can be made of the document id {document!r} and the hash {content!r}")
    return text


def is_taggable(document: DocumentId) -> bool:
    """Can a tag carry this id? EspoCRM's are 17 to 36 letters, digits and dashes."""
    return re.fullmatch(_DOCUMENT, document) is not None


def compose(name: str, document: DocumentId, content: ContentHash) -> str:
    """The name under which a document's content is uploaded: NFC, at most 255 characters, its extension kept."""
    normal = unicodedata.normalize("NFC", name)
    extension = suffix(normal)
    stem = normal.removesuffix(extension)
    return shorten(f"{stem} {tag(document, content)}{extension}".lstrip())


def read(name: str) -> Tag | None:
    """The tag in front of the extension, or None. Anything earlier that looks like one is part of somebody's name."""
    match = _TAGGED.fullmatch(name)
    return match and Tag(document=DocumentId(match["document"]), prefix=match["prefix"])


def suffix(name: str) -> str:
    """`.pdf` in its own case, or nothing. A leading dot begins a name, and no extension holds a space."""
    match = _SUFFIX.search(name.lstrip("."))
    return match[0] if match else ""


def shorten(name: str, limit: int = LIMIT) -> str:
    """At most `limit` characters; a tag and an extension at the end stay whole."""
    match = _TAIL.search(name)
    tail = match[0] if match else ""
    return name if len(name) <= limit else name[: limit - len(tail)] + tail
