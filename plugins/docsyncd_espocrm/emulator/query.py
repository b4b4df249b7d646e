"""The parameters of a list, in both spellings: PHP's `where[0][type]=…` and JSON in `searchParams` (reference 3.1). Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from docsyncd_espocrm.emulator.errors import bad_request, forbidden

_BRACKET = re.compile(r"\[([^\]]*)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParams:
    """What a list asks for. `select` None: all attributes."""

    where: tuple[Mapping[str, Any], ...] = ()
    select: tuple[str, ...] | None = None
    order_by: str = "createdAt"
    descending: bool = True
    offset: int = 0
    max_size: int = 200


def php_query(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Nested as PHP nests it: `a[0][b]=1`, `a[]=2`; whole-number keys become lists in order."""
    tree: dict[str, Any] = {}
    for key, value in pairs:
        head, bracket, rest = key.partition("[")
        _plant(tree, [head, *_BRACKET.findall(bracket + rest)], value)
    return {key: _listed(value) for key, value in tree.items()}


def search_params(pairs: Iterable[tuple[str, str]], limit: int) -> SearchParams:
    """Raises 403 for a page that is too large and 400 for what cannot be read."""
    query = php_query(pairs)
    given: dict[str, Any] = query
    if "searchParams" in query:
        try:
            given = json.loads(query["searchParams"])
        except ValueError:
            raise bad_request("Invalid search params.") from None
    if not isinstance(given, dict):
        raise bad_request("Invalid search params.")
    max_size = _number(given, "maxSize", limit)
    if max_size > limit:
        raise forbidden(f"Max size should not exceed {limit}. Use offset and limit.")
    where = given.get("where", given.get("whereGroup")) or []
    if not isinstance(where, list) or not all(isinstance(item, dict) for item in where):
        raise bad_request("Bad where.")
    order_by = given.get("orderBy")
    descending = str(given.get("order", "asc" if order_by else "desc")).lower() in ("desc", "true")
    return SearchParams(
        where=tuple(where),
        select=_select(given.get("select", given.get("attributeSelect"))),
        order_by=order_by or "createdAt",
        descending=descending,
        offset=_number(given, "offset", 0),
        max_size=max_size,
    )


def _plant(tree: dict[str, Any], path: list[str], value: str) -> None:
    key = path[0] or str(len(tree))
    if len(path) == 1:
        tree[key] = value
        return
    branch = tree.setdefault(key, {})
    if isinstance(branch, dict):
        _plant(branch, path[1:], value)


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(each) for key, each in value.items()}
    if inner and all(key.isdigit() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def _number(given: Mapping[str, Any], key: str, default: int) -> int:
    try:
        number = int(given.get(key, default))
    except (TypeError, ValueError):
        raise bad_request(f"Bad {key}.") from None
    if number < 0:
        raise bad_request(f"Bad {key}.")
    return number


def _select(value: Any) -> tuple[str, ...] | None:
    if value in (None, "", []):
        return None
    names = value.split(",") if isinstance(value, str) else value
    return tuple(str(name).strip() for name in names)
