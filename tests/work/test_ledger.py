"""What is remembered of each document: who may write it, who disturbs it, and whose a file is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from docsyncd.core.model import AttachmentId, CollectionId, ContentHash, DocumentId, IndexFileId
from docsyncd.errors import LeaseLost
from docsyncd.testing.host import HandClock
from docsyncd.work.ledger import DECISIONS_KEPT, Content, Drawn, Intent, Ledger, Memory, Orphan, StoredFile
from tests.work.conftest import Leftovers

DOCUMENT, OTHER = DocumentId("65f0c2a1b3d4e5f60"), DocumentId("65f0c2a1b3d4e5f61")
F1, F2, F3 = IndexFileId("f1"), IndexFileId("f2"), IndexFileId("f3")
C1, C2 = CollectionId("C1"), CollectionId("C2")
HASH = ContentHash("b" * 64)

MEMORY = Memory(
    group="7",
    name="Klage.pdf",
    content=Content(attachment=AttachmentId("a1"), blake3=HASH, sha256="5" * 64, md5="d" * 32, size=3),
    files={F1: StoredFile(content=HASH, placed_at=datetime(2026, 3, 23, tzinfo=UTC))},
    intent=Intent(name="Klage [x-y].pdf", content=HASH, at=datetime(2026, 3, 23, tzinfo=UTC)),
    drawn=Drawn(content=HASH, picture=AttachmentId("p1"), saved=True),
    wanted=(C1,),
    settled="fingerprint",
    settled_epoch=0,
    summary="indexed",
)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def ledger(client: Redis, leftovers: Leftovers, clock: HandClock) -> Ledger:
    leftovers.allow("ledger:*", "memories are kept until their documents are gone")
    return Ledger(client, clock, prefix="ledger:")


async def test_nothing_is_remembered_of_a_new_document(ledger: Ledger) -> None:
    recall = await ledger.recall(DOCUMENT)
    assert (recall.known, recall.epoch, recall.memory, recall.orphans) == (False, 0, Memory(), ())


async def test_a_memory_comes_back_as_it_was(ledger: Ledger) -> None:
    await ledger.commit(DOCUMENT, MEMORY, fence=1)
    recall = await ledger.recall(DOCUMENT)
    assert recall.known
    assert recall.memory == MEMORY
    assert recall.memory.content is not None
    assert recall.memory.content.digests.names("d" * 32)
    assert await ledger.noticed([(OTHER, "poll"), (DOCUMENT, "vmh.document.update")]) == ["", "7"]
    assert [document async for document in ledger.documents()] == [DOCUMENT]


async def test_a_worker_that_was_taken_over_cannot_overwrite_its_successor(ledger: Ledger) -> None:
    await ledger.commit(DOCUMENT, MEMORY, fence=5)
    with pytest.raises(LeaseLost, match="a later lease has written"):
        await ledger.commit(DOCUMENT, Memory(), fence=4, decision="{}")
    assert (await ledger.recall(DOCUMENT)).memory == MEMORY
    assert await ledger.decisions(DOCUMENT) == []
    assert await ledger.owner(F1) == DOCUMENT


async def test_one_lease_writes_as_often_as_it_likes(ledger: Ledger) -> None:
    await ledger.commit(DOCUMENT, MEMORY, fence=5)
    await ledger.commit(DOCUMENT, MEMORY.model_copy(update={"summary": "failed"}), fence=5)
    assert (await ledger.recall(DOCUMENT)).memory.summary == "failed"


async def test_fences_of_the_size_of_microseconds_are_told_apart(ledger: Ledger) -> None:
    now = 1_795_000_000_000_000
    await ledger.commit(DOCUMENT, MEMORY, fence=now + 1)
    with pytest.raises(LeaseLost):
        await ledger.commit(DOCUMENT, MEMORY, fence=now)


async def test_a_disturbed_document_is_unsettled_until_a_run_that_began_later(ledger: Ledger) -> None:
    await ledger.commit(DOCUMENT, MEMORY, fence=1)
    assert (await ledger.recall(DOCUMENT)).epoch == MEMORY.settled_epoch
    await ledger.disturb([DOCUMENT])
    recall = await ledger.recall(DOCUMENT)
    assert recall.epoch != recall.memory.settled_epoch
    await ledger.commit(DOCUMENT, MEMORY, fence=1)
    assert (await ledger.recall(DOCUMENT)).epoch == 1, "a run that began before the disturbance must not hide it"


async def test_disturbing_what_is_not_known_makes_no_memory(ledger: Ledger) -> None:
    await ledger.disturb([])
    await ledger.disturb([DOCUMENT])
    recall = await ledger.recall(DOCUMENT)
    assert (recall.known, recall.epoch) == (False, 1)


async def test_a_file_without_a_tag_belongs_to_the_first_who_asks(ledger: Ledger) -> None:
    assert await ledger.owner(F1) is None
    assert await ledger.adopt(F1, DOCUMENT)
    assert not await ledger.adopt(F1, OTHER)
    assert await ledger.adopt(F1, DOCUMENT)
    assert await ledger.owner(F1) == DOCUMENT


async def test_a_forgotten_file_is_nobodys(ledger: Ledger) -> None:
    await ledger.commit(DOCUMENT, MEMORY, fence=1)
    await ledger.commit(DOCUMENT, MEMORY.model_copy(update={"files": {}}), fence=1, forgotten=[F1])
    assert await ledger.owner(F1) is None


async def test_a_document_cannot_disown_what_belongs_to_another(ledger: Ledger) -> None:
    await ledger.adopt(F2, OTHER)
    await ledger.commit(DOCUMENT, MEMORY, fence=1, forgotten=[F2])
    assert await ledger.owner(F2) == OTHER


async def test_orphans_are_the_documents_until_it_has_dealt_with_them(ledger: Ledger) -> None:
    await ledger.commit(DOCUMENT, MEMORY, fence=1)
    placed = Orphan(file=F2, content="b" * 12, collection=C2)
    loose = Orphan(file=F3, content="", collection=CollectionId(""))
    await ledger.orphaned(DOCUMENT, [placed, loose])
    recall = await ledger.recall(DOCUMENT)
    assert set(recall.orphans) == {placed, loose}
    assert recall.epoch == 1, "a settled document would never look at them"
    assert recall.files() == {
        F1: MEMORY.files[F1],
        F2: StoredFile(content="b" * 12),
        F3: StoredFile(content=""),
    }
    assert recall.collections() == {C1, C2}
    await ledger.settle_orphans(DOCUMENT, [placed])
    assert (await ledger.recall(DOCUMENT)).orphans == (loose,)
    await ledger.settle_orphans(DOCUMENT, [])


async def test_what_the_memory_knows_of_a_file_is_believed_before_a_sweep(ledger: Ledger) -> None:
    await ledger.commit(DOCUMENT, MEMORY, fence=1)
    await ledger.orphaned(DOCUMENT, [Orphan(file=F1, content="", collection=C1)])
    assert (await ledger.recall(DOCUMENT)).files()[F1] == MEMORY.files[F1]


async def test_a_deleted_document_leaves_its_decisions_only(ledger: Ledger) -> None:
    await ledger.commit(DOCUMENT, MEMORY, fence=1, decision='{"outcome": "indexed"}')
    await ledger.orphaned(DOCUMENT, [Orphan(file=F2, content="", collection=C1)])
    await ledger.forget(DOCUMENT, fence=1, files=[F1, F2])
    recall = await ledger.recall(DOCUMENT)
    assert (recall.known, recall.orphans) == (False, ())
    assert await ledger.owner(F1) is None
    assert await ledger.noticed([(DOCUMENT, "poll")]) == [""]
    assert await ledger.decisions(DOCUMENT) == ['{"outcome": "indexed"}']


async def test_a_worker_that_was_taken_over_forgets_nothing(ledger: Ledger) -> None:
    await ledger.commit(DOCUMENT, MEMORY, fence=5)
    with pytest.raises(LeaseLost):
        await ledger.forget(DOCUMENT, fence=4, files=[F1])
    assert (await ledger.recall(DOCUMENT)).memory == MEMORY


async def test_the_last_decisions_are_kept_newest_first(ledger: Ledger) -> None:
    for number in range(DECISIONS_KEPT + 5):
        await ledger.commit(DOCUMENT, MEMORY, fence=1, decision=str(number))
    kept = await ledger.decisions(DOCUMENT)
    assert (len(kept), kept[0]) == (DECISIONS_KEPT, str(DECISIONS_KEPT + 4))


async def test_vanished_documents_are_counted_once_and_within_the_window(ledger: Ledger, clock: HandClock) -> None:
    assert await ledger.removals(DOCUMENT, window=3600) == 1
    assert await ledger.removals(DOCUMENT, window=3600) == 1
    clock.pass_by(1800)
    assert await ledger.removals(OTHER, window=3600) == 2
    clock.pass_by(1801)
    assert await ledger.removals(DocumentId("third"), window=3600) == 2


async def test_a_ledger_is_complete_after_the_first_whole_sweep(ledger: Ledger) -> None:
    assert not await ledger.complete()
    await ledger.set_complete()
    assert await ledger.complete()
