"""A law firm for scenarios: both remotes emulated in this process, docsyncd as a process of its own.

Everything that a test asserts is read from the emulators: what the daemon says of itself is no evidence.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import anyio

from docsyncd.demo_daemon import DaemonProcess, free_port, write_toml
from docsyncd.errors import DocsyncdError
from docsyncd.hashing import digest_bytes
from docsyncd.testing.emulation import Request
from docsyncd_espocrm.emulator import EspoEmulator
from docsyncd_espocrm.emulator.signing import signature_headers
from docsyncd_xai.emulator import Behaviour, XaiEmulator
from tests.scenarios.doors import Door, opened_doors

PATIENCE = 45.0
"""Seconds that a scenario waits for the world to converge; a healthy one needs one or two."""

NEVER = 3600.0
"""Seconds of an interval that no scenario lives through."""

Tables = Mapping[str, Mapping[str, Any]]
"""Overrides of the configuration, by table and key."""


@dataclass(slots=True, kw_only=True)
class Office:
    """One case file with consent and a collection, and whoever works on it."""

    espocrm: EspoEmulator
    xai: XaiEmulator
    daemon: DaemonProcess
    folder: Path
    tables: dict[str, Any]
    listener: str
    doors: Mapping[str, Door]
    delivers: bool
    """EspoCRM's webhook job runs by itself."""
    collection: str = ""
    case_file: str = ""
    knowledge: str = ""
    documents: dict[str, bytes] = field(default_factory=dict)
    """What each living document should hold."""

    async def start(self) -> None:
        """Start the daemon, again if it dies on the way: systemd would."""
        while True:
            try:
                return await self.daemon.start()
            except DocsyncdError:
                if self.daemon.is_alive:
                    raise
                self.daemon.restarts += 1

    # People, over the API as in the browser

    async def open_case_file(self, number: int = 12345, name: str = "Müller ./. Schulze") -> None:
        self.collection = self.xai.stage.open_collection(name)
        self.case_file = await self.espocrm.stage.open_case_file(number, name, self.collection)
        self.knowledge = str(self.espocrm.world.records("CAIKnowledge")[-1]["id"])

    async def file(self, name: str, content: bytes) -> str:
        """A lawyer files a document in the case file."""
        document = await self.espocrm.stage.file_document(name, content, self.case_file)
        self.documents[document] = content
        return document

    async def replace(self, document: str, name: str, content: bytes) -> None:
        await self.espocrm.stage.replace_document(document, name, content)
        self.documents[document] = content

    async def delete(self, document: str) -> None:
        await self.espocrm.stage.delete_document(document)
        del self.documents[document]

    # People, at once and without a request, so that the log is the daemon's alone

    def put(self, name: str, content: bytes, *, linked: bool = True, **attributes: Any) -> str:
        """A document in the case file, and in its collection if `linked`."""
        values = {"dateiStatus": "Neu", "cAktenId": self.case_file, **attributes}
        document = self.espocrm.world.add_document(name, content, **values)
        if linked:
            self.espocrm.world.link("Document", document, "cAIKnowledges", self.knowledge)
            self.documents[document] = content
        return document

    def change(self, document: str, content: bytes) -> None:
        """A new version."""
        name = self.record(document)["fileName"]
        self.espocrm.world.update("Document", document, file=(name, content), dateiStatus="Geändert")
        self.documents[document] = content

    async def post(self, event: str, items: Sequence[Mapping[str, Any]]) -> int:
        """What EspoCRM posts, with its signature; the answer's status."""
        webhook = next(each for each in self.espocrm.world.records("Webhook") if each["event"] == f"Document.{event}")
        body = json.dumps(list(items)).encode()
        headers = signature_headers(webhook["id"], webhook["secretKey"], body)
        async with (
            aiohttp.ClientSession() as session,
            session.post(webhook["url"], data=body, headers={"Content-Type": "application/json", **headers}) as answer,
        ):
            return answer.status

    # What is to be seen

    def record(self, document: str) -> dict[str, Any]:
        return self.espocrm.world.record("Document", document)

    def is_indexed(self, document: str) -> bool:
        """Exactly one file, of the right content, searchable, and the record says so and names it."""
        holdings = self.xai.stage.holdings(document)
        standing = self.espocrm.stage.standing(document)
        return (
            len(holdings) == 1
            and holdings[0].ready
            and holdings[0].collection == self.collection
            and holdings[0].blake3 == digest_bytes(self.documents[document]).blake3
            and standing.indexed
            and standing.file_id == holdings[0].file_id
            and list(standing.collections) == [self.collection]
        )

    def is_in_step(self) -> bool:
        """Every living document is indexed, every other one has left no trace, no file lies around."""
        known = {tag for tag in self.documents if self.is_indexed(tag)}
        members = self.xai.world.collections[self.collection].members
        return known == set(self.documents) and len(members) == len(known) == len(self.xai.world.files)

    def is_nowhere(self, document: str) -> bool:
        """xAI has nothing of it, in no collection and lying around."""
        return not any(f"[{document}-" in file.name for file in self.xai.world.files.values())

    def uploads_of(self, document: str) -> int:
        """How often it was uploaded, by the files that xAI has and had."""
        had = (*self.xai.world.files.values(), *self.xai.world.deleted.values())
        return sum(f"[{document}-" in file.name for file in had)

    def touches(self, document: str, since: int) -> list[str]:
        """The methods of all requests for this record after the request `since` of EspoCRM's log."""
        return [
            request.method
            for request in self.espocrm.requests.since(since)
            if request.path.endswith(f"/Document/{document}")
        ]

    def writes(self, since: int = 0) -> list[Request]:
        """Every request to EspoCRM after `since` that is no GET."""
        return [request for request in self.espocrm.requests.since(since) if request.method != "GET"]

    async def until(
        self, done: Callable[[], bool], *, what: str = "the world to converge", patience: float = PATIENCE
    ) -> None:
        """Wait; a daemon that has died is started again, as systemd would."""
        deadline = time.monotonic() + patience
        while not done():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {patience} s for {what}\n{self.state()}")
            if not self.daemon.is_alive:
                self.daemon.restarts += 1
                await self.start()
            await anyio.sleep(0.02)

    async def rest(self, patience: float = PATIENCE) -> None:
        """Wait until nobody has anything left to do: no event on its way, no key in the queue."""
        with anyio.fail_after(patience):
            while True:
                queue = (await self.daemon.ask("status"))["queue"]
                waiting = sum(count for states in queue["depth"].values() for count in states.values())
                undelivered = self.delivers and not self.espocrm.webhook_job.is_idle
                if not waiting and not undelivered:
                    return
                await anyio.sleep(0.05)

    async def swept(self) -> None:
        """Wait until the polls and sweeps of the start are over, so that every later request has another reason."""
        jobs = ("poll.changes", "sweep.ids", "sweep.links", "sweep.orphans")

        def are_done() -> bool:
            log = self.daemon.log.read_text(encoding="utf-8")
            return all(any(job in line and "job.done" in line for line in log.splitlines()) for job in jobs)

        await self.until(are_done, what="the first sweeps")
        await self.rest()

    async def idle(self, patience: float = PATIENCE) -> None:
        """Wait until nothing is being worked on; keys may wait for their time."""
        with anyio.fail_after(patience):
            while True:
                if not (await self.daemon.ask("status"))["running"]:
                    return
                await anyio.sleep(0.02)

    def state(self) -> str:
        """For a failed assertion: what is where."""
        amiss = [each for each in self.documents if not self.is_indexed(each)][:5]
        lines = [f"  {self.record(each)}" for each in amiss]
        lines += [f"  {self.xai.stage.holdings(each)}" for each in amiss]
        lines += [f"  files: {[file.name for file in self.xai.world.files.values()]}"[:2000]]
        return "\n".join([*lines, self.daemon.log.read_text(encoding="utf-8")[-6000:]])


