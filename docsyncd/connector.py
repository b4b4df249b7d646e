"""What a connector declares and what it receives.

Hooks are nouns: `docsyncd_connectors()` returns `Connector` descriptors, whose `connect` is an async context manager
that yields `Ports`. After that pluggy is not asked again in this configuration generation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

from aiohttp import web
from pydantic import BaseModel

from docsyncd.clock import Clock
from docsyncd.core.model import Notice
from docsyncd.ports import Catalog, Feed, Index, Journal, Replica
from docsyncd.transport import Transport, TransportSettings

PortName = Literal["catalog", "feed", "index", "journal", "replica"]


class Severity(StrEnum):
    """ERROR refuses the start, WARNING is logged and shown, OK is for the doctor's list."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answer of a remote's check.

    :param subject: what was looked at, such as `field Document.xaiSyncStatus`.
    :param message: what was found and what it means.
    :param fix: what to do, a command or a click; empty with OK.
    """

    subject: str
    severity: Severity
    message: str
    fix: str = ""


async def _nothing_to_check() -> Sequence[Finding]:
    return ()


async def _nobody_in_particular() -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """An open connection: the ports that it serves, its breaker's transport, its health call and its self-check.

    :param transports: every request path of this connector; the daemon watches their breakers.
    :param check: start-up and `doctor` ask it once; it reports, it does not raise for what it finds.
    :param instance: who the remote is (its installation, its volume), as it says itself or as its address and key say. Another
        answer than last time means another remote behind the same address (V1). Empty: the remote cannot be told from another.
    """

    transports: tuple[Transport, ...]
    catalog: Catalog | None = None
    replica: Replica | None = None
    journal: Journal | None = None
    index: Index | None = None
    feed: Feed | None = None
    check: Callable[[], Awaitable[Sequence[Finding]]] = _nothing_to_check
    instance: Callable[[], Awaitable[str]] = _nobody_in_particular


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A webhook body, understood. `skipped`: items without an id. `malformed`: signed well, but not decodable."""

    notices: tuple[Notice, ...] = ()
    skipped: int = 0
    malformed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One URL that a remote posts to.

    :param path: absolute, such as `/vmh/webhook/document/create`.
    :param topic: the event's name in logs, metrics and the ledger, such as `vmh.document.create`.
    :param decode: pure; lower-case header names and the raw body in, notices out. Raises `SignatureRefused`.
    """

    path: str
    topic: str
    decode: Callable[[Mapping[str, str], bytes], Decoded]


class Host(Protocol):
    """What a connector may ask of the daemon that runs it."""

    @property
    def clock(self) -> Clock:
        """The daemon's clock."""

    def transport(self, settings: TransportSettings) -> AbstractAsyncContextManager[Transport]:
        """A request path to one host of the remote, with its own breaker."""


class Emulator(Protocol):
    """The remote, played by its connector: real HTTP, inspectable from the same process.

    `docsyncd.testing.emulation` holds the parts that every emulator shares (faults, the request log, serving).
    """

    @property
    def applications(self) -> Mapping[str, web.Application]:
        """One application per host of the remote, by its key in the configuration, such as `url` or `files_url`."""

    def describe(self, urls: Mapping[str, str]) -> str:
        """For `docsyncd emulate`: what a person needs to talk to it (addresses, throw-away keys, seeded records)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """One connector, as its hook declares it.

    :param name: what `[connectors.*] type = "…"` says; lower-case letters, digits and dashes.
    :param config: the model of its TOML table, frozen, `extra="forbid"`; a `type` key is taken away before.
    :param offers: the ports that `connect` will fill.
    :param connect: `async with connector.connect(name, config, host) as ports`; `name` is the table's name.
    :param webhooks: the URLs that the remote may post to, given its table.
    :param emulator: builds a fresh emulator with its defaults. One that can serve a real folder takes it as `root`, a `Path`.
    :param inherits: keys of its table that take their default from a table of the host, such as
        `{"consent_field": "index.consent_field"}`.
    """

    name: str
    config: type[BaseModel]
    offers: frozenset[PortName]
    connect: Callable[[str, Any, Host], AbstractAsyncContextManager[Ports]]
    emulator: Callable[..., Emulator]
    webhooks: Callable[[Any], Sequence[Webhook]] = field(default=lambda _config: ())
    inherits: Mapping[str, str] = field(default_factory=dict)
