"""Brings one document's place in the index in line with its record. Design: index-sync.md, "One document".

The loop is: survey, ask `core.index_plan` for the next step, carry it out, look at the world as it is then, ask again. What a
crash leaves behind is found by the next run's survey.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import anyio
import structlog

from docsyncd.clock import Clock
from docsyncd.core import index_plan as plan
from docsyncd.core import index_tag
from docsyncd.core.model import (
    AttachmentId,
    CollectionId,
    Digests,
    Document,
    DocumentId,
    DocumentStatus,
    IndexFileId,
    IndexStatus,
    Membership,
    Placement,
    PlacementState,
)
from docsyncd.engine import wording
from docsyncd.engine.guarded_write import GuardedWrite
from docsyncd.engine.lease import Lease
from docsyncd.engine.outcome import Done, LookAgain, Outcome
from docsyncd.engine.remove_document import RemovalSettings, remove_document
from docsyncd.engine.staging import Staging
from docsyncd.engine.survey import Survey, UploadUnsettled, current_file, survey
from docsyncd.engine.wording import words
from docsyncd.errors import (
    CollectionGone,
    CorruptContent,
    PreconditionFailed,
    Rejected,
    RemoteError,
    Unavailable,
)
from docsyncd.ports import Catalog, Index, Patch, Staged
from docsyncd.preview.pool import PreviewPool
from docsyncd.tasks import task_group
from docsyncd.work.audit import Audit
from docsyncd.work.ledger import Content, Drawn, Intent, Ledger, Recall, StoredFile

REPLANS = 3
"""Times that a run starts over because the record changed under it; then the queue's back-off takes over."""

LONGEST_LOOK = 30.0
"""Seconds between two looks at a file that is being indexed, at most (reference: xai.md, 2.4)."""

Report = Callable[[str], None]
"""Told each step in a few words, for `sync --wait` and `status`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """From `[index]` and `[audit]`; seconds."""

    live: bool
    previews: bool
    first_look: float
    give_up_after: float
    upload_settles: float
    max_deletions_per_hour: int


class IndexDocument:
    """The handler of `doc:` keys."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        index: Index,
        names: tuple[str, str],
        ledger: Ledger,
        staging: Staging,
        previews: PreviewPool,
        audit: Audit,
        clock: Clock,
        settings: IndexSettings,
    ) -> None:
        self.catalog = catalog
        self.index = index
        self.catalog_name, self.index_name = names
        self.ledger = ledger
        self.staging = staging
        self.previews = previews
        self.audit = audit
        self.clock = clock
        self.settings = settings

    async def run(self, document_id: DocumentId, lease: Lease, report: Report) -> Outcome:
        """One run. Raises the classes of `docsyncd.errors`; a failure that is the document's own is told to its record."""
        recall = await self.ledger.recall(document_id)
        document = await self.catalog.document(document_id)
        if document is None:
            return await self._remove(document_id, lease, recall, report)
        if _is_settled(recall, document) and not lease.claim.insisted:
            return Done(summary=recall.memory.summary, detail="unchanged")
        for _ in range(REPLANS):
            try:
                return await _Run(self, document, lease, recall, report).run()
            except PreconditionFailed as changed:
                structlog.get_logger().info("document.changed_meanwhile", reason=str(changed))
            except Unavailable:
                raise
            except RemoteError as error:
                await self._tell_failure(document, lease, error)
                raise
            recall = await self.ledger.recall(document_id)
            document = await self.catalog.document(document_id)
            if document is None:
                return LookAgain(delay=0.0, reason="it was deleted meanwhile")
        return LookAgain(delay=self.settings.first_look, reason="it keeps changing while it is read")

    async def _remove(self, document: DocumentId, lease: Lease, recall: Recall, report: Report) -> Outcome:
        return await remove_document(
            document,
            GuardedWrite(self.catalog, self.index, self.audit, lease),
            self.index,
            self.ledger,
            lease.claim,
            recall,
            RemovalSettings(
                live=self.settings.live,
                upload_settles=self.settings.upload_settles,
                per_hour=self.settings.max_deletions_per_hour,
                catalog=self.catalog_name,
            ),
            now=self.clock.now(),
            report=report,
        )

    async def _tell_failure(self, document: Document, lease: Lease, error: RemoteError) -> None:
        """Make a failure visible in the record. If that fails, too, the queue's own error stands alone, and is logged."""
        text = wording.failure(error)
        if not self.settings.live or document.index_error == text:
            return
        patch = Patch(status=DocumentStatus.FAILED, index_status=IndexStatus.FAILED, values={"index_error": text})
        try:
            await GuardedWrite(self.catalog, self.index, self.audit, lease).save(document, patch)
        except RemoteError as second:
            structlog.get_logger().warning("document.failure_not_written", reason=str(second))


