"""Takes a document that the catalog has deleted out of every collection and out of the index, and proves it.

Design: index-sync.md, 1. The proof is in the audit chain: each call, and that the index itself says the file is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from docsyncd.core import index_plan as plan
from docsyncd.core.model import DocumentId, IndexFileId, Placement
from docsyncd.engine.guarded_write import GuardedWrite
from docsyncd.engine.outcome import Done, LookAgain, Outcome
from docsyncd.engine.survey import UploadUnsettled, resolve_intent, where
from docsyncd.engine.wording import words
from docsyncd.errors import SafetyHalt
from docsyncd.ports import Index
from docsyncd.work.ledger import Ledger, Recall, StoredFile
from docsyncd.work.queue import Claim

HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalSettings:
    """`per_hour`: documents that may vanish before the rest is held; `catalog`: its name, for the message."""

    live: bool
    upload_settles: float
    per_hour: int
    catalog: str


async def remove_document(
    document: DocumentId,
    write: GuardedWrite,
    index: Index,
    ledger: Ledger,
    claim: Claim,
    recall: Recall,
    settings: RemovalSettings,
    *,
    now: datetime,
    report: Callable[[str], None],
) -> Outcome:
    """Withdraw everywhere, forget every file, forget the memory. Raises `SafetyHalt` for valve `mass-deletion`."""
    try:
        memory = await resolve_intent(index, recall.memory, document, now=now, upload_settles=settings.upload_settles)
    except UploadUnsettled:
        return LookAgain(delay=settings.upload_settles / 2, reason="a broken-off upload may still arrive")
    files = recall.files() | dict(memory.files)
    if not files:
        await ledger.forget(document, fence=claim.fence, files=())
        return Done(summary="deleted", detail="it had nothing in the index")
    if not settings.live:
        return Done(summary="observed", detail=f"would remove {len(files)} file(s) of a deleted document")
    await _require_few_removals(document, ledger, claim, settings)
    await _take_out(document, write, await where(index, files, recall.collections()), files, report)
    await ledger.settle_orphans(document, recall.orphans)
    await ledger.forget(document, fence=claim.fence, files=files)
    return Done(summary="deleted", detail=f"removed {len(files)} file(s)")


async def _take_out(
    document: DocumentId,
    write: GuardedWrite,
    placements: tuple[Placement, ...],
    files: Mapping[IndexFileId, StoredFile],
    report: Callable[[str], None],
) -> None:
    remaining = dict.fromkeys(files)
    while not isinstance(step := plan.removal_step(placements, remaining), plan.Settled):
        report(words(step))
        match step:
            case plan.Withdraw():
                await write.withdraw(document, step.file, step.collection, reason=step.reason)
                placements = tuple(p for p in placements if (p.file, p.collection) != (step.file, step.collection))
            case plan.Forget():
                await write.forget(document, step.file)
                del remaining[step.file]


async def _require_few_removals(document: DocumentId, ledger: Ledger, claim: Claim, settings: RemovalSettings) -> None:
    """Valve `mass-deletion`: more than people delete in an hour looks like an accident at the catalog."""
    count = await ledger.removals(document, window=HOUR)
    if count > settings.per_hour and not claim.insisted:
        raise SafetyHalt(
            f"{count} documents vanished from {settings.catalog} within an hour (limit {settings.per_hour}); "
            f"if that is right: docsyncd retry {claim.key}",
            valve="mass-deletion",
        )
