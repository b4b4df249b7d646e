"""Extensions, mime types and what the first bytes say: the checks of an upload's name and type (reference 4.1). Pure."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath

from docsyncd_espocrm.emulator.errors import forbidden
from docsyncd_espocrm.emulator.schema import Field

IMAGE_TYPES = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "svg": "image/svg+xml",
    "avif": "image/avif",
}
"""Extensions that an image field takes, with the type that must be declared; no TIFF."""


def extension_of(name: str) -> str:
    """Lower case, without the dot; empty if there is none."""
    _, dot, extension = PurePosixPath(name).name.rpartition(".")
    return extension.lower() if dot else ""


def type_of(name: str) -> str | None:
    """What a browser would declare for this name."""
    return IMAGE_TYPES.get(extension_of(name)) or mimetypes.guess_type(name)[0]


def check_accepted(field: Field, name: str, declared: str | None) -> None:
    """By the field's accept list: an extension (any case) or a mime type's token. Raises a 403."""
    if not field.accept:
        return
    extension = f".{extension_of(name)}"
    if extension == "." or not any(_matches(token, extension, declared or "") for token in field.accept):
        raise forbidden("Not allowed file type.")


def check_image(name: str, declared: str | None, head: bytes) -> None:
    """Extension, declared type and detected type must agree. Raises a 403."""
    expected = IMAGE_TYPES.get(extension_of(name))
    if expected is None:
        raise forbidden("Not allowed file type.")
    if declared != expected:
        raise forbidden("Passed type does not correspond to extension.")
    if detect(head) != expected:
        raise forbidden("Detected mime type does not correspond to extension.")


def detect(head: bytes) -> str:
    """The type by the first bytes, for the formats that matter here."""
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    if b"<svg" in head[:1024]:
        return "image/svg+xml"
    known = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}
    more = {b"II*\x00": "image/tiff", b"MM\x00*": "image/tiff", b"%PDF": "application/pdf"}
    return next((kind for magic, kind in (known | more).items() if head.startswith(magic)), "application/octet-stream")


def _matches(token: str, extension: str, declared: str) -> bool:
    if token.startswith("."):
        return token.lower() == extension
    family, _, kind = token.partition("/")
    return declared == token or (kind == "*" and declared.startswith(f"{family}/"))
