"""What xAI's error answers mean. Pure: decides by status, and by the text only where a wrong key hides behind a 400.

Bodies come as `{code, error}`, `{error: {message}}`, `{error: "…"}`, `{code, message, details}`, plain text or HTML from the edge
(xai.md, 1.5 and 2.7); none of them may break the reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from docsyncd.api import CredentialsRefused, RemoteError, Reply, RequestFailed

NO_STORAGE = (
    "this team has zero data retention, which switches xAI's files and collections off (x-zero-data-retention: true). "
    "Use a team without it, or switch it off in the console"
)


def explain(reply: Reply) -> str:
    """xAI's reason in at most 300 characters, whatever the shape."""
    try:
        body = json.loads(reply.body)
    except ValueError:
        body = None
    words = _message(body) or re.sub(r"<[^>]*>", " ", reply.text())
    return " ".join(words.split())[:300]


def _message(body: Any) -> str:
    if not isinstance(body, dict):
        return body if isinstance(body, str) else ""
    error = body.get("error", body.get("message"))
    if isinstance(error, dict):
        error = error.get("message")
    return error if isinstance(error, str) else ""


def is_wrong_key(status: int, words: str) -> bool:
    """401, 403, or the 400 with which api.x.ai answers a wrong key (xai.md, 1.5); not one that quotes a file's name."""
    if status in (401, 403):
        return True
    lower = words.lower()
    return status == 400 and "api key" in lower and "filename" not in lower


def classify(reply: Reply, *, remote: str, key: str) -> RemoteError | None:
    """Our reading of an error answer, or None for the transport's own. `key` is the name of the key in the configuration.

    A 403 in HTML is the edge's, which may dislike one text or name: the health call tells whether it is more than that.
    """
    words = explain(reply)
    if forbids_storage(reply.headers):
        return CredentialsRefused(NO_STORAGE, remote=remote)
    if reply.status == 403 and reply.body.lstrip().startswith(b"<"):
        return RequestFailed(f"{reply.method} {reply.path} was stopped at xAI's edge: {words}", remote=remote)
    if is_wrong_key(reply.status, words):
        return CredentialsRefused(f"refuses {key}: {words or reply.status}", remote=remote)
    return None


def forbids_storage(headers: Mapping[str, str]) -> bool:
    """Does an answer say that the team's data is never kept? Then files and collections do not work (xai.md, 4)."""
    return headers.get("x-zero-data-retention", "").strip().lower() == "true"
