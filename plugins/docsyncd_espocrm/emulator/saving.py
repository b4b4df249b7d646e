"""Creating, changing and removing records as EspoCRM does: input filter, validation, version check, stamps, files, events.

Sources: reference 1.1 (payloads), 3.2 (create and update), 3.4 (stamps, versions), 3.6 (link attributes), 4.4 (files).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from docsyncd_espocrm.emulator import hooks
from docsyncd_espocrm.emulator.access import User, may, may_read_attachment
from docsyncd_espocrm.emulator.errors import EspoError, forbidden, invalid
from docsyncd_espocrm.emulator.schema import SYSTEM_ATTRIBUTES, EntityType
from docsyncd_espocrm.emulator.store import Event, Record, Store
from docsyncd_espocrm.emulator.values import Refused, accept, missing

UNTOLD = frozenset({"modifiedAt", "versionNumber", "streamUpdatedAt"})
"""Never in an update's payload. `modifiedById` and `modifiedByName` are: the list in EspoCRM names the field, not the attribute."""


@dataclass(slots=True)
class Input:
    """A body after the input filter. `links`: wanted ids by link name; `shown`: what this request's answer echoes."""

    stored: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)
    links: dict[str, list[str]] = field(default_factory=dict)


def create(store: Store, entity: str, body: Mapping[str, Any], user: User) -> tuple[Record, dict[str, Any]]:
    """The new record, and its answer: null attributes omitted."""
    kind = store.entity(entity)
    given = _read_body(kind, body)
    values = {name: each.default for name, each in kind.fields.items() if each.default is not None} | given.stored
    for name, each in kind.fields.items():
        if missing(each, values.get(each.attributes(name)[0])):
            raise invalid(entity, name, "required")
    _check_foreign(store, kind, given.stored, user)
    record = Record(entity=entity, id=store.new_id(entity), attributes=values)
    record.attributes |= {"createdAt": store.now(), "createdById": user.id}
    if "modifiedAt" in kind.fields:
        record.attributes["modifiedAt"] = record.attributes["createdAt"]
    if kind.optimistic_concurrency:
        record.attributes["versionNumber"] = 1
    store.insert(record)
    _settle_files(store, record, given.stored, {})
    for name, ids in given.links.items():
        _set_links(store, record, name, ids)
    _tell(store, "create", record, _create_payload(store, record, given), user)
    hooks.after_create(store, record)
    answer = {name: value for name, value in (store.view(record) | given.shown).items() if value is not None}
    return record, answer


def update(
    store: Store, record: Record, body: Mapping[str, Any], user: User, version: int | None = None
) -> dict[str, Any]:
    """Changes what differs; answers the full record, values partly as sent. A body that changes nothing does nothing."""
    kind = store.entity(record.entity)
    given = _read_body(kind, body)
    for name, each in kind.fields.items():
        key = each.attributes(name)[0]
        if key in given.stored and missing(each, given.stored[key]):
            raise invalid(record.entity, name, "required")
    changes = {key: value for key, value in given.stored.items() if value != record.attributes.get(key)}
    _check_version(store, kind, record, changes, version)
    _check_foreign(store, kind, changes, user)
    if kind.optimistic_concurrency:
        number = (record.attributes.get("versionNumber") or 0) + 1
        record.attributes["versionNumber"] = number
        record.changed_in |= dict.fromkeys(changes, number)
    moved = _changed_links(store, record, given)
    if changes or moved:
        _write(store, record, given, changes, moved, user)
    return store.view(record) | given.shown


def remove(store: Store, record: Record, user: User) -> None:
    """Soft: the row stays, and so do its attachments."""
    record.deleted = True
    _tell(store, "delete", record, {"id": store.view(record)["id"]}, user)


def _write(
    store: Store, record: Record, given: Input, changes: dict[str, Any], moved: dict[str, list[str]], user: User
) -> None:
    changes = hooks.before_update(store, record, changes)
    previous = dict(record.attributes)
    if "modifiedAt" in store.entity(record.entity).fields:
        changes |= {"modifiedAt": store.now(), "modifiedById": user.id}
    record.attributes |= changes
    _settle_files(store, record, changes, previous)
    fields = store.entity(record.entity).fields
    visible = {name: ids for name, ids in moved.items() if name in fields}
    for name, ids in visible.items():
        _set_links(store, record, name, ids)
    changed = {key for key in changes if changes[key] != previous.get(key)} | {f"{name}Ids" for name in visible}
    payload = _update_payload(store, record, changed, given.shown)
    if payload:
        identity = {"id": store.view(record)["id"]}
        _tell(store, "update", record, payload | identity, user)
        _tell_fields(store, record, payload, given.shown, user)
    hooks.after_update(store, record, changed, user, update)


def _read_body(kind: EntityType, body: Mapping[str, Any]) -> Input:
    given = Input()
    attributes = kind.attributes()
    for key, value in body.items():
        link = key.removesuffix("Ids")
        if key.endswith("Ids") and link in kind.links and kind.links[link].kind != "belongsTo":
            given.links[link] = _ids(kind, link, value)
            continue
        attribute = attributes.get(key)
        if attribute is None or key in SYSTEM_ATTRIBUTES or attribute.field.read_only or not attribute.stored:
            continue
        try:
            accepted = accept(attribute.field, value)
        except Refused as refused:
            raise invalid(kind.name, attribute.field_name, refused.kind) from None
        given.stored[key], given.shown[key] = accepted.stored, accepted.shown
    return given


