"""What an administrator adds: fields, entity types and links, and under which names they end up."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from docsyncd.testing.emulation import serve_emulator
from docsyncd_espocrm.emulator import EspoEmulator
from tests.plugins.espocrm.emulator.conftest import Answer, Client

ADMIN = {"Authorization": f"Basic {base64.b64encode(b'admin:admin').decode()}"}


@pytest.fixture
async def bare() -> AsyncIterator[tuple[EspoEmulator, Client]]:
    """EspoCRM as it is installed."""
    emulator = EspoEmulator(profile="stock", webhook_period=None)
    async with serve_emulator(emulator) as urls, aiohttp.ClientSession() as session:
        yield emulator, Client(session, urls["url"], emulator.api_key)


async def _admin(call: Client, path: str, body: Any) -> Answer:
    return await call("POST", path, body, headers=ADMIN, anonymous=True)


LINK = {
    "entity": "CAkten",
    "entityForeign": "Document",
    "link": "dokumente",
    "linkForeign": "akten",
    "label": "Dokumente",
    "labelForeign": "Akte",
    "linkType": "oneToMany",
}


async def test_the_entity_manager_prefixes_what_it_adds_to_stock_types(bare: tuple[EspoEmulator, Client]) -> None:
    emulator, call = bare
    before = emulator.world.app_timestamp
    made = await _admin(call, "Admin/fieldManager/Document", {"name": "md5", "type": "varchar", "maxLength": 32})
    assert made.status == 200
    assert "name" not in made.json
    assert emulator.world.entity("Document").fields["cMd5"].max_length == 32
    assert (await _admin(call, "EntityManager/action/createEntity", {"name": "Akten", "type": "Base"})).json == {
        "name": "CAkten"
    }
    assert (await _admin(call, "EntityManager/action/createLink", LINK)).json is True
    shown = await call("GET", "Metadata?key=entityDefs.Document.links.cAkten", headers=ADMIN, anonymous=True)
    assert shown.json == {"type": "belongsTo", "entity": "CAkten", "foreign": "dokumente"}
    assert emulator.world.app_timestamp > before


async def test_names_in_custom_types_are_kept(bare: tuple[EspoEmulator, Client]) -> None:
    emulator, call = bare
    await _admin(call, "EntityManager/action/createEntity", {"name": "AIKnowledge", "type": "Base"})
    await _admin(call, "Admin/fieldManager/CAIKnowledge", {"name": "datenbankId", "type": "varchar"})
    many = {**LINK, "entity": "CAIKnowledge", "linkForeign": "aIKnowledges", "linkType": "manyToMany"}
    await _admin(call, "EntityManager/action/createLink", many)
    assert "datenbankId" in emulator.world.entity("CAIKnowledge").fields
    document = emulator.world.add_document("Klage.pdf", b"x")
    knowledge = emulator.world.create("CAIKnowledge", name="Sammlung", datenbankId="c1")
    emulator.world.link("Document", document, "cAIKnowledges", knowledge)
    assert emulator.world.linked("CAIKnowledge", knowledge, "dokumente") == [document]


async def test_what_exists_already_is_a_conflict(bare: tuple[EspoEmulator, Client]) -> None:
    _, call = bare
    for status in (200, 409):
        assert (await _admin(call, "Admin/fieldManager/Document", {"name": "md5", "type": "varchar"})).status == status
        entity = {"name": "Akten", "type": "Base"}
        assert (await _admin(call, "EntityManager/action/createEntity", entity)).status == status
        assert (await _admin(call, "EntityManager/action/createLink", LINK)).status == status


async def test_the_entity_manager_is_for_administrators(bare: tuple[EspoEmulator, Client]) -> None:
    _, call = bare
    assert (await call("POST", "Admin/fieldManager/Document", {"name": "md5", "type": "varchar"})).status == 403
    assert (await call("POST", "EntityManager/action/createEntity", {"name": "Akten", "type": "Base"})).status == 403
    assert (await call("POST", "EntityManager/action/createLink", LINK)).status == 403


async def test_a_changed_role_counts_at_once_for_everybody_who_has_it(bare: tuple[EspoEmulator, Client]) -> None:
    _, call = bare
    role = (await _admin(call, "Role", {"name": "docsyncd", "data": {}})).json["id"]
    body = {"userName": "sync", "lastName": "sync", "type": "api", "authMethod": "ApiKey", "rolesIds": [role]}
    key = {"X-Api-Key": (await _admin(call, "User", body)).json["apiKey"]}
    assert (await call("GET", "Document", headers=key, anonymous=True)).status == 403
    data = {"data": {"Document": {"read": "all"}}}
    assert (await call("PUT", f"Role/{role}", data, headers=ADMIN, anonymous=True)).status == 200
    assert (await call("GET", "Document", headers=key, anonymous=True)).status == 200
