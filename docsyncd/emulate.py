"""`docsyncd emulate NAME`: a connector's emulator as a server of its own."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from docsyncd import registry
from docsyncd.errors import ConfigError
from docsyncd.testing.emulation import serve_emulator


async def run(name: str, port: int, *, print_: Callable[[str], None]) -> None:
    """Serve until cancelled (Ctrl-C). `ConfigError` if no connector has this name or the port is taken."""
    connectors = registry.load().connectors
    connector = connectors.get(name)
    if connector is None:
        raise ConfigError(f"there is no connector {name!r}.", fix=f"Installed are: {', '.join(connectors)}.")
    emulator = connector.emulator()
    try:
        async with serve_emulator(emulator, port=port) as urls:
            print_(emulator.describe(urls))
            await anyio.sleep_forever()
    except OSError as error:
        raise ConfigError(
            f"port {port} cannot be used: {error.strerror}.", fix="Choose another with --port."
        ) from error
