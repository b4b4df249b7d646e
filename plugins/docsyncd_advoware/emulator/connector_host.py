"""The firm's connector: Akten and their History."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import anyio
from aiohttp import web

from docsyncd.testing.emulation import Handler
from docsyncd_advoware.emulator.world import BERLIN, Refusal, StoredAkte, StoredEntry, World

ZERO = "0001-01-01T00:00:00"
SWAGGER_PATH = "/swagger/v1/swagger.json"


class ConnectorHost:
    """The handlers. Everything is served by the relay, too, below `/relay`; Swagger is not."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[web.RouteDef]:
        found = [web.get(SWAGGER_PATH, self.swagger, allow_head=False)]
        for prefix in ("/api/v1/advonet", "/relay/api/v1/advonet"):
            one = prefix + "/Akten/{id}"
            found += [
                web.get(prefix + "/Akten", self.search, allow_head=False),
                web.get(one, self.akte, allow_head=False),
                web.get(one + "/History", self.history, allow_head=False),
                web.post(one + "/History", self.create),
                web.put(one + "/History/{entry}", self.forbidden),
                web.delete(one + "/History/{entry}", self.forbidden),
            ]
        return found

    @web.middleware
    async def door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Token, licence and the firm's server; Swagger is open."""
        if request.path == SWAGGER_PATH:
            return await handler(request)
        if self.world.behaviour.slow:
            await anyio.sleep(self.world.behaviour.slow)
        self.world.require_firm()
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        until = self.world.tokens.get(value)
        if scheme != "Bearer" or until is None or until <= self.world.server_now():
            raise Refusal(401, "Das Token ist abgelaufen oder unbekannt.")
        return await handler(request)

    def _akte(self, request: web.Request) -> StoredAkte:
        akte = self.world.akten.get(request.match_info["id"])
        if akte is None:
            raise Refusal(404, f"Die Akte {request.match_info['id']} wurde nicht gefunden.")
        return akte

    async def search(self, request: web.Request) -> web.Response:
        wanted = request.query.get("aktennummer")
        filters = self.world.behaviour.search_filters and wanted is not None
        found = [
            akte
            for akte in self.world.akten.values()
            if not filters or akte.number.lstrip("0") == (wanted or "").lstrip("0")
        ]
        return self._answer([self._akte_shown(akte) for akte in found])

    async def akte(self, request: web.Request) -> web.Response:
        shown = self._akte_shown(self._akte(request))
        return self._answer([shown] if self.world.behaviour.akte_as_list else shown)

    async def history(self, request: web.Request) -> web.Response:
        akte = self._akte(request)
        return self._answer([self._entry_shown(akte, entry) for entry in self.world.shown(akte)])

    async def create(self, request: web.Request) -> web.Response:
        akte = self._akte(request)
        try:
            body = {key.casefold(): value for key, value in (await request.json()).items()}
        except (ValueError, AttributeError) as error:
            raise Refusal(400, "Die Anfrage ist kein JSON-Objekt.") from error
        if not body.get("text"):
            raise Refusal(422, "Das Feld Text ist erforderlich.")
        entry = self.world.create(
            akte, text=body["text"], kind=body.get("art") or "S", file=body.get("datei"), date=_moment(body.get("dat"))
        )
        if self.world.behaviour.create_answer == "empty":
            return web.Response(status=201)
        return self._answer(self._entry_shown(akte, entry), status=201)

    async def forbidden(self, _request: web.Request) -> web.Response:
        raise Refusal(403, "Diese Aktion ist nicht erlaubt.")

    async def swagger(self, _request: web.Request) -> web.Response:
        if not self.world.behaviour.has_swagger:
            raise web.HTTPNotFound
        prefix = "/api/v1/advonet"
        return web.json_response(
            {
                "openapi": "3.0.1",
                "info": {"title": "Advoware", "version": "v1"},
                "paths": {
                    f"{prefix}/Akten": {"get": {}},
                    f"{prefix}/Akten/{{akteId}}": {"get": {}},
                    f"{prefix}/Akten/{{akteId}}/History": {"get": {}, "post": {}},
                },
            }
        )

    def _answer(self, body: Any, *, status: int = 200) -> web.Response:
        return web.json_response(body, status=status, dumps=lambda value: json.dumps(value, ensure_ascii=False))

    def _akte_shown(self, akte: StoredAkte) -> dict[str, Any]:
        kinds: dict[str, dict[str, Any]] = {
            "number": {"ablage": akte.filing_number},
            "flag": {"ablage": akte.archived},
            "date": {"ablage": ZERO if akte.archived_at is None else self._date(akte.archived_at)},
            "null": {"ablage": None},
            "missing": {},
        }
        return self._cased(
            {"id": int(akte.id) if akte.id.isdigit() else akte.id, "rowId": akte.row_id}
            | {"aktennummer": akte.number, "az": akte.reference}
            | kinds[self.world.behaviour.ablage]
        )

    def _entry_shown(self, akte: StoredAkte, entry: StoredEntry) -> dict[str, Any]:
        number: Any = entry.number
        if self.world.behaviour.numbers == "text" and number is not None:
            number = str(number)
        date = ZERO if entry.date is None else self._date(entry.date)
        apart = self.world.behaviour.time_apart and entry.date is not None
        return self._cased(
            {
                "hNr": number,
                "rowId": entry.row_id,
                "aktennummer": akte.number,
                "dat": date[:10] + "T00:00:00" if apart else date,
                "zeit": date[11:16] if apart else None,
                "text": entry.text,
                "art": entry.kind,
                "adr": None,
                "datei": entry.file,
            }
        )

    def _cased(self, row: dict[str, Any]) -> dict[str, Any]:
        if self.world.behaviour.keys == "camel":
            return row
        return {key[0].upper() + key[1:]: value for key, value in row.items()}

    def _date(self, moment: datetime) -> str:
        local = moment.astimezone(BERLIN)
        shapes = {
            "naive": f"{local:%Y-%m-%dT%H:%M:%S}",
            "fraction": f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}",
            "zoned": f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z",
        }
        return shapes[self.world.behaviour.dates]


def _moment(value: Any) -> datetime | None:
    """A date as a client sends it: without zone it is local."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=BERLIN)).astimezone(UTC)
