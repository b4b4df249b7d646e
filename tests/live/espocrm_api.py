"""EspoCRM's REST API, as a person's program would use it. Not one line of the connector's requests is used.

So the connector and what judges it cannot be wrong in the same way (reference: espocrm.md, parts 2 and 3).
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any, Final

import aiohttp

PAGE: Final = 200
"""Records per page: EspoCRM's own limit."""


class Refused(AssertionError):
    """EspoCRM's answer was no success. The text is for people; a story that meets it fails with it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def as_person(name: str, password: str) -> Mapping[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


def as_api_user(key: str) -> Mapping[str, str]:
    return {"X-Api-Key": key}


class EspoApi:
    """One login at one EspoCRM."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._base = f"{url.rstrip('/')}/api/v1"

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        text: str | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer's JSON. `body` is sent as JSON, `text` as it is. `Refused` with EspoCRM's own reason."""
        sent, kind = (json.dumps(body), "application/json") if text is None else (text, "text/plain")
        payload = None if body is None and text is None else BytesIO(sent.encode())
        async with self._session.request(
            method, f"{self._base}/{path}", data=payload, params=params, headers={"Content-Type": kind}
        ) as response:
            if response.status // 100 != 2:
                reason = response.headers.get("X-Status-Reason", "")
                words = f"{response.status} {reason} {(await response.text())[:300]}".strip()
                raise Refused(response.status, f"{method} {path}: {words}")
            return await response.json(content_type=None)

    async def every(self, path: str, where: Sequence[Mapping[str, Any]], *select: str) -> list[dict[str, Any]]:
        """All records of a list, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            search: dict[str, Any] = {"where": list(where), "maxSize": PAGE, "offset": len(found)}
            if select:
                search["select"] = ["id", *select]
            page = (await self.ask("GET", path, params={"searchParams": json.dumps(search)}))["list"]
            found += page
            if len(page) < PAGE:
                return found

    async def bytes_of(self, attachment: str) -> bytes:
        async with self._session.get(f"{self._base}/Attachment/file/{attachment}") as response:
            if response.status != 200:
                raise Refused(response.status, f"GET Attachment/file/{attachment}: {response.status}")
            return await response.read()

    async def metadata(self, key: str) -> Any:
        """None for what does not exist, or what the login's role hides."""
        return await self.ask("GET", "Metadata", params={"key": key})


@asynccontextmanager
async def espo_api(url: str, credentials: Mapping[str, str]) -> AsyncIterator[EspoApi]:
    async with aiohttp.ClientSession(headers=credentials) as session:
        yield EspoApi(session, url)
