"""The commands that the pages show can be typed, and the page of commands is complete."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from docsyncd.cli import app
from docsyncd.commands import GOOD_ENDINGS
from tests.docs import pages

CLI: Any = typer.main.get_command(app)
PAGE = pages.read("docs/reference/commands.md")


def _shown() -> Iterator[tuple[str, str]]:
    """Every command line of docsyncd in a fenced block, without prompt, sudo and comment."""
    for page in pages.pages():
        for block in pages.blocks(page.read_text(encoding="utf-8")):
            for line in block.text.splitlines() if block.language in ("console", "sh", "bash") else ():
                if match := re.match(r"\$ (?:sudo )?(docsyncd .*)", line):
                    yield pages.name(page), match[1]


def _inline() -> Iterator[tuple[str, str]]:
    """Every command line in backticks: `docsyncd sync DOCUMENT --wait`."""
    for page in pages.pages():
        for words in pages.code(page.read_text(encoding="utf-8")):
            if re.fullmatch(r"docsyncd [a-z-].*", words) and "COMMAND" not in words:
                yield pages.name(page), words


def _parse(line: str) -> None:
    """Typer's own parser, without running anything. Raises what the command line would say."""
    arguments = shlex.split(line, comments=True)[1:]
    if arguments[0].startswith("-"):
        names = {option for parameter in CLI.params for option in parameter.opts}
        assert set(arguments) <= names | {"--help"}
        return
    with CLI.make_context("docsyncd", arguments[:1]) as context:
        _, command, _ = CLI.resolve_command(context, arguments[:1])
        command.make_context(arguments[0], arguments[1:], parent=context)


@pytest.mark.parametrize(("page", "line"), sorted({*_shown(), *_inline()}))
def test_every_command_line_of_the_documentation_parses(page: str, line: str) -> None:
    # `docsyncd retry` without its key stands for the command as such; the parser takes it, the command refuses it.
    if line.count(" ") == 1 and line.split()[1] in ("explain", "sync", "emulate"):
        assert line.split()[1] in CLI.commands
        return
    _parse(line)


def test_a_command_line_that_does_not_exist_is_noticed() -> None:
    for line in ("docsyncd stauts", "docsyncd sync", "docsyncd status --jason", "docsyncd errors --limit many"):
        with pytest.raises(Exception, match=r"(?i)no such|missing|valid integer"):
            _parse(line)


def test_the_page_of_commands_has_each_command_once() -> None:
    named = [heading.removeprefix("docsyncd ") for heading in pages.headings(PAGE) if heading.startswith("docsyncd ")]
    assert sorted(named) == sorted(CLI.commands)


@pytest.mark.parametrize("command", sorted(CLI.commands))
def test_each_command_s_options_are_named_in_its_section(command: str) -> None:
    section = pages.sections(PAGE)[f"docsyncd {command}"]
    known = {
        option for parameter in CLI.commands[command].params for option in parameter.opts if option.startswith("--")
    }
    assert set(re.findall(r"--[a-z]+", pages.prose(section))) == known - {"--help"}


def test_the_changelog_and_the_index_of_what_comes_later_divide_the_commands() -> None:
    later = set(re.findall(r"`([a-z-]+)`", pages.read("docs/index.md").partition("What comes later")[2]))
    assert "doctor" in later
    assert later.isdisjoint(CLI.commands)
    (line,) = re.findall(r"^\* Commands: (.*)$", pages.read("CHANGELOG.md"), re.MULTILINE)
    assert set(re.findall(r"`([a-z-]+)`", line)) == set(CLI.commands)


def test_every_json_of_the_documentation_is_json() -> None:
    for page in pages.pages():
        for block in pages.blocks(page.read_text(encoding="utf-8")):
            for text in [block.text] if block.language == "json" else ():
                decoder, rest = json.JSONDecoder(), text.strip()
                while rest:
                    _, end = decoder.raw_decode(rest)
                    rest = rest[end:].strip()


def test_the_page_of_commands_names_the_default_paths() -> None:
    from docsyncd.cli import DEFAULT_CONFIG, DEFAULT_SOCKET

    for path in (DEFAULT_CONFIG, DEFAULT_SOCKET):
        assert isinstance(path, Path)
        assert f"`{path}`" in PAGE


def test_the_pages_explain_every_word_that_explain_and_sync_answer() -> None:
    tree = ast.parse(pages.read("docsyncd/advice.py"))
    states = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "state_of")
    words = {
        node.value
        for each in ast.walk(states)
        if isinstance(each, ast.Return)
        for node in ast.walk(each)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert {"parked", "under way"} <= words
    operate = set(pages.code(pages.read("docs/how-to/operate.md")))
    assert words <= operate & set(pages.code(PAGE))
    assert set(GOOD_ENDINGS) <= set(pages.code(PAGE))
