"""management-api.x.ai: collections and what is in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from docsyncd_xai.emulator.answers import NOT_FOUND, Refusal, body_of, camel, page, rfc3339
from docsyncd_xai.emulator.world import FieldDefinition, Member, StoredCollection, World

_TERM = re.compile(r'(?P<key>[\w.]+):(?P<not>!?)(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s"]+))')


class ManagementHost:
    """The handlers; errors are raised as `Refusal` and shaped by the emulator's middleware."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[web.RouteDef]:
        one, documents = "/v1/collections/{collection}", "/v1/collections/{collection}/documents"
        return [
            web.post("/v1/collections", self.create),
            web.get("/v1/collections", self.listing, allow_head=False),
            web.get(one, self.get, allow_head=False),
            web.put(one, self.update),
            web.delete(one, self.delete),
            web.get(documents, self.members, allow_head=False),
            web.get(f"{documents}:batchGet", self.batch, allow_head=False),
            web.post(documents + "/{file}", self.place),
            web.get(documents + "/{file}", self.member, allow_head=False),
            web.patch(documents + "/{file}", self.reindex),
            web.delete(documents + "/{file}", self.remove),
        ]

    def _answer(self, body: dict[str, Any]) -> web.Response:
        return web.json_response(camel(body) if self.world.behaviour.camel_case else body)

    def _collection(self, request: web.Request) -> StoredCollection:
        collection = self.world.collections.get(request.match_info["collection"])
        if collection is None:
            raise Refusal(404, f"Collection {request.match_info['collection']} not found", NOT_FOUND)
        return collection

    def _member(self, request: web.Request) -> Member:
        member = self._collection(request).members.get(request.match_info["file"])
        if member is None or not self.world.settled(member):
            raise Refusal(404, "Document not found in collection", NOT_FOUND)
        return member

    async def create(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        if not body.get("collection_name"):
            raise Refusal(400, "collection_name is required")
        definitions = [_definition(raw) for raw in body.get("field_definitions", [])]
        created = self.world.create_collection(
            body["collection_name"], {definition.key: definition for definition in definitions}
        )
        self.world.collections[created].description = body.get("collection_description", "")
        return self._answer(self._collection_shown(self.world.collections[created]))

    async def listing(self, request: web.Request) -> web.Response:
        found = list(self.world.collections.values())
        by_age = request.query.get("sort_by", "COLLECTIONS_SORT_BY_NAME") == "COLLECTIONS_SORT_BY_AGE"
        found.sort(
            key=lambda item: (str(item.created_at) if by_age else item.name, item.id), reverse=_descending(request)
        )
        paging = self.world.behaviour.management_paging
        collections, following = page(request, found, key=lambda item: item.id, paging=paging)
        return self._listed("collections", [self._collection_shown(item) for item in collections], following)

    async def get(self, request: web.Request) -> web.Response:
        return self._answer(self._collection_shown(self._collection(request)))

    async def update(self, request: web.Request) -> web.Response:
        collection = self._collection(request)
        body = await body_of(request)
        collection.name = body.get("collection_name", collection.name)
        collection.description = body.get("collection_description", collection.description)
        for change in body.get("field_definition_updates", []):
            definition = _definition(change.get("field_definition", {}))
            if change.get("operation") == "FIELD_DEFINITION_DELETE":
                collection.definitions.pop(definition.key, None)
                for member in collection.members.values():
                    member.fields.pop(definition.key, None)
            elif definition.required and definition.key not in collection.definitions:
                raise Refusal(400, "a new field cannot be required")
            else:
                collection.definitions[definition.key] = definition
        return self._answer(self._collection_shown(collection))

    async def delete(self, request: web.Request) -> web.Response:
        del self.world.collections[self._collection(request).id]
        return self._answer({})

    async def members(self, request: web.Request) -> web.Response:
        collection = self._collection(request)
        terms = _terms(request.query.get("filter", ""))
        found = [
            member
            for member in collection.members.values()
            if self.world.settled(member) and all(self._matches(member, *term) for term in terms)
        ]
        sort_by = request.query.get("sort_by", "DOCUMENTS_SORT_BY_NAME")
        found.sort(key=lambda member: _rank(member, sort_by), reverse=_descending(request))
        paging = self.world.behaviour.management_paging
        members, following = page(request, found, key=lambda member: member.file.id, paging=paging)
        return self._listed("documents", [self._member_shown(member) for member in members], following)

    async def batch(self, request: web.Request) -> web.Response:
        collection = self._collection(request)
        asked = request.query.getall("file_ids", [])
        if len(asked) > 100:
            raise Refusal(400, "at most 100 file_ids")
        found = [
            member
            for file in asked
            if (member := collection.members.get(file)) is not None and self.world.settled(member)
        ]
        if len(found) < len(asked) and self.world.behaviour.batch_missing == "refuse":
            raise Refusal(404, "Document not found in collection", NOT_FOUND)
        return self._listed("documents", [self._member_shown(member) for member in found], None)

    async def place(self, request: web.Request) -> web.Response:
        collection = self._collection(request)
        fields = (await body_of(request)).get("fields") or {}
        file = self.world.files.get(request.match_info["file"])
        if file is None or not self.world.visible(file):
            raise Refusal(404, "File not found", NOT_FOUND)
        if file.id in collection.members and self.world.behaviour.same_member == "conflict":
            raise Refusal(409, "Document already exists in collection", "Conflict")
        fields = self._accepted(collection, fields, file.id)
        if (member := collection.members.get(file.id)) is not None:
            member.fields = fields
        else:
            self.world.place(file.id, collection.id, fields)
        return self._answer({})

    def _accepted(self, collection: StoredCollection, fields: Any, file: str) -> dict[str, str]:
        """The fields as they are stored; `Refusal` for what the collection's definitions forbid."""
        if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
            raise Refusal(400, "fields must map strings to strings")
        unknown = fields.keys() - collection.definitions.keys()
        if unknown and self.world.behaviour.undefined_fields == "refuse":
            raise Refusal(400, f"fields are not defined in the collection: {sorted(unknown)}")
        status = self.world.behaviour.violation_status
        for definition in collection.definitions.values():
            value = fields.get(definition.key)
            if definition.required and not value:
                raise Refusal(status, f"field {definition.key} is required")
            others = (other for other in collection.members.values() if other.file.id != file)
            if definition.unique and value and any(other.fields.get(definition.key) == value for other in others):
                raise Refusal(status, f"field {definition.key} must be unique")
        return {key: value for key, value in fields.items() if key not in unknown}

    async def member(self, request: web.Request) -> web.Response:
        return self._answer(self._member_shown(self._member(request)))

    async def reindex(self, request: web.Request) -> web.Response:
        member = self._member(request)
        member.placed = self.world.clock.monotonic()
        member.reindexed += 1
        return self._answer({})

    async def remove(self, request: web.Request) -> web.Response:
        self.world.remove(self._member(request).file.id, self._collection(request).id)
        return self._answer({})

    def _listed(self, key: str, entries: list[dict[str, Any]], token: str | None) -> web.Response:
        """Empty lists and absent tokens are left out, as a gRPC gateway does."""
        return self._answer(({key: entries} if entries else {}) | ({"pagination_token": token} if token else {}))

    def _matches(self, member: Member, key: str, negated: bool, value: str) -> bool:
        if key.startswith("fields."):
            return (member.fields.get(key.removeprefix("fields.")) == value) != negated
        if key == "name":
            return (value.lower() in member.file.name.lower()) != negated
        if key == "status":
            return (f"DOCUMENT_STATUS_{self.world.member_status(member)}" == value) != negated
        raise Refusal(400, f"filter: {key} is not emulated")

    def _collection_shown(self, collection: StoredCollection) -> dict[str, Any]:
        return {
            "collection_id": collection.id,
            "collection_name": collection.name,
            "collection_description": collection.description,
            "created_at": rfc3339(collection.created_at),
            "index_configuration": {"model_name": "grok-embedding-small"},
            "documents_count": len(collection.members),
            "total_file_size": str(sum(member.file.size for member in collection.members.values())),
            "field_definitions": [
                {
                    "key": definition.key,
                    "required": definition.required,
                    "unique": definition.unique,
                    "inject_into_chunk": definition.inject_into_chunk,
                }
                for definition in collection.definitions.values()
            ],
        }

    def _member_shown(self, member: Member) -> dict[str, Any]:
        """int64 are strings here."""
        status = self.world.member_status(member)
        failed = status == "FAILED"
        skipped = self.world.skipped(member)
        return {
            "file_metadata": {
                "file_id": member.file.id,
                "name": member.file.name,
                "size_bytes": str(member.file.size),
                "content_type": member.file.content_type,
                "created_at": rfc3339(member.file.created_at),
                "expires_at": rfc3339(member.file.expires_at),
                "hash": member.file.blake3,
                "upload_status": "Complete",
                "upload_error_message": "",
                "processing_status": "skipped" if skipped else "failed" if failed else _processing(status),
            },
            "fields": dict(member.fields),
            "status": f"DOCUMENT_STATUS_{status}",
            "error_message": "Unsupported file type" if failed else "",
            "last_indexed_at": rfc3339(self.world.clock.now()) if status == "PROCESSED" else None,
            "chunk_count": 1,
            "chunks_processed_count": "1" if status == "PROCESSED" else "0",
        }


def _processing(status: str) -> str:
    return "complete" if status == "PROCESSED" else "processing"


def _definition(raw: Mapping[str, Any]) -> FieldDefinition:
    key = raw.get("key")
    if not isinstance(key, str) or not key:
        raise Refusal(400, "a field definition needs a key")
    flags = {name: bool(raw.get(name, False)) for name in ("required", "unique", "inject_into_chunk")}
    return FieldDefinition(key=key, **flags)


def _descending(request: web.Request) -> bool:
    return request.query.get("order", "ORDERING_DESCENDING") == "ORDERING_DESCENDING"


def _rank(member: Member, sort_by: str) -> tuple[Any, str]:
    by: dict[str, Any] = {
        "DOCUMENTS_SORT_BY_NAME": member.file.name,
        "DOCUMENTS_SORT_BY_SIZE": member.file.size,
        "DOCUMENTS_SORT_BY_AGE": member.file.created_at,
    }
    if sort_by not in by:
        raise Refusal(400, f"sort_by: {sort_by!r} is unknown")
    return by[sort_by], member.file.id


def _terms(text: str) -> list[tuple[str, bool, str]]:
    """`name:"quarterly" AND status:!DOCUMENT_STATUS_FAILED` as (key, negated, value)."""
    terms: list[tuple[str, bool, str]] = []
    for part in text.split(" AND ") if text.strip() else []:
        match = _TERM.fullmatch(part.strip())
        if match is None:
            raise Refusal(400, f"filter: cannot parse {part!r}")
        value = match["quoted"] if match["quoted"] is not None else match["bare"]
        terms.append((match["key"], bool(match["not"]), value))
    return terms
