"""The upload form, read as strictly as xAI documents it (reference/xai.md, 1.2), and the file name taken as it came."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import anyio
import blake3
from aiohttp import BodyPartReader, hdrs, web

from docsyncd_xai.emulator.answers import Refusal

LIFETIME = range(3600, 2_592_000 + 1)
"""Seconds that `expires_after` may say: one hour to thirty days."""

NAME_LIMIT = 255
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\";\\]")
_PARAMETER = re.compile(r';\s*(?P<key>[\w-]+)="(?P<value>(?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What arrived. The bytes lie in `path`."""

    name: str
    size: int
    blake3: str
    purpose: str
    lifetime: int | None


async def read_form(request: web.Request, path: Path, *, max_bytes: int) -> Form:
    """Read the parts in their order and spool the file; `Refusal` for every rule that is broken."""
    if not request.content_type.startswith("multipart/form-data"):
        raise Refusal(400, "the request is not multipart/form-data")
    values: dict[str, str] = {}
    stored: tuple[str, int, str] | None = None
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise Refusal(400, "nested multipart is not accepted")
        parameters = _parameters(part)
        field = parameters.get("name", "")
        if field == "file":
            if stored is not None:
                raise Refusal(400, "more than one file part")
            stored = await _spool(part, parameters.get("filename", ""), path)
        elif field.startswith("expires_after") and stored is not None:
            raise Refusal(400, "expires_after must precede file")
        else:
            values[field] = (await part.read()).decode("utf-8", "replace")
    if stored is None:
        raise Refusal(400, "the file part is missing")
    name, size, digest = stored
    if size > max_bytes:
        raise Refusal(413, f"the file has {size} bytes, at most {max_bytes} are accepted", "Payload too large")
    return Form(name=name, size=size, blake3=digest, purpose=values.get("purpose", ""), lifetime=_lifetime(values))


async def _spool(part: BodyPartReader, name: str, path: Path) -> tuple[str, int, str]:
    refusal = name_refusal(name)
    digest = blake3.blake3()
    size = 0
    async with await anyio.open_file(path, "wb") as spool:
        while chunk := await part.read_chunk(256 * 1024):
            size += len(chunk)
            digest.update(chunk)
            await spool.write(chunk)
    if refusal is not None:
        raise Refusal(400, refusal)
    return name, size, digest.hexdigest()


def name_refusal(name: str) -> str | None:
    """Why xAI does not take this file name, or None."""
    if not name:
        return "the file part has no filename"
    if len(name) > NAME_LIMIT:
        return f"filename is longer than {NAME_LIMIT} characters"
    return "filename contains a forbidden character" if _FORBIDDEN.search(name) else None


def _parameters(part: BodyPartReader) -> dict[str, str]:
    """The parameters of Content-Disposition as they stand there: no percent-decoding, so that mangled names stay mangled."""
    header = part.headers.get(hdrs.CONTENT_DISPOSITION, "")
    raw = header.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return {match["key"]: re.sub(r"\\(.)", r"\1", match["value"]) for match in _PARAMETER.finditer(raw)}


def _lifetime(values: dict[str, str]) -> int | None:
    raw = values.get("expires_after", values.get("expires_after[seconds]"))
    if raw is None:
        return None
    if not raw.isdigit() or int(raw) not in LIFETIME:
        raise Refusal(400, f"expires_after must be {LIFETIME.start} to {LIFETIME.stop - 1} seconds")
    return int(raw)
