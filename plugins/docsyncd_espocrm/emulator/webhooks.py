"""The Webhook record: who may subscribe to what, and where EspoCRM agrees to post (reference 1.6, 1.7)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from docsyncd_espocrm.emulator import saving
from docsyncd_espocrm.emulator.access import User, has_scope, may
from docsyncd_espocrm.emulator.auth import BASE, USER
from docsyncd_espocrm.emulator.errors import bad_request, forbidden, invalid, json_object, success
from docsyncd_espocrm.emulator.listing import page
from docsyncd_espocrm.emulator.query import search_params
from docsyncd_espocrm.emulator.sender import Dialect, WebhookSettings, is_refused_address, is_url
from docsyncd_espocrm.emulator.store import Record
from docsyncd_espocrm.emulator.world import World

_NOT_SHOWN_AT_CREATION = frozenset({"description", "modifiedById", "userId", "userName"})


class WebhookApi:
    """Handlers below `/api/v1/Webhook`."""

    def __init__(self, world: World, settings: WebhookSettings, dialect: Dialect) -> None:
        self._world = world
        self._store = world.store
        self._settings = settings
        self._dialect = dialect

    def routes(self) -> list[web.RouteDef]:
        path = f"{BASE}/Webhook"
        return [
            web.get(path, self.list_own),
            web.post(path, self.create),
            web.get(f"{path}/{{id}}", self.read),
            web.put(f"{path}/{{id}}", self.update),
            web.patch(f"{path}/{{id}}", self.update),
            web.delete(f"{path}/{{id}}", self.delete),
        ]

    async def list_own(self, request: web.Request) -> web.Response:
        """An API user sees its own only; the secret stays readable."""
        user = _subscriber(request)
        params = search_params(request.query.items(), self._world.settings["recordListMaxSizeLimit"])
        own = [each for each in self._store.living("Webhook") if _owns(user, each)]
        return self._success(page(self._store, "Webhook", own, params, count=True))

    async def create(self, request: web.Request) -> web.Response:
        """201, and no check whether the same webhook exists: twice created, every event comes twice."""
        user, body = _subscriber(request), dict(await json_object(request))
        if not user.is_admin:
            body["userId"] = user.id
            self._check_count(user)
        self._check_url(body)
        derived = self._derived(body, user)
        record, _ = saving.create(self._store, "Webhook", body, user)
        record.attributes |= {**derived, "secretKey": secrets.token_hex(16)}
        _settle_skip_own(record)
        view = self._store.view(record)
        shown = {key: value for key, value in view.items() if key not in _NOT_SHOWN_AT_CREATION}
        return success(shown, self._world.app_timestamp, status=201)

    async def read(self, request: web.Request) -> web.Response:
        return self._success(self._store.view(self._own(request)))

    async def update(self, request: web.Request) -> web.Response:
        """The event stays what it is."""
        body = dict(await json_object(request))
        record = self._own(request)
        for fixed in ("event", *(() if request[USER].is_admin else ("userId",))):
            body.pop(fixed, None)
        self._check_url(body)
        answer = saving.update(self._store, record, body, request[USER])
        _settle_skip_own(record)
        return self._success(answer | {"skipOwn": record.attributes["skipOwn"]})

    async def delete(self, request: web.Request) -> web.Response:
        saving.remove(self._store, self._own(request), request[USER])
        return self._success(True)

    def _own(self, request: web.Request) -> Record:
        user = _subscriber(request)
        record = self._store.get("Webhook", request.match_info["id"])
        if not _owns(user, record):
            raise forbidden("No read access.")
        return record

    def _check_count(self, user: User) -> None:
        if sum(_owns(user, each) for each in self._store.living("Webhook")) >= self._settings.max_per_user:
            raise forbidden("Webhook max count exceeded.")

    def _check_url(self, body: Mapping[str, Any]) -> None:
        """9.3 takes a bad URL and fails when it sends; 10 refuses it."""
        url = body.get("url")
        if not isinstance(url, str):
            return
        if self._dialect == "10" and not is_url(url):
            raise invalid("Webhook", "url", "valid")
        if is_url(url) and is_refused_address(url, self._settings):
            raise invalid("Webhook", "url", "notInternal")

    def _derived(self, body: Mapping[str, Any], user: User) -> dict[str, Any]:
        """Entity type, kind and field, out of the event's name."""
        entity, _, rest = str(body.get("event") or "").partition(".")
        kind, _, field = rest.partition(".")
        if not entity:
            raise invalid("Webhook", "event", "required")
        known = self._store.schema.get(entity)
        if known is None or kind not in ("create", "update", "delete", "fieldUpdate"):
            raise bad_request("Bad event.")
        if not known.is_object or not has_scope(user, entity) or not may(user, "read", entity):
            raise forbidden("Entity type is forbidden.")
        if (kind == "fieldUpdate") != bool(field) or (field and field not in known.fields):
            raise bad_request("Field does not exist.")
        return {"entityType": entity, "type": kind, "field": field or None}

    def _success(self, value: object) -> web.Response:
        return success(value, self._world.app_timestamp)


def _subscriber(request: web.Request) -> User:
    """API users whose role has the scope, and administrators."""
    user: User = request[USER]
    if user.kind == "regular" or not has_scope(user, "Webhook"):
        raise forbidden("No access.")
    return user


def _owns(user: User, webhook: Record) -> bool:
    return user.is_admin or webhook.attributes.get("userId") == user.id


def _settle_skip_own(webhook: Record) -> None:
    """Without a user nobody can be skipped: it is switched off without a word."""
    webhook.attributes["skipOwn"] = bool(webhook.attributes["skipOwn"] and webhook.attributes.get("userId"))
