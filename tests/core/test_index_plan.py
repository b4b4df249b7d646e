"""The plan, one sentence a row: what is seen, and which step comes next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docsyncd.core import index_plan as plan
from docsyncd.core.index_plan import PreviewNeed, View
from docsyncd.core.model import (
    AttachmentId,
    CollectionId,
    CollectionStage,
    DocumentStatus,
    IndexFileId,
    IndexStatus,
    PlacementState,
)
from tests.core.index_world import NEW, OLD, PICTURE, document, membership, placement

Values = dict[str, str | tuple[str, ...] | None]

F1, F2 = IndexFileId("f1"), IndexFileId("f2")
C1, C2 = CollectionId("C1"), CollectionId("C2")
PENDING, READY, FAILED = PlacementState.PENDING, PlacementState.READY, PlacementState.FAILED
ACTIVE, PAUSED = CollectionStage.ACTIVE, CollectionStage.PAUSED

SYNCING = document(index_status=IndexStatus.SYNCING)
SYNCED = document(
    status=DocumentStatus.SYNCED,
    index_status=IndexStatus.SYNCED,
    index_file=F1,
    collections=(C1,),
    indexed_hash=NEW.blake3,
    md5=NEW.md5,
    sha256=NEW.sha256,
)
CLAIMS: Values = {"index_file": F1, "collections": (C1,), "indexed_hash": NEW.blake3}
NO_CLAIMS: Values = {"index_file": None, "collections": (), "indexed_hash": None}


def view(**changes: object) -> View:
    """A document in file f1, READY in the one collection that wants it; its record does not say so yet."""
    usual = View(
        document=SYNCING,
        memberships=(membership("C1"),),
        content=NEW,
        staged=False,
        refusal=None,
        current=F1,
        files={F1: NEW.blake3},
        placements=(placement("f1", "C1"),),
        gone=frozenset(),
        preview=PreviewNeed.OFF,
        picture=None,
        insisted=False,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


NEVER_INDEXED: dict[str, object] = {"current": None, "files": {}, "placements": ()}
REPLACED: dict[str, object] = {"current": F2, "files": {F1: OLD, F2: NEW.blake3}}
NO_FILE: dict[str, object] = {"document": document(file=None), "content": None, "current": None}

NEXT: list[tuple[str, View, plan.Step]] = [
    (
        "a membership without consent ends before anything else",
        view(memberships=(membership("C1", consent=False),), document=document(), current=None),
        plan.Withdraw(file=F1, collection=C1, reason="unwanted"),
    ),
    (
        "a collection that nothing links any more loses the document",
        view(memberships=()),
        plan.Withdraw(file=F1, collection=C1, reason="unwanted"),
    ),
    (
        "consent withdrawn empties a paused collection, too",
        view(memberships=(membership("C1", PAUSED, consent=False),)),
        plan.Withdraw(file=F1, collection=C1, reason="unwanted"),
    ),
    (
        "a record without a file is withdrawn",
        view(**NO_FILE),
        plan.Withdraw(file=F1, collection=C1, reason="unwanted"),
    ),
    (
        "content that the index cannot take is withdrawn with the old one",
        view(refusal="too large"),
        plan.Withdraw(file=F1, collection=C1, reason="unwanted"),
    ),
    ("content that nobody has read is fetched", view(content=None, current=None), plan.Fetch()),
    ("content that is nowhere in the index is fetched", view(**NEVER_INDEXED), plan.Fetch()),
    (
        "bytes are fetched for a preview alone",
        view(memberships=(), placements=(), preview=PreviewNeed.WANTED),
        plan.Fetch(),
    ),
    (
        "what lies on the disk is not fetched again",
        view(staged=True, preview=PreviewNeed.WANTED, document=SYNCED),
        plan.Settled(summary="indexed"),
    ),
    (
        "without a file there is nothing to fetch",
        view(**NO_FILE, placements=(), files={}, preview=PreviewNeed.WANTED),
        plan.Settled(summary="unplaced"),
    ),
    (
        "the record hears of it before the upload",
        view(document=document(), staged=True, **NEVER_INDEXED),
        plan.Announce(),
    ),
    ("the record hears of it before the first placing", view(document=document(), placements=()), plan.Announce()),
    ("new content is uploaded", view(staged=True, **NEVER_INDEXED), plan.Upload()),
    (
        "content that is in the index already is placed without an upload",
        view(placements=()),
        plan.Place(file=F1, collection=C1),
    ),
    (
        "a second collection gets the same file",
        view(memberships=(membership("C1"), membership("C2"))),
        plan.Place(file=F1, collection=C2),
    ),
    (
        "a collection with the old content gets the new one beside it",
        view(**REPLACED),
        plan.Place(file=F2, collection=C1),
    ),
    (
        "the index is waited for before anything old leaves",
        view(**REPLACED, placements=(placement("f1", "C1"), placement("f2", "C1", PENDING))),
        plan.Await(collections=(C1,)),
    ),
    (
        "the old file leaves once the new one is ready",
        view(**REPLACED, placements=(placement("f1", "C1"), placement("f2", "C1"))),
        plan.Withdraw(file=F1, collection=C1, reason="replaced"),
    ),
    (
        "the old file stays where the new one failed",
        view(**REPLACED, placements=(placement("f1", "C1"), placement("f2", "C1", FAILED)), problem="broken"),
        plan.Save(
            status=DocumentStatus.FAILED,
            index_status=IndexStatus.FAILED,
            values={"md5": NEW.md5, "sha256": NEW.sha256, "index_error": "broken"},
        ),
    ),
    (
        "the old file stays in a paused collection",
        view(
            **REPLACED,
            memberships=(membership("C1", PAUSED),),
            document=replace(SYNCED, md5=NEW.md5, sha256=NEW.sha256),
        ),
        plan.Forget(file=F2),
    ),
    (
        "what the index failed is taken back when an operator insists",
        view(placements=(placement("f1", "C1", FAILED),), insisted=True),
        plan.Withdraw(file=F1, collection=C1, reason="retried"),
    ),
    (
        "what is ready is left alone when an operator insists",
        view(document=SYNCED, insisted=True),
        plan.Settled(summary="indexed"),
    ),
    (
        "a file that is placed nowhere is forgotten",
        view(**REPLACED, placements=(placement("f2", "C1"),)),
        plan.Forget(file=F1),
    ),
    (
        "the present content is forgotten, too, once nobody wants it",
        view(memberships=(), placements=()),
        plan.Forget(file=F1),
    ),
    (
        "nothing is forgotten while a wanted collection is gone",
        view(
            gone=frozenset({C1}),
            placements=(),
            document=document(
                index_status=IndexStatus.FAILED,
                status=DocumentStatus.FAILED,
                md5=NEW.md5,
                sha256=NEW.sha256,
                index_error="gone",
            ),
            problem="gone",
        ),
        plan.Settled(summary="failed"),
    ),
    (
        "a gone collection is neither filled nor emptied",
        view(gone=frozenset({C1}), problem="gone"),
        plan.Save(
            status=DocumentStatus.FAILED,
            index_status=IndexStatus.FAILED,
            values={"md5": NEW.md5, "sha256": NEW.sha256, "index_error": "gone"},
        ),
    ),
    (
        "the record hears of the success",
        view(),
        plan.Save(
            status=DocumentStatus.SYNCED,
            index_status=IndexStatus.SYNCED,
            values={"md5": NEW.md5, "sha256": NEW.sha256, **CLAIMS},
        ),
    ),
    (
        "only what differs is written",
        view(document=replace(SYNCED, index_error="Die Datei kam beschädigt an")),
        plan.Save(status=None, index_status=None, values={"index_error": None}),
    ),
    ("a record that says so already is not written", view(document=SYNCED), plan.Settled(summary="indexed")),
    (
        "an MD5 of the earlier implementation counts as the same content",
        view(document=replace(SYNCED, indexed_hash=NEW.md5.upper())),
        plan.Settled(summary="indexed"),
    ),
    (
        "collections in another order are the same collections",
        view(
            document=replace(SYNCED, collections=(C2, C1)),
            memberships=(membership("C1"), membership("C2")),
            placements=(placement("f1", "C1"), placement("f1", "C2")),
        ),
        plan.Settled(summary="indexed"),
    ),
    (
        "a drawn preview is written with the rest",
        view(document=SYNCED, picture=PICTURE),
        plan.Save(status=None, index_status=None, values={"preview": PICTURE}),
    ),
    (
        "a refused document says why, and claims nothing",
        view(refusal="too large", placements=(), files={}, document=SYNCED),
        plan.Save(
            status=DocumentStatus.FAILED,
            index_status=IndexStatus.UNSUPPORTED,
            values={**NO_CLAIMS, "index_error": "too large"},
        ),
    ),
    (
        "a refusal that no collection waits for is nobody's failure",
        view(
            refusal="too large",
            memberships=(),
            placements=(),
            files={},
            document=document(md5=NEW.md5, sha256=NEW.sha256),
        ),
        plan.Settled(summary="unplaced"),
    ),
    (
        "a document that is wanted nowhere does not read synced",
        view(memberships=(), placements=(), files={}, document=SYNCED),
        plan.Save(status=DocumentStatus.NONE, index_status=IndexStatus.NONE, values=NO_CLAIMS),
    ),
    (
        "a status that claims nothing stays when nothing is wanted",
        view(memberships=(), placements=(), files={}, document=document(md5=NEW.md5, sha256=NEW.sha256)),
        plan.Settled(summary="unplaced"),
    ),
    (
        "a collection that is still to be created gets nothing",
        view(memberships=(membership(None, CollectionStage.NEW),), **NEVER_INDEXED, document=document(), content=None),
        plan.Settled(summary="unplaced"),
    ),
    (
        "a paused collection keeps what it has, and the record what it says",
        view(memberships=(membership("C1", PAUSED),), document=SYNCED),
        plan.Settled(summary="unplaced"),
    ),
    (
        "a pause in the middle of a run leaves no record that says syncing",
        view(memberships=(membership("C1", PAUSED),), document=replace(SYNCED, index_status=IndexStatus.SYNCING)),
        plan.Save(status=None, index_status=IndexStatus.NONE, values={}),
    ),
]


@pytest.mark.parametrize(("seen", "step"), [row[1:] for row in NEXT], ids=[row[0] for row in NEXT])
def test_the_next_step(seen: View, step: plan.Step) -> None:
    assert plan.next_step(seen) == step


@pytest.mark.parametrize("stage", [stage for stage in CollectionStage if stage is not ACTIVE])
def test_only_an_active_collection_is_filled(stage: CollectionStage) -> None:
    assert plan.wanted(view(memberships=(membership("C1", stage),))) == ()
    assert plan.left_alone(view(memberships=(membership("C1", stage),))) == {C1}


def test_the_collections_of_several_links_are_wanted_once_and_in_order() -> None:
    links = (membership("C2"), membership("C1"), membership("C2"))
    assert plan.wanted(view(memberships=links)) == (C1, C2)


def test_one_link_with_consent_is_enough_for_a_collection() -> None:
    links = (membership("C1", consent=False), membership("C1"))
    assert plan.wanted(view(memberships=links)) == (C1,)


def test_a_deleted_document_leaves_every_collection_and_then_the_index() -> None:
    first = (placement("f1", "C1"), placement("f2", "C1"))
    assert plan.removal_step(first, {F1: None, F2: None}) == plan.Withdraw(file=F1, collection=C1, reason="deleted")
    assert plan.removal_step((), {F2: None, F1: None}) == plan.Forget(file=F1)
    assert plan.removal_step((), {}) == plan.Settled(summary="deleted")


def test_the_reasons_of_the_index_are_told_for_the_present_content_only() -> None:
    failed = placement("f2", "C1", FAILED)
    seen = view(**REPLACED, placements=(placement("f1", "C2", FAILED), failed))
    assert plan.failed_placements(seen) == (failed,)
    assert plan.summary(seen) == "failed"


def test_the_picture_is_named_by_its_attachment() -> None:
    step = plan.next_step(view(picture=AttachmentId("preview-1")))
    assert isinstance(step, plan.Save)
    assert step.values["preview"] == "preview-1"
