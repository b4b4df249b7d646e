"""The records that stand for collections."""

from __future__ import annotations

from pathlib import Path

import pytest

from docsyncd.api import CollectionId, CollectionStage, HolderId, PreconditionFailed
from tests.plugins.espocrm.connected import connected


async def test_a_stage_that_a_person_set_meanwhile_stays(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        identifier = at.knowledge(None, "new")
        holder = await at.catalog.holder(HolderId(f"CAIKnowledge/{identifier}"))
        assert holder is not None
        at.world.update("CAIKnowledge", identifier, aktivierungsstatus="paused")
        with pytest.raises(PreconditionFailed):
            await at.catalog.save_holder(holder, CollectionId("c1"), CollectionStage.ACTIVE, expect=holder.revision)
        record = at.world.record("CAIKnowledge", identifier)
        assert (record["datenbankId"], record["aktivierungsstatus"]) == (None, "paused")


async def test_a_deleted_collection_leaves_the_stage_as_it_is(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        identifier = at.knowledge("c1", "deactivated")
        holder = await at.catalog.holder(HolderId(f"CAIKnowledge/{identifier}"))
        assert holder is not None
        await at.catalog.save_holder(holder, None, CollectionStage.DEACTIVATED, expect=holder.revision)
        record = at.world.record("CAIKnowledge", identifier)
        assert (record["datenbankId"], record["aktivierungsstatus"]) == (None, "deactivated")


@pytest.mark.parametrize("holder", ["CAIKnowledge/0123456789abcdef0", "Account/abc", "CAIKnowledge", "CAIKnowledge/"])
async def test_what_stands_for_no_collection_is_nothing(tmp_path: Path, holder: str) -> None:
    async with connected(tmp_path) as at:
        assert await at.catalog.holder(HolderId(holder)) is None
        assert [each async for each in at.catalog.holder_documents(HolderId(holder))] == []
