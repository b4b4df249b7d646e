"""How the emulated watcher spells things on the wire, at both levels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote_to_bytes
from zoneinfo import ZoneInfo

from aiohttp import web

from docsyncd_watcher.emulator.behaviour import Behaviour
from docsyncd_watcher.emulator.disk import FOLDER, Disk, Refused, Seen

STATUS: Final[Mapping[str, int]] = {
    "bad-request": 400,
    "bad-name": 400,
    "unauthorized": 401,
    "denied": 403,
    "absent": 404,
    "busy": 409,
    "stale-fence": 409,
    "operation-mismatch": 409,
    "precondition-failed": 412,
    "too-large": 413,
    "hash-mismatch": 422,
    "locked": 423,
    "precondition-required": 428,
    "unavailable": 503,
    "no-space": 507,
}
"""The extended protocol's codes (docs/reference/watcher-protocol.md, "Errors")."""

MACHINE_ZONE: Final = ZoneInfo("Europe/Berlin")


def refusal(refused: Refused, behaviour: Behaviour, **more: Any) -> web.Response:
    """The extended form, or what a basic watcher is believed to say: plain text."""
    if behaviour.level == "extended":
        body = {"error": {"code": refused.code, "message": refused.message, **more}}
        headers = {"X-Error-Code": refused.code}
        if refused.code in ("unavailable", "busy"):
            headers["Retry-After"] = "30"
        return web.json_response(body, status=STATUS[refused.code], headers=headers)
    status = behaviour.locked_status if refused.code == "locked" else STATUS[refused.code]
    return web.Response(text=refused.message, status=status if status != 412 else 500)


def text(raw: str) -> str:
    """A percent-encoded name as NTFS has it: UTF-8, in which lone surrogates are encoded like any other unit."""
    try:
        return unquote_to_bytes(raw).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise Refused("bad-request", "a name that is not UTF-8") from error


def query(request: web.Request) -> Mapping[str, str]:
    """The query, decoded by ourselves: aiohttp's own would lose lone surrogates. `+` is a plus sign."""
    pairs = (pair.partition("=") for pair in request.raw_path.partition("?")[2].split("&") if pair)
    return {text(name): text(value) for name, _, value in pairs}


def segments(request: web.Request) -> Sequence[str]:
    """The parts of the path, decoded after they were split: an encoded `/` separates nothing."""
    return [text(part) for part in request.raw_path.partition("?")[0].split("/")[1:]]


def basic_listing(case_file: str, files: Sequence[Seen], behaviour: Behaviour) -> web.Response:
    entries = [_basic_entry(file, behaviour) for file in files if not file.attributes & FOLDER]
    if behaviour.list_at_most is not None:
        entries = entries[: behaviour.list_at_most]
    return _json(entries if behaviour.shape == "list" else {"akte": case_file, "files": entries})


def _basic_entry(file: Seen, behaviour: Behaviour) -> Mapping[str, Any]:
    seed = behaviour.spelling == "seed"
    entry: dict[str, Any] = {
        "filename" if seed else "name": file.path.rpartition("/")[2],
        "path" if seed else "relative_path": file.path.replace("/", behaviour.separator),
        "usn": file.usn if seed else str(file.usn),
        "size": file.size,
        "modified": _basic_time(file.modified, behaviour),
        "watcherVersion": "1.4",
    }
    if behaviour.hashes == "listed":
        entry["blake3Hash" if seed else "hash"] = file.blake3 if seed else file.blake3.upper()
    return entry


def _basic_time(moment: datetime, behaviour: Behaviour) -> str | float:
    match behaviour.modified:
        case "zoned":
            return moment.isoformat().replace("+00:00", "Z")
        case "naive":
            return moment.astimezone(MACHINE_ZONE).replace(tzinfo=None).isoformat()
        case "seconds":
            return moment.timestamp()
        case "garbage":
            return "vorgestern"


def extended_listing(
    case_file: str, files: Sequence[Seen], disk: Disk, behaviour: Behaviour, generated_at: datetime
) -> web.Response:
    shown = files if behaviour.list_at_most is None else files[: behaviour.list_at_most]
    journal = disk.journal
    return _json(
        {
            "akte": case_file,
            "protocol": 1,
            "generatedAt": _moment(generated_at),
            "volumeSerial": disk.serial,
            "journalId": journal.id if journal.active else None,
            "firstUsn": journal.first_usn,
            "nextUsn": journal.next_usn,
            "rootFileId": disk.root_id(case_file),
            "files": [entry(file, behaviour) for file in shown],
            "count": len(shown),
            "listingComplete": len(shown) == len(files),
        }
    )


def entry(file: Seen, behaviour: Behaviour) -> Mapping[str, Any]:
    """One file of the extended protocol; the seed's keys are among its keys."""
    known = behaviour.hashes == "listed" and not file.attributes & FOLDER and bool(file.blake3)
    stale = behaviour.hashes == "stale"
    return {
        "filename": file.path.rpartition("/")[2],
        "path": file.path,
        "fileId": file.file_id,
        "parentId": file.parent_id,
        "usn": file.usn,
        "size": file.size,
        "modified": _moment(file.modified),
        "changed": _moment(file.changed),
        "attributes": file.attributes,
        "linkCount": file.links,
        "openState": file.open_state,
        "blake3Hash": file.blake3 if known else "0" * 64 if stale else None,
        "hashUsn": file.usn if known else file.usn - 8 if stale else None,
    }


def state(file: Seen, disk: Disk) -> str:
    """The header `X-File-State`: what must not change while a file is read."""
    journal = disk.journal
    return json.dumps(
        {
            "volumeSerial": disk.serial,
            "journalId": journal.id if journal.active else None,
            "fileId": file.file_id,
            "usn": file.usn,
            "size": file.size,
            "modified": _moment(file.modified),
        }
    )


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _json(body: Any) -> web.Response:
    """ASCII only: lone surrogates travel as `\\ud83d`."""
    return web.Response(body=json.dumps(body).encode("ascii"), content_type="application/json")
