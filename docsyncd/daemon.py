"""The daemon: one task group, a current generation, signals, and an orderly end.

`run` opens what outlives a reload (queue, ledger, listener, control socket), then the first generation, then lets the workers
claim. SIGHUP builds the next generation; SIGTERM stops claiming, gives runs under way `DRAIN` seconds and releases the rest.
"""

from __future__ import annotations

import os
import pwd
import signal
import socket
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from operator import attrgetter
from pathlib import Path

import anyio
import structlog
from anyio.abc import ObjectReceiveStream, TaskGroup, TaskStatus
from anyio.streams.memory import MemoryObjectSendStream
from prometheus_client import CollectorRegistry

from docsyncd import registry as plugins
from docsyncd.breaker import Breaker
from docsyncd.clock import Clock, SystemClock
from docsyncd.commands import commands
from docsyncd.config import Config, QueueConfig, Settings, bind, control_path, read_settings
from docsyncd.connector import Severity, Webhook
from docsyncd.core.model import WorkKey
from docsyncd.engine.index_flow import Report
from docsyncd.engine.intake import NoticeIntake
from docsyncd.engine.lease import Lease
from docsyncd.engine.outcome import Outcome
from docsyncd.engine.staging import Staging
from docsyncd.errors import ConfigError, CredentialsRefused, DocsyncdError, Unavailable
from docsyncd.generation import Foundation, Generation, open_generation
from docsyncd.registry import Registry
from docsyncd.scheduler import Wake, poll_forever
from docsyncd.serve.control import control_socket
from docsyncd.serve.counters import WebhookCounters
from docsyncd.serve.http_server import serving
from docsyncd.serve.peer import Operators
from docsyncd.serve.webhooks import ListenerSettings, webhook_server
from docsyncd.system import logs
from docsyncd.tasks import task_group
from docsyncd.work.audit import Audit
from docsyncd.work.connection import connect
from docsyncd.work.embedded import EmbeddedServer, EmbeddedSettings, embedded_server
from docsyncd.work.inspection import inspect
from docsyncd.work.intervals import Intervals
from docsyncd.work.ledger import Ledger
from docsyncd.work.queue import WorkQueue
from docsyncd.work.redis_queue import QueueSettings, RedisQueue
from docsyncd.worker import Finished, Gate, Handler, Step, Workers

DRAIN = 20.0
"""Seconds that runs under way have after SIGTERM before they are released; below systemd's TimeoutStopSec of 90."""

FIXED = ("daemon.name", "daemon.state_dir", "daemon.workers", "queue", "listener", "admin")
"""Settings that a reload cannot change: they belong to what outlives a generation."""


def load_config(path: Path) -> tuple[Config, Registry]:
    """The configuration and the plugins that it needs. Raises `ConfigError` or `PluginError`; touches no remote."""
    settings = read_settings(path)
    registry = plugins.load(disabled=settings.plugins.disabled)
    registry.require([str(table["type"]) for table in settings.connectors.values()])
    for broken in registry.broken:
        structlog.get_logger().warning("plugin.broken", plugin=broken.name, source=broken.source, reason=broken.reason)
    return bind(settings, registry.connectors, path), registry


