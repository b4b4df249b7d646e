"""The signature, against a value that `openssl dgst -sha512 -mac HMAC` made."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest

from docsyncd_advoware import signing

MOMENT = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)


def test_the_signature_is_that_of_the_vendor() -> None:
    made = signing.signature(
        b"emulated key of the App-ID",
        product=64,
        app_id="3f2c9d1e-emulated-app",
        nonce="0b0e7c52-6b0e-4a7e-9a53-0f6f6b1f0c11",
        stamp="2026-11-21T12:00:00.123Z",
    )
    assert made == ("6KTNX7VT7IjmSbB1hGjsiCiTbdgP8OdsoaKxoHBEeiP8EwdrLdpwLavYqlfDmKQjhSVdEQxG3/6RHFMo+WgWNQ==")


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        ("milliseconds", "2026-11-21T12:00:00.123Z"),
        ("seconds", "2026-11-21T12:00:00Z"),
        ("ticks", "2026-11-21T12:00:00.1234560Z"),
    ],
)
def test_the_time_is_utc_in_the_shape_that_is_asked_for(fraction: signing.Fraction, text: str) -> None:
    assert signing.timestamp(MOMENT, fraction) == text
    assert signing.timestamp(MOMENT.astimezone(timezone(timedelta(hours=2))), fraction) == text


def test_a_key_is_base64_with_or_without_line_ends() -> None:
    text = base64.b64encode(b"key" * 40).decode()
    assert signing.key_of(text[:60] + "\n" + text[60:] + "\n") == b"key" * 40


@pytest.mark.parametrize("text", ["", "not base64!", "abc"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it is"):
        signing.key_of(text)
