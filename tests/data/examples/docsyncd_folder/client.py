"""What the example of `docsyncd_connectors` imports from its own package."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from docsyncd import api


@asynccontextmanager
async def connect(name: str, config: Any, host: api.Host) -> AsyncIterator[api.Ports]:
    """A folder needs no transport."""
    del name, host
    if not config.root.is_dir():
        raise api.ConfigError(f"{config.root} is no folder.")
    yield api.Ports(transports=())
