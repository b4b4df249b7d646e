"""Handles `doc:` keys: is there anything to do, who does it, and what the record is told when it fails.

Design: index-sync.md, "One document". The work itself is `index_run`; a deleted document is `remove_document`'s.
"""

from __future__ import annotations

import structlog

from docsyncd.core.model import Document, DocumentId, DocumentStatus, IndexStatus
from docsyncd.engine import wording
from docsyncd.engine.fingerprint import is_settled
from docsyncd.engine.index_flow import IndexFlow, Report
from docsyncd.engine.index_run import IndexRun
from docsyncd.engine.lease import Lease
from docsyncd.engine.outcome import Done, LookAgain, Outcome
from docsyncd.engine.remove_document import remove_document
from docsyncd.errors import NotReady, PreconditionFailed, RemoteError, Unavailable
from docsyncd.ports import Patch

REPLANS = 3
"""Times that a run starts over because the record changed under it; then it looks again later."""


async def index_document(flow: IndexFlow, document_id: DocumentId, lease: Lease, report: Report) -> Outcome:
    """One run. Raises the classes of `docsyncd.errors`; a failure that is the document's own is told to its record."""
    recall = await flow.ledger.recall(document_id)
    document = await flow.catalog.document(document_id)
    if document is None:
        return await remove_document(flow, document_id, lease, recall, report)
    if is_settled(recall, document) and not lease.claim.insisted:
        return Done(summary=recall.memory.summary, detail="unchanged")
    for _ in range(REPLANS):
        run = IndexRun(flow, document, lease, recall, report)
        try:
            return await run.run()
        except PreconditionFailed as changed:
            structlog.get_logger().info("document.changed_meanwhile", reason=str(changed))
        except (Unavailable, NotReady):
            raise  # nobody's fault, or not yet: nothing that a lawyer should read about
        except RemoteError as error:
            if run.is_ours:
                await _tell_failure(flow, document, lease, error)
            raise
        recall = await flow.ledger.recall(document_id)
        document = await flow.catalog.document(document_id)
        if document is None:
            return LookAgain(delay=0.0, reason="it was deleted meanwhile")
    return LookAgain(delay=flow.settings.first_look, reason="it keeps changing while it is read")


async def _tell_failure(flow: IndexFlow, document: Document, lease: Lease, error: RemoteError) -> None:
    """Make a failure visible in the record. If that fails, too, the queue's own error stands alone, and is logged."""
    text = wording.failure(error)
    if not flow.settings.live or document.index_error == text:
        return
    patch = Patch(status=DocumentStatus.FAILED, index_status=IndexStatus.FAILED, values={"index_error": text})
    try:
        await flow.write(lease).save(document, patch)
    except RemoteError as second:
        structlog.get_logger().warning("document.failure_not_written", reason=str(second))
