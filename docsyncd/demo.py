"""`docsyncd demo`: the whole index flow on this machine, with a real daemon and both remotes emulated over HTTP.

People file documents in two case files; one document is changed, one deleted, and the daemon is killed in the middle. Whether
all of it converged is judged from the emulators alone (hashes, collections, previews), never from what the daemon says.
"""

from __future__ import annotations

import io
import json as json_module
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from docsyncd import registry
from docsyncd.demo_daemon import DaemonProcess, free_port, write_toml
from docsyncd.errors import ConfigError
from docsyncd.hashing import digest_bytes
from docsyncd.show import Labelled, table, times
from docsyncd.show import console as show_on
from docsyncd.testing.emulation import RequestLog, serve_emulator
from docsyncd.testing.stage import CatalogStage, IndexStage, RefusedByRemote

PATIENCE = 60.0
"""Seconds without any progress after which the demonstration gives up; a healthy run moves every few seconds."""

TICK = 0.2
"""Seconds between two looks at the worlds."""

CASE_FILES = ((12345, "Müller ./. Schulze"), (12346, "Nachlass Groß"))

UNSUPPORTED, INDEXED, DELETED, FAILED = "unsupported", "indexed", "deleted", "failed"


@dataclass(slots=True, kw_only=True)
class Item:
    """One document: what people did with it, and what the worlds say of it."""

    name: str
    content: bytes
    case_file: str = ""
    collection: str = ""
    document: str = ""
    refused: str = ""
    deleted: bool = False
    status: str = ""
    error: str = ""
    xai_file_id: str = ""
    preview: Mapping[str, int] | None = None

    blake3: str = ""

    def __post_init__(self) -> None:
        self.replace(self.content)

    def replace(self, content: bytes) -> None:
        """Another version. Hashed once, as the judge looks several times a second."""
        self.content = content
        self.blake3 = digest_bytes(content).blake3


@dataclass(slots=True, kw_only=True)
class Show:
    """The running demonstration."""

    catalog: CatalogStage
    index: IndexStage
    logs: Sequence[RequestLog]
    daemon: DaemonProcess
    items: list[Item]
    started: float = field(default_factory=time.monotonic)
    note: str = ""

    def judge(self) -> bool:
        """Bring every item's status up to date; True if nothing is left to happen."""
        for item in self.items:
            _judge(item, self.catalog, self.index)
        return all(item.status for item in self.items) and self.index.loose_files() == 0

    @property
    def requests(self) -> int:
        return sum(log.last for log in self.logs) - self.catalog.asked_by_people


def _judge(item: Item, catalog: CatalogStage, index: IndexStage) -> None:
    """One item against the worlds: exactly one file, of the right content, in exactly the right collection."""
    item.status, item.error = "", ""
    if item.refused:
        item.status, item.error = UNSUPPORTED, item.refused
        return
    if not item.document:
        return
    standing = catalog.standing(item.document)
    holdings = index.holdings(item.document)
    item.preview = _measure(standing.preview)
    item.xai_file_id = standing.file_id if standing.exists else ""
    if item.deleted:
        item.status = "" if holdings else DELETED
        return
    refusal = catalog.refusal(item.name) or index.refusal(item.name, len(item.content))
    if refusal is not None:
        if standing.failed and not holdings:
            item.status, item.error = UNSUPPORTED, standing.error
        return
    right = (
        len(holdings) == 1
        and holdings[0].ready
        and holdings[0].collection == item.collection
        and holdings[0].blake3 == item.blake3
        and holdings[0].file_id == standing.file_id
        and list(standing.collections) == [item.collection]
    )
    if standing.indexed and right:
        item.status = INDEXED
    item.error = standing.error


def _measure(picture: bytes | None) -> Mapping[str, int] | None:
    """Width, height and bytes of a preview; reading it proves that it is one."""
    if picture is None:
        return None
    from PIL import Image

    with Image.open(io.BytesIO(picture), formats=("WEBP",)) as image:
        return {"width": image.width, "height": image.height, "bytes": len(picture)}


