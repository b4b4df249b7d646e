"""api.x.ai: the inference key, files, and the search over collections."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aiohttp import web

from docsyncd_xai.emulator.answers import NOT_FOUND, Refusal, body_of, page
from docsyncd_xai.emulator.multipart import read_form
from docsyncd_xai.emulator.world import Member, StoredFile, World

if TYPE_CHECKING:
    from collections.abc import Callable

_SORT_KEYS: dict[str, Callable[[StoredFile], Any]] = {
    "created_at": lambda file: (file.created_at, file.born, file.id),
    "filename": lambda file: (file.name, file.id),
    "size": lambda file: (file.size, file.id),
}


class FilesHost:
    """The handlers; errors are raised as `Refusal` and shaped by the emulator's middleware."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/api-key", self.api_key, allow_head=False),
            web.post("/v1/files", self.upload),
            web.get("/v1/files", self.listing, allow_head=False),
            web.get("/v1/files/{file}", self.get, allow_head=False),
            web.get("/v1/files/{file}/content", self.content, allow_head=False),
            web.delete("/v1/files/{file}", self.delete),
            web.post("/v1/documents/search", self.search),
        ]

    async def api_key(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "redacted_api_key": "xai-...ator",
                "name": "emulated",
                "acls": ["api-key:model:*", "api-key:endpoint:*"],
                "team_blocked": False,
                "api_key_blocked": False,
                "api_key_disabled": False,
            }
        )

    async def upload(self, request: web.Request) -> web.Response:
        path = self.world.spool()
        try:
            form = await read_form(request, path, max_bytes=self.world.behaviour.max_bytes)
        except Refusal:
            path.unlink(missing_ok=True)
            raise
        file = self.world.keep(
            path, name=form.name, size=form.size, digest=form.blake3, purpose=form.purpose, lifetime=form.lifetime
        )
        return web.json_response(_shown(file))

    async def listing(self, request: web.Request) -> web.Response:
        if "filter" in request.query:
            raise Refusal(400, "filter is not emulated on the file list")
        found = [file for file in self.world.files.values() if self.world.visible(file)]
        sort_by = request.query.get("sort_by")
        if sort_by is None:
            found.sort(key=lambda file: file.blake3)
        elif sort_by in _SORT_KEYS:
            found.sort(key=_SORT_KEYS[sort_by], reverse=request.query.get("order", "desc") == "desc")
        else:
            raise Refusal(400, f"sort_by: {sort_by!r} is unknown")
        files, token = page(request, found, key=lambda file: file.id, paging=self.world.behaviour.files_paging)
        body: dict[str, Any] = {"data": [_shown(file) for file in files]}
        return web.json_response(body | ({"pagination_token": token} if token is not None else {}))

    def _file(self, request: web.Request) -> StoredFile:
        file = self.world.files.get(request.match_info["file"])
        if file is None or not self.world.visible(file):
            raise Refusal(404, "File not found", NOT_FOUND)
        return file

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response(_shown(self._file(request)))

    async def content(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(self._file(request).path, headers={"Content-Type": "application/octet-stream"})

    async def delete(self, request: web.Request) -> web.Response:
        file = self._file(request)
        placed = any(file.id in collection.members for collection in self.world.collections.values())
        if placed and self.world.behaviour.delete_placed == "refuse":
            raise Refusal(400, "File is in use by a collection")
        self.world.delete_file(file.id)
        return web.json_response({"id": file.id, "deleted": True, "object": "file"})

    async def search(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            raise Refusal(415, "Expected request with `Content-Type: application/json`")
        body = await body_of(request)
        source = body.get("source")
        collections = source.get("collection_ids") if isinstance(source, dict) else None
        query = body.get("query")
        if not isinstance(query, str) or not query or not isinstance(collections, list) or not collections:
            raise Refusal(400, "query and source.collection_ids are required")
        words = _words(query)
        matches: list[dict[str, Any]] = []
        for collection in collections:
            if collection not in self.world.collections:
                raise Refusal(404, f"Collection {collection} not found", NOT_FOUND)
            scored = ((member, _score(words, member)) for member in self.world.searchable(collection))
            matches.extend(_match(member, collection, score) for member, score in scored if score)
        matches.sort(key=lambda match: -float(match["score"]))
        return web.json_response({"matches": matches[: int(body.get("limit") or 10)]})


def _shown(file: StoredFile) -> dict[str, Any]:
    """The REST object: `bytes` and `created_at` are numbers, and there is no hash."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": int(file.created_at.timestamp()),
        "expires_at": None if file.expires_at is None else int(file.expires_at.timestamp()),
        "filename": file.name,
        "purpose": file.purpose,
    }


def _text(member: Member) -> str:
    return f"{member.file.name}\n{member.file.content.decode('utf-8', 'ignore')}"


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _score(words: set[str], member: Member) -> float:
    """The share of the words that the document holds."""
    return len(words & _words(_text(member))) / max(1, len(words))


def _match(member: Member, collection: str, score: float) -> dict[str, Any]:
    return {
        "file_id": member.file.id,
        "chunk_id": f"{member.file.id}-0",
        "chunk_content": _text(member)[:500],
        "score": score,
        "collection_ids": [collection],
        "fields": member.fields,
    }
