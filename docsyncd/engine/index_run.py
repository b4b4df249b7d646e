"""One pass over a document: survey, ask `core.index_plan` for the next step, carry it out, ask again.

Whatever a crash leaves behind is found by the next pass's survey; what must be known for that (an upload about to be sent, the
collections about to be filled) is written to the ledger before the effect. Design: index-sync.md, "One document", 6.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Any

import structlog

from docsyncd.core import index_plan as plan
from docsyncd.core import index_tag
from docsyncd.core.index_scope import IndexScope
from docsyncd.core.model import (
    CollectionId,
    Digests,
    Document,
    IndexFileId,
    IndexStatus,
    Membership,
    Notice,
    Placement,
    PlacementState,
    holder_key,
)
from docsyncd.engine import waiting, wording
from docsyncd.engine.decision import decision
from docsyncd.engine.draw_preview import PreviewTask, preview_need
from docsyncd.engine.fingerprint import fingerprint
from docsyncd.engine.index_flow import IndexFlow, Report
from docsyncd.engine.keep_collection import needs_keeping
from docsyncd.engine.lease import Lease
from docsyncd.engine.outcome import Done, LookAgain, Outcome
from docsyncd.engine.survey import Survey, UploadUnsettled, current_file, survey
from docsyncd.engine.wording import words
from docsyncd.errors import CollectionGone, CorruptContent, FileGone, PreconditionFailed, Rejected
from docsyncd.ports import Patch, Staged
from docsyncd.tasks import task_group
from docsyncd.work.ledger import Content, Intent, Recall, StoredFile

LONGEST_LOOK = 30.0
"""Seconds between two looks at a file that is being indexed, at most (reference: xai.md, 2.4)."""


def look_delay(waited: float, first: float) -> float:
    """Seconds until the next look at a file that has waited for `waited` seconds: as long again, within bounds."""
    return min(max(waited, first), LONGEST_LOOK)


def _is_ours(scope: IndexScope, recall: Recall) -> bool:
    """Is the document ours whatever its links say, because we have begun something with it?"""
    begun = bool(recall.files()) and scope.holds(recall.collections())
    return not scope.linked or begun or recall.memory.intent is not None


class IndexRun:
    """One pass over a document that exists."""

    def __init__(self, flow: IndexFlow, document: Document, lease: Lease, recall: Recall, report: Report) -> None:
        self.flow = flow
        self.lease = lease
        self.recall = recall
        self.report = report
        self.id = document.id
        self.write = flow.write(lease)
        self.memory = recall.memory
        self.staged: Staged | None = None
        self.document = document
        self.steps: list[str] = []
        self.forgotten: list[IndexFileId] = []
        self.is_ours = _is_ours(flow.settings.scope, recall)
        self.only_looks = False
        self.memberships: tuple[Membership, ...] = ()

    async def run(self) -> Outcome:
        known = waiting.known_memberships(self.recall, self.document)
        if known is not None and not self.lease.claim.insisted:
            self.only_looks = True
            with suppress(waiting.AskAnew):
                return await self._pass(known)
            self.only_looks = False
        return await self._pass(await self.flow.catalog.memberships(self.document))

    async def _pass(self, memberships: tuple[Membership, ...]) -> Outcome:
        flow = self.flow
        self.memberships = memberships
        self.is_ours = self.is_ours or flow.settings.scope.covers(memberships)
        if not self.is_ours:
            return await self._leave_alone()
        await self._offer_holders(memberships)
        try:
            found = await survey(
                flow.index,
                flow.ledger,
                self.recall,
                self.document,
                memberships,
                now=flow.clock.now(),
                upload_settles=flow.settings.upload_settles,
            )
        except UploadUnsettled:
            return LookAgain(delay=flow.settings.upload_settles / 2, reason="a broken-off upload may still arrive")
        self.memory = found.memory.model_copy(
            update={
                "group": self.document.case_file or "",
                "name": self.document.file.name if self.document.file else self.document.name,
                "files": dict(found.files),
                "held": "",
                "settled": None,  # until the end: a run that is broken off must not look finished to the sweep of ids
            }
        )
        async with AsyncExitStack() as stack:
            return await self._work(self._first_view(memberships, found), stack)

    async def _leave_alone(self) -> Outcome:
        """Not a document for us (`[index] scope`): nothing is written, and nothing remembered but what is still ours elsewhere."""
        reason = "no link leads to a collection that may be filled"
        if not self.recall.files():
            line = decision(
                self.flow.clock.now(),
                self.lease.claim,
                topic=self.recall.topic,
                outcome="out of scope",
                reason=reason,
                steps=self.steps,
            )
            await self.flow.ledger.forget(self.id, fence=self.lease.claim.fence, files=(), decision=line)
        return Done(summary="out of scope", detail=reason)

    async def _offer_holders(self, memberships: tuple[Membership, ...]) -> None:
        """Collections that have to be created or taken down are kept under keys of their own."""
        keys = [
            holder_key(membership.holder)
            for membership in memberships
            if needs_keeping(membership, self.flow.settings.scope)
        ]
        if keys and self.flow.settings.live:
            await self.flow.intake.offer([Notice(key=key, topic="document") for key in keys])

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
        return self._with_content(self.flow.settings.scope.cut(view), content)

    def _with_content(self, view: plan.View, content: Digests | None) -> plan.View:
        """The view once the content is known: what refuses it, which file holds it, whether a preview shows it."""
        file = self.document.file
        refusal = self.flow.index.refusal(file.name, content.size if content is not None else 1) if file else None
        need, picture = preview_need(self.memory.drawn, self.document, content, enabled=self.flow.settings.previews)
        return replace(
            view,
            content=content,
            refusal=refusal,
            current=current_file(self.memory.files, content),
            files=dict.fromkeys(self.memory.files),
            preview=need,
            picture=picture,
        )

    async def _work(self, view: plan.View, stack: AsyncExitStack) -> Outcome:
        async with task_group() as tasks:
            drawing: PreviewTask | None = None
            while True:
                step = plan.next_step(
                    replace(
                        view,
                        problem=wording.not_indexed(plan.failed_placements(view), plan.gone_but_wanted(view)),
                    )
                )
                if not self.flow.settings.live and not isinstance(step, plan.Settled):
                    return await self._only_observe(view, step)
                if self.only_looks and not waiting.is_mere_look(step):
                    raise waiting.AskAnew
                match step:
                    case plan.Fetch():
                        view = await self._fetch(view, stack)
                        if view.preview is plan.PreviewNeed.WANTED:
                            drawing = PreviewTask(self.flow.previews, self._the_staged())
                            tasks.start_soon(drawing.run)
                            view = replace(view, preview=plan.PreviewNeed.SETTLED)
                    case plan.Await() | plan.Save() | plan.Settled() if drawing is not None:
                        drawn = await drawing.attached(self.write, self.document)
                        drawing = None
                        self._remember(drawn=drawn)
                        view = replace(view, picture=drawn.picture)
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
        async with self.flow.catalog.open(self.document) as download:
            stage = self.flow.staging.stage(download, remote=self.flow.settings.catalog)
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

    async def _upload(self, view: plan.View) -> plan.View:
        staged = self._the_staged()
        content = staged.digests.blake3
        name = index_tag.compose(self.memory.name, self.id, content)
        self._remember(
            intent=Intent(name=name, content=content, at=self.flow.clock.now()),
            wanted=tuple(sorted({*self.memory.wanted, *plan.wanted(view)})),
        )
        await self._commit()
        file = await self.write.upload(self.id, staged, name)
        self._remember(intent=None, files={**self.memory.files, file: StoredFile(content=content)})
        await self._commit()
        return replace(view, current=file, files={**view.files, file: content})

    async def _place(self, view: plan.View, step: plan.Place) -> plan.View:
        if view.content is None:
            raise AssertionError("only known content is placed")
        stored = self.memory.files[step.file].model_copy(update={"placed_at": self.flow.clock.now()})
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
        except FileGone:
            structlog.get_logger().warning("index.file_gone", file=step.file)
            return self._without(view, step.file)
        placed = Placement(file=step.file, collection=step.collection, state=PlacementState.PENDING)
        return replace(view, placements=(*view.placements, placed))

    async def _await(self, view: plan.View, step: plan.Await) -> Outcome:
        """Not indexed yet: free the lease and look again, sooner at first."""
        since = self.memory.files[view.current].placed_at if view.current is not None else None
        waited = (self.flow.clock.now() - since).total_seconds() if since is not None else 0.0
        if waited > self.flow.settings.give_up_after:
            raise Rejected(
                f"the file is still not indexed after {waited:.0f} s in {', '.join(step.collections)}",
                remote=self.flow.settings.index,
            )
        delay = look_delay(waited, self.flow.settings.first_look)
        self._remember(waiting=waiting.note(self.document, self.memberships, epoch=self.recall.epoch))
        await self._commit(outcome="waiting for indexing", reason=", ".join(step.collections))
        return LookAgain(delay=delay, reason="the index still works on it")

    async def _save(self, view: plan.View, step: plan.Save) -> plan.View:
        await self._verify(view)
        self._note(step)
        patch = Patch(status=step.status, index_status=step.index_status, values=step.values)
        try:
            self.document = await self.write.save(self.document, patch)
        except Rejected as refused:
            await self._doubt_the_picture(step, refused)
            raise
        drawn = self.memory.drawn
        if drawn is not None and drawn.picture is not None and step.values.get("preview") == drawn.picture:
            self._remember(drawn=drawn.model_copy(update={"saved": True}))
        # What the catalog does not map cannot be compared with what was sent: the answer is taken as agreed.
        return replace(view, document=self.document)

    async def _doubt_the_picture(self, step: plan.Save, refused: Rejected) -> None:
        """A picture that an earlier run attached may be gone by now: the catalog cleans up what no record names. Draw it anew."""
        earlier = self.recall.memory.drawn
        if earlier is None or earlier.picture is None or step.values.get("preview") != earlier.picture:
            return
        self._remember(drawn=None)
        await self._commit()
        raise PreconditionFailed(
            f"the preview {earlier.picture} is not taken: {refused}", remote=self.flow.settings.catalog
        ) from refused

    async def _verify(self, view: plan.View) -> None:
        """The index's own hash of what it made searchable must be ours. Else the file is taken back, and the run fails."""
        for placement in view.placements:
            if placement.file != view.current or placement.content is None or view.content is None:
                continue
            if placement.content != view.content.blake3:
                for wrong in view.placements:
                    if wrong.file == placement.file:
                        await self.write.withdraw(self.id, wrong.file, wrong.collection, reason="corrupt")
                if placement.file not in {p.file for p in view.elsewhere}:
                    await self.write.forget(self.id, placement.file)
                self._without(view, placement.file)
                await self._commit(outcome="corrupt", reason="the index holds other bytes than were sent")
                raise CorruptContent(
                    f"file {placement.file} has BLAKE3 {placement.content}, we sent {view.content.blake3}",
                    remote=self.flow.settings.index,
                )

    async def _settle(self, view: plan.View, step: plan.Step) -> Outcome:
        summary = step.summary if isinstance(step, plan.Settled) else plan.summary(view)
        placed = {p.collection for p in (*view.placements, *view.elsewhere)}
        reasons = {"unsupported": view.refusal, "unplaced": wording.unplaced(view)}
        reason = reasons.get(summary, view.document.index_error)
        self._remember(
            wanted=tuple(sorted(placed)),
            waiting=None,
            settled=fingerprint(self.document),
            settled_epoch=self.recall.epoch,
            summary=summary,
            reason=reason or "",
        )
        await self._commit(outcome=summary, reason=reason or "")
        await self.flow.ledger.settle_orphans(self.id, self.recall.orphans)
        return Done(summary=summary, detail=" → ".join(self.steps) or "unchanged")

    async def _only_observe(self, view: plan.View, step: plan.Step) -> Outcome:
        """Mode `observe`: say what would be done, and do nothing."""
        intention = wording.intention(view, step)
        self._remember(summary="observed", reason=intention)
        await self._commit(outcome="observed", reason=intention)
        return Done(summary="observed", detail=intention)

    def _the_staged(self) -> Staged:
        if self.staged is None:
            raise AssertionError("the plan fetches before it uploads or draws")
        return self.staged

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
        line = ""
        if outcome:
            line = decision(
                self.flow.clock.now(),
                self.lease.claim,
                topic=self.recall.topic,
                outcome=outcome,
                reason=reason,
                steps=self.steps,
                status=self.document.status,
                index_status=self.document.index_status,
                attachment=self.document.file.attachment if self.document.file else None,
                blake3=self.memory.content.blake3 if self.memory.content else None,
                wanted=", ".join(self.memory.wanted),
            )
        await self.flow.ledger.commit(
            self.id, self.memory, fence=self.lease.claim.fence, decision=line, forgotten=self.forgotten
        )
