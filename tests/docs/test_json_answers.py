"""The JSON that the page of commands shows has the shape of what the commands really print, asked of a running daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from docsyncd import registry
from docsyncd.demo_daemon import DaemonProcess, free_port, write_toml
from docsyncd.testing.emulation import serve_emulator
from docsyncd.testing.stage import CatalogStage, IndexStage
from tests.docs import pages

KEYED = frozenset({"finished", "files", "last_good", "oldest"})
"""Objects whose keys are words or ids: every value has one shape."""


def documented(command: str) -> list[Any]:
    """The JSON blocks of a command's section, in their order."""
    section = pages.sections(pages.read("docs/reference/commands.md"))[f"docsyncd {command}"]
    return [json.loads(block.text) for block in pages.blocks(section) if block.language == "json"]


def differences(page: Any, real: Any, at: str = "") -> Iterator[str]:
    """Where two JSON values have other keys. Lists are told by their first item; what is empty or null says nothing."""
    if isinstance(page, list) and isinstance(real, list):
        for one, other in zip(page[:1], real[:1], strict=False):
            yield from differences(one, other, f"{at}[]")
    elif at.rpartition(".")[2] in KEYED:
        for one, other in zip(list(page.values())[:1], list(real.values())[:1], strict=False):
            yield from differences(one, other, f"{at}.*")
    elif isinstance(page, Mapping) and isinstance(real, Mapping):
        yield from (f"{at}.{name}" for name in page.keys() ^ real.keys())
        for name in page.keys() & real.keys():
            yield from differences(page[name], real[name], f"{at}.{name}")
    elif page is not None and real is not None and isinstance(page, Mapping | list) != isinstance(real, Mapping | list):
        yield at


def test_a_key_too_many_or_too_few_is_a_difference() -> None:
    assert set(differences({"a": [{"b": 1}]}, {"a": [{"c": 1}, {"b": 1}]})) == {".a[].b", ".a[].c"}
    assert set(differences({"files": {"x": {"at": 1}}}, {"files": {"y": {"at": 2}}})) == set()
    assert set(differences({"a": {"b": 1}}, {"a": 1})) == {".a"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A running daemon over two emulated remotes. `good` is indexed, `bad` cannot be downloaded."""

    config: Path
    good: str
    bad: str

    async def ask(self, *arguments: str) -> Any:
        """What a command prints with --json."""
        command = [sys.executable, "-m", "docsyncd", *arguments, "--json", "--config", str(self.config)]
        done = await anyio.run_process(command, stderr=subprocess.PIPE)
        return json.loads(done.stdout)

    async def failing(self) -> Any:
        """The answer of `errors`, once something has failed."""
        with anyio.fail_after(30):
            while True:
                answer = await self.ask("errors")
                if answer["errors"]:
                    return answer


@asynccontextmanager
async def office(folder: Path) -> AsyncIterator[Office]:
    connectors = registry.load().connectors
    espocrm, xai = connectors["espocrm"].emulator(), connectors["xai"].emulator()
    catalog, index = getattr(espocrm, "stage", None), getattr(xai, "stage", None)
    assert isinstance(catalog, CatalogStage)
    assert isinstance(index, IndexStage)
    secrets = folder / "secrets"
    secrets.mkdir()
    async with serve_emulator(espocrm) as catalog_urls, serve_emulator(xai) as index_urls:
        listener = f"127.0.0.1:{free_port()}"
        tables = {
            "espocrm": await catalog.settings(catalog_urls, f"http://{listener}", secrets),
            "xai": index.stage_settings(index_urls, secrets),
        }
        config = write_toml(folder, listener, tables)
        case_file = await catalog.open_case_file(12345, "Müller ./. Schulze", index.open_collection("Müller"))
        page = (pages.ROOT / "docsyncd" / "samples" / "Skizze.png").read_bytes()
        good = await catalog.file_document("Notiz.txt", b"Der Mandant kommt am Freitag.", case_file)
        bad = await catalog.file_document("Zeile\numgebrochen.png", page, case_file)
        async with DaemonProcess(config, folder, {}):
            yield Office(config=config, good=good, bad=bad)


async def test_every_json_of_the_page_has_the_shape_of_the_real_answer(tmp_path: Path) -> None:
    async with office(tmp_path) as running:
        waited = await running.ask("sync", running.good, "--wait")
        assert (waited["word"], waited["ok"]) == ("indexed", True)
        answers = {
            "sync": [await running.ask("sync", running.good), waited],
            "status": [await running.ask("status")],
            "retry": [await running.ask("retry", "--all")],
            "pause": [await running.ask("pause")],
            "resume": [await running.ask("resume")],
            "reload": [await running.ask("reload")],
            "check-config": [await running.ask("check-config")],
        }
        answers["errors"] = [await running.failing()]
        assert answers["errors"][0]["errors"][0]["key"] == f"doc:{running.bad}"
        answers["explain"] = [await running.ask("explain", running.good)]
        assert answers["explain"][0]["summary"] == "indexed"
        assert answers["explain"][0]["decisions"]
        for command, real in answers.items():
            assert len(documented(command)) == len(real)
            for page, answer in zip(documented(command), real, strict=True):
                assert set(differences(page, answer)) == set(), command
        explained = await running.ask("explain", running.bad)
        assert set(differences(explained["queue"], answers["errors"][0]["errors"][0])) == set()


async def test_the_demonstration_prints_what_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "Skizze.png").write_bytes((pages.ROOT / "docsyncd" / "samples" / "Skizze.png").read_bytes())
    (tmp_path / "Notiz.txt").write_text("Der Mandant kommt am Freitag.", encoding="utf-8")
    done = await anyio.run_process([sys.executable, "-m", "docsyncd", "demo", "--json", "--documents", str(tmp_path)])
    summary = json.loads(done.stdout)
    (page,) = documented("demo")
    summary["items"] = [item for item in summary["items"] if item["name"] == "Skizze.png"]
    assert summary["items"][0]["preview"] is not None
    assert set(differences(page, summary)) == set()
