"""The tables: records, relationships, attachment bytes, and how a record looks from outside. No rights, no events by itself."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from docsyncd.api import Clock
from docsyncd_espocrm.emulator.content import Content
from docsyncd_espocrm.emulator.errors import EspoError, not_found
from docsyncd_espocrm.emulator.schema import Attribute, EntityType, Link, UncleanHook
from docsyncd_espocrm.emulator.values import timestamp


@dataclass(slots=True)
class Record:
    """One row. `attributes` holds what was ever set; everything else reads as null. `changed_in`: versions, by attribute."""

    entity: str
    id: str
    attributes: dict[str, Any] = field(default_factory=dict)
    deleted: bool = False
    changed_in: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that a webhook may be told. `name` such as `Document.update`; `data` is the payload's item."""

    name: str
    entity: str
    record_id: str
    data: Mapping[str, Any]
    user_id: str


class Store:
    """All tables of one emulated instance."""

    def __init__(self, schema: dict[str, EntityType], clock: Clock) -> None:
        self.schema = schema
        self.clock = clock
        self.unclean_hook: UncleanHook = "fields"
        self.tables: dict[str, dict[str, Record]] = {}
        self.pairs: dict[str, list[dict[str, str]]] = {}
        self.contents: dict[str, Content] = {}
        self.user_names: dict[str, str] = {}
        self.listeners: list[Callable[[Event], None]] = []
        self._rows = 0

    def now(self) -> str:
        """Whole seconds, UTC."""
        return timestamp(self.clock.now())

    def emit(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)

    def entity(self, name: str) -> EntityType:
        """Raises a 404 for a type that does not exist."""
        if name not in self.schema:
            raise EspoError(404, f"Controller '{name}' does not exist.")
        return self.schema[name]

    # Records

    def new_id(self, entity: str) -> str:
        self._rows += 1
        return str(self._rows) if self.schema[entity].numeric_ids else secrets.token_hex(9)[:17]

    def insert(self, record: Record) -> Record:
        self.tables.setdefault(record.entity, {})[record.id] = record
        return record

    def find(self, entity: str, record_id: str, *, deleted: bool = False) -> Record | None:
        record = self.tables.get(entity, {}).get(record_id)
        return record if record is not None and (deleted or not record.deleted) else None

    def get(self, entity: str, record_id: str, *, deleted: bool = False) -> Record:
        """Raises the 404 that EspoCRM answers for a missing record."""
        record = self.find(entity, record_id, deleted=deleted)
        if record is None:
            raise not_found(record_id)
        return record

    def living(self, entity: str) -> list[Record]:
        return [record for record in self.tables.get(entity, {}).values() if not record.deleted]

    # How a record looks

    def name_of(self, entity: str, record_id: Any) -> str | None:
        """The name that a link shows; null when the foreign record is gone."""
        if not record_id:
            return None
        if entity == "User":
            return self.user_names.get(record_id)
        foreign = self.find(entity, record_id)
        return foreign.attributes.get("name") if foreign is not None else None

    def value(self, record: Record, attribute: Attribute) -> Any:
        if attribute.name == "id":
            return int(record.id) if self.schema[record.entity].numeric_ids else record.id
        if attribute.name == "deleted":
            return record.deleted
        if attribute.stored:
            value = record.attributes.get(attribute.name)
            return list(value) if isinstance(value, list) else value
        if attribute.field.type == "linkMultiple":
            foreign = self.related(record, attribute.field_name)
            if attribute.name.endswith("Ids"):
                return [each.id for each in foreign]
            return {each.id: each.attributes.get("name") for each in foreign}
        entity = "Attachment" if attribute.field.is_upload else attribute.field.entity
        return self.name_of(entity, record.attributes.get(f"{attribute.field_name}Id"))

    def view(self, record: Record) -> dict[str, Any]:
        """All attributes, null included."""
        attributes = self.schema[record.entity].attributes()
        return {name: self.value(record, attribute) for name, attribute in attributes.items()}

    # Relationships

    def link_of(self, entity: str, name: str) -> Link:
        link = self.entity(entity).links.get(name)
        if link is None:
            raise EspoError(404, "Link does not exist.")
        return link

    def related(self, record: Record, name: str) -> list[Record]:
        """The living records at the other end."""
        link = self.link_of(record.entity, name)
        if link.kind == "belongsTo":
            ids = [record.attributes.get(f"{name}Id")]
        elif link.kind == "hasMany":
            key = f"{link.foreign}Id"
            return [each for each in self.living(link.entity) if each.attributes.get(key) == record.id]
        else:
            ids = [pair[link.entity] for pair in self._pairs(link) if pair[record.entity] == record.id]
        found = [self.find(link.entity, record_id) for record_id in ids if record_id]
        return [each for each in found if each is not None]

    def relate(self, record: Record, name: str, foreign: Record) -> None:
        """Idempotent; fires nothing and stamps nothing (reference 1.1)."""
        link = self.link_of(record.entity, name)
        if link.kind == "belongsTo":
            record.attributes[f"{name}Id"] = foreign.id
        elif link.kind == "hasMany":
            foreign.attributes[f"{link.foreign}Id"] = record.id
        elif {record.entity: record.id, foreign.entity: foreign.id} not in self._pairs(link):
            self._add_pair(link, {record.entity: record.id, foreign.entity: foreign.id})

    def unrelate(self, record: Record, name: str, foreign: Record) -> None:
        link = self.link_of(record.entity, name)
        if link.kind == "belongsTo":
            if record.attributes.get(f"{name}Id") == foreign.id:
                record.attributes[f"{name}Id"] = None
        elif link.kind == "hasMany":
            if foreign.attributes.get(f"{link.foreign}Id") == record.id:
                foreign.attributes[f"{link.foreign}Id"] = None
        else:
            self._drop_pair(link, {record.entity: record.id, foreign.entity: foreign.id})

    def _pairs(self, link: Link) -> list[dict[str, str]]:
        if not link.through:
            return self.pairs.setdefault(link.relation, [])
        return [self._row_pair(row) for row in self.living(link.through)]

    def _row_pair(self, row: Record) -> dict[str, str]:
        fields = self.schema[row.entity].fields
        return {each.entity: row.attributes[f"{name}Id"] for name, each in fields.items() if each.type == "link"}

    def _add_pair(self, link: Link, pair: dict[str, str]) -> None:
        if not link.through:
            self.pairs[link.relation].append(pair)
            return
        fields = self.schema[link.through].fields
        attributes = {name: each.default for name, each in fields.items() if each.default is not None}
        attributes |= {f"{name}Id": pair[each.entity] for name, each in fields.items() if each.type == "link"}
        self.insert(Record(entity=link.through, id=self.new_id(link.through), attributes=attributes))

    def _drop_pair(self, link: Link, pair: dict[str, str]) -> None:
        if not link.through:
            self.pairs[link.relation] = [each for each in self._pairs(link) if each != pair]
            return
        for row in self.living(link.through):
            row.deleted = row.deleted or self._row_pair(row) == pair

    # Attachments

    def remove_attachment(self, attachment_id: str) -> None:
        """The record and its bytes, at once; a copy shares the content object and keeps it."""
        attachment = self.find("Attachment", attachment_id)
        if attachment is not None:
            attachment.deleted = True
        self.contents.pop(attachment_id, None)
