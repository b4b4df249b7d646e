"""The self-check: each mistake in the set-up is found, and said with what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from docsyncd.api import Finding, Severity
from docsyncd_espocrm.emulator import EspoEmulator, World
from docsyncd_espocrm.emulator.schema import Field
from tests.plugins.espocrm.connected import connected


async def findings(folder: Path, espo: EspoEmulator, **config: Any) -> list[Finding]:
    async with connected(folder, espo, **config) as at:
        return list(await at.ports.check())


def bad(found: list[Finding], severity: Severity) -> list[str]:
    return [f"{each.subject}: {each.message}" for each in found if each.severity is severity]


async def test_a_fresh_installation_of_ours_has_no_error(tmp_path: Path) -> None:
    found = await findings(tmp_path, EspoEmulator(webhook_period=None))
    assert bad(found, Severity.ERROR) == []
    assert all(each.fix for each in found if each.severity is not Severity.OK)
    assert any("9.3.10" in each.message for each in found)


async def test_the_other_installation_has_no_error_but_asks_for_consent(tmp_path: Path) -> None:
    espo = EspoEmulator(profile="vmh-2026-03-23", webhook_period=None)
    assert bad(await findings(tmp_path, espo, consent_field=""), Severity.ERROR) == []
    espo = EspoEmulator(profile="vmh-2026-03-23", webhook_period=None)
    (error,) = bad(await findings(tmp_path, espo), Severity.ERROR)
    assert error.startswith("field CAdvowareAkten.aiFreigabe: does not exist")


def _without(entity: str, field: str) -> Callable[[World], None]:
    return lambda world: world.entity(entity).fields.__delitem__(field)


def _with(entity: str, field: str, definition: Field) -> Callable[[World], None]:
    return lambda world: world.entity(entity).fields.__setitem__(field, definition)


def _denied(entity: str, action: str, level: str) -> Callable[[World], None]:
    def deny(world: World) -> None:
        granted = world.api_user.access[entity]
        assert isinstance(granted, dict)
        granted[action] = level

    return deny


def _hidden(entity: str) -> Callable[[World], None]:
    return lambda world: world.api_user.access.__delitem__(entity)


def _shorter(world: World) -> None:
    fields = world.entity("Document").fields
    fields["xaiSyncedHash"] = replace(fields["xaiSyncedHash"], max_length=32)


@pytest.mark.parametrize(
    ("spoil", "severity", "word"),
    [
        (_without("Document", "xaiFileId"), Severity.ERROR, "field Document.xaiFileId: does not exist"),
        (_without("Document", "sync_usn"), Severity.WARNING, "field Document.sync_usn: does not exist"),
        (_without("CAkten", "aiFreigabe"), Severity.ERROR, "field CAkten.aiFreigabe: does not exist"),
        (_with("CAkten", "aiFreigabe", Field(type="varchar")), Severity.ERROR, "is of type varchar, needed is bool"),
        (_without("CAIKnowledge", "aiFreigabe"), Severity.WARNING, "field CAIKnowledge.aiFreigabe"),
        (_without("CAIKnowledge", "datenbankId"), Severity.ERROR, "links to collections"),
        (_with("Document", "preview", Field(type="varchar")), Severity.ERROR, "is of type varchar"),
        (
            _with("Document", "dateiStatus", Field(type="enum", options=("Neu", "Gesynct"))),
            Severity.ERROR,
            "lacks the options Geändert, Fehler",
        ),
        (_shorter, Severity.ERROR, "holds 32 characters, needed are 64"),
        (_denied("Document", "edit", "no"), Severity.ERROR, "right to edit Document: is missing"),
        (_denied("CAIKnowledge", "edit", "no"), Severity.WARNING, "right to edit CAIKnowledge: is missing"),
        (_denied("CAIKnowledge", "read", "own"), Severity.WARNING, "covers only own"),
        (_hidden("CAkten"), Severity.ERROR, "entity CAkten: does not exist, or the API user's role hides it"),
        (_hidden("Webhook"), Severity.WARNING, "webhooks: cannot be listed"),
    ],
)
async def test_each_mistake_in_the_set_up_is_found(
    tmp_path: Path, spoil: Callable[[World], None], severity: Severity, word: str
) -> None:
    espo = EspoEmulator(webhook_period=None)
    spoil(espo.world)
    assert any(word in line for line in bad(await findings(tmp_path, espo), severity))


async def test_an_entity_that_does_not_exist_is_named(tmp_path: Path) -> None:
    found = await findings(tmp_path, EspoEmulator(webhook_period=None), names={"document": {"entity": "CDokumente"}})
    assert any("entity CDokumente" in line for line in bad(found, Severity.ERROR))


async def test_a_page_size_above_the_servers_limit_is_found(tmp_path: Path) -> None:
    espo = EspoEmulator(webhook_period=None)
    espo.world.settings["recordListMaxSizeLimit"] = 50
    found = await findings(tmp_path, espo, page_size=50)
    assert not any("page size" in line for line in bad(found, Severity.ERROR))
    async with connected(tmp_path, espo, page_size=200) as at:
        with pytest.raises(Exception, match="should not exceed 50"):
            [each async for each in at.catalog.ids()]
        espo.world.settings["recordListMaxSizeLimit"] = 50
        assert any("limit of 50" in each.message for each in await at.ports.check())


def _hook(world: World, event: str, *, active: bool = True) -> str:
    """A webhook of ours, as the API user would have made it."""
    url = f"http://docsyncd.example/vmh/webhook/document/{event}"
    identifier = world.create(
        "Webhook", user=world.api_user, event=f"Document.{event}", url=url, isActive=active, skipOwn=True
    )
    world.store.get("Webhook", identifier).attributes["userId"] = world.api_user.id
    return identifier


async def test_webhooks_missing_inactive_doubled_and_unknown_are_found(tmp_path: Path) -> None:
    espo = EspoEmulator(webhook_period=None)
    known = _hook(espo.world, "create")
    _hook(espo.world, "create")
    _hook(espo.world, "update", active=False)
    (tmp_path / "secret").write_text("x" * 32, encoding="utf-8")
    secrets = {"secrets": [{"id": known, "secret": {"file": str(tmp_path / "secret")}}]}
    lines = bad(await findings(tmp_path, espo, webhooks=secrets), Severity.WARNING)
    assert any("Document.create: exists 2 times" in line for line in lines)
    assert sum("secret that is not configured" in line for line in lines) == 1
    assert any("Document.update: is inactive" in line for line in lines)
    assert any("Document.delete: is missing" in line for line in lines)


async def test_three_good_webhooks_are_said_to_be_good(tmp_path: Path) -> None:
    espo = EspoEmulator(webhook_period=None)
    (tmp_path / "secret").write_text("x" * 32, encoding="utf-8")
    secrets = [
        {"id": _hook(espo.world, event), "secret": {"file": str(tmp_path / "secret")}}
        for event in ("create", "update", "delete")
    ]
    found = await findings(tmp_path, espo, webhooks={"secrets": secrets})
    assert [each.severity for each in found if each.subject.startswith("webhook")] == [Severity.OK] * 3
