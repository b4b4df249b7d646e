"""The bytes: downloads that are checked against the Attachment's record, uploads in one request or in chunks.

EspoCRM serves a file that is still being uploaded with 200 and a consistent length, removes a replaced Attachment at once, and
decodes base64 leniently (reference/espocrm.md, part 4). So the record is asked first, and every size is compared. Names are
whatever a person typed: they are stored and shown, and never become part of a path.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from docsyncd.api import (
    MIB,
    AttachmentId,
    CorruptContent,
    Document,
    Download,
    NotReady,
    OutcomeUnknown,
    PreconditionFailed,
    ProtocolViolation,
    Rejected,
    Reply,
    RequestFailed,
)

from .rest import Missing, Rest
from .wire import Record, Wire

STOCK_CHUNK: Final = 4 * MIB
"""EspoCRM's own default of `attachmentUploadChunkSize` (reference/espocrm.md, 4.1)."""
LOOK_AGAIN: Final = 15.0
"""Seconds until an unfinished upload is worth another look: a browser sends a 4 MB chunk in about that on a slow line."""
UPLOAD_TRIES: Final = 3
"""Whole uploads before giving up: a chunk whose answer was lost must not be sent again, only everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is to be stored, and for which field.

    :param read: `await read(offset, length)`; the same bytes each time it is asked.
    :param media_type: as declared; image fields compare it with the extension and the content.
    """

    entity: str
    field: str
    name: str
    media_type: str
    size: int
    read: Callable[[int, int], Awaitable[bytes]]


