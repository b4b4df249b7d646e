"""What the index holds of one document, gathered from the memory, the record's claims and the index itself.

Only reads. Ownership of a file is our tag or the ledger; the record's own `xaiFileId` is a claim that EspoCRM's "Duplicate"
copies, so a claimed file is believed only if its tag names this document, or if it has no tag and nobody else owns it
(uploaded by the earlier implementation). Design: index-sync.md, 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from docsyncd.core import index_tag
from docsyncd.core.model import (
    CollectionId,
    Digests,
    Document,
    DocumentId,
    IndexFileId,
    Membership,
    Placement,
    PlacementState,
)
from docsyncd.errors import CollectionGone
from docsyncd.ports import Index
from docsyncd.tasks import in_parallel
from docsyncd.work.ledger import Ledger, Memory, Recall, StoredFile


class UploadUnsettled(Exception):
    """An upload broke off so shortly ago that its file may still appear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """This document's files, where they are, and which collections no longer exist."""

    files: Mapping[IndexFileId, StoredFile]
    placements: tuple[Placement, ...]
    gone: frozenset[CollectionId]
    memory: Memory
    """As recalled, with a broken-off upload resolved."""


def holds(file: StoredFile, content: Digests) -> bool:
    """Does this file hold this content, as far as its hash or its tag tells?"""
    return content.names(file.content) or (
        len(file.content) == index_tag.PREFIX and content.blake3.startswith(file.content)
    )


def current_file(files: Mapping[IndexFileId, StoredFile], content: Digests | None) -> IndexFileId | None:
    """The file that holds the content; of several the first by id, so that every run chooses the same."""
    if content is None:
        return None
    return next((file for file in sorted(files) if holds(files[file], content)), None)


async def survey(
    index: Index,
    ledger: Ledger,
    recall: Recall,
    document: Document,
    memberships: tuple[Membership, ...],
    *,
    now: datetime,
    upload_settles: float,
) -> Survey:
    """Ask the index. Raises `UploadUnsettled` if it is too early to believe that a broken-off upload did not arrive."""
    memory = await resolve_intent(index, recall.memory, document.id, now=now, upload_settles=upload_settles)
    files = recall.files() | dict(memory.files)
    files |= await _claimed(index, ledger, document, files)
    collections = {m.collection for m in memberships if m.collection is not None}
    collections |= {*document.collections, *recall.collections()}
    discovered, gone = await _discovered(index, ledger, recall, document.id, collections)
    files |= {p.file: StoredFile(content=_prefix(p.name)) for p in discovered if p.file not in files}
    placements = await where(index, files, collections - gone)
    return Survey(files=files, placements=placements, gone=gone, memory=memory)


async def resolve_intent(
    index: Index, memory: Memory, document: DocumentId, *, now: datetime, upload_settles: float
) -> Memory:
    """Find the file of an upload whose answer was lost, by its tag alone; the memory without the intent."""
    intent = memory.intent
    if intent is None:
        return memory
    found = await index.find(index_tag.tag(document, intent.content), since=intent.at)
    if not found and (now - intent.at).total_seconds() < upload_settles:
        raise UploadUnsettled
    arrived = {file.id: StoredFile(content=intent.content) for file in found}
    return memory.model_copy(update={"intent": None, "files": {**arrived, **memory.files}})


async def where(
    index: Index, files: Mapping[IndexFileId, StoredFile], collections: set[CollectionId]
) -> tuple[Placement, ...]:
    """Every membership of these files in these collections."""
    pairs = [(file, collection) for file in sorted(files) for collection in sorted(collections)]
    answers = await in_parallel(lambda pair: index.status(*pair), pairs)
    return tuple(placement for placement in answers if placement.state is not PlacementState.ABSENT)


async def _claimed(
    index: Index, ledger: Ledger, document: Document, files: Mapping[IndexFileId, StoredFile]
) -> Mapping[IndexFileId, StoredFile]:
    claim = document.index_file
    if claim is None or claim in files or await ledger.owner(claim) not in (None, document.id):
        return {}
    held = await index.file(claim)
    if held is None:
        return {}
    tag = index_tag.read(held.name)
    if tag is not None:
        return {claim: StoredFile(content=tag.prefix)} if tag.document == document.id else {}
    if document.indexed_hash is None or not await ledger.adopt(claim, document.id):
        return {}
    return {claim: StoredFile(content=document.indexed_hash.lower(), adopted=True)}


async def _discovered(
    index: Index, ledger: Ledger, recall: Recall, document: DocumentId, collections: set[CollectionId]
) -> tuple[tuple[Placement, ...], frozenset[CollectionId]]:
    """By tag, where the memory may be lost. After a complete sweep an unknown document is a new one: nothing to ask."""
    if recall.known or not collections or await ledger.complete():
        return (), frozenset()

    async def one(collection: CollectionId) -> tuple[Placement, ...] | CollectionId:
        try:
            return await index.placements(document, (collection,))
        except CollectionGone as error:
            return CollectionId(error.collection)

    answers = await in_parallel(one, sorted(collections))
    found = [placement for answer in answers if isinstance(answer, tuple) for placement in answer]
    return tuple(found), frozenset(answer for answer in answers if not isinstance(answer, tuple))


def _prefix(name: str) -> str:
    tag = index_tag.read(name)
    return tag.prefix if tag is not None else ""
