"""A law firm for scenarios: both remotes emulated in this process, docsyncd as a process of its own.

Everything that a test asserts is read from the emulators: what the daemon says of itself is no evidence.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from docsyncd.demo_daemon import DaemonProcess, free_port, write_toml
from docsyncd.errors import DocsyncdError
from docsyncd.hashing import digest_bytes
from docsyncd.testing.emulation import serve_emulator
from docsyncd_espocrm.emulator import EspoEmulator
from docsyncd_xai.emulator import Behaviour, XaiEmulator

PATIENCE = 45.0
"""Seconds that a scenario waits for the world to converge; a healthy one needs one or two."""


@dataclass(slots=True, kw_only=True)
class Office:
    """One case file with consent and a collection, and whoever works on it."""

    espocrm: EspoEmulator
    xai: XaiEmulator
    daemon: DaemonProcess
    folder: Path
    tables: dict[str, Any]
    listener: str
    urls: dict[str, str]
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

    def state(self) -> str:
        """For a failed assertion: what is where."""
        lines = [f"  {self.record(each)}" for each in self.documents]
        lines += [f"  {self.xai.stage.holdings(each)}" for each in self.documents]
        lines += [f"  files: {[file.name for file in self.xai.world.files.values()]}"]
        return "\n".join([*lines, self.daemon.log.read_text(encoding="utf-8")[-6000:]])


@asynccontextmanager
async def office(
    folder: Path,
    *,
    behaviour: Behaviour | None = None,
    webhook_period: float | None = 0.1,
    start: bool = True,
    queue: dict[str, Any] | None = None,
    **index: Any,
) -> AsyncIterator[Office]:
    """An office with the daemon running (unless `start` is False). `index` overrides keys of `[index]`."""
    async with AsyncExitStack() as stack:
        espocrm = EspoEmulator(webhook_period=webhook_period)
        xai = XaiEmulator(behaviour=behaviour or Behaviour(index_seconds=0.05))
        espocrm_urls = await stack.enter_async_context(serve_emulator(espocrm))
        xai_urls = await stack.enter_async_context(serve_emulator(xai))
        listener = f"127.0.0.1:{free_port()}"
        secrets = folder / "secrets"
        secrets.mkdir(mode=0o700)
        tables: dict[str, Any] = {
            "espocrm": dict(await espocrm.stage.settings(espocrm_urls, f"http://{listener}", secrets)),
            "xai": dict(xai.stage.stage_settings(xai_urls, secrets)),
        }
        settings = {"first_look": 0.1, "upload_settles": 0.5, "poll_every": 1.0, **index}
        config = write_toml(folder, listener, tables, queue={"lease": 3.0, **(queue or {})}, **settings)
        daemon = DaemonProcess(config, folder, {})
        made = Office(
            espocrm=espocrm,
            xai=xai,
            daemon=daemon,
            folder=folder,
            tables=tables,
            listener=listener,
            urls={**espocrm_urls, **xai_urls},
        )
        await made.open_case_file()
        try:
            if start:
                await made.start()
            yield made
        finally:
            with anyio.CancelScope(shield=True):
                await daemon.kill()
