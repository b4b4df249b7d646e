"""The two signatures of a webhook request (reference 1.5). Pure: a key and bytes in, headers out."""

from __future__ import annotations

import base64
import hashlib
import hmac


def signature_headers(webhook_id: str, secret_key: str, body: bytes) -> dict[str, str]:
    """`Signature` over the hex digest, `X-Signature` over the raw one. The key is the secret's own text, not decoded from hex."""
    digest = hmac.new(secret_key.encode(), body, hashlib.sha256)
    prefix = f"{webhook_id}:".encode()
    return {
        "Signature": base64.b64encode(prefix + digest.hexdigest().encode()).decode(),
        "X-Signature": base64.b64encode(prefix + digest.digest()).decode(),
    }
