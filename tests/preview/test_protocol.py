"""The daemon believes a worker only what it can check."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from docsyncd.preview.protocol import (
    REPLY_BYTES,
    Drawing,
    NotBelieved,
    Request,
    pack_reply,
    unpack_reply,
    unpack_request,
    webp_size,
)

BOX = (600, 800)


def webp(size: tuple[int, int], **options: object) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, "red").save(out, "WEBP", **options)
    return out.getvalue()


@given(st.integers(1, 600), st.integers(1, 800))
def test_a_picture_is_taken_with_the_size_that_it_has(width: int, height: int) -> None:
    picture = webp((width, height))
    assert unpack_reply(pack_reply(picture=picture), BOX) == Drawing(picture=picture, width=width, height=height)


def test_a_request_arrives_as_it_was_sent() -> None:
    request = Request(render="a.b:c", box=(600, 800), pixels=50_000_000, quality=85)
    assert unpack_request(request.pack()) == request


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"{}\n",
        b"[1]\n",
        b'{"reason": 1}\n',
        b"[" * 100_000,
        pack_reply(),
        pack_reply(picture=b"<svg/>"),
        pack_reply(picture=webp((601, 10))),
        pack_reply(picture=webp((10, 801))),
        pack_reply(picture=webp((10, 10)) + b"more"),
        pack_reply(picture=webp((10, 10))[:-4]),
        pack_reply(picture=webp((10, 10), lossless=True)),
        pack_reply(picture=webp((10, 10), exif=b"Exif\0\0MM\0*")),
        pack_reply(reason="x") + b"x" * REPLY_BYTES,
    ],
)
def test_anything_else_is_not_believed(reply: bytes) -> None:
    with pytest.raises(NotBelieved):
        unpack_reply(reply, BOX)


@given(st.binary(max_size=200))
def test_no_bytes_can_do_more_than_be_disbelieved(noise: bytes) -> None:
    with pytest.raises(NotBelieved):
        webp_size(noise)
    with pytest.raises(NotBelieved):
        unpack_reply(pack_reply(picture=noise), BOX)


def test_a_reason_is_one_short_printable_line() -> None:
    reason = unpack_reply(pack_reply(reason="first\n\x1b[31msecond " + "x" * 1000), BOX)
    assert isinstance(reason, str)
    assert reason.startswith("first [31msecond x")
    assert len(reason) == 300
