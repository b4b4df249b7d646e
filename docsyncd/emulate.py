"""`docsyncd emulate NAME`: a connector's emulator as a server of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import anyio

from docsyncd import registry
from docsyncd.connector import Connector, Emulator
from docsyncd.errors import ConfigError
from docsyncd.testing.emulation import serve_emulator


async def run(name: str, port: int, root: Path | None, *, print_: Callable[[str], None]) -> None:
    """Serve until cancelled (Ctrl-C). `ConfigError` if no connector has this name, or port or folder cannot be used."""
    connectors = registry.load().connectors
    connector = connectors.get(name)
    if connector is None:
        raise ConfigError(f"there is no connector {name!r}.", fix=f"Installed are: {', '.join(connectors)}.")
    emulator = connector.emulator() if root is None else _over(connector, root)
    try:
        async with serve_emulator(emulator, port=port) as urls:
            print_(emulator.describe(urls))
            print_("Everything above is made up and forgotten at the end. To end it: Ctrl-C")
            await anyio.sleep_forever()
    except OSError as error:
        raise ConfigError(
            f"port {port} cannot be used: {error.strerror}.", fix="Choose another with --port."
        ) from error


def _over(connector: Connector, root: Path) -> Emulator:
    """The emulator over a real folder."""
    if "root" not in inspect.signature(connector.emulator).parameters:
        raise ConfigError(f"the emulator of {connector.name} has no files.", fix="Leave out --root.")
    try:
        return connector.emulator(root=root)
    except OSError as error:
        raise ConfigError(f"{root} cannot be served: {error.strerror}.", fix="Name a folder with --root.") from error
