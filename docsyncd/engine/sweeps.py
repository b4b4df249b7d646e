"""What no webhook says: polls for changes, and complete comparisons that rebuild whatever was lost.

A sweep changes nothing at a remote. It finds documents that need a look and makes them due; the handler of the key, under its
lease, decides and acts. Design: index-sync.md, "Triggers" and "One document".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog

from docsyncd.clock import Clock
from docsyncd.core import index_tag
from docsyncd.core.index_scope import IndexScope
from docsyncd.core.model import CollectionId, DocumentId, IndexedFile, IndexFileId, Lane, Notice, holder_key
from docsyncd.core.safety import too_many_removals
from docsyncd.engine.intake import NoticeIntake
from docsyncd.engine.keep_collection import needs_keeping
from docsyncd.errors import CollectionGone, SafetyHalt
from docsyncd.ports import Catalog, Index
from docsyncd.work.intervals import Intervals
from docsyncd.work.ledger import Ledger, Orphan, StoredFile

POLL = "poll.changes"
BATCH = 500
"""Keys offered in one call: a sweep of 100,000 documents holds neither Redis nor memory up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeps:
    """The polls and sweeps of the index flow. Each method is one complete pass, or raises."""

    catalog: Catalog
    index: Index
    ledger: Ledger
    intake: NoticeIntake
    intervals: Intervals
    clock: Clock
    scope: IndexScope
    orphan_age: float

    async def poll(self) -> int:
        """Documents changed since the last poll; the cursor moves after they are safely in the queue."""
        offered = 0
        cursor = await self.intervals.cursor(POLL)
        while True:
            page = await self.catalog.changed_since(cursor)
            for deep in (False, True):
                found = list(dict.fromkeys(item.document for item in page.items if item.deep is deep))
                if found:
                    offered += await self.intake.offer_documents(found, topic="poll", lane=Lane.NORMAL, deep=deep)
            cursor = page.cursor
            await self.intervals.set_cursor(POLL, cursor)
            if not page.more:
                return offered

    async def ids(self) -> int:
        """Every id against every memory: what is new or restored, what was never brought to its end (a run that only
        observed, a key that was lost), and what is gone. Where only linked documents are ours, the links find the new ones.
        """
        remembered = {document async for document in self.ledger.documents()}
        present: set[DocumentId] = set()
        offered = 0
        async for batch in _batches(self.catalog.ids()):
            present.update(batch)
            known = [document for document in batch if document in remembered]
            settled = await self.ledger.settled(known)
            open_ends = [document for document in (known if self.scope.linked else batch) if document not in settled]
            offered += await self.intake.offer_documents(open_ends, topic="sweep.ids", lane=Lane.BULK, deep=False)
        gone = sorted(remembered - present)
        if gone and not present:
            raise SafetyHalt(f"the catalog lists no document at all, {len(gone)} are known", valve="empty-catalog")
        for start in range(0, len(gone), BATCH):
            offered += await self.intake.offer_documents(
                gone[start : start + BATCH], topic="sweep.ids", lane=Lane.BULK, deep=False
            )
        return offered

    async def links(self) -> int:
        """The links of every collection against what was placed: linking fires no event and moves no date."""
        linked: dict[DocumentId, set[CollectionId]] = defaultdict(set)
        async for collection, document in self.catalog.links():
            if self.scope.admits(collection):
                linked[document].add(collection)
        differing = [
            document
            async for document in self.ledger.documents()
            if await self._placed_in(document) != linked.pop(document, set())
        ]
        keep = [holder_key(holder.id) async for holder in self.catalog.holders() if needs_keeping(holder, self.scope)]
        if keep:
            await self.intake.offer([Notice(key=key, topic="sweep.links") for key in keep], lane=Lane.BULK)
        return len(keep) + await self._offer(sorted({*differing, *linked}), topic="sweep.links")

    async def orphans(self) -> int:
        """Files of the index that carry our tag and are no memory's: their documents look at them and tidy up.

        Also finds documents in a collection that nothing links there, after Redis was lost. Valves: an emptied listing,
        or more than max(20, 10 %) files to be forgotten, hold. Where the collections are limited, a file that none of them
        holds is left alone: another one may hold it, and another daemon know it.
        """
        known = await self._known_files()
        collections = self.scope.only or {collection async for collection, _ in self.catalog.links()}
        placed = await self._placed(collections)
        newest = self.clock.now() - timedelta(seconds=self.orphan_age)
        listed: dict[IndexFileId, IndexedFile] = {file.id: file async for file in self.index.files()}
        tagged = sum(not stored.adopted for stored in known.values())
        if tagged and not listed:
            raise SafetyHalt(f"the index lists no file at all, {tagged} are known", valve="empty-index")
        strange = [file for file in listed.values() if file.id not in known]
        settled = [file for file in strange if file.created_at is None or file.created_at < newest]
        complete = len(settled) == len(strange)
        if self.scope.only:
            settled = [file for file in settled if file.id in placed]
        loose = [file for file in settled if file.id not in placed]
        if too_many_removals(len(loose), of=len(listed)):
            raise SafetyHalt(f"{len(loose)} of {len(listed)} files would be forgotten", valve="mass-forgetting")
        orphans: dict[DocumentId, list[Orphan]] = defaultdict(list)
        for file in settled:
            tag = index_tag.read(file.name)
            if tag is not None:
                where = placed.get(file.id) or {CollectionId("")}
                orphans[tag.document] += [Orphan(file=file.id, content=tag.prefix, collection=c) for c in where]
        for document, found in orphans.items():
            await self.ledger.orphaned(document, found)
        offered = await self._offer(sorted(orphans), topic="sweep.orphans")
        if complete:  # a file too young to be judged may be one that its document has forgotten
            await self.ledger.set_complete()
        return offered

    async def _placed_in(self, document: DocumentId) -> set[CollectionId]:
        """Our collections that the document was put into, as far as its memory says."""
        wanted = (await self.ledger.recall(document)).memory.wanted
        return {collection for collection in wanted if self.scope.admits(collection)}

    async def _known_files(self) -> Mapping[IndexFileId, StoredFile]:
        found: dict[IndexFileId, StoredFile] = {}
        async for document in self.ledger.documents():
            found.update((await self.ledger.recall(document)).memory.files)
        return found

    async def _placed(self, collections: Collection[CollectionId]) -> Mapping[IndexFileId, set[CollectionId]]:
        placed: dict[IndexFileId, set[CollectionId]] = defaultdict(set)
        for collection in sorted(collections):
            try:
                async for placement in self.index.members(collection):
                    placed[placement.file].add(collection)
            except CollectionGone as gone:
                structlog.get_logger().warning("collection.gone", collection=gone.collection)
        return placed

    async def _offer(self, documents: list[DocumentId], *, topic: str) -> int:
        offered = 0
        for start in range(0, len(documents), BATCH):
            batch = documents[start : start + BATCH]
            offered += await self.intake.offer_documents(batch, topic=topic, lane=Lane.BULK, deep=True)
        return offered


async def _batches(documents: AsyncIterator[DocumentId]) -> AsyncIterator[list[DocumentId]]:
    batch: list[DocumentId] = []
    async for document in documents:
        batch.append(document)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