def _ids(kind: EntityType, link: str, value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid(kind.name, link, "array")
    return [str(each) for each in value]


def _check_version(
    store: Store, kind: EntityType, record: Record, changes: Mapping[str, Any], version: int | None
) -> None:
    """409 when a stale writer really changes something; equal values pass, and so does a record without a number."""
    current = record.attributes.get("versionNumber")
    if not kind.optimistic_concurrency or version is None or current is None or version == current or not changes:
        return
    attributes, view = kind.attributes(), store.view(record)
    refused = [key for key in changes if not kind.stale_writers_may_differ or record.changed_in.get(key, 0) > version]
    if not refused:
        return
    fields = {attributes[key].field_name for key in refused}
    values = {name: view[name] for name, each in attributes.items() if each.field_name in fields}
    raise EspoError(409, "modified", {"values": values, "versionNumber": current})


def _check_foreign(store: Store, kind: EntityType, changes: Mapping[str, Any], user: User) -> None:
    attributes = kind.attributes()
    for key, value in changes.items():
        attribute = attributes[key]
        if value is None or attribute.field.type not in ("link", "file", "image") or attribute.field.entity == "User":
            continue
        entity = "Attachment" if attribute.field.is_upload else attribute.field.entity
        foreign = store.find(entity, value)
        if foreign is None or not _may_link(store, user, foreign):
            raise forbidden(f"No foreign record access for link operation ({kind.name}:{attribute.field_name}).")


def _may_link(store: Store, user: User, foreign: Record) -> bool:
    if foreign.entity == "Attachment":
        return may_read_attachment(store, user, foreign)
    return may(user, "read", foreign.entity, foreign)


def _settle_files(store: Store, record: Record, changes: Mapping[str, Any], previous: Mapping[str, Any]) -> None:
    """The new attachment belongs to the record from now on; the one before is removed at once, bytes included."""
    for name, each in store.entity(record.entity).fields.items():
        key = f"{name}Id"
        if not each.is_upload or key not in changes:
            continue
        new, old = changes[key], previous.get(key)
        attachment = store.find("Attachment", new) if new else None
        if attachment is not None:
            attachment.attributes |= {"relatedType": record.entity, "relatedId": record.id, "field": name}
        if old and old != new:
            store.remove_attachment(old)


def _changed_links(store: Store, record: Record, given: Input) -> dict[str, list[str]]:
    """Link ids that differ. Without a link-multiple field they are accepted, stamp the record, and link nothing."""
    fields = store.entity(record.entity).fields
    return {
        name: ids
        for name, ids in given.links.items()
        if name not in fields or {each.id for each in store.related(record, name)} != set(ids)
    }


def _set_links(store: Store, record: Record, name: str, ids: list[str]) -> None:
    link = store.link_of(record.entity, name)
    present = {each.id: each for each in store.related(record, name)}
    for foreign_id in ids:
        store.relate(record, name, store.get(link.entity, foreign_id))
    for foreign_id in present.keys() - set(ids):
        store.unrelate(record, name, present[foreign_id])


def _create_payload(store: Store, record: Record, given: Input) -> dict[str, Any]:
    """All attributes that are set, nulls that were sent included; of foreign names only those of files."""
    payload: dict[str, Any] = {}
    for name, attribute in store.entity(record.entity).attributes().items():
        shown = attribute.field.is_upload and bool(record.attributes.get(f"{attribute.field_name}Id"))
        set_links = attribute.field.type == "linkMultiple" and attribute.field_name in given.links
        if name in ("id", "deleted") or name in record.attributes or shown or set_links:
            payload[name] = given.shown.get(name, store.value(record, attribute))
    return payload


def _update_payload(store: Store, record: Record, changed: set[str], shown: Mapping[str, Any]) -> dict[str, Any]:
    """Changed attributes with the foreign names that follow them, minus what EspoCRM never tells."""
    attributes = store.entity(record.entity).attributes()
    fields = {attributes[key].field_name for key in changed - UNTOLD}
    return {
        name: shown.get(name, store.value(record, attribute))
        for name, attribute in attributes.items()
        if attribute.field_name in fields
    }


def _tell_fields(
    store: Store, record: Record, payload: Mapping[str, Any], shown: Mapping[str, Any], user: User
) -> None:
    attributes = store.entity(record.entity).attributes()
    for name in dict.fromkeys(attributes[key].field_name for key in payload):
        values = {
            key: shown.get(key, store.value(record, each))
            for key, each in attributes.items()
            if each.field_name == name
        }
        _tell(store, f"fieldUpdate.{name}", record, {"id": store.view(record)["id"]} | values, user)


def _tell(store: Store, what: str, record: Record, data: Mapping[str, Any], user: User) -> None:
    """Pair tables have no object scope: they tell nothing. Neither do attachments and webhooks."""
    kind = store.entity(record.entity)
    if kind.is_object:
        name = f"{record.entity}.{what}"
        store.emit(Event(name=name, entity=record.entity, record_id=record.id, data=data, user_id=user.id))
