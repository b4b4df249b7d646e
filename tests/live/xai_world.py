"""A real xAI as a world of the `Index` contract; it makes its own files and collections and removes them again.

Environment: `DOCSYNCD_LIVE_XAI_API_KEY` and `DOCSYNCD_LIVE_XAI_MANAGEMENT_KEY`; optional `DOCSYNCD_LIVE_XAI_FILES_URL` and
`DOCSYNCD_LIVE_XAI_MANAGEMENT_URL`. Use a team of its own: every story reads the team's whole list of files. One run stores some
thirty texts of a hundred bytes for a few minutes.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import anyio

from docsyncd.api import CollectionId, DocumentId, Index, IndexFileId, NotReady, Ports, Secret, index_tag
from docsyncd.testing.host import PlainHost
from docsyncd_xai.client import connect
from docsyncd_xai.config import XaiConfig

API_KEY: Final = "DOCSYNCD_LIVE_XAI_API_KEY"
MANAGEMENT_KEY: Final = "DOCSYNCD_LIVE_XAI_MANAGEMENT_KEY"
FILES_URL: Final = "DOCSYNCD_LIVE_XAI_FILES_URL"
MANAGEMENT_URL: Final = "DOCSYNCD_LIVE_XAI_MANAGEMENT_URL"

COLLECTION_NAME: Final = "docsyncd contract (may be deleted)"


def missing() -> list[str]:
    """The required variables that are not set."""
    return [name for name in (API_KEY, MANAGEMENT_KEY) if not os.environ.get(name)]


def live_config() -> XaiConfig:
    """The connector's table, from the environment."""
    addresses = {"files_url": os.environ.get(FILES_URL), "management_url": os.environ.get(MANAGEMENT_URL)}
    given: dict[str, Any] = {key: value for key, value in addresses.items() if value}
    return XaiConfig(api_key=Secret(env=API_KEY), management_key=Secret(env=MANAGEMENT_KEY), **given)


@dataclass(slots=True, kw_only=True)
class LiveXai:
    """`IndexWorld` over a real account. `contents` and `remove_collection` ask past the connector."""

    ports: Ports
    config: XaiConfig
    management: aiohttp.ClientSession
    patience: float = 300.0
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

    async def make_collection(self) -> CollectionId:
        collection = await self.index.create_collection(COLLECTION_NAME)
        self.collections.add(collection)
        return collection

    async def remove_collection(self, collection: CollectionId) -> None:
        async with self.management.delete(self._url(collection)) as answer:
            assert answer.status in (200, 404), await answer.text()

    async def contents(self, collection: CollectionId) -> Mapping[IndexFileId, str]:
        async with self.management.get(self._url(collection) + "/documents?limit=100") as answer:
            assert answer.status == 200, await answer.text()
            documents = (await answer.json()).get("documents") or []
        metadata = [document.get("file_metadata") or document["fileMetadata"] for document in documents]
        return {IndexFileId(one.get("file_id") or one["fileId"]): one["name"] for one in metadata}

    def _url(self, collection: CollectionId) -> str:
        return f"{self.config.management_url}/v1/collections/{collection}"

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


@asynccontextmanager
async def xai_world() -> AsyncIterator[LiveXai]:
    """Connect to the account that the environment names."""
    config = live_config()
    headers = {"Authorization": f"Bearer {config.management_key.reveal()}"}
    async with connect("xai", config, PlainHost()) as ports, aiohttp.ClientSession(headers=headers) as management:
        world = LiveXai(ports=ports, config=config, management=management)
        try:
            yield world
        finally:
            with anyio.CancelScope(shield=True):
                await world.clean_up()
