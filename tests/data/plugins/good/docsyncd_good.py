"""A plugin that does everything right: a connector, a previewer and a conflict policy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from docsyncd import api


class Shelf(BaseModel):
    """A table inside the connector's table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = "A"


class GoodConfig(BaseModel):
    """The table of `type = "good"`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    url: str
    """Address of the remote, such as "http://127.0.0.1:8000"."""
    key: api.Secret | None = None
    """Where the key is found."""
    keys: tuple[api.Secret, ...] = ()
    """Further keys."""
    named_keys: dict[str, api.Secret] = Field(default_factory=dict)
    """Keys by name."""
    parallel: int = Field(default=4, ge=1)
    """Requests in flight at once."""
    shelf: Shelf = Shelf()
    """Where things stand."""
    consent_field: str = "own default"
    """Taken over from the host."""


@asynccontextmanager
async def connect(name: str, config: GoodConfig, host: api.Host) -> AsyncIterator[api.Ports]:
    async with host.transport(api.TransportSettings(remote=name, base_url=config.url)) as transport:
        yield api.Ports(transports=(transport,))


class GoodEmulator:
    """An empty remote."""

    @property
    def applications(self) -> Mapping[str, web.Application]:
        return {"url": web.Application()}

    def describe(self, urls: Mapping[str, str]) -> str:
        return f"nothing to see at {urls['url']}"


@api.hookimpl
def docsyncd_connectors() -> Iterable[api.Connector]:
    yield api.Connector(
        name="good",
        config=GoodConfig,
        offers=frozenset({"replica"}),
        connect=connect,
        emulator=GoodEmulator,
        inherits={"consent_field": "index.consent_field"},
    )
    yield api.Connector(
        name="also-good", config=GoodConfig, offers=frozenset({"feed"}), connect=connect, emulator=GoodEmulator
    )


@api.hookimpl
def docsyncd_previewer(media_type: str) -> api.Previewer | None:
    return api.Previewer(name="good", render="good:draw") if media_type.startswith("image/x-good") else None


@api.hookimpl
def docsyncd_conflict_policies() -> Iterable[api.ConflictPolicy]:
    yield api.ConflictPolicy(name="ask", winner=lambda _conflict: None)
