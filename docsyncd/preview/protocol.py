"""What daemon and worker say to each other, and how much of it the daemon believes.

Pure. A request is one message with the open document beside it; a reply is one line of JSON and then the picture. The
worker has met a hostile document: everything it says is checked before it is used.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from typing import Final

from docsyncd.preview.previewer import Box

REQUEST_BYTES: Final = 64 * 1024
REPLY_BYTES: Final = 4 * 1024 * 1024
"""600 x 800 pixels of pure noise take 700 KiB at quality 100."""

_REASON_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Draw the document that comes with this message, by `module:function`."""

    render: str
    box: Box
    pixels: int
    quality: int

    def pack(self) -> bytes:
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A picture that was checked: one still, lossy WebP image that fits the box, `width` x `height` pixels."""

    picture: bytes
    width: int
    height: int


class NotBelieved(Exception):
    """The worker's reply is not what a worker of ours would say."""


def unpack_request(message: bytes) -> Request:
    raw = json.loads(message)
    return Request(**{**raw, "box": tuple(raw["box"])})


def pack_reply(*, picture: bytes = b"", reason: str = "") -> bytes:
    return json.dumps({"reason": reason}).encode() + b"\n" + picture


def unpack_reply(reply: bytes, box: Box) -> Drawing | str:
    """The drawing, or the worker's reason for none.

    :raises NotBelieved: with what is wrong.
    """
    if len(reply) > REPLY_BYTES:
        raise NotBelieved(f"more than {REPLY_BYTES} bytes")
    line, _, picture = reply.partition(b"\n")
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        raise NotBelieved("its first line is not JSON") from None
    if not isinstance(said, dict) or not isinstance(reason := said.get("reason"), str):
        raise NotBelieved("it has no reason")
    if reason:
        return _one_line(reason)
    width, height = webp_size(picture)
    if not (1 <= width <= box[0] and 1 <= height <= box[1]):
        raise NotBelieved(f"{width} x {height} pixels do not fit")
    return Drawing(picture=picture, width=width, height=height)


def webp_size(picture: bytes) -> tuple[int, int]:
    """Width and height of a simple lossy WebP file (RFC 9649, 2.5; key frame header: RFC 6386, 9.1).

    :raises NotBelieved: for anything else, an extended file with metadata or animation included.
    """
    if len(picture) < 30 or picture[:4] != b"RIFF" or picture[8:16] != b"WEBPVP8 ":
        raise NotBelieved("not a simple WebP file")
    riff, chunk = struct.unpack_from("<I", picture, 4)[0], struct.unpack_from("<I", picture, 16)[0]
    if riff != len(picture) - 8 or chunk + chunk % 2 != len(picture) - 20:
        raise NotBelieved("the WebP file has another length than it says")
    if picture[20] & 1 or picture[23:26] != b"\x9d\x01\x2a":
        raise NotBelieved("the WebP file does not begin with a key frame")
    width, height = struct.unpack_from("<HH", picture, 26)
    return width & 0x3FFF, height & 0x3FFF


def _one_line(reason: str) -> str:
    """Fit for a log line and a record's field: no control characters, not longer than a sentence."""
    text = " ".join("".join(c if c.isprintable() else " " for c in reason).split())
    return text if len(text) <= _REASON_CHARACTERS else text[: _REASON_CHARACTERS - 1] + "…"
