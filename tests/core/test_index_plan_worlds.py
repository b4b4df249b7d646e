"""The plan's promises in every small world, and in many larger ones: from anywhere, over any crash, to the same good end."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docsyncd.core import index_plan as plan
from docsyncd.core.model import (
    CollectionId,
    CollectionStage,
    ContentHash,
    DocumentStatus,
    IndexFileId,
    IndexStatus,
    Membership,
    Placement,
    PlacementState,
)
from tests.core.index_world import NEW, OLD, UNKNOWN, Moment, Run, World, document, membership, placement, walk

PLACED = (PlacementState.PENDING, PlacementState.READY, PlacementState.FAILED)

LINKS: tuple[tuple[CollectionStage, bool] | None, ...] = (
    None,
    (CollectionStage.ACTIVE, True),
    (CollectionStage.ACTIVE, False),
    (CollectionStage.PAUSED, True),
    (CollectionStage.PAUSED, False),
    (CollectionStage.DEACTIVATED, True),
    (CollectionStage.UNKNOWN, True),
)
"""No link, or the stage of the linked collection and the consent."""

RECORDS = (
    document(),
    document(index_status=IndexStatus.SYNCING),
    document(
        status=DocumentStatus.SYNCED,
        index_status=IndexStatus.SYNCED,
        index_file=IndexFileId("f1"),
        collections=(CollectionId("C1"),),
        indexed_hash=OLD,
        md5="0" * 32,
        preview="older picture",
    ),
    document(status=DocumentStatus.FAILED, index_status=IndexStatus.FAILED, index_error="because"),
)


def judge(moments: list[Moment]) -> None:
    """What must hold at every moment of a walk, and at its end."""
    for before, after in itertools.pairwise(moments):
        _nobody_loses_the_document(before, after)
        _nothing_leaves_the_house_unasked(before)
        _what_is_not_allowed_leaves_first(before)
    _the_end_is_tidy(moments[-1])


def _nobody_loses_the_document(before: Moment, after: Moment) -> None:
    stay = set(plan.wanted(before.view)) & set(plan.wanted(after.view))
    lost = {c for c in stay if before.world.holds(c) and not after.world.holds(c)}
    assert not lost, f"{before.step} takes the document out of {lost}"


def _consented(world: World) -> set[CollectionId]:
    return {m.collection for m in world.memberships if m.consent and m.collection is not None}


def _nothing_leaves_the_house_unasked(moment: Moment) -> None:
    active = {m.collection for m in moment.world.memberships if m.consent and m.stage is CollectionStage.ACTIVE}
    match moment.step:
        case plan.Upload():
            assert active, "uploaded without consent"
        case plan.Place():
            assert moment.step.collection in active, f"{moment.step} without consent"


def _misplaced(moment: Moment) -> list[Placement]:
    allowed = {*plan.wanted(moment.view), *plan.left_alone(moment.view)} & _consented(moment.world)
    return [p for p in moment.world.placements if p.collection not in allowed]


def _what_is_not_allowed_leaves_first(moment: Moment) -> None:
    if _misplaced(moment):
        assert isinstance(moment.step, plan.Withdraw), f"{moment.step} while {_misplaced(moment)} must leave"
        assert moment.step.reason == "unwanted"


def _the_end_is_tidy(end: Moment) -> None:
    view, world = end.view, end.world
    assert not _misplaced(end)
    if not plan.gone_but_wanted(view):
        placed = {p.file for p in world.placements}
        assert set(dict(world.files)) <= placed, "a file is placed nowhere"
    for collection in plan.wanted(view):
        states = {p.state for p in world.placements if p.collection == collection and p.file == view.current}
        assert states in ({PlacementState.READY}, {PlacementState.FAILED}), f"{collection} lacks the document"
        if PlacementState.READY in states:
            assert len([p for p in world.placements if p.collection == collection]) == 1, "an old file stayed"
    _the_record_says_so(end)


def _the_record_says_so(end: Moment) -> None:
    record = end.world.document
    assert record.index_status is not IndexStatus.SYNCING
    match plan.summary(end.view):
        case "indexed":
            assert (record.status, record.index_status) == (DocumentStatus.SYNCED, IndexStatus.SYNCED)
            assert NEW.names(record.indexed_hash)
            assert record.index_file == end.view.current
            assert record.index_error is None
        case "failed":
            assert (record.status, record.index_status) == (DocumentStatus.FAILED, IndexStatus.FAILED)
            assert record.index_error == "reason"
        case "unsupported":
            assert (record.status, record.index_status) == (DocumentStatus.FAILED, IndexStatus.UNSUPPORTED)
            assert record.index_error == "too large"
        case _ if not end.world.placements:
            assert record.index_status is IndexStatus.NONE
            assert record.status not in (DocumentStatus.SYNCED, DocumentStatus.FAILED)


class Ends:
    """Where each world ends, worked out once."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[object, ...]] = {}

    def judged(self, world: World, run: Run) -> tuple[object, ...]:
        key = (world.key(), run.insisted, run.gone)
        if key not in self._known:
            moments = walk(world, run)
            judge(moments)
            self._known[key] = moments[-1].world.outcome()
        return self._known[key]

    def survive_every_crash(self, world: World, run: Run) -> None:
        end = self.judged(world, run)
        for moment in walk(world, run):
            assert self.judged(moment.world, moment.run.crashed()) == end, (
                f"a crash before {moment.step} ends elsewhere"
            )


