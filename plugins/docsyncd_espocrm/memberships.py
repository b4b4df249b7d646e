"""Where a document should be searchable, and whether it may: its links to collections and its consent, asked anew each time.

Linking changes no record and fires no webhook (reference/espocrm.md, fact 8), so nothing of this is remembered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from docsyncd.api import (
    CollectionId,
    CollectionStage,
    Document,
    DocumentId,
    HolderId,
    Membership,
    ProtocolViolation,
    in_parallel,
)

from .links import CollectionLink, Layout, Links
from .rest import LinkMissing, Missing, Rest
from .wire import Record, Wire


class Memberships:
    """Reads links and consent. `collection_of` remembers which collection each holder had when it was last seen."""

    def __init__(self, rest: Rest, wire: Wire, links: Links, *, consent_field: str) -> None:
        self._rest = rest
        self._wire = wire
        self._links = links
        self._consent_field = consent_field
        self._names = wire.profile.document
        self.collection_of: dict[tuple[str, str], CollectionId | None] = {}

    async def of(self, document: Document) -> tuple[Membership, ...]:
        """One request per link and one for the case file, all at once. `Rejected` if one of them is refused."""
        layout = await self._links.layout()
        allowed: list[bool | None] = []
        holders: dict[CollectionLink, Sequence[Record]] = {}

        async def ask_case_file() -> None:
            allowed.append(await self._case_file_consent(document, layout))

        async def ask_link(link: CollectionLink) -> None:
            holders[link] = await self._holders(document, link)

        every: list[Callable[[], Awaitable[None]]] = [
            ask_case_file,
            *(partial(ask_link, link) for link in layout.collections),
        ]
        await in_parallel(lambda question: question(), every)
        return tuple(self._membership(link, each, allowed[0]) for link in layout.collections for each in holders[link])

    async def pairs(self) -> AsyncIterator[tuple[CollectionId, DocumentId]]:
        """Every active collection with every document that is linked to its holder."""
        layout = await self._links.layout()
        for link in layout.collections:
            async for holder in self._rest.walk(self._rest.path(link.entity), select=self._selected(link)):
                collection = self._note(link, holder)
                if collection is None or self._stage(link, holder) is not CollectionStage.ACTIVE:
                    continue
                where = [linked_with(link.name, [self._wire.identifier(holder)])]
                async for document in self._rest.walk(self._rest.path(self._names.entity), select=("id",), where=where):
                    yield collection, DocumentId(self._wire.identifier(document))

    async def refresh_collections(self, entity: str) -> None:
        """Read which collection each record of this entity stands for."""
        link = next((each for each in (await self._links.layout()).collections if each.entity == entity), None)
        if link is None:
            raise ProtocolViolation(f"{entity} is linked to no document", remote=self._rest.remote)
        async for holder in self._rest.walk(self._rest.path(entity), select=self._selected(link)):
            self._note(link, holder)

    async def _holders(self, document: Document, link: CollectionLink) -> Sequence[Record]:
        path = self._rest.path(self._names.entity, document.id, link.name)
        try:
            return [record async for record in self._rest.walk(path, select=self._selected(link))]
        except LinkMissing:
            if await self._links.confirmed_gone(link):
                return ()
            raise

    async def _case_file_consent(self, document: Document, layout: Layout) -> bool | None:
        """May the document leave the house, by its case file? None: it has none, so each holder answers for itself."""
        if not self._consent_field:
            return True
        case_file = layout.case_file
        if case_file is None:
            if self._wire.profile.case_file.link:
                raise ProtocolViolation(
                    f"EspoCRM's metadata shows no link {self._names.entity}.{self._wire.profile.case_file.link}, so the "
                    "case file's consent cannot be read: does it exist, and may the API user read the case files?",
                    remote=self._rest.remote,
                )
            return None
        if case_file.many:
            path = self._rest.path(self._names.entity, document.id, case_file.name)
            found = [self._consent(each) async for each in self._rest.walk(path, select=(self._consent_field,))]
            return all(found) if found else None
        if document.case_file is None:
            return None
        try:
            # The record and not a list of one: a list hides what the role forbids, and that would look like "withdrawn".
            return self._consent(await self._rest.record(case_file.entity, document.case_file))
        except Missing:
            return False

    def _membership(self, link: CollectionLink, holder: Record, allowed: bool | None) -> Membership:
        consent = allowed if allowed is not None else link.has_consent and self._consent(holder)
        return Membership(
            holder=HolderId(f"{link.entity}/{self._wire.identifier(holder)}"),
            collection=self._note(link, holder),
            stage=self._stage(link, holder),
            consent=consent,
        )

    def _consent(self, record: Record) -> bool:
        """Only a plain true is consent; a record that does not show the field says neither yes nor no."""
        if self._consent_field not in record:
            raise ProtocolViolation(
                f"a record came without {self._consent_field}: does the field exist, and may the API user read it?",
                remote=self._rest.remote,
            )
        return record[self._consent_field] is True

    def _stage(self, link: CollectionLink, holder: Record) -> CollectionStage:
        return self._wire.collection_stage(holder, has_stage=link.has_stage)

    def _note(self, link: CollectionLink, holder: Record) -> CollectionId | None:
        collection = self._wire.collection(holder)
        self.collection_of[link.entity, self._wire.identifier(holder)] = collection
        return collection

    def _selected(self, link: CollectionLink) -> tuple[str, ...]:
        names = self._wire.profile.collection
        stage = (names.stage,) if link.has_stage else ()
        consent = (self._consent_field,) if link.has_consent else ()
        return (names.id, *stage, *consent)


def linked_with(link: str, identifiers: Sequence[str]) -> Mapping[str, Any]:
    """Records that are linked to any of these; needs no link-multiple field (reference/espocrm.md, 3.1)."""
    return {"type": "linkedWith", "attribute": link, "value": list(identifiers)}
