"""The attachment API: upload at once or in chunks, download, copies and rights (reference 4)."""

from __future__ import annotations

import binascii
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web

from docsyncd_espocrm.emulator import saving
from docsyncd_espocrm.emulator.access import User, may_read_attachment
from docsyncd_espocrm.emulator.auth import BASE, USER
from docsyncd_espocrm.emulator.content import Content
from docsyncd_espocrm.emulator.errors import EspoError, bad_request, forbidden, invalid, json_object, not_found, success
from docsyncd_espocrm.emulator.listing import page
from docsyncd_espocrm.emulator.media import check_accepted, check_image
from docsyncd_espocrm.emulator.query import search_params
from docsyncd_espocrm.emulator.schema import Field
from docsyncd_espocrm.emulator.store import Record
from docsyncd_espocrm.emulator.world import World

MEGABYTE = 1024 * 1024

OURS = ("name", "type", "role", "field", "relatedType", "parentType", "size", "isBeingUploaded")
"""What is taken from a creation's body; relatedId and parentId are dropped although the documentation lists them."""


class AttachmentApi:
    """Handlers below `/api/v1/Attachment`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.store

    def routes(self) -> list[web.RouteDef]:
        path = f"{BASE}/Attachment"
        return [
            web.get(path, self.list_all),
            web.post(path, self.upload),
            web.post(f"{path}/chunk/{{id}}", self.append),
            web.post(f"{path}/copy/{{id}}", self.copy),
            web.get(f"{path}/file/{{id}}", self.download),
            web.get(f"{path}/{{id}}", self.read),
            web.delete(f"{path}/{{id}}", self.delete),
        ]

    async def list_all(self, request: web.Request) -> web.Response:
        if not request[USER].is_admin:
            raise forbidden("No access.")
        params = search_params(request.query.items(), self._world.settings["recordListMaxSizeLimit"])
        return self._success(page(self._store, "Attachment", self._store.living("Attachment"), params, count=True))

    async def read(self, request: web.Request) -> web.Response:
        return self._success(self._store.view(self._readable(request)))

    async def upload(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        field = self._field(body)
        self._check_size(body)
        chunked = body.get("isBeingUploaded") is True
        content = Content() if chunked else Content(_decoded(body.get("file")))
        name = str(body.get("name") or "").strip()
        check_accepted(field, name, body.get("type"))
        if field.type == "image" and not chunked:
            check_image(name, body.get("type"), content.read(0, 1024))
        values = {key: body[key] for key in OURS if key in body} | {"isBeingUploaded": chunked}
        if not chunked:
            values["size"] = content.size
        elif not isinstance(values.get("size"), int):
            raise invalid("Attachment", "size", "required")
        record, answer = saving.create(self._store, "Attachment", values, request[USER])
        self._store.contents[record.id] = content
        return self._success(answer)

    async def append(self, request: web.Request) -> web.Response:
        """In order of arrival, whatever chunk it is. Too many bytes are noticed after they were appended."""
        head, marker, encoded = (await request.read()).partition(b";base64,")
        record = self._owned(request)
        if not record.attributes.get("isBeingUploaded"):
            raise forbidden("Attachment is not being-uploaded.")
        if not marker or not head.startswith(b"data:"):
            raise bad_request("Bad data.")
        content = self._store.contents[record.id]
        content.append(_lenient(encoded))
        announced = record.attributes["size"]
        if content.size > announced:
            raise EspoError(500, "File size mismatch.")
        if content.size == announced:
            self._complete(record, content)
        return self._success(True)

    async def copy(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        source = self._readable(request)
        self._field(body)
        values = {key: source.attributes.get(key) for key in ("name", "type", "size", "role")}
        values |= {key: body[key] for key in ("field", "relatedType", "parentType") if key in body}
        record, answer = saving.create(self._store, "Attachment", values | {"sourceId": source.id}, request[USER])
        self._store.contents[record.id] = self._store.contents[source.id]
        return self._success(answer)

    async def download(self, request: web.Request) -> web.Response:
        """Always the whole file, as far as it is there; HEAD says length 0; no Range, no ETag."""
        record = self._readable(request)
        content = self._store.contents.get(record.id)
        if content is None:
            raise not_found(record.id)
        name = str(record.attributes["name"])
        if "\n" in name or "\r" in name:
            raise EspoError(500)
        size = content.size
        headers = {
            "Content-Type": record.attributes.get("type") or "application/json",
            "Content-Length": str(0 if request.method == "HEAD" else size),
            "Content-Disposition": f'attachment; filename="{name}"',
        }
        return web.Response(headers=headers, body=None if request.method == "HEAD" else _pieces(content, size))

    async def delete(self, request: web.Request) -> web.Response:
        """Also while a record points to it: that one shows the id and a null name from then on."""
        self._store.remove_attachment(self._owned(request).id)
        return self._success(True)

    def _field(self, body: Mapping[str, Any]) -> Field:
        entity, field = body.get("relatedType") or body.get("parentType"), body.get("field")
        if not entity or not field:
            raise bad_request("No `field` or `relatedType`/`parentType`.")
        kind = self._store.schema.get(str(entity))
        if kind is None or str(field) not in kind.fields:
            raise bad_request(f"Field '{field}' does not exist.")
        if not kind.fields[str(field)].is_upload:
            raise forbidden("Not allowed field type.")
        return kind.fields[str(field)]

    def _check_size(self, body: Mapping[str, Any]) -> None:
        """Only the declared size is looked at: the check of the real length multiplies megabytes twice in EspoCRM."""
        limit, declared = self._world.settings["attachmentUploadMaxSize"], body.get("size")
        if isinstance(declared, int) and declared > limit * MEGABYTE:
            raise forbidden(f"File size should not exceed {limit}Mb.")

    def _complete(self, record: Record, content: Content) -> None:
        field = self._field(record.attributes)
        if field.type == "image":
            check_image(record.attributes["name"], record.attributes.get("type"), content.read(0, 1024))
        record.attributes["isBeingUploaded"] = False

    def _readable(self, request: web.Request) -> Record:
        record = self._store.get("Attachment", request.match_info["id"])
        if not may_read_attachment(self._store, request[USER], record):
            raise forbidden("No read access.")
        return record

    def _owned(self, request: web.Request) -> Record:
        record = self._store.get("Attachment", request.match_info["id"])
        user: User = request[USER]
        if not user.is_admin and record.attributes.get("createdById") != user.id:
            raise forbidden("No edit access.")
        return record

    def _success(self, value: object) -> web.Response:
        return success(value, self._world.app_timestamp)


async def _pieces(content: Content, size: int) -> AsyncIterator[bytes]:
    for piece in content.pieces(size):
        yield piece


def _decoded(file: Any) -> bytes:
    """Everything after the first comma, leniently decoded: garbage gives an empty file and a 200."""
    _, comma, encoded = str(file or "").partition(",")
    if not comma:
        raise bad_request("Bad file contents.")
    return _lenient(encoded.encode())


def _lenient(encoded: bytes) -> bytes:
    """PHP's base64_decode: foreign characters are skipped, a torn end is cut."""
    try:
        return binascii.a2b_base64(encoded)
    except binascii.Error:
        torn = bytes(each for each in encoded if each in _ALPHABET)
        torn = torn[: len(torn) - (len(torn) % 4 == 1)]
        return binascii.a2b_base64(torn + b"=" * (-len(torn) % 4))


_ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
