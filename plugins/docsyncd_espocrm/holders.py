"""The records that stand for collections: their names, their stage, and which collection they have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from docsyncd.api import CollectionId, CollectionStage, DocumentId, Holder, HolderId, PreconditionFailed, Revision

from .links import CollectionLink, Links
from .memberships import linked_with
from .rest import Missing, Rest
from .wire import Record, Wire, text, written_value


class Holders:
    """Reads and writes them by their id, `<entity>/<id>`."""

    def __init__(self, rest: Rest, wire: Wire, links: Links) -> None:
        self._rest = rest
        self._wire = wire
        self._links = links

    async def one(self, holder: HolderId) -> Holder | None:
        """None if EspoCRM says that there is no such record, or if its entity stands for no collections any more."""
        link, identifier = await self._link(holder)
        if link is None:
            return None
        try:
            record = await self._rest.record(link.entity, identifier)
        except Missing:
            return None
        return None if record.get("deleted") is True else self._holder(link, record)

    async def every(self) -> AsyncIterator[Holder]:
        names = self._wire.profile.collection
        for link in (await self._links.layout()).collections:
            stage = (names.stage,) if link.has_stage else ()
            select = ("name", names.id, *stage, "versionNumber")
            async for record in self._rest.walk(self._rest.path(link.entity), select=select):
                yield self._holder(link, record)

    async def documents(self, holder: HolderId) -> AsyncIterator[DocumentId]:
        link, identifier = await self._link(holder)
        if link is None:
            return
        path = self._rest.path(self._wire.profile.document.entity)
        async for record in self._rest.walk(path, select=("id",), where=[linked_with(link.name, [identifier])]):
            yield DocumentId(self._wire.identifier(record))

    async def save(
        self, holder: Holder, collection: CollectionId | None, stage: CollectionStage, *, expect: Revision | None
    ) -> None:
        """One look and one PUT. `PreconditionFailed` if the record is no longer what `holder` says.

        Without versions nothing else keeps a stage that a person set meanwhile from being written over.
        """
        link, identifier = await self._link(holder.id)
        now = await self.one(holder.id)
        if link is None or now is None or (now.collection, now.stage) != (holder.collection, holder.stage):
            raise PreconditionFailed(f"{holder.id} was changed by somebody else", remote=self._rest.remote)
        names = self._wire.profile.collection
        body: dict[str, Any] = {names.id: collection}
        if link.has_stage and stage is not holder.stage:
            body[names.stage] = written_value(names.stage_values, stage)
        await self._rest.put(self._rest.path(link.entity, identifier), body, version=expect)

    async def _link(self, holder: HolderId) -> tuple[CollectionLink | None, str]:
        entity, _, identifier = holder.partition("/")
        found = [link for link in (await self._links.layout()).collections if link.entity == entity]
        return (found[0] if found and identifier else None), identifier

    def _holder(self, link: CollectionLink, record: Record) -> Holder:
        number = record.get("versionNumber")
        return Holder(
            id=HolderId(f"{link.entity}/{self._wire.identifier(record)}"),
            name=text(record, "name") or "",
            collection=self._wire.collection(record),
            stage=self._wire.collection_stage(record, has_stage=link.has_stage),
            revision=None if number is None else Revision(str(number)),
        )
