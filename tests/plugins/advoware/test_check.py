"""What start-up and `doctor` hear about a firm's Advoware."""

from __future__ import annotations

from typing import Any

import pytest

from docsyncd.api import Finding, Severity
from docsyncd.testing.emulation import Fault, on
from docsyncd_advoware.emulator import Behaviour
from tests.plugins.advoware.emulated import NUMBER, Emulated, emulated


async def findings(advoware: Emulated) -> dict[str, Finding]:
    found = await advoware.ports.check()
    assert all(finding.fix for finding in found if finding.severity is not Severity.OK)
    return {finding.subject: finding for finding in found}


async def severities(advoware: Emulated) -> dict[str, Severity]:
    return {subject: finding.severity for subject, finding in (await findings(advoware)).items()}


async def test_a_firm_that_is_well_set_up_has_nothing_to_mend() -> None:
    async with emulated(sample="004711") as advoware:
        advoware.world.add_document(NUMBER, "Klage.pdf")
        found = await findings(advoware)
        assert {finding.severity for finding in found.values()} == {Severity.OK}
        assert found.keys() == {"token", "clock", "Swagger file", "ablage", "History"}
        assert "GET, POST" in found["Swagger file"].message


async def test_checking_changes_nothing() -> None:
    async with emulated(sample=NUMBER) as advoware:
        await advoware.ports.check()
        methods = {(request.method, request.role) for request in advoware.emulator.requests.all()}
        assert methods == {("GET", "configurator_url"), ("POST", "security_gateway"), ("GET", "base_url")}


@pytest.mark.parametrize(
    ("behaviour", "settings", "severity"),
    [
        (Behaviour(licensed=False), {}, Severity.ERROR),
        (Behaviour(), {"user": "fremd"}, Severity.ERROR),
        (Behaviour(), {"kanzlei": "fremd"}, Severity.WARNING),
        (Behaviour(), {"discovery": {"configurator_url": "http://127.0.0.1:9/"}}, Severity.WARNING),
    ],
)
async def test_a_wrong_account_refuses_the_start_and_being_away_does_not(
    behaviour: Behaviour, settings: dict[str, Any], severity: Severity
) -> None:
    async with emulated(behaviour, **settings) as advoware:
        assert (await findings(advoware))["token"].severity is severity


async def test_a_firm_that_is_offline_is_no_reason_not_to_start() -> None:
    async with emulated() as advoware:
        advoware.world.go_offline()
        assert (await findings(advoware))["token"].severity is Severity.WARNING


@pytest.mark.parametrize(
    ("ahead", "severity"),
    [(0, Severity.OK), (110, Severity.OK), (-200, Severity.WARNING), (290, Severity.WARNING), (400, Severity.ERROR)],
)
async def test_a_wrong_clock_is_named_with_its_seconds(ahead: float, severity: Severity) -> None:
    async with emulated(Behaviour(clock_ahead=ahead)) as advoware:
        assert (await findings(advoware))["clock"].severity is severity


async def test_without_rules_no_file_belongs_to_the_history_and_that_is_said() -> None:
    async with emulated(files={"rules": []}, sample=NUMBER) as advoware:
        advoware.world.add_document(NUMBER, "Müller.pdf")
        found = await findings(advoware)
        assert found["files.rules"].severity is Severity.WARNING
        assert found["History"].severity is Severity.WARNING
        assert "drive T:" in found["History"].fix
        assert "Müller" not in str(found)


async def test_ablage_that_cannot_be_read_is_described() -> None:
    for ablage, words in (("missing", "is missing"), ("null", "is null")):
        async with emulated(Behaviour(ablage=ablage), sample=NUMBER) as advoware:  # type: ignore[arg-type]
            finding = (await findings(advoware))["ablage"]
            assert finding.severity is Severity.WARNING
            assert words in finding.message


async def test_a_sample_that_is_not_understood_is_an_error() -> None:
    async with emulated(Behaviour(search_filters=False), sample="1") as advoware:
        assert (await findings(advoware))["sample Akte"].severity is Severity.ERROR


async def test_keys_that_are_not_used_are_listed_so_that_none_is_overlooked() -> None:
    async with emulated(sample=NUMBER, fields={"kind": ["sorte"]}) as advoware:
        advoware.world.add_call(NUMBER, "Anruf")
        message = (await findings(advoware))["History"].message
        assert "keys not used: adr, art, rowId" in message
        assert "Anruf" not in message


async def test_a_swagger_file_that_is_not_reachable_matters_only_to_who_compares_it() -> None:
    quiet = Behaviour(has_swagger=False)
    async with emulated(quiet) as advoware:
        assert (await severities(advoware))["Swagger file"] is Severity.OK
    async with emulated(quiet, writes={"swagger": "0" * 64}) as advoware:
        assert (await severities(advoware))["Swagger file"] is Severity.WARNING


async def test_another_version_is_named_and_so_are_paths_that_it_does_not_have() -> None:
    async with emulated(writes={"swagger": "0" * 64}) as advoware:
        assert "has changed" in (await findings(advoware))["Swagger file"].message
    async with emulated(paths={"history": "/api/v1/Akten/{id}/Historie"}) as advoware:
        assert "nothing at paths.history" in (await findings(advoware))["Swagger file"].message
    async with emulated() as advoware:
        advoware.emulator.faults.add(Fault(match=on("GET", "/swagger"), times=None, status=200, body=b"<html>"))
        assert (await findings(advoware))["Swagger file"].severity is Severity.OK