class Attachments:
    """Downloads and uploads. `chunk`: bytes per upload request, or None for what EspoCRM announces."""

    def __init__(self, rest: Rest, wire: Wire, *, chunk: int | None) -> None:
        self._rest = rest
        self._wire = wire
        self._chunk = chunk

    @asynccontextmanager
    async def open(self, document: Document) -> AsyncIterator[Download]:
        """The bytes behind the document's file, counted against the Attachment's size."""
        if document.file is None:
            raise PreconditionFailed(f"document {document.id} has no file", remote=self._rest.remote)
        attachment = document.file.attachment
        async with AsyncExitStack() as stack:
            try:
                size = self._finished_size(await self._rest.record("Attachment", attachment))
                path = self._rest.path("Attachment", "file", attachment)
                reply, chunks = await stack.enter_async_context(self._rest.stream(path))
            except Rejected as refused:
                raise await self._explained(document, attachment, refused) from refused
            except RequestFailed as failed:
                if not set("\r\n") & set(document.file.name):
                    raise
                raise Rejected(
                    "EspoCRM cannot deliver a file whose name has a line break; upload it again under another name",
                    remote=self._rest.remote,
                ) from failed
            announced = size if size is not None else _content_length(reply.headers.get("Content-Length"))
            if announced is None:
                raise ProtocolViolation(f"nobody says how large attachment {attachment} is", remote=self._rest.remote)
            counted = self._counted(chunks, announced, attachment)
            yield Download(name=document.file.name, size=announced, chunks=counted)

    async def upload(self, upload: Upload) -> AttachmentId:
        """Store the bytes in a new Attachment, which belongs to no record until one names it.

        An upload whose outcome is unknown is begun anew; what is left behind belongs to nobody but us, and EspoCRM's weekly
        clean-up removes it.
        """
        chunk = await self._chunk_size()
        for left in reversed(range(UPLOAD_TRIES)):
            try:
                return await (self._in_one(upload) if upload.size <= chunk else self._in_chunks(upload, chunk))
            except OutcomeUnknown:
                if left == 0:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")

    async def _in_one(self, upload: Upload) -> AttachmentId:
        body = {**self._described(upload), "file": _data_uri(upload.media_type, await upload.read(0, upload.size))}
        return self._stored(await self._create(body), upload)

    async def _in_chunks(self, upload: Upload, chunk: int) -> AttachmentId:
        """One after the other: EspoCRM appends in the order of arrival and has no way to repeat one."""
        started = await self._create({**self._described(upload), "size": upload.size, "isBeingUploaded": True})
        attachment = self._wire.identifier(started)
        path = self._rest.path("Attachment", "chunk", attachment)
        for offset in range(0, upload.size, chunk):
            body = _data_uri(upload.media_type, await upload.read(offset, min(chunk, upload.size - offset))).encode()
            await self._post(path, body, "text/plain")
        return self._stored(await self._rest.record("Attachment", attachment), upload)

    async def _create(self, body: dict[str, Any]) -> Record:
        reply = await self._post("/Attachment", json.dumps(body).encode(), "application/json")
        return self._rest.mapping(reply.json(remote=self._rest.remote))

    async def _post(self, path: str, body: bytes, media_type: str) -> Reply:
        """Several megabytes at once: aiohttp writes a file-like body piece by piece, and would write bytes in one go."""
        return await self._rest.request(
            "POST", path, data=lambda: BytesIO(body), headers={"Content-Type": media_type}, repeatable=False
        )

    def _described(self, upload: Upload) -> dict[str, Any]:
        return {
            "name": upload.name,
            "type": upload.media_type,
            "role": "Attachment",
            "relatedType": upload.entity,
            "field": upload.field,
        }

    def _stored(self, record: Record, upload: Upload) -> AttachmentId:
        """The new Attachment, if it holds as many bytes as were sent."""
        identifier = self._wire.identifier(record)
        if record.get("isBeingUploaded") is True or record.get("size") != upload.size:
            raise CorruptContent(
                f"attachment {identifier} holds {record.get('size')} bytes of the {upload.size} that were sent",
                remote=self._rest.remote,
            )
        return AttachmentId(identifier)

    async def _chunk_size(self) -> int:
        if self._chunk is None:
            settings = self._rest.mapping(await self._rest.get("/App/user")).get("settings")
            megabytes = settings.get("attachmentUploadChunkSize") if isinstance(settings, dict) else None
            usable = isinstance(megabytes, int | float) and megabytes > 0
            self._chunk = int(float(megabytes or 0) * MIB) if usable else STOCK_CHUNK
        return self._chunk

    def _finished_size(self, record: Record) -> int | None:
        """The size that the record states, or None. `NotReady` unless it says plainly that the upload is finished."""
        if record.get("isBeingUploaded") is not False:
            raise NotReady(
                f"attachment {self._wire.identifier(record)} is still being uploaded",
                remote=self._rest.remote,
                retry_after=LOOK_AGAIN,
            )
        size = record.get("size")
        return size if isinstance(size, int) else None

    async def _counted(self, chunks: AsyncIterator[bytes], size: int, attachment: str) -> AsyncIterator[bytes]:
        received = 0
        async for chunk in chunks:
            received += len(chunk)
            if received > size:
                raise self._short(attachment, size, f"more than {received - len(chunk)}")
            yield chunk
        if received != size:
            raise self._short(attachment, size, str(received))

    def _short(self, attachment: str, size: int, received: str) -> CorruptContent:
        return CorruptContent(
            f"attachment {attachment} has {size} bytes by its record, but {received} came", remote=self._rest.remote
        )

    async def _explained(
        self, document: Document, attachment: AttachmentId, refused: Rejected
    ) -> PreconditionFailed | Rejected:
        """Why the bytes are refused: was the file replaced, the document deleted, or is it as it looks?

        The file of a deleted document is answered with 403 and not with 404 (reference/espocrm.md, 4.4).
        """
        try:
            now = self._wire.document(await self._rest.record(self._wire.profile.document.entity, document.id))
        except Missing:
            return PreconditionFailed(f"document {document.id} is gone", remote=self._rest.remote)
        if now.file is None or now.file.attachment != attachment:
            return PreconditionFailed(f"the file of document {document.id} was replaced", remote=self._rest.remote)
        if isinstance(refused, Missing):
            return Rejected(
                f"document {document.id} points to attachment {attachment}, which does not exist: somebody deleted the "
                "file and not the document",
                remote=self._rest.remote,
            )
        return refused


def _data_uri(media_type: str, content: bytes) -> str:
    """Everything up to the first comma is ignored by EspoCRM, the rest is decoded (reference/espocrm.md, 4.1)."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _content_length(value: str | None) -> int | None:
    return int(value) if value is not None and value.isdigit() else None
