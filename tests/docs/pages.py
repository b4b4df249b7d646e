"""The documentation as data: pages, links, headings, fenced blocks, tables. Pure, but for reading the files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^( *)```([a-z]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_HIDDEN = {".git", ".venv", "build", "dist"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block. `section` is the heading above it."""

    language: str
    text: str
    section: str


def pages() -> list[Path]:
    """Every Markdown page of the repository."""
    found = [path for path in sorted(ROOT.rglob("*.md")) if not _HIDDEN & set(path.relative_to(ROOT).parts)]
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", text)


def blocks(text: str) -> Iterator[Block]:
    for match in _FENCE.finditer(text):
        above = re.findall(r"^#+ (.*)$", prose(text[: match.start()]), re.MULTILINE)
        body = "\n".join(line.removeprefix(match[1]) for line in match[3].splitlines())
        yield Block(language=match[2], text=body, section=above[-1] if above else "")


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)


def anchor(heading: str) -> str:
    """The fragment that GitHub makes of a heading."""
    plain = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return plain.replace(" ", "-")


def links(text: str) -> list[str]:
    """The targets of all links of a page, outside of code."""
    plain = re.sub(r"`[^`\n]*`", "", prose(text))
    return re.findall(r"\]\(([^)\s]+)\)", plain)


def sections(text: str) -> Mapping[str, str]:
    """A page's second-level sections, by heading."""
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def code(text: str) -> list[str]:
    """Everything in single backticks."""
    return re.findall(r"`([^`\n]+)`", prose(text))


def first_column(text: str) -> Iterator[str]:
    """The first cell of each table row."""
    for line in prose(text).splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield line.split("|")[1].strip()
