"""A pool whose temp folders and processes a test can count."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from structlog.typing import FilteringBoundLogger

from docsyncd.preview.pool import PreviewPool, open_previews
from docsyncd.preview.settings import PreviewSettings


@pytest.fixture
def log() -> FilteringBoundLogger:
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


@pytest.fixture(autouse=True)
def scratch_root(tmp_path: Path) -> Iterator[Path]:
    """Where temp folders are made during this test; must be empty after it."""
    root = tmp_path / "scratch"
    root.mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(root)
    yield root
    tempfile.tempdir = before
    assert list(root.iterdir()) == []


@pytest.fixture(autouse=True)
def no_child_left() -> Iterator[None]:
    yield
    assert children() == []


@pytest.fixture
async def previews(log: FilteringBoundLogger, scratch_root: Path) -> AsyncIterator[PreviewPool]:
    async with open_previews(PreviewSettings(), log) as pool:
        yield pool


def children() -> list[str]:
    """The command lines of this process's children."""
    found = []
    for name in Path("/proc").iterdir():
        if name.name.isdigit():
            try:
                parent = int((name / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == os.getpid():
                    found.append((name / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found
