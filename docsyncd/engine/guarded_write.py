"""The only place that changes anything at a remote (a test reads the syntax tree of every other module).

Before each effect the lease must surely hold; after it the audit chain has a line for what left the house or was removed.
In mode `observe` nothing gets here: the engine stops at the first step with an effect.
"""

from __future__ import annotations

from collections.abc import Mapping

from docsyncd.core.model import (
    AttachmentId,
    CollectionId,
    CollectionStage,
    Digests,
    Document,
    DocumentId,
    Holder,
    IndexFileId,
)
from docsyncd.engine.lease import Lease
from docsyncd.ports import Catalog, Index, Patch, Staged
from docsyncd.work.audit import Audit


class GuardedWrite:
    """The effects of one run, under one lease."""

    def __init__(self, catalog: Catalog, index: Index, audit: Audit, lease: Lease) -> None:
        self._catalog = catalog
        self._index = index
        self._audit = audit
        self._lease = lease

    async def save(self, document: Document, patch: Patch) -> Document:
        self._lease.require()
        return await self._catalog.save(document, patch, expect=document.revision)

    async def attach_preview(self, document: Document, picture: bytes) -> AttachmentId:
        self._lease.require()
        return await self._catalog.attach_preview(document, picture, expect=document.revision)

    async def upload(self, document: DocumentId, staged: Staged, name: str) -> IndexFileId:
        self._lease.require()
        file = await self._index.upload(staged, name)
        await self._record("uploaded", document, file=file, blake3=staged.digests.blake3, bytes=staged.size)
        return file

    async def place(
        self,
        document: DocumentId,
        file: IndexFileId,
        collection: CollectionId,
        fields: Mapping[str, str],
        content: Digests,
    ) -> None:
        self._lease.require()
        await self._index.place(file, collection, fields)
        await self._record("placed", document, file=file, collection=collection, blake3=content.blake3)

    async def withdraw(self, document: DocumentId, file: IndexFileId, collection: CollectionId, *, reason: str) -> None:
        self._lease.require()
        await self._index.withdraw(file, collection)
        await self._record("withdrawn", document, file=file, collection=collection, reason=reason)

    async def forget(self, document: DocumentId, file: IndexFileId) -> None:
        """Delete a file and prove it: the index itself must say that it has none such any more."""
        self._lease.require()
        await self._index.forget(file)
        verified = await self._index.file(file) is None
        await self._record("forgotten", document, file=file, verified_absent=verified)

    async def create_collection(self, name: str) -> CollectionId:
        self._lease.require()
        collection = await self._index.create_collection(name)
        await self._append("collection_created", collection=collection)
        return collection

    async def delete_collection(self, collection: CollectionId) -> None:
        self._lease.require()
        await self._index.delete_collection(collection)
        await self._append("collection_deleted", collection=collection)

    async def save_holder(self, holder: Holder, collection: CollectionId | None, stage: CollectionStage) -> None:
        self._lease.require()
        await self._catalog.save_holder(holder, collection, stage, expect=holder.revision)

    async def _record(self, event: str, document: DocumentId, **facts: object) -> None:
        await self._append(event, document=document, **facts)

    async def _append(self, event: str, **facts: object) -> None:
        await self._audit.append(event, {"trace": self._lease.claim.trace, **facts})
