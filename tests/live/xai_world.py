"""An xAI as a world of the `Index` contract and of the live flow. It makes its own files and collections and removes them again.

Use a team of its own: every story reads the team's whole list of files. `contents`, `documents_of` and `remove_collection` ask past
the connector.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import anyio

from docsyncd.api import CollectionId, DocumentId, Index, IndexFileId, NotReady, Ports, index_tag
from docsyncd.testing.host import PlainHost
from docsyncd_xai.client import connect
from docsyncd_xai.config import XaiConfig
from tests.live.remotes import XaiRemote

COLLECTION_NAME: Final = "docsyncd contract (may be deleted)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One document of a collection, as xAI says. `status` without its prefix: `PROCESSED`."""

    file: IndexFileId
    name: str
    status: str
    blake3: str


@dataclass(slots=True, kw_only=True)
class LiveXai:
    """`IndexWorld` over an account."""

    ports: Ports
    config: XaiConfig
    management: aiohttp.ClientSession
    patience: float
    documents: set[DocumentId] = field(default_factory=set)
    collections: set[CollectionId] = field(default_factory=set)

    @property
    def index(self) -> Index:
        assert self.ports.index is not None
        return self.ports.index

    def document(self) -> DocumentId:
        document = DocumentId(secrets.token_hex(8) + "0")
        self.documents.add(document)
        return document

    async def make_collection(self, name: str = COLLECTION_NAME) -> CollectionId:
        collection = await self.index.create_collection(name)
        self.collections.add(collection)
        return collection

    async def remove_collection(self, collection: CollectionId) -> None:
        async with self.management.delete(self._url(collection)) as answer:
            assert answer.status in (200, 404), await answer.text()

    async def contents(self, collection: CollectionId) -> Mapping[IndexFileId, str]:
        return {held.file: held.name for held in await self.documents_of(collection)}

    async def documents_of(self, collection: CollectionId) -> Sequence[Held]:
        """Up to a hundred, which is more than a story puts in."""
        async with self.management.get(self._url(collection) + "/documents?limit=100") as answer:
            assert answer.status == 200, await answer.text()
            documents = (await answer.json()).get("documents") or []
        return [_held(document) for document in documents]

    def _url(self, collection: CollectionId) -> str:
        return f"{self.config.management_url}/v1/collections/{collection}"

    async def files_named(self, part: str) -> list[str]:
        """Files of the account with this in their name."""
        return [file.name async for file in self.index.files() if part in file.name]

    async def clean_up(self) -> None:
        """Remove every collection and file of this story, also after it failed."""
        for collection in self.collections:
            await self.index.delete_collection(collection)
        ours = [
            file.id
            async for file in self.index.files()
            if (tag := index_tag.read(file.name)) is not None and tag.document in self.documents
        ]
        for file in ours:
            await self._forget(file)

    async def _forget(self, file: IndexFileId) -> None:
        """A file that does not show yet is waited for: it must not stay behind."""
        with anyio.fail_after(self.patience):
            while True:
                try:
                    await self.index.forget(file)
                except NotReady as unseen:
                    await anyio.sleep(unseen.retry_after)
                else:
                    return


def _held(document: Mapping[str, Any]) -> Held:
    """Both spellings occur (reference: xai.md, 2.4)."""
    metadata = document.get("file_metadata") or document["fileMetadata"]
    return Held(
        file=IndexFileId(metadata.get("file_id") or metadata["fileId"]),
        name=metadata["name"],
        status=str(document.get("status", "")).removeprefix("DOCUMENT_STATUS_"),
        blake3=str(metadata.get("hash") or ""),
    )


@asynccontextmanager
async def xai_world(remote: XaiRemote) -> AsyncIterator[LiveXai]:
    """Connect to the account, and clean up after the story."""
    config = remote.config
    headers = {"Authorization": f"Bearer {config.management_key.reveal()}"}
    async with connect("xai", config, PlainHost()) as ports, aiohttp.ClientSession(headers=headers) as management:
        patience = 300.0 if remote.real else 20.0
        world = LiveXai(ports=ports, config=config, management=management, patience=patience)
        try:
            yield world
        finally:
            with anyio.CancelScope(shield=True):
                await world.clean_up()
