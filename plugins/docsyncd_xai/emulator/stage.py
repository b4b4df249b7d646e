"""What the demonstration sees of the emulated xAI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from docsyncd.api import index_tag
from docsyncd.testing.stage import Holding
from docsyncd_xai.emulator.world import World
from docsyncd_xai.media import media_type


class Eyes:
    """Satisfies `docsyncd.testing.stage.IndexStage`."""

    def __init__(self, world: World, keys: Mapping[str, str]) -> None:
        self._world = world
        self._keys = keys

    def stage_settings(self, urls: Mapping[str, str], secrets: Path) -> Mapping[str, Any]:
        table: dict[str, Any] = {"type": "xai", **urls}
        for name, key in self._keys.items():
            path = secrets / f"xai_{name}"
            path.write_text(key, encoding="utf-8")
            table[name] = {"file": str(path)}
        return table

    def open_collection(self, name: str) -> str:
        return self._world.create_collection(name)

    def refusal(self, name: str, size: int) -> str | None:
        if size == 0:
            return "an empty file has nothing to search"
        if size > self._world.behaviour.max_bytes:
            return f"{size} bytes are more than {self._world.behaviour.max_bytes}"
        return None if media_type(name) is not None else "this type of file is not indexed"

    def holdings(self, document: str) -> Sequence[Holding]:
        return [
            Holding(
                collection=collection.id,
                file_id=member.file.id,
                blake3=member.file.blake3,
                ready=self._world.member_status(member) == "PROCESSED",
            )
            for collection in self._world.collections.values()
            for member in collection.members.values()
            if (tag := index_tag.read(member.file.name)) is not None and tag.document == document
        ]

    def loose_files(self) -> int:
        return len(self._world.unplaced())
