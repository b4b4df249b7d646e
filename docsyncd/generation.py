"""One configuration, running: its plugins, connections, handlers and jobs.

A reload builds a whole new generation beside the old one and only then swaps; whatever goes wrong before leaves the old one
as it was. The old generation ends when the last run that uses its connections has.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import anyio
import structlog

from docsyncd.clock import Clock
from docsyncd.config import Config, Connection, IndexConfig
from docsyncd.connector import Finding, Host, Ports, Severity, Webhook
from docsyncd.core.index_scope import IndexScope
from docsyncd.core.model import CollectionId, DocumentId, HolderId, WorkKey
from docsyncd.engine.index_document import index_document
from docsyncd.engine.index_flow import IndexFlow, IndexSettings, Report
from docsyncd.engine.intake import NoticeIntake
from docsyncd.engine.keep_collection import keep_collection
from docsyncd.engine.lease import Lease
from docsyncd.engine.outcome import Outcome
from docsyncd.engine.staging import Staging
from docsyncd.engine.sweeps import Sweeps
from docsyncd.errors import ConfigError, CredentialsRefused, RemoteError
from docsyncd.ports import Catalog, Index
from docsyncd.preview.pool import PreviewPool, open_previews
from docsyncd.preview.settings import PreviewSettings, spare_cores
from docsyncd.registry import Registry
from docsyncd.scheduler import Job, Wake
from docsyncd.transport import Transport, TransportSettings, open_transport
from docsyncd.work.audit import Audit
from docsyncd.work.intervals import Intervals
from docsyncd.work.ledger import Ledger
from docsyncd.worker import Handler


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """What outlives a reload."""

    clock: Clock
    ledger: Ledger
    intervals: Intervals
    intake: NoticeIntake
    staging: Staging
    audit: Audit
    poll_wake: Wake


@dataclass(slots=True, kw_only=True)
class Generation:
    """A running configuration. `users` counts runs under way; `retired` is set when a newer one took over."""

    config: Config
    registry: Registry
    ports: Mapping[str, Ports]
    findings: Mapping[str, Sequence[Finding]]
    webhooks: Mapping[str, Webhook]
    handlers: Mapping[str, Handler]
    jobs: Sequence[Job]
    catalog: Catalog
    index: Index
    working: frozenset[str]
    """The connections that a flow works with. What is away among the others stops nobody."""
    users: int = 0
    _idle: anyio.Event = field(default_factory=anyio.Event)

    @property
    def transports(self) -> Sequence[Transport]:
        return tuple(transport for ports in self.ports.values() for transport in ports.transports)

    @property
    def needed(self) -> Sequence[Transport]:
        """Without these no key can be worked on."""
        return tuple(transport for name in sorted(self.working) for transport in self.ports[name].transports)

    def enter(self) -> None:
        self.users += 1

    def leave(self) -> None:
        self.users -= 1
        if self.users == 0:
            self._idle.set()
            self._idle = anyio.Event()

    async def drained(self) -> None:
        """Returns when no run uses this generation any more."""
        while self.users:
            await self._idle.wait()


class _ConnectorHost:
    """What connectors may ask for."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    @asynccontextmanager
    async def transport(self, settings: TransportSettings) -> AsyncIterator[Transport]:
        async with open_transport(settings, self.clock) as transport:
            yield transport


@asynccontextmanager
async def open_generation(
    config: Config, registry: Registry, foundation: Foundation, *, strict: bool
) -> AsyncIterator[Generation]:
    """Connect everything that the configuration names. `strict` (a reload) refuses what a start only warns about:
    a remote that does not take the new key. `ConfigError` names what must be changed.
    """
    settings = config.settings
    catalog_binding = config.connection("index.catalog", "catalog")
    index_binding = config.connection("index.index", "index")
    working = frozenset({catalog_binding.name, index_binding.name})
    async with AsyncExitStack() as stack:
        host: Host = _ConnectorHost(foundation.clock)
        ports: dict[str, Ports] = {}
        webhooks: dict[str, Webhook] = {}
        for name, connection in config.connections.items():
            ports[name] = await stack.enter_async_context(connection.connector.connect(name, connection.config, host))
            webhooks |= _routes(connection, webhooks)
        findings = {name: await _checked(name, connected, strict=strict) for name, connected in ports.items()}
        _require_no_error({name: findings[name] for name in working}, live=settings.index.mode == "live")
        catalog, index = ports[catalog_binding.name].catalog, ports[index_binding.name].index
        if catalog is None or index is None:
            raise ConfigError("a connector does not serve the port that it offers", key="index")
        previews = await stack.enter_async_context(
            open_previews(
                PreviewSettings(
                    enabled=settings.previews.enabled,
                    parallel=settings.previews.parallel or spare_cores(),
                    seconds=settings.previews.seconds,
                    memory_mib=settings.previews.memory_mib,
                ),
                structlog.get_logger(),
                registry.previewer,
            )
        )
        yield Generation(
            config=config,
            registry=registry,
            ports=ports,
            findings=findings,
            webhooks=webhooks,
            handlers=_handlers(config, foundation, previews, catalog, index),
            jobs=_jobs(config, foundation, catalog, index),
            catalog=catalog,
            index=index,
            working=working,
        )


