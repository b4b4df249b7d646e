"""What a look may take as known, and when it must ask anew."""

from __future__ import annotations

from dataclasses import replace

from docsyncd.core import index_plan as plan
from docsyncd.core.model import CollectionId, IndexFileId
from docsyncd.engine import waiting
from docsyncd.work.ledger import Memory, Recall
from tests.core.index_world import document, membership

RECORD = document()
LINKS = (membership("C1"), membership("C2"))
NOTED = Memory(waiting=waiting.note(RECORD, LINKS, epoch=3))


def recalled(memory: Memory, *, epoch: int = 3) -> Recall:
    """As the ledger brings it back: by way of JSON."""
    return Recall(memory=Memory.model_validate_json(memory.model_dump_json()), epoch=epoch, known=True, orphans=())


def test_what_was_noted_is_known_while_nothing_changed() -> None:
    assert waiting.known_memberships(recalled(NOTED), RECORD) == LINKS


def test_a_changed_record_asks_anew() -> None:
    assert waiting.known_memberships(recalled(NOTED), replace(RECORD, md5="f" * 32)) is None


def test_a_disturbed_document_asks_anew() -> None:
    assert waiting.known_memberships(recalled(NOTED, epoch=4), RECORD) is None


def test_a_document_that_waits_for_nothing_asks_anew() -> None:
    assert waiting.known_memberships(recalled(Memory()), RECORD) is None


def test_whatever_changes_the_index_is_no_mere_look() -> None:
    file, collection = IndexFileId("f1"), CollectionId("C1")
    assert waiting.is_mere_look(plan.Await(collections=(collection,)))
    assert waiting.is_mere_look(plan.Settled(summary="indexed"))
    for step in (
        plan.Fetch(),
        plan.Announce(),
        plan.Upload(),
        plan.Place(file=file, collection=collection),
        plan.Withdraw(file=file, collection=collection, reason="unwanted"),
        plan.Forget(file=file),
    ):
        assert not waiting.is_mere_look(step)
