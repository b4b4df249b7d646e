"""The record API: lists, single records, creation, change, deletion and links of every entity type (reference 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from docsyncd_espocrm.emulator import saving
from docsyncd_espocrm.emulator.access import Action, User, has_scope, may
from docsyncd_espocrm.emulator.auth import USER
from docsyncd_espocrm.emulator.errors import bad_request, forbidden, json_object, not_found, success
from docsyncd_espocrm.emulator.listing import page
from docsyncd_espocrm.emulator.query import search_params
from docsyncd_espocrm.emulator.store import Record
from docsyncd_espocrm.emulator.world import World


class RecordApi:
    """Handlers for one entity type or, as `{entity}`, for all others."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.store

    def routes(self, path: str) -> list[web.RouteDef]:
        """`path` such as `/api/v1/Document`."""
        return [
            web.get(path, self.list_all),
            web.post(path, self.create),
            web.post(f"{path}/action/restoreDeleted", self.restore),
            web.get(f"{path}/{{id}}", self.read),
            web.put(f"{path}/{{id}}", self.update),
            web.patch(f"{path}/{{id}}", self.update),
            web.delete(f"{path}/{{id}}", self.delete),
            web.get(f"{path}/{{id}}/{{link}}", self.list_linked),
            web.post(f"{path}/{{id}}/{{link}}", self.link),
            web.delete(f"{path}/{{id}}/{{link}}", self.unlink),
        ]

    async def list_all(self, request: web.Request) -> web.Response:
        entity, user = self._entity(request), request[USER]
        if not may(user, "read", entity):
            raise forbidden("No access.")
        visible = [each for each in self._store.living(entity) if may(user, "read", entity, each)]
        return self._page(request, entity, visible)

    async def read(self, request: web.Request) -> web.Response:
        """An administrator sees deleted records, too."""
        user = request[USER]
        record = self._store.get(self._entity(request), request.match_info["id"], deleted=user.is_admin)
        self._demand(user, "read", record)
        return self._success(self._store.view(record))

    async def create(self, request: web.Request) -> web.Response:
        entity, user = self._entity(request), request[USER]
        if not may(user, "create", entity):
            raise forbidden("No create access.")
        _, answer = saving.create(self._store, entity, await json_object(request), user)
        return self._success(answer)

    async def update(self, request: web.Request) -> web.Response:
        body, version = await json_object(request), _version(request)
        record = self._find(request, "edit")
        return self._success(saving.update(self._store, record, body, request[USER], version))

    async def delete(self, request: web.Request) -> web.Response:
        saving.remove(self._store, self._find(request, "delete"), request[USER])
        return self._success(True)

    async def restore(self, request: web.Request) -> web.Response:
        if not request[USER].is_admin:
            raise forbidden()
        record_id = str((await json_object(request)).get("id"))
        self._world.restore(self._entity(request), record_id)
        return self._success(True)

    async def list_linked(self, request: web.Request) -> web.Response:
        record = self._find(request, "read")
        link = self._store.link_of(record.entity, request.match_info["link"])
        if not may(request[USER], "read", link.entity):
            raise forbidden("No access.")
        related = self._store.related(record, request.match_info["link"])
        return self._page(
            request, link.entity, [each for each in related if may(request[USER], "read", link.entity, each)]
        )

    async def link(self, request: web.Request) -> web.Response:
        """`false` without an id; it never creates the foreign record."""
        record, foreign = await self._both_ends(request)
        for each in foreign:
            self._store.relate(record, request.match_info["link"], each)
        return self._success(bool(foreign))

    async def unlink(self, request: web.Request) -> web.Response:
        """The id stands in the body, also of a DELETE: a proxy that drops the body makes this `false`."""
        record, foreign = await self._both_ends(request)
        for each in foreign:
            self._store.unrelate(record, request.match_info["link"], each)
        return self._success(bool(foreign))

    async def _both_ends(self, request: web.Request) -> tuple[Record, list[Record]]:
        ids = _ids(await json_object(request))
        record = self._find(request, "edit")
        link = self._store.link_of(record.entity, request.match_info["link"])
        foreign = [self._store.get(link.entity, each) for each in ids]
        for each in foreign:
            self._demand(request[USER], "edit", each)
        return record, foreign

    def _entity(self, request: web.Request) -> str:
        """The first part of the path below the base; 404 for a type that does not exist, 403 for one that is off."""
        name = request.match_info.get("entity") or request.path.split("/")[3]
        entity = self._store.entity(name).name
        if not has_scope(request[USER], entity):
            raise forbidden("No access.")
        return entity

    def _find(self, request: web.Request, action: Action) -> Record:
        record = self._store.find(self._entity(request), request.match_info["id"])
        if record is None:
            raise not_found(request.match_info["id"])
        self._demand(request[USER], action, record)
        return record

    def _demand(self, user: User, action: Action, record: Record) -> None:
        if not may(user, action, record.entity, record):
            raise forbidden(f"No {action} access.")

    def _page(self, request: web.Request, entity: str, records: list[Record]) -> web.Response:
        params = search_params(request.query.items(), self._world.settings["recordListMaxSizeLimit"])
        count = request.headers.get("X-No-Total", "").lower() != "true"
        return self._success(page(self._store, entity, records, params, count=count))

    def _success(self, value: object) -> web.Response:
        return success(value, self._world.app_timestamp)


def _ids(body: Mapping[str, Any]) -> list[str]:
    if isinstance(body.get("ids"), list):
        return [str(each) for each in body["ids"]]
    return [str(body["id"])] if body.get("id") else []


def _version(request: web.Request) -> int | None:
    given = request.headers.get("X-Version-Number")
    if given is None:
        return None
    try:
        return int(given)
    except ValueError:
        raise bad_request("Bad X-Version-Number.") from None
