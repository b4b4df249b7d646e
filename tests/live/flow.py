"""The stage of the live flow: a tagged world at both remotes, webhooks for the run, and the daemon as a process.

Everything that a story asserts is read from the remotes. The daemon is told to answer for one collection of this run only
(`[index] collections`, `scope = "linked"`), so that nothing else in the installation is touched.
"""

from __future__ import annotations

import io
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
from PIL import Image

from docsyncd.api import CollectionId, Digests, DocumentId, DocumentStatus, IndexStatus, Ports
from docsyncd.demo_daemon import DaemonProcess, free_port, write_toml
from docsyncd.testing.host import PlainHost
from docsyncd_espocrm.client import connect
from docsyncd_espocrm.config import EspoConfig
from tests.live.environment import Listener
from tests.live.espocrm_api import Refused
from tests.live.espocrm_world import EspoWorld, connected_world
from tests.live.leftovers import leftovers
from tests.live.remotes import EspoRemote, XaiRemote, secret_file
from tests.live.xai_world import LiveXai, xai_world

Look = Callable[[], Awaitable[Sequence[str]]]
"""What is still missing, in words; nothing if it is done."""

EVENTS: Final = ("create", "update", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """Seconds: how long a step may take, how often it is looked at and told of, and how eager the daemon is."""

    patience: float
    look: float
    tell: float
    poll: float
    sweep: float
    upload_settles: float


PLAYED: Final = Tempo(patience=60.0, look=0.1, tell=10.0, poll=1.0, sweep=2.0, upload_settles=1.0)
REAL: Final = Tempo(patience=900.0, look=3.0, tell=15.0, poll=5.0, sweep=60.0, upload_settles=60.0)
"""EspoCRM's job posts every 2 minutes, 20 events at a time; xAI indexes in seconds to minutes. Unlinking shows in a sweep only."""


@dataclass(slots=True, kw_only=True)
class Flow:
    """One run. `tag` stands in the name of everything that it makes."""

    tag: str
    world: EspoWorld
    xai: LiveXai
    tempo: Tempo
    say: Callable[[str], None]
    folder: Path
    daemon: DaemonProcess | None = None

    async def until(self, what: str, look: Look) -> None:
        """Wait, and tell every now and then what for. Fails with what is missing and the end of the daemon's log."""
        self.say(f"waiting: {what}")
        began = told = time.monotonic()
        while missing := await look():
            now = time.monotonic()
            if self.daemon is not None:
                await self.daemon.look()
            if now - began > self.tempo.patience:
                raise AssertionError(f"waited {self.tempo.patience:.0f} s for: {what}\n{self._state(missing)}")
            if now - told > self.tempo.tell:
                told = now
                self.say(f"  still {'; '.join(missing)}")
            await anyio.sleep(self.tempo.look)
        self.say(f"done: {what}")

    async def missing_of(self, document: DocumentId, content: Digests, collection: CollectionId) -> Sequence[str]:
        """What keeps the document from being indexed with exactly this content, and its record from saying so."""
        found = await self.xai.files_named(f"[{document}-")
        held = [each for each in await self.xai.documents_of(collection) if f"[{document}-" in each.name]
        if len(found) != 1 or len(held) != 1:
            return [f"xAI has {len(found)} file(s) of it, {len(held)} in the collection"]
        if held[0].status != "PROCESSED":
            return [f"xAI says {held[0].status or 'nothing'} of it"]
        if held[0].blake3 not in ("", content.blake3) or content.blake3[:12] not in held[0].name:
            return [f"xAI holds another version, {held[0].name}"]
        return await self._wrong_in_record(document, content, held[0].file, collection)

    async def traces_of(self, document: DocumentId, collection: CollectionId) -> Sequence[str]:
        """What is left of the document at xAI."""
        held = [each.name for each in await self.xai.documents_of(collection) if f"[{document}-" in each.name]
        stored = await self.xai.files_named(f"[{document}-")
        return [*(f"in the collection: {name}" for name in held), *(f"stored: {name}" for name in stored)]

    async def _wrong_in_record(
        self, document: DocumentId, content: Digests, file: str, collection: CollectionId
    ) -> Sequence[str]:
        names, record = self.world.profile.document, await self.world.record(document)
        statuses = names.status_values[DocumentStatus.SYNCED], names.index_status_values[IndexStatus.SYNCED]
        expected: dict[str, object] = {
            names.status: statuses[0][0],
            names.index_status: statuses[1][0],
            names.index_file: file,
            names.collections: [collection],
            names.indexed_hash: content.blake3,
            names.md5: content.md5,
            names.sha256: content.sha256,
            names.index_error: None,
        }
        wrong = _differences("record", record, expected)
        junction = self.world.profile.junction
        if junction is not None:
            rows = await self.rows(document)
            row = {
                junction.index_file: file,
                junction.status: statuses[1][0],
                junction.indexed_hash: content.blake3,
            }
            wrong += _differences("row", rows[0], row) if len(rows) == 1 else [f"it has {len(rows)} rows"]
        if names.preview and not record.get(f"{names.preview}Id"):
            wrong.append("record: no preview")
        return wrong

    async def rows(self, document: DocumentId) -> Sequence[Mapping[str, Any]]:
        """The rows between document and collection, in installations that have them."""
        junction = self.world.profile.junction
        assert junction is not None
        path = junction.rows_route.format(entity=junction.entity, document=document).lstrip("/")
        where = {"type": "equals", "attribute": junction.document, "value": document}
        return [row for row in await self.world.people.every(path, [where]) if row.get(junction.document) == document]

    async def claims(self, document: DocumentId) -> Mapping[str, object]:
        """All that the record says in the fields that docsyncd writes."""
        names, record = self.world.profile.document, await self.world.record(document)
        index = (names.status, names.index_status, names.index_file, names.collections, names.indexed_hash)
        others = (names.index_error, names.md5, names.sha256, names.preview and f"{names.preview}Id")
        return {name: record.get(name) for name in (*index, *others) if name}

    async def preview_of(self, document: DocumentId) -> tuple[int, int]:
        """Width and height of the picture; reading it proves that it is one."""
        attachment = (await self.world.record(document))[f"{self.world.profile.document.preview}Id"]
        with Image.open(io.BytesIO(await self.world.picture(attachment)), formats=("WEBP",)) as picture:
            return picture.size

    async def leftovers(self) -> Sequence[str]:
        """Everything at either remote that still carries the run's tag."""
        return await leftovers(self.world, self.xai, self.tag, self.say)

    def _state(self, missing: Sequence[str]) -> str:
        log = self.folder / "daemon.log"
        end = log.read_text(encoding="utf-8", errors="replace")[-8000:] if log.exists() else "(none)"
        return "\n".join([*(f"  {each}" for each in missing), "The end of the daemon's log:", end])


def _differences(of: str, record: Mapping[str, Any], expected: Mapping[str, object]) -> list[str]:
    return [
        f"{of}: {name} is {record.get(name)!r} and not {value!r}"
        for name, value in expected.items()
        if name and (record.get(name) or None) != (value or None)
    ]


class Interrupted(Exception):
    """Somebody pressed Ctrl-C, or the run was told to end."""


@asynccontextmanager
async def interruptible() -> AsyncIterator[None]:
    """Turn SIGINT and SIGTERM into `Interrupted` inside, so that everything is cleaned up on the way out."""

    async def watch() -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for received in signals:
                raise Interrupted(received.name)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        yield
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def staged_flow(
    espocrm: EspoRemote, xai: XaiRemote, tag: str, folder: Path, say: Callable[[str], None]
) -> AsyncIterator[Flow]:
    """Both worlds, cleaned up at the end whatever happened."""
    async with AsyncExitStack() as stack:
        played = await stack.enter_async_context(xai_world(xai))
        world = await stack.enter_async_context(connected_world(espocrm))
        tempo = REAL if espocrm.real or xai.real else PLAYED
        yield Flow(tag=tag, world=world, xai=played, tempo=tempo, say=say, folder=folder)


@asynccontextmanager
async def running_daemon(
    flow: Flow, espocrm: EspoRemote, xai: XaiRemote, listener: Listener | None, collection: CollectionId
) -> AsyncIterator[Sequence[str]]:
    """The daemon with webhooks for the run, both gone at the end; yields the ids of the webhooks."""
    if not espocrm.real:
        bind = f"127.0.0.1:{free_port()}"
        listener = Listener(reached_at=f"http://{bind}", bind=bind)
    bind = listener.bind if listener is not None else f"127.0.0.1:{free_port()}"
    async with _webhooks(flow, listener) as webhooks:
        table = {**espocrm.table, "webhooks": webhooks}
        await _show_findings(flow, espocrm, table)
        index: dict[str, Any] = {
            "scope": "linked",
            "collections": [collection],
            "consent_field": espocrm.account.consent_field,
            "poll_every": flow.tempo.poll,
            "upload_settles": flow.tempo.upload_settles,
        }
        overrides = {"index": index, "sweeps": {"every": flow.tempo.sweep}}
        config = write_toml(flow.folder, bind, {"espocrm": table, "xai": xai.table}, overrides)
        async with DaemonProcess(config, flow.folder, {}) as daemon:
            flow.daemon = daemon
            flow.say(f"the daemon runs, answering for collection {collection} alone")
            try:
                yield [secret["id"] for secret in webhooks["secrets"]]
            finally:
                flow.daemon = None


@asynccontextmanager
async def _webhooks(flow: Flow, listener: Listener | None) -> AsyncIterator[Mapping[str, Any]]:
    """One per event, of the API user, at paths of this run; the table `webhooks`. Without any, polls and sweeps must do."""
    world, api = flow.world, flow.world.docsyncd
    paths = {event: f"/vmh/webhook/document/{flow.tag}/{event}" for event in EVENTS}
    secrets: list[dict[str, Any]] = []
    try:
        for event in EVENTS if listener is not None else ():
            body = {
                "event": f"{world.profile.document.entity}.{event}",
                "url": f"{listener.reached_at if listener else ''}{paths[event]}",
                "skipOwn": world.people is not api,  # else what people do would be skipped, too
            }
            try:
                made = await api.ask("POST", "Webhook", body)
            except Refused as refused:
                flow.say(f"EspoCRM refused a webhook, so polls and sweeps must do: {refused}")
                break
            secret = secret_file(flow.folder, f"webhook-{event}", str(made["secretKey"]))
            secrets.append({"id": str(made["id"]), "secret": {"file": secret}})
        flow.say(f"{len(secrets)} webhook(s) registered")
        yield {**paths, "secrets": secrets}
    finally:
        with anyio.CancelScope(shield=True):
            kept = [refusal for made in secrets if (refusal := await _remove_webhook(flow, made["id"]))]
        assert not kept, "left behind in EspoCRM, please delete by hand:\n" + "\n".join(kept)


async def _remove_webhook(flow: Flow, identifier: str) -> str:
    """Why it is still there; "" if it is not."""
    try:
        await flow.world.docsyncd.ask("DELETE", f"Webhook/{identifier}")
    except Refused as refused:
        return "" if refused.status == 404 else str(refused)
    return ""


async def _show_findings(flow: Flow, espocrm: EspoRemote, table: Mapping[str, Any]) -> None:
    """What docsyncd itself would say at its start. An error among it would refuse mode `live`."""
    config = EspoConfig.model_validate({key: value for key, value in table.items() if key != "type"})
    errors: list[str] = []
    async with connect("espocrm", config, PlainHost()) as ports:
        for remote, found in (("EspoCRM", await _findings(ports)), ("xAI", await _findings(flow.xai.ports))):
            for finding in found:
                line = f"{remote}: {finding[0]}: {finding[1]}"
                flow.say(line)
                errors += [line] if finding[0] == "error" else []
    assert not errors, f"{espocrm.account.url} is not set up for docsyncd:\n" + "\n".join(errors)


async def _findings(ports: Ports) -> Sequence[tuple[str, str]]:
    return [
        (finding.severity.value, f"{finding.subject}: {finding.message} {finding.fix}".rstrip())
        for finding in await ports.check()
    ]
