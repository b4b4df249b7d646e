"""`[index] collections` and `scope`: the daemon beside documents, collections and files that it must not touch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio

from docsyncd.demo_daemon import write_toml
from tests.scenarios.office import Office, office

OURS, NEWER, THEIRS = b"Unsere Klage", b"Unsere Klage, zweite Fassung", b"Die Klage eines anderen"
SWEEPS = {"every": 0.5, "orphan_age": 0.1}
QUICK = {"first_look": 0.1, "upload_settles": 0.5, "poll_every": 0.5}


async def test_a_linked_scope_works_beside_documents_collections_and_files_that_it_never_touches(
    tmp_path: Path,
) -> None:
    async with office(tmp_path, start=False) as firm:
        world, xai = firm.espocrm.world, firm.xai
        other = xai.stage.open_collection("Nicht unsere")
        holder = world.create("CAIKnowledge", name="Andere", datenbankId=other, aktivierungsstatus="active")
        world.create("CAIKnowledge", name="Noch keine", aktivierungsstatus="new")
        world.create("CAIKnowledge", name="Nicht mehr", datenbankId=other, aktivierungsstatus="deactivated")
        unlinked = firm.put("Ohne Link.txt", THEIRS, linked=False)
        foreign = firm.put("Andere Collection.txt", THEIRS, linked=False)
        world.link("Document", foreign, "cAIKnowledges", holder)
        placed = xai.world.add_file(f"Anderswo [{foreign}-0123456789ab].txt", THEIRS)
        xai.world.place(placed, other)
        loose = xai.world.add_file("Von einem anderen Dienst [65f0c2a1b3d4e5f60-0123456789ab].txt", THEIRS)
        before = {document: firm.record(document) for document in (unlinked, foreign)}
        records = {entity: world.records(entity) for entity in ("CAIKnowledge", "CAkten")}

        _configure(firm, collections=[firm.collection], scope="linked")
        await firm.start()
        ours = firm.put("Klage.txt", OURS)
        await firm.until(lambda: firm.is_indexed(ours), what="our document")
        world.update("Document", unlinked, description="ein Mensch schreibt")
        world.update("Document", foreign, description="ein Mensch schreibt")
        await firm.until(lambda: _reads(firm, foreign) > 0 and _reads(firm, unlinked) > 0, what="the others to be read")
        firm.change(ours, NEWER)
        await firm.until(lambda: firm.is_indexed(ours), what="our new version")
        await anyio.sleep(3 * SWEEPS["every"])

        for document in (unlinked, foreign):
            told = {"description", "modifiedAt", "modifiedById", "modifiedByName"}
            after = firm.record(document)
            assert {key for key in after if after[key] != before[document][key]} <= told
            assert after["modifiedById"] == world.person.id
        assert {entity: world.records(entity) for entity in records} == records
        assert {placed, loose} < set(xai.world.files)
        assert set(xai.world.collections[other].members) == {placed}
        assert set(xai.world.collections) == {firm.collection, other}


async def test_a_collection_taken_off_the_list_keeps_what_it_has_until_it_is_listed_again(tmp_path: Path) -> None:
    async with office(tmp_path, start=False) as firm:
        world = firm.espocrm.world
        other = firm.xai.stage.open_collection("Bald nicht mehr unsere")
        holder = world.create("CAIKnowledge", name="Andere", datenbankId=other, aktivierungsstatus="active")
        members = {each: firm.xai.world.collections[each].members for each in (firm.collection, other)}
        _configure(firm)
        await firm.start()
        document = firm.put("Klage.txt", OURS)
        world.link("Document", document, "cAIKnowledges", holder)
        await firm.until(lambda: [len(members[each]) for each in members] == [1, 1], what="both to be filled")
        await firm.until(lambda: firm.espocrm.stage.standing(document).indexed, what="the record to say so")

        _configure(firm, collections=[firm.collection])
        await firm.daemon.ask("reload")
        world.update("CAkten", firm.case_file, aiFreigabe=False)
        await firm.until(lambda: not members[firm.collection], what="the listed one to be emptied")
        world.delete("Document", document)
        await anyio.sleep(3 * SWEEPS["every"])
        assert len(members[other]) == 1

        _configure(firm)
        await firm.daemon.ask("reload")
        await firm.until(lambda: not members[other], what="the other to be emptied once it is listed again")


def _configure(firm: Office, **index: Any) -> None:
    overrides = {"queue": {"lease": 3.0}, "index": {**QUICK, **index}, "sweeps": SWEEPS}
    write_toml(firm.folder, firm.listener, firm.tables, overrides)


def _reads(firm: Office, document: str) -> int:
    return sum(request.path.endswith(f"/{document}/cAIKnowledges") for request in firm.espocrm.requests.all())
