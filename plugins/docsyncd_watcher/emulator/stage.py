"""What the demonstration does and sees at the emulated file server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from docsyncd_watcher.emulator.world import World


class People:
    """Satisfies `docsyncd.testing.stage.ReplicaStage`."""

    def __init__(self, world: World, token: str) -> None:
        self._world = world
        self._token = token

    def stage_settings(self, urls: Mapping[str, str], secrets: Path) -> Mapping[str, Any]:
        path = secrets / "watcher_token"
        path.write_text(self._token, encoding="utf-8")
        return {"type": "watcher", **urls, "token": {"file": str(path)}}

    def open_case_file(self, number: str) -> None:
        self._world.open_case_file(number)

    def save(self, number: str, path: str, content: bytes) -> None:
        self._world.word_save(number, path, content)

    def rename(self, number: str, path: str, to: str) -> None:
        self._world.rename(number, path, to)

    def delete(self, number: str, path: str) -> None:
        self._world.delete(number, path)

    def contents(self, number: str) -> Mapping[str, bytes]:
        return self._world.contents(number)

    def replaced(self) -> Sequence[bytes]:
        return [place.read_bytes() for place in self._world.quarantine.values()]
