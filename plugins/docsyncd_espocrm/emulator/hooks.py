"""The replaced installation's own hooks on save (installation-profile 2.6): records become `unclean`, also after our writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from docsyncd_espocrm.emulator.access import User
from docsyncd_espocrm.emulator.store import Record, Store

Save = Callable[[Store, Record, Mapping[str, Any], User], Any]


def before_update(store: Store, record: Record, changes: dict[str, Any]) -> dict[str, Any]:
    """The changes, with `syncStatus` turned to unclean if the hook runs."""
    return changes | {"syncStatus": "unclean"} if _runs(store, record, changes.keys()) else changes


def after_update(store: Store, record: Record, changed: set[str], user: User, save: Save) -> None:
    """The parent case file, the rows of the pair table and their collections become unclean, too."""
    if not _runs(store, record, changed - {"modifiedAt", "modifiedById"}):
        return
    for name, link in store.entity(record.entity).links.items():
        for foreign in store.related(record, name):
            if "syncStatus" in store.entity(foreign.entity).fields:
                save(store, foreign, {"syncStatus": "unclean"}, user)
        if link.through:
            for row in _rows_of(store, link.through, record):
                row.attributes["syncstatus"] = "unclean"


def after_create(store: Store, record: Record) -> None:
    """A new row of a pair table makes its collection unclean; written past the ORM, so without stamp and event."""
    if not store.entity(record.entity).numeric_ids:
        return
    for name, each in store.entity(record.entity).fields.items():
        foreign = store.find(each.entity, record.attributes.get(f"{name}Id") or "")
        if foreign is not None and "datenbankId" in store.entity(foreign.entity).fields:
            foreign.attributes["syncStatus"] = "unclean"


def _runs(store: Store, record: Record, changed: Any) -> bool:
    mode = store.unclean_hook
    if not store.entity(record.entity).unclean_hook or mode == "off":
        return False
    if mode == "content":
        return not {"fileId", "name"}.isdisjoint(changed)
    return bool(set(changed) - ({"syncStatus"} if mode == "fields" else set()))


def _rows_of(store: Store, through: str, record: Record) -> list[Record]:
    fields = store.entity(through).fields
    key = next(f"{name}Id" for name, each in fields.items() if each.entity == record.entity)
    return [row for row in store.living(through) if row.attributes.get(key) == record.id]
