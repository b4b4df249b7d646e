"""The security gateway: tokens for signed requests."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from docsyncd.testing.emulation import Handler
from docsyncd_advoware import signing
from docsyncd_advoware.emulator.world import Refusal, World

_KEYS = {
    "AppID": str,
    "Kanzlei": str,
    "Database": str,
    "User": str,
    "Role": int,
    "Product": int,
    "Password": str,
    "Nonce": str,
    "HMAC512Signature": str,
    "RequestTimeStamp": str,
}


class GatewayHost:
    """The handlers."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/api/v1/Token", self.token)]

    @web.middleware
    async def door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.world.require_firm()
        return await handler(request)

    async def token(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        self._require_account(asked)
        self._require_signature(asked)
        now = self.world.server_now()
        life = self.world.behaviour.token_seconds
        value = secrets.token_urlsafe(24)
        self.world.tokens[value] = now + timedelta(seconds=life)
        answer: dict[str, Any] = {"access_token": value, "token_type": "bearer"}
        if self.world.behaviour.lifetime == "expiration_utc":
            answer["expiration_utc"] = f"{self.world.tokens[value].astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
        if self.world.behaviour.lifetime == "expires_in":
            answer["expires_in"] = int(life)
        return web.json_response(answer)

    def _require_account(self, asked: dict[str, Any]) -> None:
        world = self.world
        if asked["AppID"] != world.app_id or asked["Product"] != 64:
            raise Refusal(403, "Die Anwendung ist nicht registriert.")
        if asked["Kanzlei"] != world.kanzlei or asked["Database"] != world.database:
            raise Refusal(400, f"Die Datenbank '{asked['Database']}' ist unbekannt.")
        if (asked["User"], asked["Password"]) != (world.user, world.secrets["password"]):
            raise Refusal(401, "Falscher Name oder falsches Kennwort")

    def _require_signature(self, asked: dict[str, Any]) -> None:
        """Over the strings as they came; then the time, then the nonce."""
        expected = signing.signature(
            signing.key_of(self.world.secrets["api_key"]),
            product=asked["Product"],
            app_id=asked["AppID"],
            nonce=asked["Nonce"],
            stamp=asked["RequestTimeStamp"],
        )
        if not secrets.compare_digest(expected, asked["HMAC512Signature"]):
            raise Refusal(401, "Die Signatur ist falsch.")
        try:
            stamp = datetime.fromisoformat(asked["RequestTimeStamp"])
        except ValueError as error:
            raise Refusal(400, "RequestTimeStamp ist kein Zeitpunkt.") from error
        off = abs((stamp - self.world.server_now()).total_seconds())
        if off > self.world.behaviour.clock_tolerance:
            raise Refusal(401, "Der Zeitstempel ist abgelaufen.")
        if asked["Nonce"] in self.world.nonces:
            raise Refusal(401, "Die Nonce wurde bereits verwendet.")
        self.world.nonces.add(asked["Nonce"])


async def _asked(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError as error:
        raise Refusal(400, "Die Anfrage ist kein JSON.") from error
    wrong = [key for key, kind in _KEYS.items() if not isinstance(body, dict) or not isinstance(body.get(key), kind)]
    if wrong:
        raise Refusal(400, f"Angaben fehlen: {', '.join(wrong)}")
    return dict(body)
