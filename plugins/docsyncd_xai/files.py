"""The files of api.x.ai: stored once, without a hash and without a memory of who asked (xai.md, 1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import anyio

from docsyncd.api import (
    CorruptContent,
    CredentialsRefused,
    IndexedFile,
    IndexFileId,
    OutcomeUnknown,
    ProtocolViolation,
    Reply,
    Staged,
    Transport,
    index_tag,
)
from docsyncd_xai import wire
from docsyncd_xai.config import XaiConfig
from docsyncd_xai.media import extension
from docsyncd_xai.pace import Pace
from docsyncd_xai.paging import LIMIT, Page, walk
from docsyncd_xai.refusals import NO_STORAGE, forbids_storage

SKEW: Final = timedelta(minutes=5)
"""How far xAI's clock and ours may differ when a search is bounded by time."""


class Files:
    """Upload, look-up, search by tag, deletion."""

    def __init__(self, transport: Transport, config: XaiConfig, pace: Pace) -> None:
        self._transport = transport
        self._config = config
        self._pace = pace
        self._uploads = anyio.Semaphore(config.parallel_uploads)
        self.storage_forbidden = False
        """The last answer said that this team's data is never kept."""

    @property
    def remote(self) -> str:
        return self._transport.remote

    async def ask(self, method: str, path: str, **request: Any) -> Reply:
        """One request to api.x.ai; every answer is looked at for zero data retention."""
        await self._pace.turn()
        reply = await self._transport.request(method, path, **request)
        self.storage_forbidden = forbids_storage(reply.headers)
        return reply

    async def upload(self, staged: Staged, name: str) -> IndexFileId:
        """One multipart request, streamed from the disk. Never repeated: a second one would be a second, billed file.

        `purpose` comes first and `file` last, as the other side streams on and cannot go back; `expires_after` is never sent,
        because an expired file vanishes without a word (xai.md, 1.2).
        """
        if self.storage_forbidden:
            refused = CredentialsRefused(NO_STORAGE, remote=self.remote)
            self._transport.breaker.trip(refused)
            raise refused
        with ExitStack() as opened:

            def form() -> aiohttp.FormData:
                # quote_fields=False: else aiohttp percent-encodes the name, and xAI stores it so.
                data = aiohttp.FormData(quote_fields=False)
                data.add_field("purpose", "assistants")
                data.add_field(
                    "file",
                    opened.enter_context(staged.path.open("rb")),
                    filename=name,
                    content_type=self._config.media_types.get(extension(name), "application/octet-stream"),
                )
                return data

            async with self._uploads:
                reply = await self.ask("POST", "/v1/files", data=form, read_timeout=self._config.upload_timeout)
        return await self._stored(reply, staged)

    async def _stored(self, reply: Reply, staged: Staged) -> IndexFileId:
        """The new file's id. An unreadable answer leaves open what was stored; other bytes than ours are deleted again."""
        try:
            stored = wire.read(wire.WireFile, reply, remote=self.remote)
        except ProtocolViolation as error:
            raise OutcomeUnknown(f"the upload's answer cannot be read: {error}", remote=self.remote) from error
        file = IndexFileId(stored.id)
        if stored.bytes not in (None, staged.size):
            await self.delete(file)
            raise CorruptContent(f"stored {stored.bytes} of {staged.size} bytes", remote=self.remote)
        return file

    async def get(self, file: IndexFileId) -> IndexedFile | None:
        reply = await self.ask("GET", _path(file), accept={404})
        return None if reply.status == 404 else wire.read(wire.WireFile, reply, remote=self.remote).meant()

    async def delete(self, file: IndexFileId) -> bool:
        """False if there was none."""
        return (await self.ask("DELETE", _path(file), accept={404})).status != 404

    async def find(self, tag: str, since: datetime | None) -> tuple[IndexedFile, ...]:
        """Files with exactly this tag, the newest first; the search ends at what is older than `since`."""
        found: list[IndexedFile] = []
        async for file in self.listing(order="desc"):
            if since is not None and file.created_at is not None and file.created_at < since - SKEW:
                break
            carried = index_tag.read(file.name)
            if carried is not None and str(carried) == tag:
                found.append(file)
        return tuple(found)

    async def tagged(self) -> AsyncIterator[IndexedFile]:
        """Every file that we uploaded, the oldest first, so that new ones do not shift the pages."""
        async for file in self.listing(order="asc"):
            if index_tag.read(file.name) is not None:
                yield file

    async def listing(self, *, order: str) -> AsyncIterator[IndexedFile]:
        """Every file of the team. All parameters are sent: the defaults differ between xAI's interfaces (xai.md, 1.4)."""

        async def fetch(token: str | None) -> Page[IndexedFile]:
            params = {"limit": str(LIMIT), "order": order, "sort_by": "created_at"}
            reply = await self.ask("GET", "/v1/files", params=params | ({"pagination_token": token} if token else {}))
            answer = wire.read(wire.WireFiles, reply, remote=self.remote)
            first = answer.data[0].id if answer.data else ""
            return Page(entries=[file.meant() for file in answer.data], first=first, token=answer.pagination_token)

        async for file in walk(fetch, what="files", remote=self.remote, short_ends=True):
            yield file


def _path(file: IndexFileId) -> str:
    return f"/v1/files/{quote(file, safe='')}"
