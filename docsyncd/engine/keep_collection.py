"""Handles `holder:` keys: the life of one collection, as its record in the catalog wants it.

`new` creates the collection and stores its id, `paused` leaves it, `deactivated` deletes it, after a grace and a person's word
(installation-profile, 2.5; a stage set by mistake must not cost an index: U-08).
"""

from __future__ import annotations

from docsyncd.core.index_scope import IndexScope
from docsyncd.core.model import CollectionId, CollectionStage, Holder, HolderId, Lane, Membership
from docsyncd.engine.index_flow import IndexFlow, Report
from docsyncd.engine.lease import Lease
from docsyncd.engine.outcome import Done, LookAgain, Outcome
from docsyncd.errors import SafetyHalt

LOOK = 3600.0
"""Seconds between two looks during the grace: a stage taken back is noticed within the hour."""

NAME = 200
"""Characters of the holder's name in the collection's: a person recognises it, and the tag fits behind it."""


def needs_keeping(membership: Membership | Holder, scope: IndexScope) -> bool:
    """Its collection has to be created, or taken down, and is ours to touch."""
    if not scope.admits(membership.collection):
        return False
    if membership.stage is CollectionStage.NEW:
        return membership.collection is None
    return membership.stage is CollectionStage.DEACTIVATED and membership.collection is not None


async def keep_collection(flow: IndexFlow, holder_id: HolderId, lease: Lease, report: Report) -> Outcome:
    """One look. Raises `SafetyHalt` for valve `collection-deletion` when the grace is over and nobody has said yes."""
    holder = await flow.catalog.holder(holder_id)
    if holder is None or not needs_keeping(holder, flow.settings.scope) or not flow.settings.live:
        await flow.ledger.forget_stage(holder_id)
        return Done(summary="nothing to keep")
    if holder.stage is CollectionStage.NEW:
        return await _create(flow, holder, lease, report)
    return await _take_down(flow, holder, lease, report)


async def _create(flow: IndexFlow, holder: Holder, lease: Lease, report: Report) -> Outcome:
    """Creating is not idempotent: one that an earlier run created is found by the tag in its name."""
    tag = f"[{holder.id}]"
    report("create the collection")
    found = await flow.index.find_collections(tag)
    collection = found[0] if found else await flow.write(lease).create_collection(f"{holder.name[:NAME]} {tag}")
    await flow.write(lease).save_holder(holder, collection, CollectionStage.ACTIVE)
    documents = [document async for document in flow.catalog.holder_documents(holder.id)]
    await flow.intake.offer_documents(documents, topic="collection", lane=Lane.NORMAL, deep=True)
    return Done(summary="collection created", detail=f"{collection}, {len(documents)} document(s)")


async def _take_down(flow: IndexFlow, holder: Holder, lease: Lease, report: Report) -> Outcome:
    waited = await flow.ledger.stage_age(holder.id)
    remaining = flow.settings.collection_grace - waited
    if remaining > 0:
        return LookAgain(
            delay=min(remaining, LOOK), reason=f"deactivated; its collection stays for {remaining:.0f} s more"
        )
    if not lease.claim.insisted:
        raise SafetyHalt(
            f"the collection {holder.collection} of {holder.id} is deactivated and would be deleted; "
            f"if that is right: docsyncd retry {lease.claim.key}",
            valve="collection-deletion",
        )
    report("delete the collection")
    documents = [document async for document in flow.catalog.holder_documents(holder.id)]
    await flow.write(lease).delete_collection(CollectionId(str(holder.collection)))
    await flow.write(lease).save_holder(holder, None, CollectionStage.DEACTIVATED)
    await flow.ledger.forget_stage(holder.id)
    await flow.intake.offer_documents(documents, topic="collection", lane=Lane.NORMAL, deep=True)
    return Done(summary="collection deleted", detail=f"{holder.collection}, {len(documents)} document(s)")
