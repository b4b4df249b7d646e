"""The JSON of level basic and what it means. Nobody has published it: names are configured, and nothing is taken for granted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from docsyncd.api import CaseFileNumber, ContentHash, FileState, ProtocolViolation, Reply, Revision, Scan
from docsyncd_watcher.config import KeysConfig
from docsyncd_watcher.names import relative
from docsyncd_watcher.wire import content_hash, path_oddity, require_distinct, require_owner

_OWNER_KEYS: Final = frozenset({"akte", "aktennummer", "aktennr"})
"""Under which a listing may say whose it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicListing:
    """A listing of level basic, with the keys that nobody has explained."""

    scan: Scan
    unknown: frozenset[str]


def basic_scan(
    reply: Reply, case_file: CaseFileNumber, *, keys: KeysConfig, zone: ZoneInfo, remote: str
) -> BasicListing:
    """Complete if it came wholly and parses: this level has no end marker (case-file-sync.md, decision 8)."""
    entries = _entries(reply.json(remote=remote), case_file, keys, remote)
    files = tuple(
        _basic_state(entry, keys, zone, remote) for entry in entries if _value(entry, keys.folder) is not True
    )
    require_distinct(files, remote)
    known = {name.casefold() for names in dict(keys).values() for name in names}
    unknown = frozenset(key for entry in entries for key in entry if key not in known)
    return BasicListing(scan=Scan(files=files, complete=True), unknown=unknown)


def _entries(body: Any, case_file: CaseFileNumber, keys: KeysConfig, remote: str) -> Sequence[Mapping[str, Any]]:
    """Each with its keys folded to one case."""
    listed = body
    if isinstance(body, dict):
        answer = _folded(body)
        for owner in _OWNER_KEYS & answer.keys():
            require_owner(answer[owner], case_file, remote)
        listed = _value(answer, keys.files)
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise ProtocolViolation(
            "the listing holds no list of files under a known name (connectors.….keys.files)", remote=remote
        )
    return [_folded(entry) for entry in listed]


def _basic_state(entry: Mapping[str, Any], keys: KeysConfig, zone: ZoneInfo, remote: str) -> FileState:
    path = _value(entry, keys.path) or _value(entry, keys.filename)
    if not isinstance(path, str) or not path:
        raise ProtocolViolation("a file of the listing has neither path nor name (connectors.….keys)", remote=remote)
    usn = _number(_value(entry, keys.usn))
    return FileState(
        path=relative(path),
        revision=Revision("" if usn is None else str(usn)),
        size=_number(_value(entry, keys.size)),
        modified_at=moment(_value(entry, keys.modified), zone),
        content=content_hash(_value(entry, keys.hash)),
        file_id=None,
        oddity=path_oddity(path),
    )


def told_hash(reply: Reply, keys: KeysConfig) -> ContentHash | None:
    """The hash in the answer to a basic upload, if there is one."""
    try:
        body = json.loads(reply.body)
    except ValueError:
        return None
    return content_hash(_value(_folded(body), keys.hash)) if isinstance(body, dict) else None


def _folded(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key.casefold(): value for key, value in entry.items()}


def _value(folded: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The first of the names that is there and not null."""
    return next((folded[name.casefold()] for name in names if folded.get(name.casefold()) is not None), None)


def _number(value: object) -> int | None:
    """A whole number, written as one or as text; anything else is unknown."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,20}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def moment(value: object, zone: ZoneInfo) -> datetime | None:
    """ISO 8601 or seconds since 1970, in UTC; without a zone it is the configured one's. Unreadable is None."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            read = datetime.fromisoformat(value.strip())
            return (read if read.tzinfo is not None else read.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None
