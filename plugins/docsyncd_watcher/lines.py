"""The two request paths to one watcher, and the bytes that go over them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from docsyncd.api import Reply, Staged, Transport
from docsyncd_watcher.config import WatcherConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Files and questions have slots of their own: a download asks a question before it ends, and must not wait for itself."""

    files: Transport
    questions: Transport
    config: WatcherConfig

    @property
    def remote(self) -> str:
        return self.questions.remote

    async def ask(self, method: str, path: str, **request: Any) -> Reply:
        """A short question."""
        return await self.questions.request(method, path, **request)

    async def put(self, path: str, staged: Staged, *, repeatable: bool, **request: Any) -> Reply:
        """An upload, streamed from the disk. `X-Blake3-Hash` is always sent."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(staged.size),
            "X-Blake3-Hash": staged.digests.blake3,
            **request.pop("headers", {}),
        }
        with ExitStack() as opened:
            return await self.files.request(
                "PUT",
                path,
                data=lambda: opened.enter_context(staged.path.open("rb")),
                headers=headers,
                repeatable=repeatable,
                read_timeout=self.config.upload_timeout,
                **request,
            )

    @asynccontextmanager
    async def get(self, path: str) -> AsyncIterator[tuple[Reply, AsyncIterator[bytes]]]:
        """A download; 404 is an answer."""
        async with self.files.stream(path, accept={404}) as opened:
            yield opened
