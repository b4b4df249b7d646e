"""From notices to due keys: the one way in for webhooks, polls, sweeps and people."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from docsyncd.core.model import DocumentId, Lane, Notice, document_key
from docsyncd.work.ledger import Ledger
from docsyncd.work.queue import Offer, WorkQueue

DOCUMENT = "doc:"


class NoticeIntake:
    """Offers keys with the case file that each document was last seen in, so that one busy case file starves no other."""

    def __init__(self, queue: WorkQueue, ledger: Ledger, poll_now: Callable[[], None]) -> None:
        self._queue = queue
        self._ledger = ledger
        self._poll_now = poll_now

    async def offer(self, notices: Sequence[Notice], *, lane: Lane = Lane.INTERACTIVE) -> int:
        """Make them due; durable when it returns, else `QueueUnavailable`. The number of keys that did not wait already."""
        documents = [_document(notice) for notice in notices]
        await self._ledger.disturb(
            [document for document, notice in zip(documents, notices, strict=True) if document and notice.deep]
        )
        spoken_of = [(document, notice.topic) for document, notice in zip(documents, notices, strict=True) if document]
        groups = dict(zip([document for document, _ in spoken_of], await self._ledger.noticed(spoken_of), strict=True))
        return await self._queue.add(
            [
                Offer(key=notice.key, lane=lane, group=groups.get(document, ""))
                for notice, document in zip(notices, documents, strict=True)
            ]
        )

    async def offer_documents(self, documents: Collection[DocumentId], *, topic: str, lane: Lane, deep: bool) -> int:
        """The same for documents that a poll or a sweep found."""
        return await self.offer(
            [Notice(key=document_key(document), topic=topic, deep=deep) for document in documents], lane=lane
        )

    def poll_due(self, topic: str) -> None:
        """An event was lost or could not be read: look for changes now."""
        del topic  # every topic is covered by the same poll
        self._poll_now()


def _document(notice: Notice) -> DocumentId:
    return DocumentId(notice.key.removeprefix(DOCUMENT)) if notice.key.startswith(DOCUMENT) else DocumentId("")