async def run(documents: Path | None, *, json: bool, stay: bool) -> bool:
    """Play it; True if everything converged. With `json` one object goes to standard output and nothing else."""
    console = show_on(stderr=json)
    console.quiet = json and not console.is_terminal
    items = await anyio.to_thread.run_sync(_read, documents)
    async with _stage(items) as show:
        with Live(_table(show), console=console, refresh_per_second=5, transient=json) as live:
            converged = await _play(show, live)
        summary = _summary(show)
        if json:
            print(json_module.dumps(summary, ensure_ascii=False))  # noqa: T201 - the command's result
        else:
            _print_summary(console, summary, converged=converged)
        if stay:
            console.print(show.daemon.addresses())
            await anyio.sleep_forever()
        return converged


def _read(folder: Path | None) -> list[Item]:
    """The files of the folder and of those below it, by their paths; `ConfigError` if there are none."""
    source = Path(str(files("docsyncd") / "samples")) if folder is None else folder
    if not source.is_dir():
        raise ConfigError(f"{source} is no folder.", fix="Name a folder with --documents.")
    found = [path for path in sorted(source.rglob("*")) if path.is_file()]
    if not found:
        raise ConfigError(f"{source} holds no files.", fix="Name a folder with --documents that holds some.")
    return [Item(name=_named(path), content=path.read_bytes()) for path in found]


def _named(path: Path) -> str:
    """The file's name as text; bytes that are no UTF-8 cannot travel in JSON and become a replacement character."""
    return os.fsencode(path.name).decode("utf-8", "replace")


@asynccontextmanager
async def _stage(items: list[Item]) -> AsyncIterator[Show]:
    """Both remotes and the daemon, in a folder that is removed at the end."""
    connectors = registry.load().connectors
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="docsyncd-demo-")))
        espocrm, xai = connectors["espocrm"].emulator(), connectors["xai"].emulator()
        catalog, index = getattr(espocrm, "stage", None), getattr(xai, "stage", None)
        if not isinstance(catalog, CatalogStage) or not isinstance(index, IndexStage):
            raise ConfigError(
                "the installed emulators cannot be demonstrated", fix="Install docsyncd's own connectors."
            )
        catalog_urls = await stack.enter_async_context(serve_emulator(espocrm))
        index_urls = await stack.enter_async_context(serve_emulator(xai))
        listener = f"127.0.0.1:{free_port()}"
        secrets = folder / "secrets"
        secrets.mkdir(mode=0o700)
        tables = {
            "espocrm": await catalog.settings(catalog_urls, f"http://{listener}", secrets),
            "xai": index.stage_settings(index_urls, secrets),
        }
        config = write_toml(folder, listener, tables)
        daemon = await stack.enter_async_context(
            DaemonProcess(config, folder, {**catalog_urls, **index_urls, "webhooks": f"http://{listener}"})
        )
        logs = [emulator.requests for emulator in (espocrm, xai)]  # type: ignore[attr-defined]
        yield Show(catalog=catalog, index=index, logs=logs, daemon=daemon, items=items)


async def _play(show: Show, live: Live) -> bool:
    """File, kill, change, delete, wait."""
    cases = [
        (await show.catalog.open_case_file(number, name, collection), collection)
        for number, name in CASE_FILES
        for collection in [show.index.open_collection(f"{name} ({number})")]
    ]
    show.note = "people file documents in two case files"
    for number, item in enumerate(show.items):
        item.case_file, item.collection = cases[number % len(cases)]
        try:
            item.document = await show.catalog.file_document(item.name, item.content, item.case_file)
        except RefusedByRemote as refused:
            item.refused = f"EspoCRM: {refused}"
        show.judge()
        live.update(_table(show))
    await _until(show, live, _half_done)
    show.note = "kill -9, and a new start"
    await show.daemon.kill_and_restart()
    changed, deleted = _chosen(show)
    if changed is not None:
        show.note = f"a new version of {changed.name}"
        changed.replace(changed.content + b"\n")
        await show.catalog.replace_document(changed.document, changed.name, changed.content)
    if deleted is not None:
        show.note += f"; {deleted.name} is deleted"
        deleted.deleted = True
        await show.catalog.delete_document(deleted.document)
    converged = await _until(show, live, Show.judge)
    show.note = "everything is in step" if converged else "not everything converged"
    for item in show.items:
        item.status = item.status or FAILED
    live.update(_table(show))
    return converged


