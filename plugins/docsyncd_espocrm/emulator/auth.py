"""Who asks: API key, HMAC, or name and password; and the lock-out that one bad key brings over everybody (reference 2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import defaultdict

from aiohttp import web

from docsyncd_espocrm.emulator.access import User
from docsyncd_espocrm.emulator.errors import EspoError
from docsyncd_espocrm.emulator.world import World

USER = web.RequestKey("user", User)

DENIALS = 10
"""Denied attempts that an address may have in PERIOD; the next request of anybody from there is refused."""

PERIOD = 60
"""Seconds."""

BASE = "/api/v1"


class Gate:
    """Finds the user of a request, or refuses it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._denied: dict[str, list[float]] = defaultdict(list)

    def authenticate(self, request: web.Request) -> User:
        """Raises 401, or 403 without a reason while the address is locked out."""
        address, now = request.remote or "", self._world.clock.now().timestamp()
        self._denied[address] = [moment for moment in self._denied[address] if now - moment < PERIOD]
        if len(self._denied[address]) > DENIALS:
            raise EspoError(403)
        if not _has_credentials(request):
            raise EspoError(401)
        user = self._find(request)
        if user is None or not user.active:
            self._denied[address].append(now)
            raise EspoError(401)
        return user

    def _find(self, request: web.Request) -> User | None:
        """The order of precedence is EspoCRM's."""
        headers = request.headers
        if "Espo-Authorization" in headers:
            return self._by_password(headers["Espo-Authorization"])
        if "X-Hmac-Authorization" in headers:
            return self._by_hmac(headers["X-Hmac-Authorization"], request)
        if "X-Api-Key" in headers:
            key = headers["X-Api-Key"]
            return next((user for user in self._api_users() if user.api_key == key and not user.secret_key), None)
        return self._by_password(headers["Authorization"].removeprefix("Basic ").strip())

    def _by_password(self, encoded: str) -> User | None:
        name, _, secret = _decoded(encoded).partition(b":")
        for user in self._world.users.values():
            if user.kind != "api" and user.user_name.encode() == name and secret.decode("utf-8", "replace"):
                return user if secret.decode("utf-8", "replace") in (user.password, user.token) else None
        return None

    def _by_hmac(self, encoded: str, request: web.Request) -> User | None:
        """The string signed is `METHOD /path`: no base path, no query. Hex digest, or raw as before 8.4.1."""
        key, _, given = _decoded(encoded).partition(b":")
        text = f"{request.method} {request.path.removeprefix(BASE)}".encode()
        for user in self._api_users():
            if user.secret_key and user.api_key.encode() == key:
                digest = hmac.new(user.secret_key.encode(), text, hashlib.sha256)
                return user if given in (digest.hexdigest().encode(), digest.digest()) else None
        return None

    def _api_users(self) -> list[User]:
        return [user for user in self._world.users.values() if user.kind == "api"]


def challenge(request: web.Request) -> dict[str, str]:
    """The extra header of a 401 without any credentials, except to a POST."""
    if _has_credentials(request) or request.method == "POST":
        return {}
    return {"WWW-Authenticate": 'Basic realm=""'}


def _has_credentials(request: web.Request) -> bool:
    names = ("Espo-Authorization", "X-Hmac-Authorization", "X-Api-Key", "Authorization")
    return any(name in request.headers for name in names)


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded)
    except ValueError:
        return b""
