"""Does a record match a where item? Filter types of reference 3.1; as in MariaDB text ignores case and null matches nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from docsyncd_espocrm.emulator.errors import bad_request
from docsyncd_espocrm.emulator.schema import Attribute
from docsyncd_espocrm.emulator.store import Record, Store
from docsyncd_espocrm.emulator.values import timestamp

Item = Mapping[str, Any]
Test = Callable[[Any, Any], bool]


def matches(store: Store, record: Record, items: Sequence[Item]) -> bool:
    """All items, as the top level of `where` means it."""
    return all(_matches(store, record, item) for item in items)


def check(store: Store, entity: str, items: Sequence[Item]) -> None:
    """Unknown types, attributes and links are refused also when the table is empty. Raises a 400."""
    kind = store.entity(entity)
    for item in items:
        what, name = item.get("type"), item.get("attribute", item.get("field"))
        if what in _GROUPS:
            check(store, entity, _group(item))
        elif what in _LINKED:
            if name not in kind.links:
                raise bad_request(f"Bad where item. Link '{name}' does not exist.")
        elif what not in _TESTS:
            raise bad_request(f"Bad where item. Unknown type '{what}'.")
        elif name not in kind.attributes():
            raise bad_request(f"Bad where item. Unknown attribute '{name}'.")


def _matches(store: Store, record: Record, item: Item) -> bool:
    what, name = item["type"], item.get("attribute", item.get("field"))
    if what in _GROUPS:
        results = [_matches(store, record, inner) for inner in _group(item)]
        return _GROUPS[what](results)
    if what in _LINKED:
        wanted = set(_strings(item.get("value")))
        return _LINKED[what]({each.id for each in store.related(record, str(name))}, wanted)
    attribute = store.entity(record.entity).attributes()[str(name)]
    return _TESTS[what](_comparable(attribute, store.value(record, attribute)), _wanted(attribute, item))


def _group(item: Item) -> Sequence[Item]:
    value = item.get("value")
    if not isinstance(value, list) or not all(isinstance(inner, dict) for inner in value):
        raise bad_request("Bad where item. A group needs a list of items.")
    return value


def _comparable(attribute: Attribute, value: Any) -> Any:
    """Text ignores case (the collation utf8mb4_unicode_ci); ids and the rest compare as they are."""
    if value is None or isinstance(value, list):
        return value
    if attribute.field.type == "int":
        return int(value)
    if attribute.field.type == "bool":
        return bool(value)
    return str(value).casefold()


def _wanted(attribute: Attribute, item: Item) -> Any:
    """The filter's value as the attribute's type: a query string holds text only."""
    value = item.get("value")
    if isinstance(value, list):
        return [_typed(attribute, each) for each in value]
    zone = item.get("timeZone")
    if zone and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        value = timestamp(
            moment.replace(tzinfo=ZoneInfo(str(zone))) if moment.tzinfo is None else moment.astimezone(UTC)
        )
    return _typed(attribute, value)


def _typed(attribute: Attribute, value: Any) -> Any:
    if attribute.field.type == "int" and value is not None:
        try:
            return int(value)
        except (TypeError, ValueError):
            return 0
    if attribute.field.type == "bool" and value is not None:
        return str(value).lower() in ("1", "true")
    if isinstance(value, str | int) and not isinstance(value, bool) and attribute.field.type != "array":
        return str(value).casefold()
    return value


def _strings(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)] if value is not None else []


def _ordered(test: Test) -> Test:
    return lambda have, want: have is not None and want is not None and test(have, want)


def _like(have: Any, pattern: Any) -> bool:
    expression = re.escape(str(pattern)).replace("%", ".*").replace("_", ".")
    return have is not None and re.fullmatch(expression, str(have), re.DOTALL) is not None


def _among(have: Any, want: Any) -> bool:
    return have is not None and have in (want if isinstance(want, list) else [want])


_GROUPS: Mapping[str, Callable[[list[bool]], bool]] = {
    "and": all,
    "or": any,
    "not": lambda results: not all(results),
}

_LINKED: Mapping[str, Callable[[set[str], set[str]], bool]] = {
    "linkedWith": lambda have, want: bool(have & want),
    "notLinkedWith": lambda have, want: not have & want,
    "isLinked": lambda have, _: bool(have),
    "isNotLinked": lambda have, _: not have,
}

_TESTS: Mapping[str, Test] = {
    "equals": lambda have, want: have is None if want is None else _among(have, want),
    "notEquals": lambda have, want: have is not None and not _among(have, want),
    "in": _among,
    "notIn": lambda have, want: have is not None and not _among(have, want),
    "greaterThan": _ordered(lambda have, want: have > want),
    "greaterThanOrEquals": _ordered(lambda have, want: have >= want),
    "lessThan": _ordered(lambda have, want: have < want),
    "lessThanOrEquals": _ordered(lambda have, want: have <= want),
    "after": _ordered(lambda have, want: have > want),
    "before": _ordered(lambda have, want: have < want),
    "between": lambda have, want: have is not None and want[0] <= have <= want[1],
    "isNull": lambda have, _: have is None,
    "isNotNull": lambda have, _: have is not None,
    "isTrue": lambda have, _: have is True,
    "isFalse": lambda have, _: not have,
    "like": _like,
    "startsWith": _ordered(lambda have, want: str(have).startswith(str(want))),
    "contains": _ordered(lambda have, want: str(want) in str(have)),
    "arrayAnyOf": lambda have, want: bool(set(have or ()) & set(_strings(want))),
    "arrayNoneOf": lambda have, want: not set(have or ()) & set(_strings(want)),
    "arrayAllOf": lambda have, want: set(have or ()) >= set(_strings(want)),
    "arrayIsEmpty": lambda have, _: not have,
}
