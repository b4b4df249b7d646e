"""EspoCRM's webhooks: which signatures count, and what a body says. Pure but for the first look at the secrets.

Facts: reference/espocrm.md, 1.4 and 1.5. Both headers hold base64 of the webhook's id, a colon and the HMAC-SHA256 of the raw
body: `Signature` as hex (since 9.0), `X-Signature` as 32 raw bytes (removal announced for 11.0). The key is the secret as text.
A payload says only that something happened to these ids; what it was is read from the record.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from docsyncd.api import (
    Decoded,
    DocumentId,
    Notice,
    Secret,
    SignatureRefused,
    Webhook,
    document_key,
)

from .config import EspoConfig
from .rest import is_identifier

Secrets = Mapping[str, Sequence[bytes]]
"""By webhook id, its secrets, current and previous in any order."""

_DIGEST_SIZE: Final = hashlib.sha256().digest_size


def webhooks(config: EspoConfig) -> Sequence[Webhook]:
    """One URL per event. The secrets are read once, at the first request: `connect` has shown before that they can be."""
    secrets = _Revealed(config)
    events = {"create": config.webhooks.create, "update": config.webhooks.update, "delete": config.webhooks.delete}
    return [
        Webhook(
            path=path,
            topic=f"vmh.document.{event}",
            decode=partial(_decode_with, secrets, f"vmh.document.{event}"),
        )
        for event, path in events.items()
    ]


def reveal_secrets(config: EspoConfig, *, table: str) -> Secrets:
    """Every webhook's secrets. `ConfigError` names the key of one that cannot be read."""
    found: dict[str, list[bytes]] = {}
    for number, entry in enumerate(config.webhooks.secrets):
        secret = revealed(entry.secret, key=f"{table}.webhooks.secrets.{number}.secret")
        found.setdefault(entry.id, []).append(secret.encode())
    return found


def revealed(secret: Secret, *, key: str) -> str:
    """The secret itself; what is wrong with it is said with its key in the configuration."""
    return secret.reveal(key=key)


class _Revealed:
    """The secrets of one configuration generation, read when first needed and then kept."""

    def __init__(self, config: EspoConfig) -> None:
        self._config = config
        self._secrets: Secrets | None = None

    def __call__(self) -> Secrets:
        if self._secrets is None:
            self._secrets = reveal_secrets(self._config, table="connectors.espocrm")
        return self._secrets


def _decode_with(secrets: Callable[[], Secrets], topic: str, headers: Mapping[str, str], body: bytes) -> Decoded:
    return decode(secrets(), topic, headers, body)


def decode(secrets: Secrets, topic: str, headers: Mapping[str, str], body: bytes) -> Decoded:
    """One notice per distinct document, in the order of the body. `SignatureRefused` unless one of our secrets signed it.

    :param headers: by lower-case name.
    :param body: the raw bytes: EspoCRM escapes JSON in its own way, so nothing but these bytes was signed.
    """
    if not is_signed(secrets, headers, body):
        raise SignatureRefused("no signature that one of our secrets made over this body")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return Decoded(malformed=True)
    items = [content] if isinstance(content, dict) else content
    if not isinstance(items, list):
        return Decoded(malformed=True)
    found = [_identifier(item) for item in items]
    documents = dict.fromkeys(identifier for identifier in found if identifier is not None)
    return Decoded(
        notices=tuple(Notice(key=document_key(DocumentId(each)), topic=topic) for each in documents),
        skipped=found.count(None),
    )


def is_signed(secrets: Secrets, headers: Mapping[str, str], body: bytes) -> bool:
    """Does either header hold a digest that a secret of the webhook in front of it makes?"""
    claims = (
        _claim(headers.get("signature"), hexadecimal=True),
        _claim(headers.get("x-signature"), hexadecimal=False),
    )
    return any(
        hmac.compare_digest(digest, hmac.digest(secret, body, "sha256"))
        for webhook, digest in (claim for claim in claims if claim is not None)
        for secret in secrets.get(webhook, ())
    )


def _claim(header: str | None, *, hexadecimal: bool) -> tuple[str, bytes] | None:
    """Webhook id and digest, or None if the header is not of this form. A raw digest may hold colons: the first one counts."""
    try:
        webhook, colon, digest = base64.b64decode(header or "", validate=True).partition(b":")
        claimed = binascii.unhexlify(digest) if hexadecimal else digest
        return (webhook.decode("ascii"), claimed) if colon and len(claimed) == _DIGEST_SIZE else None
    except ValueError:
        return None


def _identifier(item: Any) -> str | None:
    """The item's id if it has one that EspoCRM could have given."""
    identifier = item.get("id") if isinstance(item, dict) else None
    if isinstance(identifier, int) and not isinstance(identifier, bool):
        identifier = str(identifier)
    return identifier if isinstance(identifier, str) and is_identifier(identifier) else None
