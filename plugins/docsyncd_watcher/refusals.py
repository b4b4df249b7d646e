"""What a watcher's error answers mean. Pure. The codes are those of docs/reference/watcher-protocol.md; a watcher of level basic
has none, and then the status alone speaks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from docsyncd.api import (
    CorruptContent,
    CredentialsRefused,
    NotReady,
    PreconditionFailed,
    ProtocolViolation,
    Rejected,
    RemoteError,
    Reply,
    RequestFailed,
    Unavailable,
)

HEALTH: Final = "/capabilities"

STALE_FENCE: Final = "stale-fence"

LOCKED: Final = 60.0
"""Seconds until a file that another program has open is looked at again: people keep documents open for minutes."""

BUSY: Final = 30.0
"""Seconds, if a busy watcher does not say."""


def explain(reply: Reply) -> str:
    """The watcher's reason in at most 300 characters, whatever the shape."""
    message = _error(reply).get("message")
    words = message if isinstance(message, str) and message else reply.text()
    return " ".join(words.split())[:300]


def code(reply: Reply) -> str:
    """`locked`, `absent`, …; empty without one. An answer to HEAD has no body: the header says it, too."""
    found = _error(reply).get("code")
    return found if isinstance(found, str) else reply.headers.get("X-Error-Code", "")


def _error(reply: Reply) -> Mapping[str, Any]:
    try:
        body = json.loads(reply.body)
    except ValueError:
        return {}
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {"message": error}


def classify(reply: Reply, *, remote: str) -> RemoteError | None:
    """Our reading of an error answer, or None for the transport's own (401, 408, 429, 5xx)."""
    meaning = _BY_CODE.get(code(reply)) or _BY_STATUS.get(reply.status)
    return None if meaning is None else meaning(reply, remote)


def _said(reply: Reply) -> str:
    return f"{reply.method} answered {reply.status} {code(reply)}: {explain(reply)}"


def _locked(reply: Reply, remote: str) -> RemoteError:
    return NotReady("another program has the file open", remote=remote, retry_after=_seconds(reply, LOCKED))


def _busy(reply: Reply, remote: str) -> RemoteError:
    return NotReady(_said(reply), remote=remote, retry_after=_seconds(reply, BUSY))


def _no_space(reply: Reply, remote: str) -> RemoteError:
    return Unavailable(f"the file server has no room: {explain(reply)}", remote=remote)


def _unconditional(reply: Reply, remote: str) -> RemoteError:
    return ProtocolViolation(
        f'{_said(reply)}. It demands preconditions: is level = "basic" configured for a watcher of level extended?',
        remote=remote,
    )


def _forbidden(reply: Reply, remote: str) -> RemoteError:
    """Without a code nobody knows whether one file or the token is meant: the health call tells."""
    kind = CredentialsRefused if reply.path.startswith(HEALTH) else RequestFailed
    return kind(_said(reply), remote=remote)


def _of(kind: type[RemoteError]) -> Callable[[Reply, str], RemoteError]:
    return lambda reply, remote: kind(_said(reply), remote=remote)


_BY_CODE: Final[Mapping[str, Callable[[Reply, str], RemoteError]]] = {
    "absent": _of(PreconditionFailed),
    "bad-name": _of(Rejected),
    "busy": _busy,
    "denied": _of(Rejected),
    "hash-mismatch": _of(CorruptContent),
    "locked": _locked,
    "no-space": _no_space,
    "operation-mismatch": _of(ProtocolViolation),
    "precondition-failed": _of(PreconditionFailed),
    "precondition-required": _unconditional,
    "too-large": _of(Rejected),
}

_BY_STATUS: Final[Mapping[int, Callable[[Reply, str], RemoteError]]] = {
    403: _forbidden,
    412: _of(PreconditionFailed),
    422: _of(CorruptContent),
    423: _locked,
    428: _unconditional,
    507: _no_space,
}


def _seconds(reply: Reply, otherwise: float) -> float:
    value = reply.headers.get("Retry-After", "").strip()
    return float(value) if value.isdigit() else otherwise
