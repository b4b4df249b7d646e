"""What the example of `docsyncd_connectors` imports from its own package."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web


class FolderEmulator:
    """A folder is its own emulator: there is no host."""

    @property
    def applications(self) -> Mapping[str, web.Application]:
        return {}

    def describe(self, urls: Mapping[str, str]) -> str:
        return f"{len(urls)} hosts"
