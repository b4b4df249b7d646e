"""Opens the three hosts of one firm's Advoware and serves the port `Journal` on them."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from docsyncd.api import ConfigError, Host, Ports, TransportSettings
from docsyncd_advoware import signing
from docsyncd_advoware.access import Entrance, Gateway
from docsyncd_advoware.check import check
from docsyncd_advoware.config import AdvowareConfig
from docsyncd_advoware.discovery import Directory
from docsyncd_advoware.journal import AdvowareJournal
from docsyncd_advoware.refusals import classifier, explain
from docsyncd_advoware.server import Server
from docsyncd_advoware.server_clock import ServerClock


@asynccontextmanager
async def connect(name: str, config: AdvowareConfig, host: Host) -> AsyncIterator[Ports]:
    """Open the connection; nothing is asked yet. `ConfigError` if a secret or the certificates cannot be read."""
    key = f"connectors.{name}"
    try:
        signing_key = signing.key_of(config.api_key.reveal(key=f"{key}.api_key"))
    except ValueError as error:
        raise ConfigError(
            f"the API key cannot be used: {error}.", key=f"{key}.api_key", fix="Write it as the vendor issued it."
        ) from error
    secrets = (signing_key, config.password.reveal(key=f"{key}.password"))
    settings = _settings(name, config)
    server_clock = ServerClock(host.clock, correct=config.auth.correct_clock)
    async with host.transport(settings(base_url=config.discovery.configurator_url)) as configurator:
        directory = Directory(configurator, config.discovery, config.kanzlei, host.clock, server_clock)
        async with host.transport(settings(base_url="", access=Gateway(directory))) as gateway:
            entrance = Entrance(gateway, directory, config, secrets, host.clock, server_clock)
            shown = config.discovery.base_url or config.discovery.configurator_url
            access = settings(base_url=shown, access=entrance, health=config.paths.health, healthy=frozenset({404}))
            async with host.transport(access) as api:
                server = Server(api, entrance, config)
                journal = AdvowareJournal(server, config, host.clock)
                yield Ports(
                    transports=(api,),
                    journal=journal,
                    check=partial(check, server, journal, entrance, server_clock, config),
                )


def _settings(name: str, config: AdvowareConfig) -> Any:
    return partial(
        TransportSettings,
        remote=name,
        classify=classifier(config.error_table, remote=name, pause=config.offline_pause),
        explain=explain,
        tls=_trusted(name, config),
        parallel=config.parallel,
        connect_timeout=config.connect_timeout,
        read_timeout=config.read_timeout,
    )


def _trusted(name: str, config: AdvowareConfig) -> ssl.SSLContext | None:
    path = config.discovery.ca_file
    if path is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"the certificates in {path} cannot be read ({type(error).__name__}).",
            key=f"connectors.{name}.discovery.ca_file",
            fix="Name a file in PEM format.",
        ) from error
