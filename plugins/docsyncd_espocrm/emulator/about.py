"""What a client can ask about the instance itself: metadata, its own user, version, settings (reference 6)."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from docsyncd_espocrm.emulator.access import User, has_scope
from docsyncd_espocrm.emulator.auth import BASE, USER
from docsyncd_espocrm.emulator.errors import success
from docsyncd_espocrm.emulator.world import World

_SHOWN_SETTINGS = (
    "version", "siteUrl", "timeZone", "recordListMaxSizeLimit", "attachmentUploadMaxSize", "attachmentUploadChunkSize",
)  # fmt: skip


class AboutApi:
    """`Metadata`, `App/user`, `App/about`, `App/appParams`, `Settings` and the bare base address."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{BASE}/", self.greet),
            web.get(f"{BASE}/Metadata", self.metadata),
            web.get(f"{BASE}/App/user", self.user),
            web.get(f"{BASE}/App/about", self.about),
            web.get(f"{BASE}/App/appParams", self.app_params),
            web.get(f"{BASE}/Settings", self.settings),
        ]

    async def greet(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler's signature
        return self._success("EspoCRM REST API")

    async def metadata(self, request: web.Request) -> web.Response:
        """Any depth of `key`; null with 200 for what does not exist. Scopes that the user lacks do not exist."""
        value: Any = self._metadata(request[USER])
        for part in request.query.get("key", "").split("."):
            if part:
                value = value.get(part) if isinstance(value, dict) else None
        return self._success(value)

    async def user(self, request: web.Request) -> web.Response:
        user: User = request[USER]
        return self._success(
            {
                "user": {"id": user.id, "userName": user.user_name, "name": user.name, "type": user.kind},
                "acl": {"table": dict(user.access), "fieldTable": {}, "assignmentPermission": "all"},
                "preferences": {"timeZone": "", "language": ""},
                "token": user.token or None,
                "settings": self._settings(),
                "language": "de_DE",
                "appParams": self._app_params(),
            }
        )

    async def about(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return self._success({"text": "EspoCRM, emulated", "version": self._world.settings["version"]})

    async def app_params(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return self._success(self._app_params())

    async def settings(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return self._success(self._settings())

    def _metadata(self, user: User) -> dict[str, Any]:
        allowed = {name: kind for name, kind in self._world.store.schema.items() if has_scope(user, name)}
        allowed |= {name: self._world.store.schema[name] for name in ("Attachment", "Webhook")}
        return {
            "entityDefs": {name: kind.metadata() for name, kind in allowed.items()},
            "scopes": {
                name: {"entity": True, "object": kind.is_object, "isCustom": kind.is_custom}
                for name, kind in allowed.items()
            },
        }

    def _settings(self) -> dict[str, Any]:
        return {key: self._world.settings[key] for key in _SHOWN_SETTINGS}

    def _app_params(self) -> dict[str, Any]:
        return {"maxUploadSize": self._world.settings["attachmentUploadMaxSize"]}

    def _success(self, value: object) -> web.Response:
        return success(value, self._world.app_timestamp)
