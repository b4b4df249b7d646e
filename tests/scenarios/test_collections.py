"""The life of a collection as its record in EspoCRM wants it, and what happens when xAI loses one."""

from __future__ import annotations

from pathlib import Path

from tests.scenarios.office import Office, Tables, office

SWEEPING: Tables = {"sweeps": {"every": 0.6}, "connectors.xai": {"settles": 0.5}}
OLD, NEW = b"Es wird beantragt, die Klage abzuweisen.", b"Es wird beantragt, der Klage stattzugeben."


async def test_a_new_collection_is_created_on_demand_and_a_paused_one_left_alone(tmp_path: Path) -> None:
    async with office(tmp_path, tables=SWEEPING) as firm:
        world, xai = firm.espocrm.world, firm.xai.world
        knowledge = world.create("CAIKnowledge", name="Mietrecht", aktivierungsstatus="new", aiFreigabe=True)
        document = firm.put("Klage.txt", OLD, linked=False)
        world.link("Document", document, "cAIKnowledges", knowledge)
        await firm.until(lambda: bool(_holder(firm, knowledge)["datenbankId"]), what="the collection")
        created = str(_holder(firm, knowledge)["datenbankId"])
        await firm.until(lambda: _held(firm, document) == {created}, what="its document")
        assert _holder(firm, knowledge)["aktivierungsstatus"] == "active"
        assert xai.collections[created].name.startswith("Mietrecht")
        assert len(xai.collections) == 2
        await firm.rest()
        world.update("CAIKnowledge", knowledge, aktivierungsstatus="paused")
        before = xai.names(created)
        world.update("Document", document, file=("Klage.txt", NEW), dateiStatus="Geändert")
        since = firm.espocrm.requests.last
        await firm.until(lambda: "GET" in firm.touches(document, since), what="the new version to be looked at")
        await firm.rest()
        assert xai.names(created) == before
        world.update("CAIKnowledge", knowledge, aktivierungsstatus="active")
        await firm.until(
            lambda: xai.names(created) not in (before, []), what="the new version, once it is active again"
        )
        await firm.until(lambda: len(xai.files) == 1, what="the old version to go")


async def test_a_deactivated_collection_is_deleted_only_after_its_grace_and_a_persons_word(tmp_path: Path) -> None:
    async with office(tmp_path, tables=SWEEPING, collection_grace=1.0) as firm:
        world, xai = firm.espocrm.world, firm.xai.world
        stays, goes, other = await _two_collections(firm)
        world.update("CAIKnowledge", other, aktivierungsstatus="deactivated")
        key = f"holder:CAIKnowledge/{other}"
        while not await _is_held(firm, key):
            await firm.until(lambda: True)
        assert goes in xai.collections
        await firm.daemon.ask("retry", key=key)
        await firm.until(lambda: goes not in xai.collections, what="the deletion")
        await firm.until(lambda: _holder(firm, other)["datenbankId"] is None, what="the record to say so")
        await firm.until(firm.is_in_step, what="the other collection")
        assert stays in xai.collections


async def test_a_collection_that_xai_lost_is_shown_and_not_made_again(tmp_path: Path) -> None:
    async with office(tmp_path, tables=SWEEPING) as firm:
        xai = firm.xai.world
        _, lost, other = await _two_collections(firm)
        document = next(each for each in firm.espocrm.world.linked("CAIKnowledge", other, "dokumente"))
        del xai.collections[lost]
        firm.espocrm.world.update("Document", document, dateiStatus="Geändert")
        await firm.until(lambda: firm.espocrm.stage.standing(document).failed, what="the record to say so")
        assert lost in firm.espocrm.stage.standing(document).error
        newcomer = firm.put("Neu.txt", NEW)
        await firm.until(lambda: firm.is_indexed(newcomer), what="another document in the other collection")
        assert list(xai.collections) == [firm.collection]
        assert "POST /v1/collections" not in firm.xai.requests.verbs()
        assert all(firm.is_indexed(each) for each in firm.documents)


async def _two_collections(firm: Office) -> tuple[str, str, str]:
    """One document in each of two collections: the office's, another one, and the record of that one."""
    world = firm.espocrm.world
    other = firm.xai.stage.open_collection("Mietrecht")
    knowledge = world.create("CAIKnowledge", name="Mietrecht", aktivierungsstatus="active", datenbankId=other)
    firm.put("Klage.txt", OLD)
    document = firm.put("Mietvertrag.txt", NEW, linked=False)
    world.link("Document", document, "cAIKnowledges", knowledge)
    await firm.until(lambda: _held(firm, document) == {other}, what="the document of the other collection")
    await firm.until(lambda: all(firm.is_indexed(each) for each in firm.documents), what="the office's own")
    await firm.rest()
    return firm.collection, other, knowledge


def _holder(firm: Office, knowledge: str) -> dict[str, object]:
    return firm.espocrm.world.record("CAIKnowledge", knowledge)


def _held(firm: Office, document: str) -> set[str]:
    return {holding.collection for holding in firm.xai.stage.holdings(document) if holding.ready}


async def _is_held(firm: Office, key: str) -> bool:
    errors = (await firm.daemon.ask("errors"))["errors"]
    return any(entry["key"] == key and entry["state"] == "parked" for entry in errors)
