"""A small perfect index and a record, to drive `next_step` in: what each step does to the world, and what a crash forgets.

`World` is what survives a crash, `Run` what a run has in its memory only. Nothing here decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from docsyncd.core import index_plan as plan
from docsyncd.core.model import (
    AttachmentId,
    CollectionId,
    CollectionStage,
    ContentHash,
    Digests,
    Document,
    DocumentId,
    DocumentStatus,
    FileReference,
    HolderId,
    IndexFileId,
    IndexStatus,
    Membership,
    Placement,
    PlacementState,
)

NEW: Final = Digests(blake3=ContentHash("b" * 64), sha256="5" * 64, md5="d" * 32, size=1000)
"""The content behind the record's attachment."""

OLD: Final = ContentHash("0" * 64)
"""A content that the record had before."""

UNKNOWN: Final = None
"""What a file without a tag and without a memory holds."""

PICTURE: Final = AttachmentId("picture")
ENOUGH: Final = 60
"""Steps of one run; a world of three collections and three files needs fewer than half of it."""


def document(**changes: object) -> Document:
    """A record that points to content `NEW` and has never been indexed."""
    fresh = Document(
        id=DocumentId("65f0c2a1b3d4e5f60"),
        name="Klage",
        revision=None,
        modified_at=datetime(2026, 3, 23, 9, tzinfo=UTC),
        file=FileReference(attachment=AttachmentId("attachment"), name="Klage.pdf"),
        case_file=None,
        status=DocumentStatus.NEW,
        index_status=IndexStatus.NONE,
        index_file=None,
        collections=(),
        indexed_hash=None,
        index_error=None,
        md5=None,
        sha256=None,
        preview=None,
    )
    return replace(fresh, **changes)  # type: ignore[arg-type]


def membership(
    collection: str | None = "C1", stage: CollectionStage = CollectionStage.ACTIVE, *, consent: bool = True
) -> Membership:
    return Membership(
        holder=HolderId(f"CAkten/{collection}"),
        collection=None if collection is None else CollectionId(collection),
        stage=stage,
        consent=consent,
    )


def placement(file: str, collection: str, state: PlacementState = PlacementState.READY) -> Placement:
    return Placement(file=IndexFileId(file), collection=CollectionId(collection), state=state)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The record, its links, the index. A crash changes nothing here.

    :param files: the document's files in the index and what the memory or their tag says that they hold.
    :param gone: collections that the index no longer has; a run learns of it when it places something there.
    :param failing: collections in which the index fails whatever is placed.
    :param refused: the reason why the index cannot take the content, once its bytes are known.
    :param known: the hashes of the content are in the memory.
    """

    document: Document
    memberships: tuple[Membership, ...]
    files: tuple[tuple[IndexFileId, ContentHash | None], ...]
    placements: frozenset[Placement]
    gone: frozenset[CollectionId] = frozenset()
    failing: frozenset[CollectionId] = frozenset()
    refused: str | None = None
    draws: bool = False
    known: bool = False
    uploads: int = 0

    def outcome(self) -> tuple[object, ...]:
        """What people and the index see of it."""
        record = self.document
        return (
            record.status,
            record.index_status,
            record.index_file,
            record.collections,
            record.indexed_hash,
            record.index_error,
            record.md5,
            record.sha256,
            record.preview,
            self.files,
            self.placements,
        )

    def key(self) -> tuple[object, ...]:
        """Equal for equal worlds, and hashable."""
        return (
            *self.outcome(),
            record_file(self),
            self.memberships,
            self.gone,
            self.failing,
            self.refused,
            self.draws,
            self.known,
            self.uploads,
        )

    def holds(self, collection: CollectionId) -> bool:
        """Can the document be found there?"""
        return any(p.collection == collection and p.state is PlacementState.READY for p in self.placements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run knows beyond the world, and a crash forgets. `insisted` stays with the claim."""

    insisted: bool = False
    staged: bool = False
    picture: AttachmentId | None = None
    gone: frozenset[CollectionId] = field(default_factory=frozenset)

    def crashed(self) -> Run:
        return Run(insisted=self.insisted)


def record_file(world: World) -> FileReference | None:
    return world.document.file


