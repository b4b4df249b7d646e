"""The signed request for a token. Pure: the caller brings time and nonce (advoware-windows-sync.md, 1.1 and 1.2).

The signature is HMAC-SHA-512 over `Product:AppID:Nonce:RequestTimeStamp`, keyed with the decoded API key, in base64. The very
string that is signed is the one that is sent: servers accept several spellings of a time, but not two of them at once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Literal

Fraction = Literal["milliseconds", "seconds", "ticks"]


def key_of(text: str) -> bytes:
    """The API key's bytes. `ValueError` if it is not base64."""
    try:
        key = base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise ValueError("it is not base64") from error
    if not key:
        raise ValueError("it is empty")
    return key


def timestamp(moment: datetime, fraction: Fraction) -> str:
    """`2026-11-21T12:00:00.123Z`; `ticks` has seven digits, as the vendor's example."""
    utc = moment.astimezone(UTC)
    digits = f"{utc.microsecond:06d}"
    decimals = {"seconds": "", "milliseconds": f".{digits[:3]}", "ticks": f".{digits}0"}[fraction]
    return f"{utc:%Y-%m-%dT%H:%M:%S}{decimals}Z"


def signature(key: bytes, *, product: int, app_id: str, nonce: str, stamp: str) -> str:
    message = f"{product}:{app_id}:{nonce}:{stamp}"
    return base64.b64encode(hmac.digest(key, message.encode(), hashlib.sha512)).decode()
