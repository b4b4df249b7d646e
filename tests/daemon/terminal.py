"""An administrator's terminal: the real command line as a process, its output and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

PATIENCE = 40.0
"""Seconds that a command may take; the slowest one here waits for an indexing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a command left on the screen."""

    status: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """Both streams with single spaces, so that a line break says nothing."""
        return " ".join((self.out + " " + self.err).split())

    def json(self) -> Any:
        return json.loads(self.out)


async def docsyncd(*arguments: str | Path, columns: int | None = None, **environment: str) -> Shown:
    """Type `docsyncd ARGUMENTS`, without a terminal; `columns` is its width."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "DOCSYNCD_CONFIG")}
    width = {} if columns is None else {"COLUMNS": str(columns)}
    with anyio.fail_after(PATIENCE):
        done = await anyio.run_process(
            [sys.executable, "-m", "docsyncd", *map(str, arguments)],
            env={**kept, **width, **environment},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
    shown = Shown(status=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())
    assert "Traceback" not in shown.out + shown.err, shown.err
    return shown


async def until(reached: Callable[[], bool], *, patience: float = PATIENCE) -> None:
    """Wait for what the outside world will show."""
    with anyio.fail_after(patience):
        while True:
            if reached():
                return
            await anyio.sleep(0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Commands for one daemon, found by its configuration."""

    config: Path

    async def __call__(self, *arguments: str, columns: int | None = None) -> Shown:
        return await docsyncd(*arguments, "--config", self.config, columns=columns)