class Daemon:
    """What commands and the listener see of the running process."""

    def __init__(self, path: Path, clock: Clock, queue: WorkQueue, foundation: Foundation, tasks: TaskGroup) -> None:
        self.path = path
        self.clock = clock
        self.queue = queue
        self.foundation = foundation
        self.gate = Gate()
        self.started = clock.now()
        self.counts: dict[str, int] = defaultdict(int)
        self.current: Generation | None = None
        self.workers: Workers | None = None
        self.counters: WebhookCounters | None = None
        self.tasks = tasks
        self._retire: anyio.Event = anyio.Event()
        self.one_reload = anyio.Lock()
        self._waiting: dict[WorkKey, set[MemoryObjectSendStream[Step | Finished]]] = defaultdict(set)

    async def start_generation(self, config: Config, registry: Registry, *, strict: bool) -> None:
        """Open a generation and make it the current one; the old one ends when nothing uses it any more."""
        retire = anyio.Event()
        generation: Generation = await self.tasks.start(self._host, config, registry, strict, retire)
        old, self._retire = self._retire, retire
        self.current = generation
        self.gate.replace([transport.breaker for transport in generation.needed])
        old.set()

    async def reload(self) -> str:
        """Build a new generation from the file. On any error the old one stays, and the error says why."""
        async with self.one_reload:
            config, registry = load_config(self.path)
            if self.current is not None:
                _require_unchanged(self.current.config.settings, config.settings)
            await self.start_generation(config, registry, strict=True)
            logs.configure(config.settings.daemon.log_level, config.settings.daemon.log_format)
            structlog.get_logger().info("daemon.reloaded", path=str(self.path))
            return f"{self.path} is in force"

    def routes(self) -> Mapping[str, Webhook] | None:
        """The webhooks of the current generation; None until there is one, and while the daemon ends."""
        return self.current.webhooks if self.current is not None and not self.gate.stopping else None

    def handlers(self) -> Mapping[str, Handler]:
        """The current generation's handlers, which keep it open while they run."""
        generation = self.current
        if generation is None:
            return {}

        def held(handler: Handler) -> Handler:
            async def run(key: WorkKey, lease: Lease, report: Report) -> Outcome:
                generation.enter()
                try:
                    return await handler(key, lease, report)
                finally:
                    generation.leave()

            return run

        return {kind: held(handler) for kind, handler in generation.handlers.items()}

    def reported(self, key: WorkKey, words: str) -> None:
        """Tell a step of a run to whoever waits for it."""
        self._tell(key, Step(words=words))

    def finished(self, key: WorkKey, word: str, detail: str) -> None:
        """Count an ended run and tell whoever waits for it."""
        self.counts[word] += 1
        self._tell(key, Finished(word=word, detail=detail))

    def _tell(self, key: WorkKey, event: Step | Finished) -> None:
        for stream in self._waiting.get(key, ()):
            try:
                stream.send_nowait(event)
            except (anyio.WouldBlock, anyio.BrokenResourceError):
                continue  # a client that does not read learns the state from the queue

    @asynccontextmanager
    async def watching(self, key: WorkKey) -> AsyncIterator[ObjectReceiveStream[Step | Finished]]:
        """The steps and ends of this key's runs in this daemon, from now on."""
        send, receive = anyio.create_memory_object_stream[Step | Finished](256)
        self._waiting[key].add(send)
        try:
            with receive:
                yield receive
        finally:
            send.close()
            self._waiting[key].discard(send)
            if not self._waiting[key]:
                del self._waiting[key]

    async def _host(
        self,
        config: Config,
        registry: Registry,
        strict: bool,
        retire: anyio.Event,
        *,
        task_status: TaskStatus[Generation],
    ) -> None:
        async with (
            open_generation(config, registry, self.foundation, strict=strict) as generation,
            task_group() as watches,
        ):
            for transport in generation.transports:
                watches.start_soon(transport.watch_breaker)
                watches.start_soon(_announce, transport.breaker)
            task_status.started(generation)
            async with task_group() as jobs:
                for job in generation.jobs:
                    jobs.start_soon(poll_forever, job, self.foundation.intervals, self.clock, self.gate.wait)
                await retire.wait()
                jobs.cancel_scope.cancel()
            await generation.drained()
            watches.cancel_scope.cancel()


async def _announce(breaker: Breaker) -> None:
    """One line when a remote goes away, one when it is back; a refused key needs a person, so it is an error."""
    log = structlog.get_logger()
    said: Unavailable | None = None
    while True:
        reason = breaker.reason
        if breaker.refused_credentials and not isinstance(said, CredentialsRefused):
            log.error("remote.credentials_refused", connector=breaker.remote, reason=str(reason))
        elif reason is not None and said is None:
            log.warning("remote.away", connector=breaker.remote, reason=str(reason))
        elif reason is None and said is not None:
            log.info("remote.back", connector=breaker.remote)
        said = reason
        await breaker.changed()


async def run(path: Path, *, clock: Clock | None = None) -> None:
    """Run until SIGTERM or SIGINT. Raises `ConfigError` or `PluginError` if it cannot begin."""
    logs.configure("warning", "auto")  # until the file has said how: what is wrong with a plugin is logged before
    config, registry = load_config(path)
    settings = config.settings
    logs.configure(settings.daemon.log_level, settings.daemon.log_format)
    clock = clock or SystemClock()
    require_writable(settings.daemon.state_dir)
    async with AsyncExitStack() as stack:
        server = await _embedded(settings, stack)
        password = settings.queue.password.reveal(key="queue.password") if settings.queue.password is not None else None
        url = server.url if server is not None else str(settings.queue.url)
        client = await stack.enter_async_context(connect(url, password=password))
        for finding in await inspect(client):
            if finding.severity is Severity.ERROR:
                raise ConfigError(finding.message, key=f"queue: {finding.subject}", fix=finding.fix)
            if finding.severity is Severity.WARNING:
                structlog.get_logger().warning("queue.finding", subject=finding.subject, message=finding.message)
        tasks = await stack.enter_async_context(task_group())
        if server is not None:
            tasks.start_soon(_stop_with_it, server)
        queue = RedisQueue(client, prefix=settings.queue.prefix, settings=_queue_settings(settings.queue))
        tasks.start_soon(queue.listen)
        staging = Staging(settings.daemon.state_dir / "staging")
        staging.clear()
        ledger = Ledger(client, clock, prefix=settings.queue.prefix)
        poll_wake = Wake()
        foundation = Foundation(
            clock=clock,
            ledger=ledger,
            intervals=Intervals(client, prefix=settings.queue.prefix),
            intake=NoticeIntake(queue, ledger, poll_wake.set),
            staging=staging,
            audit=Audit(settings.daemon.state_dir, clock, daemon=settings.daemon.name),
            poll_wake=poll_wake,
        )
        daemon = Daemon(path, clock, queue, foundation, tasks)
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            address = await _open_doors(daemon, settings, stack)
            async with task_group() as life:
                life.start_soon(_begin, daemon, config, registry, address)
                await _until_stopped(daemon, signals, life)
                await _drain(daemon)
                life.cancel_scope.cancel()
        structlog.get_logger().info("daemon.stopped")
        tasks.cancel_scope.cancel()


