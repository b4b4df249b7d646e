"""The collections of management-api.x.ai and their members (xai.md, 2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import structlog

from docsyncd.api import (
    CollectionGone,
    CollectionId,
    DocumentId,
    IndexFileId,
    Placement,
    Rejected,
    Reply,
    Transport,
    index_tag,
)
from docsyncd_xai import wire
from docsyncd_xai.pace import Pace
from docsyncd_xai.paging import LIMIT, Page, walk

log = structlog.get_logger(__name__)


class Memberships:
    """Collections by their id; names are not unique and are never looked up."""

    def __init__(self, transport: Transport, pace: Pace) -> None:
        self._transport = transport
        self._pace = pace
        self._definitions: dict[CollectionId, frozenset[str]] = {}
        self._odd_words: set[str] = set()

    @property
    def _remote(self) -> str:
        return self._transport.remote

    async def ask(self, method: str, path: str, **request: Any) -> Reply:
        """One request to management-api.x.ai."""
        await self._pace.turn()
        return await self._transport.request(method, path, **request)

    async def create(self, name: str) -> CollectionId:
        reply = await self.ask("POST", "/v1/collections", json_body={"collection_name": name})
        return CollectionId(wire.read(wire.WireCollection, reply, remote=self._remote).collection_id)

    async def find(self, tag: str) -> tuple[CollectionId, ...]:
        """Collections whose name ends with the tag, compared here: what a filter on names matches is not documented."""

        async def fetch(token: str | None) -> Page[wire.WireCollection]:
            params = {"limit": str(LIMIT), "order": "ORDERING_ASCENDING", "sort_by": "COLLECTIONS_SORT_BY_NAME"}
            params |= {"pagination_token": token} if token else {}
            reply = await self.ask("GET", "/v1/collections", params=params)
            answer = wire.read(wire.WireCollections, reply, remote=self._remote)
            found = answer.collections
            return Page(entries=found, first=found[0].collection_id if found else "", token=answer.pagination_token)

        pages = walk(fetch, what="collections", remote=self._remote, short_ends=False)
        return tuple([CollectionId(each.collection_id) async for each in pages if each.collection_name.endswith(tag)])

    async def delete(self, collection: CollectionId) -> None:
        """404 says that it was deleted already."""
        self._definitions.pop(collection, None)
        await self.ask("DELETE", _path(collection), accept={404})

    async def require(self, collection: CollectionId) -> wire.WireCollection:
        """The collection as it is now; `CollectionGone` if it is not."""
        reply = await self.ask("GET", _path(collection), accept={404})
        if reply.status == 404:
            self._definitions.pop(collection, None)
            raise CollectionGone(collection, remote=self._remote)
        found = wire.read(wire.WireCollection, reply, remote=self._remote)
        self._definitions[collection] = frozenset(definition.key for definition in found.field_definitions)
        return found

    async def add(self, file: IndexFileId, collection: CollectionId, fields: Mapping[str, str]) -> Reply:
        """Ask for the file to be a member. Besides 200 the answer may be 404 (no such file or collection) or 409.

        Only fields that the collection defines are sent, as others are refused (xai.md, 2.3); what it defines is read once.
        The request may be repeated: a second one changes nothing, or is refused for being the second (2.6).
        """
        if collection not in self._definitions:
            await self.require(collection)
        defined = {key: value for key, value in fields.items() if key in self._definitions[collection]}
        body = {"fields": defined} if defined else None
        path = _path(collection, file)
        try:
            return await self.ask("POST", path, json_body=body, repeatable=True, accept={404, 409})
        except Rejected:
            self._definitions.pop(collection, None)
            raise

    async def get(self, file: IndexFileId, collection: CollectionId) -> Placement | None:
        reply = await self.ask("GET", _path(collection, file), accept={404})
        if reply.status == 404:
            return None
        return self._meant(wire.read(wire.WireMember, reply, remote=self._remote), collection)

    async def remove(self, file: IndexFileId, collection: CollectionId) -> bool:
        """False if it was no member."""
        return (await self.ask("DELETE", _path(collection, file), accept={404})).status != 404

    async def of(self, document: DocumentId, collection: CollectionId) -> tuple[Placement, ...]:
        """The document's members. The filter compares parts of names, so the tag is read again here."""
        found = self.members(collection, only=f'name:"{document}"')
        tagged = [(placement, index_tag.read(placement.name)) async for placement in found]
        return tuple(placement for placement, tag in tagged if tag is not None and tag.document == document)

    async def members(self, collection: CollectionId, *, only: str | None = None) -> AsyncIterator[Placement]:
        """Every member, the newest first, or those that a filter names. `CollectionGone` if there is no such collection."""

        async def fetch(token: str | None) -> Page[Placement]:
            params = {"limit": str(LIMIT), "order": "ORDERING_DESCENDING", "sort_by": "DOCUMENTS_SORT_BY_AGE"}
            params |= {"filter": only} if only else {}
            params |= {"pagination_token": token} if token else {}
            reply = await self.ask("GET", _path(collection) + "/documents", params=params, accept={404})
            if reply.status == 404:
                raise CollectionGone(collection, remote=self._remote)
            answer = wire.read(wire.WireMembers, reply, remote=self._remote)
            entries = [self._meant(member, collection) for member in answer.documents]
            return Page(entries=entries, first=entries[0].file if entries else "", token=answer.pagination_token)

        # A filtered page may be short before the end; here only a missing token is the end (xai.md, 2.2).
        async for placement in walk(fetch, what=f"members of {collection}", remote=self._remote, short_ends=False):
            yield placement

    def _meant(self, member: wire.WireMember, collection: CollectionId) -> Placement:
        word = member.word()
        if word not in wire.STATES and word not in self._odd_words:
            self._odd_words.add(word)
            log.warning("index.status_unknown", status=word)
        return member.meant(collection)


def _path(collection: CollectionId, file: IndexFileId | None = None) -> str:
    path = f"/v1/collections/{quote(collection, safe='')}"
    return path if file is None else f"{path}/documents/{quote(file, safe='')}"