def _routes(connection: Connection, taken: Mapping[str, Webhook]) -> Mapping[str, Webhook]:
    found: dict[str, Webhook] = {}
    for webhook in connection.connector.webhooks(connection.config):
        if webhook.path in taken or webhook.path in found:
            raise ConfigError(f"the webhook path {webhook.path} is claimed twice.", key=f"connectors.{connection.name}")
        found[webhook.path] = webhook
    return found


async def _checked(name: str, ports: Ports, *, strict: bool) -> Sequence[Finding]:
    """The remote's own check. One that is away cannot be checked: said, and done without, unless a reload brought its key."""
    try:
        findings = await ports.check()
    except CredentialsRefused as refused:
        if strict:
            raise
        structlog.get_logger().error("remote.credentials_refused", connector=name, reason=str(refused))
        return (Finding(subject=name, severity=Severity.WARNING, message=str(refused), fix="Correct the key."),)
    except RemoteError as error:
        structlog.get_logger().warning("remote.unchecked", connector=name, reason=str(error))
        return (Finding(subject=name, severity=Severity.WARNING, message=f"could not be checked: {error}"),)
    if not strict and any(transport.breaker.refused_credentials for transport in ports.transports):
        # A start goes on without: webhooks must be taken, and a corrected key needs a reload only.
        findings = [
            replace(each, severity=Severity.WARNING) if each.severity is Severity.ERROR else each for each in findings
        ]
    for finding in findings:
        if finding.severity is not Severity.OK:
            structlog.get_logger().warning(
                "remote.finding",
                connector=name,
                subject=finding.subject,
                severity=finding.severity,
                message=finding.message,
                fix=finding.fix,
            )
    return findings


def _require_no_error(findings: Mapping[str, Sequence[Finding]], *, live: bool) -> None:
    """In mode `live` an error of a remote's set-up refuses the generation; `observe` has no effects and only warns."""
    errors = [
        f"{name}: {finding.subject}: {finding.message} {finding.fix}".rstrip()
        for name, found in findings.items()
        for finding in found
        if finding.severity is Severity.ERROR
    ]
    if errors and live:
        raise ConfigError("the remotes are not set up as this configuration needs:\n  " + "\n  ".join(errors))


def _handlers(
    config: Config, foundation: Foundation, previews: PreviewPool, catalog: Catalog, index: Index
) -> Mapping[str, Handler]:
    settings = config.settings
    flow = IndexFlow(
        catalog=catalog,
        index=index,
        ledger=foundation.ledger,
        intake=foundation.intake,
        staging=foundation.staging,
        previews=previews,
        audit=foundation.audit,
        clock=foundation.clock,
        settings=IndexSettings(
            catalog=settings.index.catalog,
            index=settings.index.index,
            live=settings.index.mode == "live",
            scope=_scope(settings.index),
            previews=settings.previews.enabled,
            first_look=settings.index.first_look,
            give_up_after=settings.index.give_up_after,
            upload_settles=settings.index.upload_settles,
            collection_grace=settings.index.collection_grace,
            max_deletions_per_hour=settings.audit.max_deletions_per_hour,
        ),
    )

    async def document(key: WorkKey, lease: Lease, report: Report) -> Outcome:
        return await index_document(flow, DocumentId(key.removeprefix("doc:")), lease, report)

    async def holder(key: WorkKey, lease: Lease, report: Report) -> Outcome:
        return await keep_collection(flow, HolderId(key.removeprefix("holder:")), lease, report)

    return {"doc": document, "holder": holder}


def _scope(index: IndexConfig) -> IndexScope:
    only = frozenset(CollectionId(collection) for collection in index.collections)
    return IndexScope(only=only, linked=index.scope == "linked")


def _jobs(config: Config, foundation: Foundation, catalog: Catalog, index: Index) -> Sequence[Job]:
    settings = config.settings
    sweeps = Sweeps(
        catalog=catalog,
        index=index,
        ledger=foundation.ledger,
        intake=foundation.intake,
        intervals=foundation.intervals,
        clock=foundation.clock,
        scope=_scope(settings.index),
        orphan_age=settings.sweeps.orphan_age,
    )
    poll = Job(
        name="poll.changes",
        interval="poll.changes",
        every=settings.index.poll_every,
        run=sweeps.poll,
        wake=foundation.poll_wake,
    )
    # Going live, or answering for more, has sweeps of its own: what was left alone until then is due at once.
    reach = "/".join((settings.index.mode, settings.index.scope, *sorted(settings.index.collections)))
    passes = {"sweep.ids": sweeps.ids, "sweep.links": sweeps.links, "sweep.orphans": sweeps.orphans}
    return (
        poll,
        *(
            Job(name=name, interval=f"{name}/{reach}", every=settings.sweeps.every, run=run, wake=Wake())
            for name, run in passes.items()
        ),
    )
