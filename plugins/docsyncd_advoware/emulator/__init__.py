"""Advoware, played by its connector: the vendor's configurator and security gateway, and the firm's connector.

Its quirks; the numbers are sections of `reference/advoware-windows-sync.md`, profile-… those of
`reference/installation-profile.md`, which name the documents behind them. What is undocumented is a switch of `Behaviour`, with the
safest reading as its default. Each line has a test in `tests/plugins/advoware/test_emulator.py`.

* The configurator names `relayUrl`, `connectorUrl` (or null) and `securityGateway`; an unknown Kanzlei has none (1.1).
* A token needs the whole account, role and product 64, and HMAC-SHA-512 over the very strings that are sent (1.1, 1.2).
* The token's end comes as `expiration_utc`; others saw `expires_in` (1.2).
* A request whose time is too far from the server's is refused, and a nonce works once (tolerances undocumented, 1.2).
* Errors are German sentences; their statuses are undocumented (1.4).
* A firm whose server is off answers "ist nicht angemeldet", at the gateway and at the API (1.4).
* An App-ID that is not enabled for the Kanzlei is told so, "freigeschaltet" (1.1, 1.4).
* 401 once the token is past its end (profile-4.1).
* Keys come in camelCase or PascalCase (1.2), numbers as numbers or as text (profile-U-03).
* The History has entries without files: calls and mails (1.5).
* It has entries whose file does not exist, and the same file in several (1.5).
* An entry that is deleted may leave its file, and an Akte does not change when its History does (1.5, profile-4.2).
* Dates come without zone, with or without a fraction of three digits, the time of day apart or together (1.3).
* "No date" is `0001-01-01T00:00:00` (1.3).
* `ablage` may be a filing number, a flag or a date, null or missing; a filing number survives re-activation (1.5).
* `PUT` and `DELETE` of an entry answer 403 (profile-4.2; for History undocumented, 1.2).
* A new entry gets the next number; the answer's body is undocumented, and it may show late or lack what was sent (profile-B-06).
* A search that does not know its parameter lists every Akte; one Akte may come as a list of one (undocumented).
* Answers may take 15 s (1.4).
* Swagger is served without a token, by the firm's own server only (1.1).
* Every answer has a Date header by the server's own clock.

Not emulated: all other resources (404), limits on the rate of requests (none is published: use `faults` for a 429).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from docsyncd.api import Clock, SystemClock
from docsyncd.testing.emulation import MAX_BODY, Faults, RequestLog, instrument
from docsyncd_advoware.emulator.connector_host import ConnectorHost
from docsyncd_advoware.emulator.gateway_host import GatewayHost
from docsyncd_advoware.emulator.world import Behaviour, StoredAkte, StoredEntry, World

CONFIGURATOR_PATH = "/AdvonetConfigurator/api/Url"
SECRETS = ("api_key", "password")


class AdvowareEmulator:
    """Three hosts over one world. `world` is what the firm has, `faults` what goes wrong, `requests` what was asked.

    Serve it with `docsyncd.testing.emulation.serve_emulator`; `table` is the connector's table for it.

        emulator = AdvowareEmulator(behaviour=Behaviour(ablage="flag"))
        emulator.world.open_case_file("4711", reference="12/26 Mü")
        emulator.world.add_document("4711", "Klage.pdf", text="Klage an LG")
        emulator.world.add_call("4711", "Mandant angerufen")
        async with serve_emulator(emulator) as urls:      # configurator_url, security_gateway, base_url
            table = emulator.table(urls, folder_for_secrets)
        assert [entry.file for entry in emulator.world.entries("4711")] == ["T:\\\\Akten\\\\4711\\\\Klage.pdf", None]
        emulator.world.archive("4711")
        emulator.world.go_offline()
        emulator.faults.add(Fault(match=on("POST", "/History"), cut=True, effect=True))
    """

    def __init__(self, *, behaviour: Behaviour | None = None, clock: Clock | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.world = World(clock or SystemClock(), self.behaviour)
        self.faults = Faults()
        self.requests = RequestLog()
        self._urls: Mapping[str, str] = {}
        gateway, connector = GatewayHost(self.world), ConnectorHost(self.world)
        configurator = web.Application(middlewares=[self.world.dated])
        configurator.add_routes([web.get(CONFIGURATOR_PATH, self._addresses, allow_head=False)])
        security = web.Application(middlewares=[self.world.dated, gateway.door])
        security.add_routes(gateway.routes())
        api = web.Application(middlewares=[self.world.dated, connector.door], client_max_size=MAX_BODY)
        api.add_routes(connector.routes())
        applications = {"configurator_url": configurator, "security_gateway": security, "base_url": api}
        self._applications = {
            role: instrument(app, self.faults, self.requests, role=role) for role, app in applications.items()
        }

    @property
    def applications(self) -> Mapping[str, web.Application]:
        return self._applications

    def publish(self, urls: Mapping[str, str]) -> None:
        """What the configurator will say."""
        self._urls = dict(urls)

    def describe(self, urls: Mapping[str, str]) -> str:
        world = self.world
        return "\n".join(
            (
                f"Configurator {urls['configurator_url']}{CONFIGURATOR_PATH}?Kanzlei={world.kanzlei}",
                f"Gateway      {urls['security_gateway']}   AppID {world.app_id}, API key {world.secrets['api_key']}",
                f"Connector    {urls['base_url']}   Database {world.database}",
                f"User         {world.user}   Password {world.secrets['password']}",
                *(f"Akte         {akte.number}   {akte.reference}" for akte in world.akten.values()),
            )
        )

    def table(self, urls: Mapping[str, str], secrets: Path) -> dict[str, Any]:
        """`[connectors.advoware]` for this emulator; the secrets are written below `secrets`."""
        table: dict[str, Any] = {
            "type": "advoware",
            "app_id": self.world.app_id,
            "kanzlei": self.world.kanzlei,
            "database": self.world.database,
            "user": self.world.user,
            "discovery": {"configurator_url": urls["configurator_url"] + CONFIGURATOR_PATH, "allow_http": True},
            "files": {"rules": [{"root": self.world.root + "\\{number}\\"}]},
            "writes": {"file_value": self.world.root + "\\{number}\\{path}"},
        }
        for name in SECRETS:
            path = secrets / f"advoware_{name}"
            path.write_text(self.world.secrets[name], encoding="utf-8")
            table[name] = {"file": str(path)}
        return table

    async def _addresses(self, request: web.Request) -> web.Response:
        if request.query.get("Kanzlei") != self.world.kanzlei:
            return web.json_response({"relayUrl": None, "connectorUrl": None, "securityGateway": None})
        base = self._urls["base_url"]
        return web.json_response(
            {
                "relayUrl": f"{base}/relay/",
                "connectorUrl": base + "/" if self.behaviour.has_connector else None,
                "securityGateway": self._urls["security_gateway"] + "/",
            }
        )


__all__ = ["CONFIGURATOR_PATH", "AdvowareEmulator", "Behaviour", "StoredAkte", "StoredEntry", "World"]
