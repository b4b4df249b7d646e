"""What start-up and `doctor` hear about an xAI account."""

from __future__ import annotations

import json

from docsyncd.api import Severity
from docsyncd.testing.emulation import Fault, on
from docsyncd_xai.emulator import Behaviour
from tests.plugins.xai.emulated import Emulated, emulated


async def findings(xai: Emulated) -> dict[str, Severity]:
    found = await xai.ports.check()
    assert all(finding.fix for finding in found if finding.severity is not Severity.OK)
    return {finding.subject: finding.severity for finding in found}


async def test_a_good_account_has_nothing_to_mend() -> None:
    async with emulated() as xai:
        assert await findings(xai) == {"api_key": Severity.OK, "management_key": Severity.OK}


async def test_each_wrong_key_is_named() -> None:
    async with emulated(api_key="wrong") as xai:
        assert await findings(xai) == {"api_key": Severity.ERROR, "management_key": Severity.OK}
    async with emulated(management_key="wrong") as xai:
        assert await findings(xai) == {"api_key": Severity.OK, "management_key": Severity.ERROR}


async def test_zero_data_retention_refuses_the_start() -> None:
    async with emulated(Behaviour(zero_data_retention=True)) as xai:
        assert (await findings(xai))["zero data retention"] is Severity.ERROR


async def test_a_blocked_key_is_an_error_though_it_answers() -> None:
    async with emulated() as xai:
        body = json.dumps({"team_blocked": False, "api_key_blocked": True}).encode()
        xai.emulator.faults.add(Fault(match=on("GET", "/v1/api-key"), status=200, body=body))
        assert (await findings(xai))["api_key"] is Severity.ERROR


async def test_being_away_is_no_reason_not_to_start() -> None:
    async with emulated(files_url="http://127.0.0.1:9", management_url="http://127.0.0.1:9") as xai:
        assert await findings(xai) == {"api_key": Severity.WARNING, "management_key": Severity.WARNING}