async def _begin(daemon: Daemon, config: Config, registry: Registry, address: str) -> None:
    """Open the first generation and let the workers claim. A remote that does not answer holds up no signal."""
    settings = config.settings
    async with daemon.one_reload:
        await daemon.start_generation(config, registry, strict=False)
    daemon.workers = workers = Workers(
        daemon.queue,
        daemon.handlers,
        daemon.gate,
        daemon.clock,
        name=settings.daemon.name,
        slots=settings.daemon.workers,
        lease=settings.queue.lease,
        reported=daemon.reported,
        finished=daemon.finished,
    )
    daemon.tasks.start_soon(workers.run)
    daemon.gate.open.set()
    structlog.get_logger().info("daemon.ready", listener=address, mode=settings.index.mode, name=settings.daemon.name)


def require_writable(folder: Path) -> None:
    """Make the state directory, and a file in it. `ConfigError` says what is in the way, before anything has begun."""
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written: {error.strerror}.",
            key="daemon.state_dir",
            fix=f"Name a directory in which the user {_user()} may write.",
        ) from error


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


async def _embedded(settings: Settings, stack: AsyncExitStack) -> EmbeddedServer | None:
    """The embedded server, unless the configuration names one."""
    if settings.queue.url is not None:
        return None
    binary = EmbeddedSettings(binary=settings.queue.server_binary)
    return await stack.enter_async_context(embedded_server(settings.daemon.state_dir, settings=binary))


async def _stop_with_it(server: EmbeddedServer) -> None:
    """A daemon without its server has no memory: it ends, and its supervisor starts it again."""
    raise DocsyncdError(await server.died())


def _queue_settings(config: QueueConfig) -> QueueSettings:
    return QueueSettings(lease=config.lease, renew_every=config.lease / 3, margin=config.lease / 6)


async def _open_doors(daemon: Daemon, settings: Settings, stack: AsyncExitStack) -> str:
    """The webhook listener (answering 503 until a generation is there) and the control socket."""
    daemon.counters = counters = WebhookCounters(CollectorRegistry(), daemon.clock)
    log = structlog.get_logger()
    listening = bind_address(settings.listener.bind)
    limits = ListenerSettings()
    server = webhook_server(daemon.routes, daemon.foundation.intake, limits, counters, log)
    await stack.enter_async_context(serving(server, listening, drain=limits.drain))
    path = control_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    await stack.enter_async_context(
        control_socket(path, commands(daemon), Operators.named(settings.admin.operators), log)
    )
    host, port = listening.getsockname()[:2]
    return f"{host}:{port}"


def bind_address(address: str) -> socket.socket:
    """A bound socket for `host:port` or `[host]:port`. `ConfigError` names what is wrong."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit():
        raise ConfigError(f"{address!r} is no address.", key="listener.bind", fix='Write "127.0.0.1:8480".')
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, int(port)))
    except (OSError, OverflowError) as error:
        listening.close()
        raise ConfigError(
            f"{address} cannot be bound: {_why(error)}.",
            key="listener.bind",
            fix="Choose a free port, or end what holds it.",
        ) from error
    return listening


def _why(error: OSError | OverflowError) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _require_unchanged(old: Settings, new: Settings) -> None:
    for key in FIXED:
        if attrgetter(key)(old) != attrgetter(key)(new):
            raise ConfigError(
                "this changed, and a reload cannot change it; nothing was reloaded.",
                key=key,
                fix="Take the change back, or restart the service.",
            )


async def _until_stopped(daemon: Daemon, signals: AsyncIterator[signal.Signals], life: TaskGroup) -> None:
    """Returns at the first signal to stop, whatever else is going on; SIGHUP reloads meanwhile."""
    async for received in signals:
        if received is not signal.SIGHUP:
            structlog.get_logger().info("daemon.stopping", signal=received.name)
            return
        life.start_soon(_reload, daemon)


async def _reload(daemon: Daemon) -> None:
    try:
        await daemon.reload()
    except DocsyncdError as error:
        structlog.get_logger().error("daemon.reload_refused", reason=str(error))
    except Exception:  # noqa: BLE001 (a bug, of ours or of a plugin's, is logged; the old generation stays all the same)
        structlog.get_logger().exception("daemon.reload_failed")


async def _drain(daemon: Daemon) -> None:
    """Claim nothing more, and let what is under way come to its end."""
    daemon.gate.stopping = True
    with anyio.move_on_after(DRAIN):
        if daemon.workers is not None:
            await daemon.workers.drained()
