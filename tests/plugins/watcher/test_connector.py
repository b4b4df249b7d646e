"""How the connector presents itself: its table, its level, who the watcher is, and its self-check."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from docsyncd import registry
from docsyncd.api import CredentialsRefused, Finding, ProtocolViolation, RequestFailed, Severity
from docsyncd.config import bind, read_settings
from docsyncd.testing.emulation import Fault, on
from docsyncd.testing.host import HandClock
from docsyncd.testing.stage import ReplicaStage
from docsyncd_watcher.config import WatcherConfig
from docsyncd_watcher.emulator import TOKEN as TOKEN_VALUE
from docsyncd_watcher.emulator import Behaviour, WatcherEmulator
from tests.plugins.watcher.connected import AKTE, Connected, basic, connected

TOKEN: dict[str, Any] = {"token": {"env": "ADVOWARE_WATCHER_AUTH_TOKEN"}}


def test_it_is_found_by_its_entry_point() -> None:
    connector = registry.load().connectors["watcher"]
    assert connector.offers == {"replica", "feed"}
    assert isinstance(connector.emulator(), WatcherEmulator)


def test_a_configuration_with_it_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "docsyncd.toml"
    path.write_text(
        """
        [connectors.espocrm]
        type = "espocrm"
        url = "https://crm.example"
        api_key = { env = "ESPOCRM_API_KEY" }
        [connectors.xai]
        type = "xai"
        api_key = { env = "XAI_API_KEY" }
        management_key = { env = "XAI_MANAGEMENT_KEY" }
        [connectors.fileserver]
        type = "watcher"
        token = { env = "ADVOWARE_WATCHER_AUTH_TOKEN" }
        keys = { usn = ["usnNummer"] }
        """,
        encoding="utf-8",
    )
    config = bind(read_settings(path), registry.load().connectors, path).connections["fileserver"].config
    assert isinstance(config, WatcherConfig)
    assert config.keys.usn == ("usnNummer",)
    assert config.url == "http://localhost:8765"


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "localhost:8765"},
        {"modified_zone": "Mitteleuropa"},
        {"level": "best"},
        {"keys": {"usn": []}},
        {"pending_set": ""},
        {"parallel": 0},
        {"tokn": "x"},
    ],
)
def test_a_wrong_table_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WatcherConfig(**{**TOKEN, **wrong})


async def test_the_feed_is_the_seed_s_set_unless_another_is_named() -> None:
    async with connected() as at:
        assert at.ports.feed is not None
        assert at.ports.feed.source == "advoware:pending_aktennummern"
    async with connected(pending_set="kanzlei:faellig") as at:
        assert at.ports.feed is not None
        assert at.ports.feed.source == "kanzlei:faellig"


@pytest.mark.parametrize(
    ("behaviour", "level", "guard"), [(basic(), "basic", "checked"), (Behaviour(), "extended", "enforced")]
)
async def test_the_level_is_found_out_and_logged_once(behaviour: Behaviour, level: str, guard: str) -> None:
    async with connected(behaviour) as at:
        at.world.open_case_file(AKTE)
        with capture_logs() as logs:
            await at.scan()
            await at.scan()
        found = [(log["protocol"], log["guard"]) for log in logs if log["event"] == "watcher.level"]
        assert found == [(level, guard)]
        assert at.emulator.requests.verbs().count("GET /capabilities") == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(match=on("GET", "/capabilities"), times=None, status=200, body=b"<html>Willkommen"),
        Fault(match=on("GET", "/capabilities"), times=None, status=200, body=b'{"protocol": "other", "version": 1}'),
        Fault(match=on("GET", "/capabilities"), times=None, status=405),
    ],
    ids=["a page", "another protocol", "405"],
)
async def test_whatever_does_not_speak_the_protocol_is_of_level_basic(fault: Fault) -> None:
    async with connected(basic(no_folder="empty")) as at:
        at.emulator.faults.add(fault)
        await at.scan()
        assert (await at.ports.check())[-1].message.startswith("level basic, guard=checked")


async def test_a_configured_level_is_not_asked_for() -> None:
    async with connected(basic(no_folder="empty"), level="basic") as at:
        await at.scan()
        assert "GET /capabilities" not in at.emulator.requests.verbs()


async def test_a_demanded_level_refuses_less() -> None:
    async with connected(basic(no_folder="empty"), level="extended") as at:
        with pytest.raises(ProtocolViolation, match="extended"):
            await at.scan()
        assert [finding.severity for finding in await at.ports.check()] == [Severity.ERROR]


async def test_a_watcher_that_learns_the_better_protocol_is_noticed() -> None:
    clock = HandClock()
    behaviour = basic(no_folder="empty")
    async with connected(behaviour, clock=clock) as at:
        assert (await at.scan()).volume is None
        behaviour.level = "extended"
        clock.pass_by(901)
        assert (await at.scan()).volume is not None


async def test_a_watcher_that_forgets_the_better_protocol_is_not_worked_with() -> None:
    clock = HandClock()
    async with connected(clock=clock) as at:
        await at.scan()
        at.emulator.behaviour.level = "basic"
        clock.pass_by(901)
        with pytest.raises(RequestFailed, match="does not any more"):
            await at.scan()
        at.emulator.behaviour.level = "extended"
        assert (await at.scan()).volume is not None


async def test_a_watcher_says_who_it_is_or_is_its_address() -> None:
    async with connected() as at:
        assert await at.ports.instance() == at.emulator.host.instance
    async with connected(basic()) as at:
        assert await at.ports.instance() == at.urls["url"]
    async with connected(basic(), instance="fileserver-2") as at:
        assert await at.ports.instance() == "fileserver-2"


async def findings(at: Connected) -> dict[str, Finding]:
    return {finding.subject: finding for finding in await at.ports.check()}


async def test_the_check_tells_the_level() -> None:
    async with connected() as at:
        found = await findings(at)
        assert found.keys() == {"level"}
        assert (found["level"].severity, found["level"].message) == (Severity.OK, "level extended, guard=enforced")


async def test_a_wrong_token_is_an_error_with_a_way_out() -> None:
    for behaviour in (basic(), Behaviour()):
        async with connected(behaviour, token="old") as at:
            found = await findings(at)
            assert found["watcher"].severity is Severity.ERROR
            assert "token" in found["watcher"].fix
            with pytest.raises(CredentialsRefused):
                await at.scan()


async def test_a_watcher_that_is_away_is_a_warning() -> None:
    async with connected() as at:
        at.emulator.faults.add(Fault(match=on("*"), times=None, status=503))
        assert (await findings(at))["watcher"].severity is Severity.WARNING


async def test_clocks_that_differ_are_a_warning() -> None:
    async with connected(clock=HandClock(datetime(2020, 1, 1, tzinfo=UTC))) as at:
        assert (await findings(at))["clock"].severity is Severity.WARNING


async def test_a_token_over_an_open_line_is_a_warning() -> None:
    """The address is one that nobody may have (RFC 5737)."""
    async with connected(url="http://192.0.2.1:8765", connect_timeout=0.1, attempts=1) as at:
        found = await findings(at)
        assert "unencrypted" in found["url"].message


async def test_the_breaker_closes_again_when_a_basic_watcher_comes_back() -> None:
    """It has no health address: 404 from there is a sign of life."""
    async with connected(basic(no_folder="empty")) as at:
        await at.scan()
        for transport in at.ports.transports:
            await transport.health()


async def test_403_for_everything_is_a_refused_token_and_for_one_file_only_that_file_s_trouble() -> None:
    async with connected(basic()) as at:
        at.world.save(AKTE, "Klage.docx", b"x")
        await at.scan()
        at.emulator.faults.add(Fault(match=on("GET", "/akte-details"), status=403))
        with pytest.raises(RequestFailed, match="403"):
            await at.scan()
        await at.scan()
        at.emulator.faults.add(Fault(match=on("*"), status=403, times=None))
        with pytest.raises(CredentialsRefused):
            await at.scan()


async def test_the_demonstration_can_play_the_file_server(tmp_path: Path) -> None:
    async with connected() as at:
        people = at.emulator.stage
        assert isinstance(people, ReplicaStage)
        people.open_case_file(AKTE)
        people.save(AKTE, "Klage.docx", b"eins")
        people.save(AKTE, "Klage.docx", b"zwei")
        people.rename(AKTE, "Klage.docx", "Klage (2).docx")
        assert people.contents(AKTE) == {"Klage (2).docx": b"zwei"}
        await at.write(b"drei", await at.state("Klage (2).docx"), path="Klage (2).docx")
        assert people.replaced() == [b"zwei"]
        people.delete(AKTE, "Klage (2).docx")
        assert people.contents(AKTE) == {}
        table = dict(people.stage_settings(at.urls, tmp_path))
        assert table.pop("type") == "watcher"
        assert WatcherConfig(**table).token.reveal() == TOKEN_VALUE