@asynccontextmanager
async def office(
    folder: Path,
    *,
    behaviour: Behaviour | None = None,
    webhook_period: float | None = 0.1,
    start: bool = True,
    tables: Tables | None = None,
    **index: Any,
) -> AsyncIterator[Office]:
    """An office with the daemon running (unless `start` is False). `index` overrides keys of `[index]`, `tables` any."""
    async with AsyncExitStack() as stack:
        espocrm = EspoEmulator(webhook_period=webhook_period)
        xai = XaiEmulator(behaviour=behaviour or Behaviour(index_seconds=0.05))
        doors = await stack.enter_async_context(opened_doors({**espocrm.applications, **xai.applications}))
        urls = {role: door.url for role, door in doors.items()}
        listener = f"127.0.0.1:{free_port()}"
        secrets = folder / "secrets"
        secrets.mkdir(mode=0o700)
        xai_urls = {role: urls[role] for role in xai.applications}
        connectors: dict[str, Any] = {
            "espocrm": dict(await espocrm.stage.settings(urls, f"http://{listener}", secrets)),
            "xai": dict(xai.stage.stage_settings(xai_urls, secrets)),
        }
        given = dict(tables or {})
        for name, table in connectors.items():
            table.update(given.pop(f"connectors.{name}", {}))
        overrides = {
            **given,
            "queue": {"lease": 3.0, **given.get("queue", {})},
            "index": {"first_look": 0.1, "upload_settles": 0.5, "poll_every": 1.0, **index, **given.get("index", {})},
        }
        daemon = DaemonProcess(write_toml(folder, listener, connectors, overrides), folder, {})
        made = Office(
            espocrm=espocrm,
            xai=xai,
            daemon=daemon,
            folder=folder,
            tables=connectors,
            listener=listener,
            doors=doors,
            delivers=webhook_period is not None,
        )
        await made.open_case_file()
        try:
            if start:
                await made.start()
            yield made
        finally:
            with anyio.CancelScope(shield=True):
                await daemon.kill()
