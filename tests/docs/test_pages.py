"""Links lead somewhere, and what a page names exists."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from docsyncd import registry
from docsyncd.config import Settings
from tests.docs import pages
from tests.docs.logged import logged_events


@pytest.mark.parametrize("page", pages.pages(), ids=pages.name)
def test_no_relative_link_is_dead(page: Path) -> None:
    for link in pages.links(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, fragment = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{link} does not exist"
        if fragment:
            anchors = {pages.anchor(heading) for heading in pages.headings(file.read_text(encoding="utf-8"))}
            assert fragment in anchors, f"{link}: no such heading"


def test_every_page_of_the_documentation_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [pages.ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        found = [link.partition("#")[0] for link in pages.links(page.read_text(encoding="utf-8"))]
        waiting += [(page.parent / link).resolve() for link in found if link and not re.match(r"[a-z]+:", link)]
    written = {page for page in pages.pages() if page.is_relative_to(pages.ROOT / "docs")}
    assert written <= reached


def _keys(path: str, model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{path}.{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys(f"{path}.{name}", field.annotation)


@pytest.fixture(scope="module")
def keys() -> set[str]:
    """Every dotted key of the configuration."""
    found: set[str] = set()
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= set(_keys(name, field.annotation))
    for connector in registry.load().connectors.values():
        found |= {f"connectors.{connector.name}.type", *_keys(f"connectors.{connector.name}", connector.config)}
    return found


def _named(text: str, tables: set[str]) -> Iterator[str]:
    """Keys of the configuration that a page names in backticks: `section.key` or `[section] key`."""
    for words in pages.code(text):
        if match := re.fullmatch(r"\[([a-z.]+)\] ([a-z_]+)(?: = .*)?", words):
            yield f"{match[1]}.{match[2]}"
        elif re.fullmatch(r"[a-z_]+(\.[a-z_]+)+(?<!\.jsonl)(?<!\.py)", words) and words.partition(".")[0] in tables:
            yield words


@pytest.mark.parametrize("page", pages.pages(), ids=pages.name)
def test_every_key_that_a_page_names_exists(page: Path, keys: set[str]) -> None:
    tables = {key.partition(".")[0] for key in keys}
    named = set(_named(page.read_text(encoding="utf-8"), tables)) - logged_events()
    assert named <= keys


@pytest.mark.parametrize("page", pages.pages(), ids=pages.name)
def test_every_piece_of_configuration_that_a_page_shows_is_valid(page: Path, keys: set[str]) -> None:
    for block in pages.blocks(page.read_text(encoding="utf-8")):
        if block.language == "toml":
            assert set(_leaves("", tomllib.loads(block.text))) <= keys


def _leaves(path: str, table: Mapping[str, Any]) -> Iterator[str]:
    """The dotted keys of a piece of TOML; the names of a profile are its own business."""
    for name, value in table.items():
        key = f"{path}.{name}".lstrip(".")
        if isinstance(value, dict) and name not in ("names", "api_key", "management_key", "password"):
            yield from _leaves(key, value)
        else:
            yield key


def test_the_readme_names_only_targets_of_the_makefile() -> None:
    makefile = pages.read("Makefile")
    named = {target for page in pages.pages() for target in re.findall(r"\bmake ([a-z]+)", page.read_text("utf-8"))}
    shown = {
        target for block in pages.blocks(pages.read("README.md")) for target in re.findall(r"make (\w+)", block.text)
    }
    assert shown == {"demo", "test"}
    prose = {"it", "room", "sure"}  # "make room": a sentence, no target
    assert {target for target in named - prose if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


def test_every_decision_is_in_the_index_of_decisions() -> None:
    folder = pages.ROOT / "docs" / "adr"
    written = {page.name for page in folder.glob("[0-9]*.md")}
    assert written == {link for link in pages.links(pages.read("docs/adr/README.md")) if link[0].isdigit()}


def test_the_example_of_a_unit_is_accepted_by_systemd(tmp_path: Path) -> None:
    (block,) = [each for each in pages.blocks(pages.read("docs/how-to/install.md")) if each.language == "ini"]
    unit = tmp_path / "docsyncd.service"
    unit.write_text(block.text.replace("/opt/docsyncd/bin/docsyncd", "/bin/true"), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