def _half_done(show: Show) -> bool:
    show.judge()
    return 2 * sum(bool(item.status) for item in show.items) >= len(show.items)


def _chosen(show: Show) -> tuple[Item | None, Item | None]:
    """Which one changes and which one goes: the first and the middle one of those that can be indexed."""
    indexable = [
        item
        for item in show.items
        if item.document
        and show.catalog.refusal(item.name) is None
        and show.index.refusal(item.name, len(item.content)) is None
    ]
    return (indexable[0] if indexable else None, indexable[len(indexable) // 2] if len(indexable) > 1 else None)


async def _until(show: Show, live: Live, done: Any) -> bool:
    """Wait for it, as long as anything moves."""
    moved, before = time.monotonic(), ""
    while not done(show):
        live.update(_table(show))
        state = json_module.dumps([[item.status, item.preview] for item in show.items])
        if state != before:
            moved, before = time.monotonic(), state
        if time.monotonic() - moved > PATIENCE:
            return False
        await show.daemon.look()
        await anyio.sleep(TICK)
    return True


def _summary(show: Show) -> Mapping[str, Any]:
    counts = {
        status: sum(item.status == status for item in show.items) for status in (INDEXED, UNSUPPORTED, FAILED, DELETED)
    }
    return {
        "documents": len(show.items),
        **counts,
        "previews": sum(item.preview is not None for item in show.items),
        "bytes": sum(len(item.content) for item in show.items),
        "seconds": round(time.monotonic() - show.started, 2),
        "restarts": show.daemon.restarts,
        "requests": show.requests,
        "peak_rss_mib": round(show.daemon.peak_rss / 1024 / 1024, 1),
        "items": [
            {
                "name": item.name,
                "status": item.status,
                "collections": [item.collection] if item.status == INDEXED else [],
                "xai_file_id": item.xai_file_id or None,
                "blake3": item.blake3,
                "preview": None if item.preview is None else dict(item.preview),
                "error": item.error or None,
            }
            for item in show.items
        ],
    }


_STYLES = {INDEXED: "green", UNSUPPORTED: "yellow", DELETED: "dim", FAILED: "bold red"}


def _table(show: Show) -> Group:
    """Every document with its state; the reasons stand below, where they have room."""
    found = table("docsyncd demo", "document", "size", "status", "preview")
    found.columns[1].justify = "right"
    for item in show.items:
        preview = f"{item.preview['width']} x {item.preview['height']}" if item.preview else "-"
        status = item.status or ("working" if item.document else "-")
        found.add_row(Text(item.name), _size(len(item.content)), Text(status, _STYLES.get(status, "cyan")), preview)
    reasons = [Text.assemble((item.name, "bold"), f": {item.error}") for item in show.items if item.error]
    line = f"{time.monotonic() - show.started:.0f} s, {show.requests} requests, restarted {times(show.daemon.restarts)}"
    parts: list[RenderableType] = [found]
    if reasons:
        parts += [Text(), Text("Reasons", "bold"), Labelled([("·", reason) for reason in reasons], indent=0, gap=1)]
    return Group(*parts, Text(), Text(line, "dim"), Text(show.note, "bold"))


def _size(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB" if size >= 1_000_000 else f"{size / 1000:.1f} kB"


def _print_summary(console: Console, summary: Mapping[str, Any], *, converged: bool) -> None:
    counts = ", ".join(f"{summary[status]} {status}" for status in (INDEXED, UNSUPPORTED, DELETED, FAILED))
    verdict = (
        Text("everything is in step, judged from EspoCRM's and xAI's own state", "bold green")
        if converged
        else Text("not everything converged; the table shows what did not", "bold red")
    )
    work = (
        f"{summary['seconds']} s, {summary['requests']} requests, "
        f"killed and restarted {times(summary['restarts'])}, at most {summary['peak_rss_mib']} MiB"
    )
    facts = [
        ("documents", Text(f"{summary['documents']} ({_size(summary['bytes'])}): {counts}")),
        ("previews", Text(str(summary["previews"]))),
        ("daemon", Text(work)),
        ("verdict", verdict),
    ]
    console.print(Group(Text(), Text("Summary", "bold"), Labelled(facts)))
