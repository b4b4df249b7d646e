"""One page of a list: filter, order, window, total and the attributes that are shown (reference 3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from docsyncd_espocrm.emulator import where
from docsyncd_espocrm.emulator.errors import bad_request
from docsyncd_espocrm.emulator.query import SearchParams
from docsyncd_espocrm.emulator.store import Record, Store

MORE, NO_MORE = -1, -2
"""The total of a list that was not counted."""


def page(store: Store, entity: str, records: Iterable[Record], params: SearchParams, *, count: bool) -> dict[str, Any]:
    """The answer of a list endpoint. Raises 400 for unknown attributes in where and orderBy."""
    kind = store.entity(entity)
    attributes = kind.attributes()
    if params.order_by not in attributes:
        if params.order_by != "createdAt":
            raise bad_request(f"Bad order. Unknown attribute '{params.order_by}'.")
        order = attributes["id"]
    else:
        order = attributes[params.order_by]
    where.check(store, entity, params.where)
    found = [record for record in records if where.matches(store, record, params.where)]
    found.sort(key=lambda each: (_sortable(store.value(each, order)), each.id), reverse=params.descending)
    window = found[params.offset : params.offset + params.max_size]
    total = len(found) if count and not kind.count_disabled else _hint(found, params)
    shown = _shown(params, order.name)
    return {"total": total, "list": [_cut(store.view(record), shown) for record in window]}


def _sortable(value: Any) -> tuple[int, Any]:
    """Null first, as MariaDB orders."""
    return (0, 0) if value is None else (1, value.casefold() if isinstance(value, str) else value)


def _hint(found: Sequence[Record], params: SearchParams) -> int:
    return MORE if len(found) > params.offset + params.max_size else NO_MORE


def _shown(params: SearchParams, order_by: str) -> frozenset[str] | None:
    if params.select is None:
        return None
    return frozenset({"id", order_by, "createdById", "assignedUserId", *params.select})


def _cut(view: dict[str, Any], shown: frozenset[str] | None) -> dict[str, Any]:
    """Unknown names in select are ignored."""
    return view if shown is None else {name: value for name, value in view.items() if name in shown}
