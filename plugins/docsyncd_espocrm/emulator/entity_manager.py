"""The Entity Manager's API, by which an administrator adds fields, entity types and links, with its prefixes (reference 5.2).

Fields and links of an entity type that EspoCRM brings get a `c`, new entity types a `C`; what belongs to a custom type keeps the
name that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from docsyncd_espocrm.emulator.access import demand_admin
from docsyncd_espocrm.emulator.auth import BASE, USER
from docsyncd_espocrm.emulator.errors import EspoError, bad_request, json_object, success
from docsyncd_espocrm.emulator.profiles import custom_type
from docsyncd_espocrm.emulator.schema import EntityType, Field, Link
from docsyncd_espocrm.emulator.world import World

_FIELD_NAME = re.compile(r"[a-z][A-Za-z0-9]*")
_ENTITY_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")


class EntityManagerApi:
    """`Admin/fieldManager` and `EntityManager/action`, for administrators."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._schema = world.store.schema

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(f"{BASE}/Admin/fieldManager/{{scope}}", self.create_field),
            web.get(f"{BASE}/Admin/fieldManager/{{scope}}/{{field}}", self.read_field),
            web.post(f"{BASE}/EntityManager/action/createEntity", self.create_entity),
            web.post(f"{BASE}/EntityManager/action/createLink", self.create_link),
        ]

    async def create_field(self, request: web.Request) -> web.Response:
        """Answers the definition, which does not say under which name it was stored."""
        kind, body = self._kind(request), await json_object(request)
        name = str(body.get("name") or "")
        if not name or not body.get("type"):
            raise bad_request("Empty field name.")
        if _FIELD_NAME.fullmatch(name) is None:
            raise EspoError(500, "Field name should contain only letters and numbers, start with a lower case letter.")
        name = self._prefixed(kind, name)
        if name in kind.fields or name in kind.links:
            raise EspoError(409, f"Field '{name}' already exists in '{kind.name}'.")
        kind.fields[name] = _field(body)
        return self._rebuilt(kind.fields[name].metadata() | {"isCustom": True, "label": body.get("label") or name})

    async def read_field(self, request: web.Request) -> web.Response:
        kind, name = self._kind(request), request.match_info["field"]
        if name not in kind.fields:
            raise EspoError(500, f"Can't read field defs {kind.name}.{name}.")
        return self._success(kind.fields[name].metadata() | {"label": name})

    async def create_entity(self, request: web.Request) -> web.Response:
        demand_admin(request[USER])
        body = await json_object(request)
        if not body.get("name") or not body.get("type"):
            raise bad_request("No name or type.")
        name = "C" + str(body["name"])
        if _ENTITY_NAME.fullmatch(name) is None:
            raise EspoError(
                500, "Entity name should contain only letters and numbers, start with an upper case letter."
            )
        if name in self._schema:
            raise EspoError(409, f"Entity '{name}' already exists.")
        self._schema[name] = custom_type(name)
        return self._rebuilt({"name": name})

    async def create_link(self, request: web.Request) -> web.Response:
        """One-to-many and many-to-many, which are all that a connector needs. Answers `true`."""
        demand_admin(request[USER])
        body = await json_object(request)
        wanted = ("entity", "entityForeign", "link", "linkForeign", "label", "labelForeign", "linkType")
        if not all(body.get(each) for each in wanted):
            raise bad_request("No link or link-foreign.")
        left, right = self._schema.get(body["entity"]), self._schema.get(body["entityForeign"])
        if left is None or right is None or body["linkType"] not in ("oneToMany", "manyToMany"):
            raise EspoError(500, "Bad link.")
        link, foreign = self._prefixed(left, body["link"]), self._prefixed(right, body["linkForeign"])
        for kind, name in ((left, link), (right, foreign)):
            if name in kind.links or name in kind.fields:
                raise EspoError(409, f"Link {kind.name}::{name} already exists.")
        if body["linkType"] == "oneToMany":
            left.links[link] = Link(kind="hasMany", entity=right.name, foreign=foreign)
            right.links[foreign] = Link(kind="belongsTo", entity=left.name, foreign=link)
            right.fields[foreign] = Field(type="link", entity=left.name)
        else:
            relation = str(body.get("relationName") or left.name[0].lower() + left.name[1:] + right.name)
            relation = relation if re.match("c[A-Z]", relation) else f"c{relation[0].upper()}{relation[1:]}"
            left.links[link] = Link(kind="manyMany", entity=right.name, foreign=foreign, relation=relation)
            right.links[foreign] = Link(kind="manyMany", entity=left.name, foreign=link, relation=relation)
        return self._rebuilt(True)

    def _kind(self, request: web.Request) -> EntityType:
        demand_admin(request[USER])
        return self._world.entity(request.match_info["scope"])

    def _prefixed(self, kind: EntityType, name: str) -> str:
        return name if kind.is_custom else f"c{name[0].upper()}{name[1:]}"

    def _rebuilt(self, value: object) -> web.Response:
        self._world.rebuild()
        return self._success(value)

    def _success(self, value: object) -> web.Response:
        return success(value, self._world.app_timestamp)


def _field(body: Mapping[str, Any]) -> Field:
    length = body.get("maxLength")
    default = body.get("default")
    return Field(
        type=str(body["type"]),
        required=bool(body.get("required")),
        default=False if default is None and body["type"] == "bool" else default,
        options=tuple(str(option) for option in body.get("options") or ()),
        max_length=length if isinstance(length, int) else None,
    )
