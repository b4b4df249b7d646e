"""What is ours to touch, and that the plan leaves everything else as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docsyncd.core import index_plan as plan
from docsyncd.core.index_plan import PreviewNeed, View
from docsyncd.core.index_scope import IndexScope
from docsyncd.core.model import CollectionId, DocumentStatus, IndexFileId, IndexStatus, Membership, PlacementState
from tests.core.index_world import NEW, OLD, document, membership, placement

F1, F2 = IndexFileId("f1"), IndexFileId("f2")
OURS, THEIRS = CollectionId("ours"), CollectionId("theirs")
EVERYTHING = IndexScope()
LISTED = IndexScope(only=frozenset({OURS}))
LINKED = IndexScope(only=frozenset({OURS}), linked=True)


def view(**changes: object) -> View:
    """A document in file f1, READY in a collection of ours and in one that is not, and its record says so."""
    usual = View(
        document=document(
            status=DocumentStatus.SYNCED,
            index_status=IndexStatus.SYNCED,
            index_file=F1,
            collections=(OURS, THEIRS),
            indexed_hash=NEW.blake3,
            md5=NEW.md5,
            sha256=NEW.sha256,
        ),
        memberships=(membership(OURS), membership(THEIRS)),
        content=NEW,
        staged=False,
        refusal=None,
        current=F1,
        files={F1: NEW.blake3},
        placements=(placement(F1, OURS), placement(F1, THEIRS)),
        gone=frozenset(),
        preview=PreviewNeed.OFF,
        picture=None,
        insisted=False,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scope", "collection", "admitted"),
    [
        (EVERYTHING, OURS, True),
        (EVERYTHING, None, True),
        (LISTED, OURS, True),
        (LISTED, THEIRS, False),
        (LISTED, None, False),
    ],
)
def test_a_list_admits_what_it_names_and_nothing_that_is_still_to_be_created(
    scope: IndexScope, collection: CollectionId | None, admitted: bool
) -> None:
    assert scope.admits(collection) is admitted


@pytest.mark.parametrize(
    ("scope", "memberships", "covered"),
    [
        (EVERYTHING, (), True),
        (LISTED, (), True),
        (IndexScope(linked=True), (), False),
        (IndexScope(linked=True), (membership(None),), True),
        (LINKED, (membership(THEIRS),), False),
        (LINKED, (membership(THEIRS), membership(OURS, consent=False)), True),
    ],
)
def test_linked_covers_only_documents_that_a_link_of_ours_leads_from(
    scope: IndexScope, memberships: tuple[Membership, ...], covered: bool
) -> None:
    assert scope.covers(memberships) is covered


def test_what_we_put_into_our_collections_or_nowhere_is_ours_to_tidy_up() -> None:
    assert LINKED.holds(())
    assert LINKED.holds((THEIRS, OURS))
    assert not LINKED.holds((THEIRS,))


def test_without_a_list_nothing_is_elsewhere() -> None:
    assert EVERYTHING.cut(view()) == view()


LEFT_AS_IT_IS: list[tuple[str, View, plan.Step]] = [
    ("placed in both, nothing is to do", view(), plan.Settled(summary="indexed")),
    (
        "a link to one that is not ours is not filled",
        view(placements=(placement(F1, OURS),), document=replace(view().document, collections=(OURS,))),
        plan.Settled(summary="indexed"),
    ),
    (
        "no link and no consent empties it",
        view(memberships=(membership(OURS), membership(THEIRS, consent=False))),
        plan.Settled(summary="indexed"),
    ),
    (
        "a new version replaces the old one only in ours",
        view(
            current=F2,
            files={F1: OLD, F2: NEW.blake3},
            placements=(placement(F1, OURS), placement(F2, OURS), placement(F1, THEIRS)),
        ),
        plan.Withdraw(file=F1, collection=OURS, reason="replaced"),
    ),
    (
        "and the old file lives on for the other's sake",
        view(
            current=F2,
            files={F1: OLD, F2: NEW.blake3},
            placements=(placement(F2, OURS), placement(F1, THEIRS)),
            document=replace(view().document, index_file=F2, collections=(OURS,)),
        ),
        plan.Settled(summary="indexed"),
    ),
    (
        "out of ours, the file stays in the other, and the record keeps its word",
        view(memberships=(membership(OURS, consent=False), membership(THEIRS)), placements=(placement(F1, THEIRS),)),
        plan.Settled(summary="unplaced"),
    ),
    (
        "what the other failed or still works on is not waited for",
        view(placements=(placement(F1, OURS), placement(F1, THEIRS, PlacementState.PENDING))),
        plan.Settled(summary="indexed"),
    ),
    (
        "an operator's word retries only in ours",
        view(placements=(placement(F1, OURS), placement(F1, THEIRS, PlacementState.FAILED)), insisted=True),
        plan.Settled(summary="indexed"),
    ),
    (
        "one that is gone is nobody's failure here",
        view(gone=frozenset({THEIRS}), placements=(placement(F1, OURS),)),
        plan.Save(status=None, index_status=None, values={"collections": (OURS,)}),
    ),
]


@pytest.mark.parametrize(("story", "seen", "step"), LEFT_AS_IT_IS, ids=[story for story, _, _ in LEFT_AS_IT_IS])
def test_a_collection_that_is_not_ours_is_neither_filled_nor_emptied(story: str, seen: View, step: plan.Step) -> None:
    assert plan.next_step(LISTED.cut(seen)) == step
