"""What Advoware's error answers mean, by a table of the configuration. Pure.

The vendor publishes no error schema; its own client knows errors by German words in the body (advoware-windows-sync.md, 1.4).
Bodies may be JSON of any shape, plain text or HTML. What cannot be understood is "unknown", never "empty".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from docsyncd.api import CredentialsRefused, Rejected, RemoteError, Reply, RequestFailed, Unavailable
from docsyncd_advoware.error_table import ErrorRule, Meaning

_TEXTS = ("message", "error", "error_description", "detail", "title", "meldung", "fehler")


def explain(reply: Reply) -> str:
    """Advoware's reason in at most 300 characters, whatever the shape."""
    try:
        body = json.loads(reply.body)
    except ValueError:
        body = None
    words = _message(body) or re.sub(r"<[^>]*>", " ", reply.text())
    return " ".join(words.split())[:300]


def _message(body: Any) -> str:
    if isinstance(body, str):
        return body
    if not isinstance(body, dict):
        return ""
    folded = {str(key).casefold(): value for key, value in body.items()}
    return next((found for text in _TEXTS if (found := _message(folded.get(text)))), "")


def meaning(reply: Reply, rules: Iterable[ErrorRule]) -> Meaning | None:
    """The first line that fits, or None. JSON's escapes are read as the letters that they stand for."""
    text = f"{reply.text()}\n{explain(reply)}"
    return next((rule.means for rule in rules if _fits(rule, reply.status, text)), None)


def _fits(rule: ErrorRule, status: int, text: str) -> bool:
    return rule.status in (None, status) and re.search(rule.pattern, text, re.IGNORECASE) is not None


def classifier(rules: Iterable[ErrorRule], *, remote: str, pause: float) -> Callable[[Reply], RemoteError | None]:
    """For the transport: the exception behind an error answer; None leaves a transient one to it, with its Retry-After.

    :param pause: seconds to stay away from a firm that is offline.
    """
    table = tuple(rules)

    def classify(reply: Reply) -> RemoteError | None:
        return failure(reply, meaning(reply, table) or Meaning.UNKNOWN, remote=remote, pause=pause)

    return classify


def failure(reply: Reply, means: Meaning, *, remote: str, pause: float) -> RemoteError | None:
    words = f"{reply.method} {reply.path} answered {reply.status}: {explain(reply)}".rstrip(": ")
    match means:
        case Meaning.CREDENTIALS:
            return CredentialsRefused(f"refuses user, password or key. {words}", remote=remote)
        case Meaning.NOT_LICENSED:
            return CredentialsRefused(f"this App-ID or user is not enabled for the Kanzlei. {words}", remote=remote)
        case Meaning.FIRM_OFFLINE:
            return Unavailable(f"the firm's Advoware is offline. {words}", remote=remote, retry_after=pause)
        case Meaning.NOT_FOUND | Meaning.VALIDATION:
            return Rejected(words, remote=remote)
        case Meaning.TRANSIENT:
            return None if reply.status in _LEFT_TO_THE_TRANSPORT else RequestFailed(words, remote=remote)
        case Meaning.UNKNOWN:
            return RequestFailed(f"an answer that nobody knows. {words}", remote=remote)


_LEFT_TO_THE_TRANSPORT = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 530)})
