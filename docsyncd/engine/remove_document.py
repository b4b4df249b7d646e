"""Takes a document that the catalog has deleted out of every collection and out of the index, and proves it.

Design: index-sync.md, 1. The proof is in the audit chain: each call, and that the index itself says the file is gone.
"""

from __future__ import annotations

from collections.abc import Mapping

from docsyncd.core import index_plan as plan
from docsyncd.core.model import DocumentId, IndexFileId, Placement
from docsyncd.engine.decision import decision
from docsyncd.engine.guarded_write import GuardedWrite
from docsyncd.engine.index_flow import IndexFlow, Report
from docsyncd.engine.lease import Lease
from docsyncd.engine.outcome import Done, LookAgain, Outcome
from docsyncd.engine.survey import UploadUnsettled, resolve_intent, where
from docsyncd.engine.wording import words
from docsyncd.errors import SafetyHalt
from docsyncd.work.ledger import Memory, Recall, StoredFile

HOUR = 3600.0


async def remove_document(
    flow: IndexFlow, document: DocumentId, lease: Lease, recall: Recall, report: Report
) -> Outcome:
    """Withdraw everywhere, forget every file, forget the memory. Raises `SafetyHalt` for valve `mass-deletion`.

    Collections that are not ours to touch (`IndexScope`) keep the file, which the orphan sweep finds once they are.
    """
    settles = flow.settings.upload_settles
    try:
        memory = await resolve_intent(flow.index, recall.memory, document, now=flow.clock.now(), upload_settles=settles)
    except UploadUnsettled:
        return LookAgain(delay=settles / 2, reason="a broken-off upload may still arrive")
    files = recall.files() | dict(memory.files)
    if not files:
        await flow.ledger.forget(document, fence=lease.claim.fence, files=())
        return Done(summary="deleted", detail="it had nothing in the index")
    if not flow.settings.live:
        return await _only_observe(flow, document, lease, recall, memory, count=len(files))
    await _require_few_removals(flow, document, lease, memory)
    placements = await where(flow.index, files, recall.collections())
    kept = {p.file for p in placements if not flow.settings.scope.admits(p.collection)}
    ours = tuple(p for p in placements if flow.settings.scope.admits(p.collection))
    removed = {file: stored for file, stored in files.items() if file not in kept}
    steps = await _take_out(document, flow.write(lease), ours, removed, report)
    await flow.ledger.settle_orphans(document, recall.orphans)
    line = decision(
        flow.clock.now(),
        lease.claim,
        topic=recall.topic,
        outcome="deleted",
        reason="gone from the catalog",
        steps=steps,
    )
    await flow.ledger.forget(document, fence=lease.claim.fence, files=files, decision=line)
    return Done(summary="deleted", detail=f"removed {len(removed)} file(s)")


async def _only_observe(
    flow: IndexFlow, document: DocumentId, lease: Lease, recall: Recall, memory: Memory, *, count: int
) -> Outcome:
    """Mode `observe`: say what would be done, and do nothing."""
    intention = f"would remove {count} file(s) of a deleted document"
    line = decision(flow.clock.now(), lease.claim, topic=recall.topic, outcome="observed", reason=intention, steps=())
    told = memory.model_copy(update={"summary": "observed", "reason": intention, "settled": None})
    await flow.ledger.commit(document, told, fence=lease.claim.fence, decision=line)
    return Done(summary="observed", detail=intention)


async def _take_out(
    document: DocumentId,
    write: GuardedWrite,
    placements: tuple[Placement, ...],
    files: Mapping[IndexFileId, StoredFile],
    report: Report,
) -> list[str]:
    """The steps that were carried out, in words."""
    remaining = dict.fromkeys(files)
    steps: list[str] = []
    while not isinstance(step := plan.removal_step(placements, remaining), plan.Settled):
        steps.append(words(step))
        report(steps[-1])
        match step:
            case plan.Withdraw():
                await write.withdraw(document, step.file, step.collection, reason=step.reason)
                placements = tuple(p for p in placements if (p.file, p.collection) != (step.file, step.collection))
            case plan.Forget():
                await write.forget(document, step.file)
                del remaining[step.file]
    return steps


async def _require_few_removals(flow: IndexFlow, document: DocumentId, lease: Lease, memory: Memory) -> None:
    """Valve `mass-deletion`: more than people delete in an hour looks like an accident at the catalog.

    What it held once it holds until a person says otherwise: the hour passes by itself, the accident does not.
    """
    if lease.claim.insisted:
        return
    limit = flow.settings.max_deletions_per_hour
    halt = SafetyHalt(
        f"more than {limit} documents vanished from {flow.settings.catalog} within an hour, this one among them; "
        f"if that is right: docsyncd retry {lease.claim.key}",
        valve="mass-deletion",
    )
    if memory.held != halt.valve:
        if await flow.ledger.removals(document, window=HOUR) <= limit:
            return
        held = memory.model_copy(update={"held": halt.valve})
        await flow.ledger.commit(document, held, fence=lease.claim.fence)
    raise halt
