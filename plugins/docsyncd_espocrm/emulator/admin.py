"""What an administrator does to let docsyncd in: roles and API users (reference 2). Fields come as metadata, not through here."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from docsyncd_espocrm.emulator.access import User
from docsyncd_espocrm.emulator.auth import BASE, USER
from docsyncd_espocrm.emulator.errors import EspoError, bad_request, forbidden, invalid, json_object, not_found, success
from docsyncd_espocrm.emulator.world import World

BOOLEAN_SCOPES = frozenset({"Webhook"})
"""Scopes that a role switches on as a whole; the map of levels is refused for them."""

Levels = dict[str, str] | bool


class AdminApi:
    """`Role` and `User`, for administrators."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._roles: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{BASE}/Role", self.list_roles),
            web.post(f"{BASE}/Role", self.create_role),
            web.get(f"{BASE}/User", self.list_users),
            web.post(f"{BASE}/User", self.create_user),
            web.get(f"{BASE}/User/{{id}}", self.read_user),
        ]

    async def list_roles(self, request: web.Request) -> web.Response:
        _demand_admin(request)
        return self._success({"total": len(self._roles), "list": list(self._roles.values())})

    async def create_role(self, request: web.Request) -> web.Response:
        _demand_admin(request)
        body = await json_object(request)
        if not body.get("name"):
            raise invalid("Role", "name", "required")
        data = body.get("data") or {}
        for scope, levels in data.items():
            if scope in BOOLEAN_SCOPES and not isinstance(levels, bool):
                raise bad_request(f"Bad data. Value for *{scope}* should be be boolean.")
        role = {"id": secrets.token_hex(9)[:17], "name": body["name"], "data": data}
        self._roles[role["id"]] = role
        return self._success(role)

    async def list_users(self, request: web.Request) -> web.Response:
        _demand_admin(request)
        users = [_shown(user) for user in self._world.users.values()]
        return self._success({"total": len(users), "list": users})

    async def create_user(self, request: web.Request) -> web.Response:
        """The answer holds `apiKey`, and with authMethod Hmac `secretKey`."""
        _demand_admin(request)
        body = await json_object(request)
        for required in ("userName", "lastName"):
            if not body.get(required):
                raise invalid("User", required, "required")
        if any(user.user_name == body["userName"] for user in self._world.users.values()):
            raise EspoError(409, "userNameExists", {"messageTranslation": {"label": "userNameExists", "scope": "User"}})
        user = self._world.add_user(
            str(body["userName"]),
            kind="api" if body.get("type") == "api" else "regular",
            name=str(body["lastName"]),
            password=str(body.get("password") or ""),
            hmac=body.get("authMethod") == "Hmac",
            access=self._granted(body),
        )
        user.active = bool(body.get("isActive", True))
        return self._success(_shown(user))

    async def read_user(self, request: web.Request) -> web.Response:
        _demand_admin(request)
        user = self._world.users.get(request.match_info["id"])
        if user is None:
            raise not_found(request.match_info["id"])
        return self._success(_shown(user))

    def _granted(self, body: Mapping[str, Any]) -> dict[str, Levels]:
        """Several roles grant what any of them grants."""
        granted: dict[str, Levels] = {}
        for role_id in body.get("rolesIds") or []:
            if role_id not in self._roles:
                raise forbidden("No foreign record access for link operation (User:roles).")
            for scope, levels in self._roles[role_id]["data"].items():
                granted[scope] = _widest(granted.get(scope, False), levels)
        return granted

    def _success(self, value: object) -> web.Response:
        return success(value, self._world.app_timestamp)


def _demand_admin(request: web.Request) -> None:
    if not request[USER].is_admin:
        raise forbidden("No access.")


def _widest(one: Levels, other: Levels) -> Levels:
    if isinstance(one, bool) or isinstance(other, bool):
        return other if one is False else one
    rank = ("no", "own", "team", "all", "yes").index
    actions = one.keys() | other.keys()
    return {action: max(one.get(action, "no"), other.get(action, "no"), key=rank) for action in actions}


def _shown(user: User) -> dict[str, Any]:
    keys = {"apiKey": user.api_key, "secretKey": user.secret_key}
    fixed = {"id": user.id, "userName": user.user_name, "name": user.name, "type": user.kind, "isActive": user.active}
    return fixed | {key: value for key, value in keys.items() if value}
