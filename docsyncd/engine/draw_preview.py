"""The preview of one document: needed, drawn beside the indexing, brought to the catalog.

A failed preview is a reason in the memory and never an error; only the loss of the catalog stops the run.
"""

from __future__ import annotations

import anyio
import structlog

from docsyncd.core.index_plan import PreviewNeed
from docsyncd.core.model import AttachmentId, Digests, Document
from docsyncd.engine.guarded_write import GuardedWrite
from docsyncd.errors import Rejected
from docsyncd.ports import Staged
from docsyncd.preview.pool import Preview, PreviewPool
from docsyncd.work.ledger import Drawn


def preview_need(
    drawn: Drawn | None, document: Document, content: Digests | None, *, enabled: bool
) -> tuple[PreviewNeed, AttachmentId | None]:
    """Whether one has to be drawn, and the attachment that already shows this content. Pure."""
    if not enabled or document.file is None:
        return PreviewNeed.OFF, None
    if content is not None and drawn is not None and drawn.content == content.blake3:
        lost = drawn.saved and document.preview is None
        return (PreviewNeed.WANTED, None) if lost else (PreviewNeed.SETTLED, drawn.picture)
    if content is not None and document.preview is not None and content.names(document.md5):
        return PreviewNeed.SETTLED, None  # written together with this md5, before the memory was lost
    return PreviewNeed.WANTED, None


class PreviewTask:
    """Draws while the indexing goes on."""

    def __init__(self, previews: PreviewPool, staged: Staged) -> None:
        self._previews = previews
        self._staged = staged
        self._done = anyio.Event()
        self._preview: Preview | None = None

    async def run(self) -> None:
        self._preview = await self._previews.render(self._staged.path, content=self._staged.digests.blake3)
        self._done.set()

    async def attached(self, write: GuardedWrite, document: Document) -> Drawn:
        """Wait for the picture and bring it to the catalog, whose refusal of it costs the preview only."""
        await self._done.wait()
        preview = self._preview
        picture, reason = None, preview.reason if preview is not None else ""
        if preview is not None and preview.picture is not None:
            try:
                picture = await write.attach_preview(document, preview.picture)
            except Rejected as refused:
                structlog.get_logger().warning("preview.refused", reason=str(refused))
                reason = str(refused)
        return Drawn(content=self._staged.digests.blake3, picture=picture, reason=reason)
