"""What an administrator does to let docsyncd in: roles and API users (reference 2). Fields come through `entity_manager`."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from docsyncd_espocrm.emulator.access import User, demand_admin
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
        self._roles_of: dict[str, list[str]] = {}
        """By user."""

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{BASE}/Role", self.list_roles),
            web.post(f"{BASE}/Role", self.create_role),
            web.put(f"{BASE}/Role/{{id}}", self.change_role),
            web.get(f"{BASE}/User", self.list_users),
            web.post(f"{BASE}/User", self.create_user),
            web.get(f"{BASE}/User/{{id}}", self.read_user),
        ]

    async def list_roles(self, request: web.Request) -> web.Response:
        demand_admin(request[USER])
        return self._success({"total": len(self._roles), "list": list(self._roles.values())})

    async def create_role(self, request: web.Request) -> web.Response:
        demand_admin(request[USER])
        body = await json_object(request)
        if not body.get("name"):
            raise invalid("Role", "name", "required")
        role = {"id": secrets.token_hex(9)[:17], "name": body["name"], "data": _checked(body.get("data"))}
        self._roles[role["id"]] = role
        return self._success(role)

    async def change_role(self, request: web.Request) -> web.Response:
        """Everybody who has the role may at once what it says now."""
        demand_admin(request[USER])
        role = self._roles.get(request.match_info["id"])
        if role is None:
            raise not_found(request.match_info["id"])
        body = await json_object(request)
        if "data" in body:
            role["data"] = _checked(body["data"])
        for user, roles in self._roles_of.items():
            self._world.users[user].access = self._granted(roles)
        return self._success(role)

    async def list_users(self, request: web.Request) -> web.Response:
        demand_admin(request[USER])
        users = [_shown(user) for user in self._world.users.values()]
        return self._success({"total": len(users), "list": users})

    async def create_user(self, request: web.Request) -> web.Response:
        """The answer holds `apiKey`, and with authMethod Hmac `secretKey`."""
        demand_admin(request[USER])
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
            access=self._granted(body.get("rolesIds") or []),
        )
        self._roles_of[user.id] = list(body.get("rolesIds") or [])
        user.active = bool(body.get("isActive", True))
        return self._success(_shown(user))

    async def read_user(self, request: web.Request) -> web.Response:
        demand_admin(request[USER])
        user = self._world.users.get(request.match_info["id"])
        if user is None:
            raise not_found(request.match_info["id"])
        return self._success(_shown(user))

    def _granted(self, roles: Sequence[str]) -> dict[str, Levels]:
        """Several roles grant what any of them grants."""
        granted: dict[str, Levels] = {}
        for role_id in roles:
            if role_id not in self._roles:
                raise forbidden("No foreign record access for link operation (User:roles).")
            for scope, levels in self._roles[role_id]["data"].items():
                granted[scope] = _widest(granted.get(scope, False), levels)
        return granted

    def _success(self, value: object) -> web.Response:
        return success(value, self._world.app_timestamp)


def _checked(data: Any) -> dict[str, Levels]:
    """A role's data. Raises a 400 for a map of levels where a boolean stands."""
    levels_by_scope: dict[str, Levels] = dict(data or {})
    for scope, levels in levels_by_scope.items():
        if scope in BOOLEAN_SCOPES and not isinstance(levels, bool):
            raise bad_request(f"Bad data. Value for *{scope}* should be be boolean.")
    return levels_by_scope


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
