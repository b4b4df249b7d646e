"""How the emulated hosts answer: error bodies in their several shapes, JSON with its spellings, pages with their tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from aiohttp import web

from docsyncd_xai.emulator.world import Paging

NOT_FOUND = "Some requested entity was not found"
INVALID = "Client specified an invalid argument"
DENIED = "The caller does not have permission to execute the specified operation"
_GRPC = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 413: 8, 500: 13}

PAGE = 100
"""Most entries of a page; a larger or senseless `limit` means this one."""


class Refusal(Exception):
    """The request is answered with an error. `code` is the flat shape's sentence."""

    def __init__(self, status: int, message: str, code: str = INVALID) -> None:
        self.status = status
        self.message = message
        self.code = code
        super().__init__(message)


def flat(refusal: Refusal) -> web.Response:
    """The shape of api.x.ai: `{"code": …, "error": …}`."""
    return web.json_response({"code": refusal.code, "error": refusal.message}, status=refusal.status)


def shaped(refusal: Refusal, shape: Literal["grpc", "flat", "nested", "text"]) -> web.Response:
    """The management host's shape is not documented, so there are four."""
    if shape == "flat":
        return flat(refusal)
    if shape == "text":
        return web.Response(text=f"rpc error: {refusal.message}", status=refusal.status)
    if shape == "nested":
        inner = {"message": refusal.message, "type": "invalid_request_error", "param": None, "code": refusal.code}
        return web.json_response({"error": inner}, status=refusal.status)
    body = {"code": _GRPC.get(refusal.status, 2), "message": refusal.message, "details": []}
    return web.json_response(body, status=refusal.status)


def rfc3339(moment: datetime | None) -> str | None:
    """UTC with microseconds and a Z, as the examples show."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def camel(value: Any) -> Any:
    """Every key as `camelCase`, at any depth; the keys of `fields` are the users' and stay."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {_camel(key): inner if key == "fields" else camel(inner) for key, inner in value.items()}


def snake(value: Any) -> Any:
    """The other way: the gateway takes both spellings."""
    if isinstance(value, list):
        return [snake(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {_snake(key): inner if key == "fields" else snake(inner) for key, inner in value.items()}


def _camel(key: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), key)


def _snake(key: str) -> str:
    return re.sub(r"[A-Z]", lambda match: "_" + match[0].lower(), key)


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body, in snake_case; an empty body is an empty object."""
    raw = await request.read()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise Refusal(422, "Failed to parse the request body as JSON") from error
    if not isinstance(body, dict):
        raise Refusal(422, "The request body must be a JSON object")
    answer: dict[str, Any] = snake(body)
    return answer


def page(
    request: web.Request,
    entries: Iterable[Any],
    *,
    key: Callable[[Any], str],
    paging: Paging,
) -> tuple[Sequence[Any], str | None]:
    """The entries behind `pagination_token` (the last entry's key, as in the documentation's example) and the next token."""
    ordered = list(entries)
    limit = _limit(request)
    asked = request.query.get("pagination_token") or request.query.get("after")
    begin = 0
    if asked and paging != "stuck":
        begin = next((number + 1 for number, entry in enumerate(ordered) if key(entry) == asked), len(ordered))
    found = ordered[begin : begin + limit]
    more = begin + limit < len(ordered)
    if not found or (paging == "absent" and not more):
        return found, None
    return found, key(found[-1])


def _limit(request: web.Request) -> int:
    raw = request.query.get("limit", str(PAGE))
    try:
        asked = int(raw)
    except ValueError as error:
        raise Refusal(400, f"limit: {raw!r} is not a number") from error
    return asked if 0 < asked <= PAGE else PAGE
