"""EspoCRM's REST conventions: records, lists by page, and what its refusals mean. Knows no entity and no field.

Facts: reference/espocrm.md, parts 2 and 3. What a refusal becomes:

===================================  =====================================================================
401                                  `CredentialsRefused` (the transport's own): nothing more is sent
403 without a reason                 the health call decides: a lock-out or an IP list refuses it, too, and
                                     all is `Unavailable`; if it answers, this one request is `Rejected`
404 without EspoCRM's reason header  a proxy's word, not a deletion: the health call decides between
                                     `Unavailable` and `ProtocolViolation`
404, "Record … does not exist."      `Missing`
409 `modified`                       `PreconditionFailed`
400 403 404 409 413 with a reason    `Rejected`, in EspoCRM's words
===================================  =====================================================================
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

from docsyncd.api import (
    PreconditionFailed,
    ProtocolViolation,
    Rejected,
    RemoteError,
    Reply,
    RequestFailed,
    Transport,
    Unavailable,
)

from .wire import Record

HEALTH: Final = "/"
"""`GET /api/v1/` answers a fixed text once the credentials hold (reference/espocrm.md, part 6)."""

LOCK_OUT_SECONDS: Final = 65.0
"""The failed logins of the last 60 s count; seen to recover after 62 s (reference/espocrm.md, part 2)."""

_MISSING: Final = re.compile(r"^Record\b.*\bdoes not exist", re.IGNORECASE)
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TAG: Final = re.compile(r"<[^>]*>")
_HIDDEN: Final = re.compile(r"<(script|style)\b.*?</\1>", re.IGNORECASE | re.DOTALL)


class Missing(Rejected):
    """EspoCRM itself says that this record does not exist (or exists no more)."""


class LinkMissing(Rejected):
    """EspoCRM itself says that the entity has no such link."""


class _BareRefusal(RequestFailed):
    """403 without a word. As a `RequestFailed` it makes the transport ask for the remote's health first."""


class _StrangeNotFound(RequestFailed):
    """404 without EspoCRM's reason header; the health call is asked first, too."""


def is_identifier(value: str) -> bool:
    """May this stand in a path? EspoCRM's ids are hex-like; another generator may be configured, but never `..` or `/`."""
    return _IDENTIFIER.fullmatch(value) is not None


def reason(reply: Reply) -> str | None:
    """EspoCRM's own reason, "" if it gave an empty one, None if the answer is not EspoCRM's. May hold raw non-ASCII bytes."""
    header = reply.headers.get("X-Status-Reason")
    return None if header is None else header.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()


def explain(reply: Reply) -> str:
    """Words for people: EspoCRM's reason, its message label, or what a proxy's page says."""
    stated = reason(reply)
    if stated:
        return stated
    try:
        body = json.loads(reply.body)
    except ValueError:
        body = None
    if isinstance(body, dict) and isinstance(body.get("messageTranslation"), dict):
        return json.dumps(body["messageTranslation"], ensure_ascii=False)[:300]
    words = html.unescape(_TAG.sub(" ", _HIDDEN.sub(" ", reply.text()))).split()
    return " ".join(words)[:300]


def classify(remote: str, reply: Reply) -> RemoteError | None:
    """The table above; None leaves the reply to the transport."""
    stated, words = reason(reply), f"{reply.method} {reply.path} answered {reply.status}: {explain(reply)}".rstrip(": ")
    match reply.status:
        case 403 if not stated and not reply.body.strip():
            text = (
                "refuses without a reason. More than ten failed logins within a minute lock out every login from this "
                "address, and an IP allow list refuses in the same way"
            )
            if reply.path == HEALTH:
                return Unavailable(text, remote=remote, retry_after=LOCK_OUT_SECONDS)
            return _BareRefusal(f"{reply.method} {reply.path} answered 403: EspoCRM {text}", remote=remote)
        case 404 if stated is None:
            return _StrangeNotFound(f"{words} (not EspoCRM's answer: is there a proxy in between?)", remote=remote)
        case 404 if _MISSING.search(stated or ""):
            return Missing(words, remote=remote)
        case 404 if (stated or "").startswith("Link "):
            return LinkMissing(words, remote=remote)
        case 409 if stated == "modified":
            return PreconditionFailed(f"{words} (somebody else changed the same fields)", remote=remote)
        case 413:
            return Rejected(
                f"{words} (the web server limits request bodies; lower connectors.{remote}.upload_chunk)", remote=remote
            )
    return None


def hmac_header(api_key: str, secret_key: str, method: str, path: str) -> Mapping[str, str]:
    """`X-Hmac-Authorization` over method and path, without `/api/v1` and without the query (reference/espocrm.md, part 2)."""
    digest = hmac.new(secret_key.encode(), f"{method} {path}".encode(), hashlib.sha256).hexdigest()
    return {"X-Hmac-Authorization": base64.b64encode(f"{api_key}:{digest}".encode()).decode()}


def equals(attribute: str, value: str | int) -> Mapping[str, Any]:
    return {"type": "equals", "attribute": attribute, "value": value}