def fingerprint(document: Document) -> str:
    """Everything in a record that a decision depends on; our own write coming back has the one that we noted."""
    facts: list[object] = [
        document.name,
        document.file and [document.file.attachment, document.file.name],
        document.case_file,
        document.status,
        document.index_status,
        document.index_file,
        sorted(document.collections),
        document.indexed_hash,
        document.index_error,
        document.md5,
        document.sha256,
        document.preview,
    ]
    return blake2b(json.dumps(facts, ensure_ascii=False).encode(), digest_size=16).hexdigest()


def _is_settled(recall: Recall, document: Document) -> bool:
    memory = recall.memory
    return memory.settled_epoch == recall.epoch and memory.settled == fingerprint(document)


def look_delay(waited: float, first: float) -> float:
    """Seconds until the next look at a file that has waited for `waited` seconds: as long again, within bounds."""
    return min(max(waited, first), LONGEST_LOOK)


class _Run:
    """One pass over a document that exists."""

    def __init__(self, host: IndexDocument, document: Document, lease: Lease, recall: Recall, report: Report) -> None:
        self.host = host
        self.lease = lease
        self.recall = recall
        self.report = report
        self.id = document.id
        self.write = GuardedWrite(host.catalog, host.index, host.audit, lease)
        self.memory = recall.memory
        self.staged: Staged | None = None
        self.document = document
        self.steps: list[str] = []
        self.forgotten: list[IndexFileId] = []

    async def run(self) -> Outcome:
        host = self.host
        memberships = await host.catalog.memberships(self.document)
        try:
            found = await survey(
                host.index,
                host.ledger,
                self.recall,
                self.document,
                memberships,
                now=host.clock.now(),
                upload_settles=host.settings.upload_settles,
            )
        except UploadUnsettled:
            return LookAgain(delay=host.settings.upload_settles / 2, reason="a broken-off upload may still arrive")
        self.memory = found.memory.model_copy(
            update={
                "group": self.document.case_file or "",
                "name": self.document.file.name if self.document.file else self.document.name,
                "files": dict(found.files),
            }
        )
        async with AsyncExitStack() as stack:
            return await self._work(self._first_view(memberships, found), stack)

    def _first_view(self, memberships: tuple[Membership, ...], found: Survey) -> plan.View:
        known = self.memory.content
        file = self.document.file
        content = (
            known.digests if known is not None and file is not None and known.attachment == file.attachment else None
        )
        view = plan.View(
            document=self.document,
            memberships=memberships,
            content=content,
            staged=False,
            refusal=None,
            current=None,
            files={},
            placements=found.placements,
            gone=found.gone,
            preview=plan.PreviewNeed.OFF,
            picture=None,
            insisted=self.lease.claim.insisted,
        )
        return self._with_content(view, content)

    def _with_content(self, view: plan.View, content: Digests | None) -> plan.View:
        """The view once the content is known: what refuses it, which file holds it, whether a preview shows it."""
        file = self.document.file
        refusal = self.host.index.refusal(file.name, content.size if content is not None else 1) if file else None
        need, picture = self._preview_need(content)
        return replace(
            view,
            content=content,
            refusal=refusal,
            current=current_file(self.memory.files, content),
            files=dict.fromkeys(self.memory.files),
            preview=need,
            picture=picture,
        )

    def _preview_need(self, content: Digests | None) -> tuple[plan.PreviewNeed, AttachmentId | None]:
        if not self.host.settings.previews or self.document.file is None:
            return plan.PreviewNeed.OFF, None
        drawn = self.memory.drawn
        if content is not None and drawn is not None and drawn.content == content.blake3:
            lost = drawn.saved and self.document.preview is None
            return (plan.PreviewNeed.WANTED, None) if lost else (plan.PreviewNeed.SETTLED, drawn.picture)
        if content is not None and self.document.preview is not None and content.names(self.document.md5):
            return plan.PreviewNeed.SETTLED, None
        return plan.PreviewNeed.WANTED, None

    async def _work(self, view: plan.View, stack: AsyncExitStack) -> Outcome:
        async with task_group() as tasks:
            drawing: anyio.Event | None = None
            while True:
                step = plan.next_step(
                    replace(
                        view,
                        problem=wording.not_indexed(plan.failed_placements(view), plan.gone_but_wanted(view)),
                    )
                )
                if not self.host.settings.live and not isinstance(step, plan.Settled):
                    return await self._only_observe(step)
                match step:
                    case plan.Fetch():
                        view = await self._fetch(view, stack)
                        if view.preview is plan.PreviewNeed.WANTED:
                            drawing = anyio.Event()
                            tasks.start_soon(self._draw, drawing)
                            view = replace(view, preview=plan.PreviewNeed.SETTLED)
                    case plan.Await() | plan.Save() | plan.Settled() if drawing is not None:
                        await drawing.wait()
                        drawing = None
                        view = replace(view, picture=await self._attach())
                    case plan.Await():
                        return await self._await(view, step)
                    case plan.Save():
                        view = await self._save(view, step)
                        return await self._settle(view, plan.next_step(view))
                    case plan.Settled():
                        return await self._settle(view, step)
                    case _:
                        view = await self._effect(view, step)

    async def _effect(self, view: plan.View, step: plan.Step) -> plan.View:
        """Carry out one step at the index (or announce it) and show the world after it."""
        self._note(step)
        match step:
            case plan.Announce():
                patch = Patch(index_status=IndexStatus.SYNCING, values={})
                self.document = replace(await self.write.save(self.document, patch), index_status=IndexStatus.SYNCING)
                return replace(view, document=self.document)
            case plan.Upload():
                return await self._upload(view)
            case plan.Place():
                return await self._place(view, step)
            case plan.Withdraw():
                await self.write.withdraw(self.id, step.file, step.collection, reason=step.reason)
                left = tuple(
                    p for p in view.placements if not (p.file == step.file and p.collection == step.collection)
                )
                return replace(view, placements=left)
            case plan.Forget():
                await self.write.forget(self.id, step.file)
                return self._without(view, step.file)
        raise AssertionError(f"not an effect: {step}")

    async def _fetch(self, view: plan.View, stack: AsyncExitStack) -> plan.View:
        self._note(plan.Fetch())
        file = self.document.file
        if file is None:
            raise AssertionError("a document without a file is never fetched")
        async with self.host.catalog.open(self.document) as download:
            stage = self.host.staging.stage(download, remote=self.host.catalog_name)
            self.staged = await stack.enter_async_context(stage)
        digests = self.staged.digests
        content = Content(
            attachment=file.attachment,
            blake3=digests.blake3,
            sha256=digests.sha256,
            md5=digests.md5,
            size=digests.size,
        )
        self._remember(content=content)
        return replace(self._with_content(view, digests), staged=True)

    async def _draw(self, done: anyio.Event) -> None:
        """Beside the indexing; a failed preview is a reason in the memory, never an error."""
        if self.staged is None:
            raise AssertionError("only staged bytes are drawn")
        content = self.staged.digests.blake3
        drawn = await self.host.previews.render(self.staged.path, content=content)
        self._picture = drawn.picture
        self._remember(drawn=Drawn(content=content, picture=None, reason=drawn.reason))
        done.set()

    _picture: bytes | None = None

    async def _attach(self) -> AttachmentId | None:
        """Bring the drawn picture to the catalog. Its refusal (an image type not allowed there) costs the preview only."""
        drawn = self.memory.drawn
        if self._picture is None or drawn is None:
            return None
        try:
            picture = await self.write.attach_preview(self.document, self._picture)
        except Rejected as refused:
            structlog.get_logger().warning("preview.refused", reason=str(refused))
            self._remember(drawn=drawn.model_copy(update={"reason": str(refused)}))
            return None
        self._remember(drawn=drawn.model_copy(update={"picture": picture}))
        return picture

    async def _upload(self, view: plan.View) -> plan.View:
        if self.staged is None or view.document.file is None:
            raise AssertionError("only staged bytes are uploaded")
        content = self.staged.digests.blake3
        name = index_tag.compose(view.document.file.name, self.id, content)
        self._remember(
            intent=Intent(name=name, content=content, at=self.host.clock.now()),
            wanted=tuple(sorted({*self.memory.wanted, *plan.wanted(view)})),
        )
        await self._commit()
        file = await self.write.upload(self.id, self.staged, name)
        self._remember(intent=None, files={**self.memory.files, file: StoredFile(content=content)})
        await self._commit()
        return replace(view, current=file, files={**view.files, file: content})

    async def _place(self, view: plan.View, step: plan.Place) -> plan.View:
        if view.content is None:
            raise AssertionError("only known content is placed")
        stored = self.memory.files[step.file].model_copy(update={"placed_at": self.host.clock.now()})
        self._remember(
            wanted=tuple(sorted({*self.memory.wanted, step.collection})),
            files={**self.memory.files, step.file: stored},
        )
        await self._commit()
        fields = {"document_id": self.id, "blake3": view.content.blake3, "name": self.document.name}
        try:
            await self.write.place(self.id, step.file, step.collection, fields, view.content)
        except CollectionGone as error:
            return replace(view, gone=view.gone | {CollectionId(error.collection)})
        placed = Placement(file=step.file, collection=step.collection, state=PlacementState.PENDING)
        return replace(view, placements=(*view.placements, placed))

    async def _await(self, view: plan.View, step: plan.Await) -> Outcome:
        """Not indexed yet: free the lease and look again, sooner at first."""
        since = self.memory.files[view.current].placed_at if view.current is not None else None
        waited = (self.host.clock.now() - since).total_seconds() if since is not None else 0.0
        if waited > self.host.settings.give_up_after:
            raise Rejected(
                f"the file is still not indexed after {waited:.0f} s in {', '.join(step.collections)}",
                remote=self.host.index_name,
            )
        delay = look_delay(waited, self.host.settings.first_look)
        await self._commit(outcome="waiting for indexing", reason=", ".join(step.collections))
        return LookAgain(delay=delay, reason="the index still works on it")

    async def _save(self, view: plan.View, step: plan.Save) -> plan.View:
        await self._verify(view)
        self._note(step)
        patch = Patch(status=step.status, index_status=step.index_status, values=step.values)
        self.document = await self.write.save(self.document, patch)
        drawn = self.memory.drawn
        if drawn is not None and drawn.picture is not None and step.values.get("preview") == drawn.picture:
            self._remember(drawn=drawn.model_copy(update={"saved": True}))
        # What the catalog does not map cannot be compared with what was sent: the answer is taken as agreed.
        return replace(view, document=self.document)

    async def _verify(self, view: plan.View) -> None:
        """The index's own hash of what it made searchable must be ours. Else the file is taken back, and the run fails."""
        for placement in view.placements:
            if placement.file != view.current or placement.content is None or view.content is None:
                continue
            if placement.content != view.content.blake3:
                for wrong in view.placements:
                    if wrong.file == placement.file:
                        await self.write.withdraw(self.id, wrong.file, wrong.collection, reason="corrupt")
                await self.write.forget(self.id, placement.file)
                self._without(view, placement.file)
                await self._commit(outcome="corrupt", reason="the index holds other bytes than were sent")
                raise CorruptContent(
                    f"file {placement.file} has BLAKE3 {placement.content}, we sent {view.content.blake3}",
                    remote=self.host.index_name,
                )

    async def _settle(self, view: plan.View, step: plan.Step) -> Outcome:
        summary = step.summary if isinstance(step, plan.Settled) else plan.summary(view)
        placed = {p.collection for p in view.placements}
        drawn = self.memory.drawn
        reason = view.refusal if summary == "unsupported" else view.document.index_error
        self._remember(
            wanted=tuple(sorted(placed)),
            settled=fingerprint(self.document),
            settled_epoch=self.recall.epoch,
            summary=summary,
            reason=reason or (drawn.reason if drawn is not None else ""),
        )
        await self._commit(outcome=summary, reason=reason or "")
        await self.host.ledger.settle_orphans(self.id, self.recall.orphans)
        return Done(summary=summary, detail=" → ".join(self.steps) or "unchanged")

    async def _only_observe(self, step: plan.Step) -> Outcome:
        """Mode `observe`: say what would be done, and do nothing."""
        self._note(step)
        self._remember(summary="observed", reason=f"would {words(step)}")
        await self._commit(outcome="observed", reason=f"would {words(step)}")
        return Done(summary="observed", detail=f"would {words(step)}")

    def _without(self, view: plan.View, file: IndexFileId) -> plan.View:
        self.forgotten.append(file)
        self._remember(files={name: stored for name, stored in self.memory.files.items() if name != file})
        return replace(
            view,
            current=None if view.current == file else view.current,
            files={name: held for name, held in view.files.items() if name != file},
        )

    def _note(self, step: plan.Step) -> None:
        self.steps.append(words(step))
        self.report(words(step))

    def _remember(self, **changes: Any) -> None:
        self.memory = self.memory.model_copy(update=changes)

    async def _commit(self, *, outcome: str = "", reason: str = "") -> None:
        """Write the memory; with an outcome, the decision and its inputs go to the log of the document, too."""
        decision = ""
        if outcome:
            facts: Mapping[str, object] = {
                "at": self.host.clock.now().isoformat(),
                "trace": self.lease.claim.trace,
                "attempt": self.lease.claim.attempt,
                "status": self.document.status,
                "index_status": self.document.index_status,
                "attachment": self.document.file.attachment if self.document.file else None,
                "blake3": self.memory.content.blake3 if self.memory.content else None,
                "steps": self.steps,
                "outcome": outcome,
                "reason": reason,
            }
            decision = json.dumps(facts, ensure_ascii=False)
        await self.host.ledger.commit(
            self.id, self.memory, fence=self.lease.claim.fence, decision=decision, forgotten=self.forgotten
        )