def small_worlds(link: tuple[CollectionStage, bool] | None, record: int) -> Iterator[tuple[World, Run]]:
    """One collection, a file with old content and one with the present one: everywhere that they can be."""
    links: tuple[Membership, ...] = () if link is None else (membership("C1", link[0], consent=link[1]),)
    positions: tuple[PlacementState | str | None, ...] = (None, "nowhere", *PLACED)
    for old, current in itertools.product(positions, positions):
        there = {"f1": (OLD, old), "f2": (NEW.blake3, current)}
        held = any(isinstance(state, PlacementState) for _, state in there.values())
        yes_or_no = (False, True)
        can_be_gone = (False,) if held else yes_or_no
        can_matter = yes_or_no if current is PlacementState.FAILED else (False,)
        for gone, insisted, fails, refused, known in itertools.product(can_be_gone, can_matter, *[yes_or_no] * 3):
            world = World(
                document=RECORDS[record],
                memberships=links,
                files=tuple((IndexFileId(f), content) for f, (content, state) in there.items() if state is not None),
                placements=frozenset(
                    placement(f, "C1", state) for f, (_, state) in there.items() if isinstance(state, PlacementState)
                ),
                gone=frozenset({CollectionId("C1")} if gone else ()),
                failing=frozenset({CollectionId("C1")} if fails else ()),
                refused="too large" if refused else None,
                draws=known,
                known=known,
            )
            yield world, Run(insisted=insisted)


@pytest.mark.parametrize("record", range(len(RECORDS)), ids=["fresh", "syncing", "synced", "failed"])
@pytest.mark.parametrize("link", LINKS, ids=lambda link: "-".join(str(part) for part in link) if link else "no link")
def test_every_small_world_comes_to_one_good_end_over_any_crash(
    link: tuple[CollectionStage, bool] | None, record: int
) -> None:
    ends = Ends()
    worlds = 0
    for world, run in small_worlds(link, record):
        ends.survive_every_crash(world, run)
        worlds += 1
    assert worlds == 2**3 * (5 * 5 + 2 * 2 + 5)


COLLECTIONS = ("C1", "C2", "C3")
FILES = ("a-file", "f1", "x-file")
"""Their ids sort before and after those of uploads: which file is chosen must not matter."""


@st.composite
def worlds(draw: st.DrawFn) -> World:
    gone = draw(st.frozensets(st.sampled_from(COLLECTIONS), max_size=1))
    links = [
        membership(
            draw(st.sampled_from((c, None))) if link == (CollectionStage.NEW, True) else c, *link[:1], consent=link[1]
        )
        for c in COLLECTIONS
        if (link := draw(st.sampled_from((*LINKS, (CollectionStage.NEW, True))))) is not None
    ]
    contents: tuple[ContentHash | None, ...] = (OLD, NEW.blake3, UNKNOWN)
    files = {f: draw(st.sampled_from(contents)) for f in FILES if draw(st.booleans())}
    placements = frozenset(
        placement(f, c, state)
        for f in files
        for c in (*COLLECTIONS, "stray")
        if c not in gone and (state := draw(st.sampled_from((None, None, *PLACED)))) is not None
    )
    record = draw(st.sampled_from((*RECORDS, document(file=None, status=DocumentStatus.SYNCED))))
    return World(
        document=record,
        memberships=tuple(links),
        files=tuple((IndexFileId(f), held) for f, held in files.items()),
        placements=placements,
        gone=frozenset(map(CollectionId, gone)),
        failing=frozenset(map(CollectionId, draw(st.frozensets(st.sampled_from(COLLECTIONS))))),
        refused=draw(st.sampled_from((None, None, "too large"))),
        draws=draw(st.booleans()),
        known=draw(st.booleans()),
    )


@settings(max_examples=400, deadline=None)
@given(worlds(), st.booleans())
def test_a_world_of_three_collections_comes_to_one_good_end_over_any_crash(world: World, insisted: bool) -> None:
    Ends().survive_every_crash(world, Run(insisted=insisted))


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_looking_again_at_a_settled_world_changes_nothing(world: World) -> None:
    end = walk(world, Run())[-1]
    assert plan.next_step(end.view) == end.step
    assert walk(end.world, Run())[-1].world.outcome() == end.world.outcome()


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_withdrawn_consent_leaves_no_trace_in_the_index(world: World) -> None:
    refused = tuple(replace(link, consent=False) for link in world.memberships)
    moments = walk(replace(world, memberships=refused), Run())
    judge(moments)
    assert not moments[-1].world.placements
    assert not moments[-1].world.files
    assert not any(isinstance(m.step, plan.Upload | plan.Place) for m in moments)


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_a_deleted_document_leaves_no_trace_in_the_index(world: World) -> None:
    files, placements = dict(world.files), tuple(world.placements)
    while not isinstance(step := plan.removal_step(placements, files), plan.Settled):
        match step:
            case plan.Withdraw():
                placements = tuple(p for p in placements if (p.file, p.collection) != (step.file, step.collection))
            case plan.Forget():
                assert not placements
                del files[step.file]
            case _:
                pytest.fail(f"{step} is no step of a removal")
    assert (placements, files, step.summary) == ((), {}, "deleted")