def look(world: World, run: Run) -> plan.View:
    """The view that a survey gives, and what the run has learnt since."""
    record = world.document
    content = NEW if record.file is not None and (world.known or run.staged) else None
    files = dict(world.files)
    holding = sorted(file for file, held in files.items() if content is not None and content.names(held))
    shown = content is not None and record.preview is not None and content.names(record.md5)
    if not world.draws or record.file is None:
        need = plan.PreviewNeed.OFF
    else:
        need = plan.PreviewNeed.SETTLED if shown or run.picture else plan.PreviewNeed.WANTED
    view = plan.View(
        document=record,
        memberships=world.memberships,
        content=content,
        staged=run.staged,
        refusal=world.refused if content is not None else None,
        current=holding[0] if holding else None,
        files=files,
        placements=tuple(sorted(world.placements, key=lambda p: (p.file, p.collection))),
        gone=run.gone,
        preview=need,
        picture=run.picture,
        insisted=run.insisted,
    )
    return replace(view, problem="reason" if plan.failed_placements(view) or plan.gone_but_wanted(view) else "")


def carry_out(world: World, run: Run, view: plan.View, step: plan.Step) -> tuple[World, Run]:
    """The world after a step. What a real index refuses is an assertion here."""
    known = world.known or run.staged
    match step:
        case plan.Fetch():
            assert world.document.file is not None
            return world, replace(run, staged=True, picture=PICTURE if world.draws else None)
        case plan.Announce():
            return replace(world, document=replace(world.document, index_status=IndexStatus.SYNCING)), run
        case plan.Upload():
            assert run.staged, "only staged bytes can be uploaded"
            file = IndexFileId(f"upload-{world.uploads}")
            files = (*world.files, (file, NEW.blake3))
            return replace(world, files=files, uploads=world.uploads + 1, known=known), run
        case plan.Place():
            return _place(replace(world, known=known), run, step)
        case plan.Withdraw():
            left = frozenset(
                p for p in world.placements if not (p.file == step.file and p.collection == step.collection)
            )
            assert left != world.placements, f"{step} ends no membership"
            return replace(world, placements=left), run
        case plan.Forget():
            assert step.file not in {p.file for p in world.placements}, f"{step}: it is still placed"
            assert step.file in dict(world.files), f"{step}: there is no such file"
            return replace(world, files=tuple(f for f in world.files if f[0] != step.file)), run
        case plan.Await():
            assert step.collections, "nothing is waited for"
            return replace(_index_works(world), known=known), Run()
        case plan.Save():
            return replace(world, document=_saved(world.document, step), known=known), run
    raise AssertionError(f"{step} is no step that changes anything")


def _place(world: World, run: Run, step: plan.Place) -> tuple[World, Run]:
    assert step.file in dict(world.files), f"{step}: there is no such file"
    if step.collection in world.gone:
        return world, replace(run, gone=run.gone | {step.collection})
    return replace(
        world, placements=world.placements | {placement(step.file, step.collection, PlacementState.PENDING)}
    ), run


def _index_works(world: World) -> World:
    def worked(p: Placement) -> Placement:
        if p.state is not PlacementState.PENDING:
            return p
        return replace(p, state=PlacementState.FAILED if p.collection in world.failing else PlacementState.READY)

    return replace(world, placements=frozenset(worked(p) for p in world.placements))


def _saved(record: Document, step: plan.Save) -> Document:
    return replace(
        record,
        status=step.status or record.status,
        index_status=step.index_status or record.index_status,
        **step.values,  # type: ignore[arg-type]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Before a step: the world, the run, what it saw, and what it decided."""

    world: World
    run: Run
    view: plan.View
    step: plan.Step


def walk(world: World, run: Run) -> list[Moment]:
    """Every moment until nothing is left to do. An AssertionError if that does not come."""
    moments: list[Moment] = []
    for _ in range(ENOUGH):
        view = look(world, run)
        step = plan.next_step(view)
        moments.append(Moment(world=world, run=run, view=view, step=step))
        if isinstance(step, plan.Settled):
            return moments
        world, run = carry_out(world, run, view, step)
    raise AssertionError("it does not come to an end: " + " → ".join(str(m.step) for m in moments[-8:]))
