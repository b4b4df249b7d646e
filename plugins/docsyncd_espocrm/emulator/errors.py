"""How EspoCRM says no: few statuses, the reason in a header, the body mostly empty (reference 3.5). Also how it writes JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

STATUSES = frozenset({400, 401, 403, 404, 405, 409, 500, 503})
"""Every other status of an error becomes 500; 405 comes from the router, not from EspoCRM's own error output."""


class EspoError(Exception):
    """An answer that is no success. `reason` goes into X-Status-Reason; an absent reason means no header."""

    def __init__(self, status: int, reason: str | None = None, body: object = None) -> None:
        super().__init__(f"{status} {reason or ''}")
        self.status = status if status in STATUSES else 500
        self.reason = reason
        self.body = body


def bad_request(reason: str) -> EspoError:
    return EspoError(400, reason)


def forbidden(reason: str | None = None) -> EspoError:
    return EspoError(403, reason)


def not_found(record_id: str) -> EspoError:
    return EspoError(404, f"Record {record_id} does not exist.")


def invalid(entity: str, field: str, kind: str) -> EspoError:
    """A field validation failure, with its JSON body (reference 3.2)."""
    return EspoError(
        400,
        f"Field validation failure; entityType: {entity}, field: {field}, type: {kind}.",
        {"messageTranslation": {"label": "validationFailure", "scope": None, "data": {"field": field, "type": kind}}},
    )


def encode(value: object) -> bytes:
    """JSON as PHP's json_encode writes it: ASCII only, slashes escaped, no blanks."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def success(value: object, app_timestamp: int, status: int = 200) -> web.Response:
    """JSON without a charset, in chunks: its length is not announced (reference 3)."""
    headers = {"Content-Type": "application/json", "X-App-Timestamp": str(app_timestamp)}
    response = web.Response(status=status, body=encode(value), headers=headers)
    response.enable_chunked_encoding()
    return response


def refusal(error: EspoError) -> web.Response:
    headers: dict[str, str] = {"Content-Type": "text/html" if error.body is None else "application/json"}
    if error.reason is not None:
        headers["X-Status-Reason"] = error.reason
    return web.Response(status=error.status, headers=headers, body=b"" if error.body is None else encode(error.body))


async def json_object(request: web.Request) -> Mapping[str, Any]:
    """The body as a JSON object. Malformed JSON is a 500 with an empty body, as with the real one (reference 3.2)."""
    raw = await request.read()
    if not raw:
        return {}
    try:
        value = json.loads(raw)
    except ValueError:
        raise EspoError(500) from None
    if not isinstance(value, dict):
        raise bad_request("Bad data.")
    return value