class Rest:
    """Requests to one EspoCRM. Paths are built from identifiers and configured names only; a name is never a path."""

    def __init__(self, transport: Transport, *, page_size: int) -> None:
        self.transport = transport
        self.page_size = page_size
        self.timestamp: str | None = None
        """The last `X-App-Timestamp`: it changes when EspoCRM's metadata may have."""

    @property
    def remote(self) -> str:
        return self.transport.remote

    def path(self, *parts: str) -> str:
        """A path below the API. Every part after the first is an id or a configured name and is checked."""
        for part in parts:
            if not is_identifier(part):
                raise Rejected(f"{part!r} cannot be an id or a name of EspoCRM's", remote=self.remote)
        return "/" + "/".join(quote(part, safe="") for part in parts)

    def route(self, template: str, **parts: str) -> str:
        """A configured path with ids filled in."""
        for part in parts.values():
            self.path(part)
        return template.format_map({name: quote(part, safe="") for name, part in parts.items()})

    async def record(self, entity: str, identifier: str) -> Record:
        """The whole record, nulls included. `Missing` if EspoCRM says that there is none."""
        return self.mapping(await self.get(self.path(entity, identifier)))

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        reply = await self.request("GET", path, params=params, headers={"X-No-Total": "true"})
        return reply.json(remote=self.remote)

    async def metadata(self, key: str) -> Any:
        """A part of the metadata; None where it does not exist or the API user may not see it."""
        return await self.get("/Metadata", {"key": key})

    async def put(self, path: str, body: Mapping[str, Any], *, version: str | None = None) -> Reply:
        """The answer: of EspoCRM's own routes the whole record, values partly as sent (reference/espocrm.md, 3.2)."""
        headers = {} if version is None else {"X-Version-Number": version}
        return await self.request("PUT", path, json_body=body, headers=headers)

    async def request(self, method: str, path: str, **how: Any) -> Reply:
        """`Transport.request`, with a healthy remote's wordless refusals given their final meaning."""
        try:
            reply = await self.transport.request(method, path, **how)
        except (_BareRefusal, _StrangeNotFound) as error:
            raise _final(error) from error
        self.timestamp = reply.headers.get("X-App-Timestamp", self.timestamp)
        return reply

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[tuple[Reply, AsyncIterator[bytes]]]:
        try:
            async with self.transport.stream(path) as opened:
                yield opened
        except (_BareRefusal, _StrangeNotFound) as error:
            raise _final(error) from error

    async def first(self, path: str, **search: Any) -> Sequence[Record]:
        """One page; says nothing about whether there are more."""
        records, _more = await self.page(path, **search)
        return records

    async def walk(
        self, path: str, *, select: Collection[str], where: Sequence[Mapping[str, Any]] = ()
    ) -> AsyncIterator[Record]:
        """Every record of a list, once, by id.

        Pages are found by key and not by offset: when a record that was already listed is deleted meanwhile, an offset
        would skip one that was not, and a sweep that misses a record would take it for deleted.
        """
        after: str | None = None
        while True:
            beyond = [*where] if after is None else [*where, {"type": "greaterThan", "attribute": "id", "value": after}]
            records, more = await self.page(
                path, select=sorted({"id", *select}), where=beyond, orderBy="id", order="asc"
            )
            for record in records:
                yield record
            if not more:
                return
            last = str(records[-1].get("id"))
            if last == after:
                raise ProtocolViolation(f"GET {path} answered the same page twice", remote=self.remote)
            after = last

    async def page(self, path: str, **search: Any) -> tuple[Sequence[Record], bool]:
        """The first page of a search, and whether there is more behind it.

        `total` -1 says that there is more, -2 that there is not (X-No-Total); a count says it by its size. A route of the
        installation's own may answer a bare list.
        """
        asked = {"maxSize": self.page_size, "offset": 0, **search}
        answer = await self.get(path, {"searchParams": json.dumps(asked, separators=(",", ":"))})
        whole = {"list": answer} if isinstance(answer, list) else self.mapping(answer)
        records = whole.get("list")
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise ProtocolViolation(f"GET {path} answered a list without records", remote=self.remote)
        more = _more(whole.get("total"), len(records), full=len(records) >= int(asked["maxSize"]))
        if more and not records:
            raise ProtocolViolation(f"GET {path} says that there is more and shows nothing", remote=self.remote)
        return records, more

    def mapping(self, value: Any) -> Record:
        if not isinstance(value, dict):
            raise ProtocolViolation(f"expected a JSON object, got {type(value).__name__}", remote=self.remote)
        return value


def _more(total: object, seen: int, *, full: bool) -> bool:
    if total == -1:
        return True
    if total == -2:
        return False
    return seen < total if isinstance(total, int) else full


def _final(error: RequestFailed) -> RemoteError:
    words = str(error).removeprefix(f"{error.remote}: ")
    kind = Rejected if isinstance(error, _BareRefusal) else ProtocolViolation
    return kind(f"{words}. The remote is well otherwise: it is this request that it refuses", remote=error.remote)
