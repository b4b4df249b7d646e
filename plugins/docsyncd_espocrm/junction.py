"""Installations in which the rows between document and collection hold what the index knows of the document.

One row per link, made and removed by EspoCRM with the link itself. The rows are read into the document's `index_file`,
`collections`, `indexed_hash` and `index_status`, and written from there; several rows make one status, the worst.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from docsyncd.api import (
    CollectionId,
    Document,
    IndexFileId,
    IndexStatus,
    Patch,
    PreconditionFailed,
    ProtocolViolation,
)

from .memberships import Memberships
from .profile import JunctionNames
from .rest import Rest, equals, is_identifier
from .wire import Record, Wire, read_value, text, write_time, written_value

_WORST_FIRST: Final = (
    IndexStatus.UNKNOWN,
    IndexStatus.FAILED,
    IndexStatus.UNSUPPORTED,
    IndexStatus.SYNCING,
    IndexStatus.SYNCED,
    IndexStatus.NONE,
)
WRITTEN: Final = frozenset({"index_file", "collections", "indexed_hash"})
"""The values of a patch that go into rows and not into the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row, understood. `collection` is None while its holder has none."""

    id: str
    holder: str
    collection: CollectionId | None
    index_file: IndexFileId | None
    indexed_hash: str | None
    status: IndexStatus


class Junction:
    """Reads and writes the rows of one document at a time."""

    def __init__(self, rest: Rest, wire: Wire, memberships: Memberships, names: JunctionNames) -> None:
        self._rest = rest
        self._wire = wire
        self._memberships = memberships
        self._names = names

    async def completed(self, document: Document) -> Document:
        """The document with what its rows say. One request, and one more when a row's holder was never seen before."""
        return _with_rows(document, await self._rows(document))

    async def save(self, document: Document, patch: Patch, *, now: datetime) -> None:
        """Write the rows that the patch changes, each in one PUT.

        `PreconditionFailed` if the patch names a collection that no row leads to: the link went while we worked.
        """
        if patch.index_status is None and WRITTEN.isdisjoint(patch.values):
            return
        collections = patch.values.get("collections")
        rows = await self._rows(document, wanted=collections or ())
        missing = set(collections or ()) - {row.collection for row in rows}
        if missing:
            raise PreconditionFailed(
                f"document {document.id} is no longer linked to {', '.join(sorted(missing))}", remote=self._rest.remote
            )
        for row in rows:
            body = self._body(row, patch, document)
            if body:
                await self._rest.put(self._row_path(document, row), self._stamped(body, now))

    async def _rows(self, document: Document, *, wanted: Collection[str] = ()) -> Sequence[Row]:
        """The rows; which collections they stand for is read again if what we remember cannot be right."""
        where = [equals(self._names.document, document.id)]
        path = self._rest.route(self._names.rows_route, entity=self._names.entity, document=document.id)
        found = self._rest.walk(path, select=self._selected(), where=where)
        # A route of the installation's own may not know `where`.
        records = [each async for each in found if text(each, self._names.document) in (None, document.id)]
        rows = [self._row(record) for record in records]
        unseen = any((self._names.holder_entity, row.holder) not in self._memberships.collection_of for row in rows)
        outdated = any(row.index_file is not None and row.collection is None for row in rows)
        if unseen or outdated or not {*wanted} <= {row.collection for row in rows}:
            await self._memberships.refresh_collections(self._names.holder_entity)
            rows = [self._row(record) for record in records]
        return rows

    def _row(self, record: Record) -> Row:
        names, holder, index_file = self._names, self._holder(record), text(record, self._names.index_file)
        raw = record.get(names.status) if names.status else None
        return Row(
            id=self._wire.identifier(record),
            holder=holder,
            collection=self._memberships.collection_of.get((names.holder_entity, holder)),
            index_file=None if index_file is None else IndexFileId(index_file),
            indexed_hash=text(record, names.indexed_hash),
            status=read_value(self._wire.profile.document.index_status_values, raw) or IndexStatus.UNKNOWN,
        )

    def _holder(self, record: Record) -> str:
        holder = text(record, self._names.holder)
        if holder is None or not is_identifier(holder):
            raise ProtocolViolation(
                f"a row of {self._names.entity} came without {self._names.holder}", remote=self._rest.remote
            )
        return holder

    def _body(self, row: Row, patch: Patch, document: Document) -> dict[str, Any]:
        """What changes in this row. A row whose collection the document leaves forgets all that it said of the index."""
        names, values = self._names, patch.values
        collections = tuple(values["collections"] or ()) if "collections" in values else document.collections
        left = "collections" in values and row.collection not in collections
        after: dict[str, str | None] = {}
        if left:
            after = {names.index_file: None, names.indexed_hash: None}
        elif row.collection in collections and not WRITTEN.isdisjoint(values):
            after = {
                names.index_file: _plain(values.get("index_file", document.index_file)),
                names.indexed_hash: _plain(values.get("indexed_hash", document.indexed_hash)),
            }
        status = self._status(patch, collections, row, left=left)
        if status is not None:
            after[names.status] = written_value(self._wire.profile.document.index_status_values, status)
        before = {
            names.index_file: row.index_file,
            names.indexed_hash: row.indexed_hash,
            names.status: written_value(self._wire.profile.document.index_status_values, row.status),
        }
        return {name: value for name, value in after.items() if name and before[name] != value}

    def _status(self, patch: Patch, collections: tuple[str, ...], row: Row, *, left: bool) -> IndexStatus | None:
        """A success is the row's own only if its collection has the document; a failure or refusal is everybody's."""
        if left and patch.index_status in (None, IndexStatus.SYNCED):
            return IndexStatus.NONE
        if patch.index_status is IndexStatus.SYNCED and row.collection not in collections:
            return IndexStatus.NONE
        return patch.index_status

    def _stamped(self, body: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        return {**body, **({self._names.last_sync: write_time(now)} if self._names.last_sync else {})}

    def _row_path(self, document: Document, row: Row) -> str:
        return self._rest.route(
            self._names.row_route, entity=self._names.entity, row=row.id, document=document.id, holder=row.holder
        )

    def _selected(self) -> tuple[str, ...]:
        names = self._names
        every = (names.document, names.holder, names.index_file, names.status, names.indexed_hash)
        return tuple(name for name in every if name)


def _plain(value: object) -> str | None:
    return str(value) if value else None


def _with_rows(document: Document, rows: Sequence[Row]) -> Document:
    """Rows that name a file count; where none does, every row's status does."""
    placed = [row for row in rows if row.index_file is not None]
    statuses = {row.status for row in placed or rows}
    return replace(
        document,
        index_file=placed[0].index_file if placed else None,
        collections=tuple(sorted(row.collection for row in placed if row.collection is not None)),
        indexed_hash=next((row.indexed_hash for row in placed if row.indexed_hash), None),
        index_status=next((status for status in _WORST_FIRST if status in statuses), IndexStatus.NONE),
    )
