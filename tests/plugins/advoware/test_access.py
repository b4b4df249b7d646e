"""Addresses and tokens: where they come from, when they are renewed, and who is stopped by what."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from docsyncd.api import CredentialsRefused, ProtocolViolation, Unavailable
from docsyncd.testing.emulation import Fault, on
from docsyncd.testing.host import HandClock
from docsyncd_advoware.emulator import Behaviour
from tests.plugins.advoware.emulated import NUMBER, emulated

URL = "/AdvonetConfigurator/api/Url"
TOKEN = "/api/v1/Token"


async def test_the_connector_s_own_address_is_used_and_the_relay_only_without_it() -> None:
    for has_connector, relayed in ((True, 0), (False, 3)):
        async with emulated(Behaviour(has_connector=has_connector)) as advoware:
            await advoware.journal.entries(NUMBER)
            assert (advoware.asked("/relay/"), advoware.asked("/Akten")) == (relayed, 3)


async def test_addresses_and_token_are_asked_for_once() -> None:
    async with emulated() as advoware:
        for _ in range(3):
            await advoware.journal.archived(NUMBER)
        assert (advoware.asked(URL), advoware.asked(TOKEN)) == (1, 1)


async def test_addresses_are_asked_for_again_after_their_time() -> None:
    clock = HandClock()
    async with emulated(clock=clock, discovery={"ttl": 600}) as advoware:
        await advoware.journal.archived(NUMBER)
        clock.pass_by(599)
        await advoware.journal.archived(NUMBER)
        assert advoware.asked(URL) == 1
        clock.pass_by(1)
        await advoware.journal.archived(NUMBER)
        assert advoware.asked(URL) == 2


async def test_known_addresses_outlive_an_outage_of_the_configurator() -> None:
    clock = HandClock()
    async with emulated(clock=clock, discovery={"ttl": 600}) as advoware:
        await advoware.journal.archived(NUMBER)
        advoware.emulator.faults.add(Fault(match=on("GET", URL), times=None, status=503))
        clock.pass_by(601)
        await advoware.journal.archived(NUMBER)
        clock.pass_by(299)
        asked = advoware.asked(URL)
        await advoware.journal.archived(NUMBER)
        assert advoware.asked(URL) == asked


async def test_a_firm_that_cannot_be_reached_may_have_moved() -> None:
    async with emulated() as advoware:
        await advoware.journal.archived(NUMBER)
        advoware.emulator.faults.add(Fault(match=on("GET", "/Akten/"), status=503, headers={"Retry-After": "1"}))
        with pytest.raises(Unavailable):
            await advoware.journal.archived(NUMBER)
        advoware.reset_breaker()
        await advoware.journal.archived(NUMBER)
        assert advoware.asked(URL) == 2


async def test_configured_addresses_need_no_configurator() -> None:
    async with emulated() as firm:
        firm.world.add_document(NUMBER, "Klage.pdf")
        overrides = {"base_url": firm.url("base_url") + "/", "security_gateway": firm.url("security_gateway")}
        async with emulated(discovery=overrides) as other:
            assert len(await other.journal.entries(NUMBER)) == 1
            assert other.emulator.requests.all() == ()
        assert firm.asked(URL) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Wartung</html>",
        b"[]",
        b"{}",
        json.dumps({"relayUrl": None, "connectorUrl": "", "securityGateway": "https://g.example"}).encode(),
        json.dumps({"relayUrl": "https://r.example", "connectorUrl": None, "securityGateway": None}).encode(),
    ],
)
async def test_a_configurator_that_names_no_address_is_away_and_blames_no_akte(body: bytes) -> None:
    async with emulated() as advoware:
        advoware.emulator.faults.add(Fault(match=on("GET", URL), times=None, status=200, body=body))
        with pytest.raises(Unavailable, match="configurator") as away:
            await advoware.journal.entries(NUMBER)
        assert str(away.value).count("advoware: ") == 1
        assert advoware.ports.transports[0].breaker.reason is not None
        assert advoware.asked(TOKEN) == 0


async def test_an_address_without_tls_is_not_believed() -> None:
    async with emulated(discovery={"allow_http": False}) as advoware:
        with pytest.raises(Unavailable, match="without TLS"):
            await advoware.journal.entries(NUMBER)
        assert advoware.asked(TOKEN) == 0


async def test_an_unknown_kanzlei_has_no_address() -> None:
    async with emulated(kanzlei="fremd") as advoware:
        with pytest.raises(Unavailable, match="names no address"):
            await advoware.journal.entries(NUMBER)


@pytest.mark.parametrize(("lifetime", "seconds"), [("expiration_utc", 3180), ("expires_in", 3180), ("none", 2880)])
async def test_a_token_is_renewed_before_its_end(lifetime: Any, seconds: int) -> None:
    clock = HandClock()
    async with emulated(Behaviour(lifetime=lifetime), clock=clock) as advoware:
        await advoware.journal.archived(NUMBER)
        clock.pass_by(seconds - 1)
        await advoware.journal.archived(NUMBER)
        assert advoware.asked(TOKEN) == 1
        clock.pass_by(1)
        await advoware.journal.archived(NUMBER)
        assert advoware.asked(TOKEN) == 2


async def test_a_short_lived_token_is_used_for_half_its_life() -> None:
    clock = HandClock()
    async with emulated(Behaviour(token_seconds=60), clock=clock) as advoware:
        await advoware.journal.archived(NUMBER)
        clock.pass_by(29)
        await advoware.journal.archived(NUMBER)
        assert advoware.asked(TOKEN) == 1


async def test_a_token_that_ended_early_is_renewed_once_for_all_requests() -> None:
    async with emulated() as advoware:
        await advoware.journal.archived(NUMBER)
        advoware.world.expire_tokens()
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(advoware.journal.archived, NUMBER)
        assert advoware.asked(TOKEN) == 2
        assert [request.status for request in advoware.emulator.requests.all()].count(401) <= advoware.config.parallel


async def test_a_401_that_comes_late_does_not_cost_the_fresh_token() -> None:
    async with emulated() as advoware:
        await advoware.journal.archived(NUMBER)
        advoware.world.expire_tokens()

        async def until_renewed(_request: object) -> None:
            with anyio.fail_after(5):
                while True:
                    if advoware.world.tokens:
                        return
                    await anyio.sleep(0.01)

        advoware.emulator.faults.add(Fault(match=on("GET", "/Akten/"), skip=1, before=until_renewed))
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(advoware.ports.transports[0].health)
        assert [request.status for request in advoware.emulator.requests.all()].count(401) == 2
        assert advoware.asked(TOKEN) == 2


async def test_the_first_requests_wait_for_one_token() -> None:
    async with emulated() as advoware:
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(advoware.journal.entries, NUMBER)
        assert (advoware.asked(URL), advoware.asked(TOKEN)) == (1, 1)


async def test_a_fresh_token_that_is_refused_stops_the_connection() -> None:
    async with emulated() as advoware:
        advoware.emulator.faults.add(Fault(match=on("GET", "/Akten"), times=None, status=401))
        with pytest.raises(CredentialsRefused):
            await advoware.journal.entries(NUMBER)
        assert (advoware.asked(TOKEN), advoware.asked("/Akten")) == (2, 2)
        with pytest.raises(CredentialsRefused, match="not asked"):
            await advoware.journal.entries(NUMBER)
        assert advoware.asked("/Akten") == 2


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"app_id": "fremd"}, "not enabled"),
        ({"database": "fremd"}, "unbekannt"),
        ({"user": "fremd"}, "Falscher Name"),
        ({"auth": {"product": 1}}, "not enabled"),
    ],
)
async def test_an_account_that_is_wrong_is_tried_once(settings: dict[str, Any], reason: str) -> None:
    async with emulated(**settings) as advoware:
        for _ in range(3):
            with pytest.raises(CredentialsRefused, match=reason):
                await advoware.journal.entries(NUMBER)
        assert advoware.asked(TOKEN) == 1


async def test_an_app_that_is_not_enabled_for_the_kanzlei_needs_a_person() -> None:
    async with emulated(Behaviour(licensed=False)) as advoware:
        with pytest.raises(CredentialsRefused, match="freigeschaltet"):
            await advoware.journal.entries(NUMBER)


async def test_a_firm_that_is_offline_is_away_and_comes_back_by_itself() -> None:
    async with emulated() as advoware:
        advoware.world.go_offline()
        with pytest.raises(Unavailable, match="ist nicht angemeldet") as away:
            await advoware.journal.entries(NUMBER)
        assert away.value.retry_after == 70
        assert not isinstance(away.value, CredentialsRefused)
        with pytest.raises(Unavailable):
            await advoware.ports.transports[0].health()
        advoware.world.go_online()
        await advoware.ports.transports[0].health()
        advoware.reset_breaker()
        assert list(await advoware.journal.entries(NUMBER)) == []


@pytest.mark.parametrize("status", [200, 400, 403, 404, 500, 503])
async def test_a_firm_that_goes_offline_in_between_is_away_whatever_the_status(status: int) -> None:
    async with emulated(Behaviour(offline_status=status)) as advoware:
        advoware.world.add_document(NUMBER, "Klage.pdf")
        assert len(await advoware.journal.entries(NUMBER)) == 1
        advoware.world.go_offline()
        with pytest.raises(Unavailable, match=r"offline|ist nicht angemeldet"):
            await advoware.journal.entries(NUMBER)
        assert advoware.ports.transports[0].breaker.reason is not None


@pytest.mark.parametrize("body", [b"<html>Wartung</html>", b"[]", b"{}"])
async def test_a_gateway_that_talks_nonsense_is_away(body: bytes) -> None:
    async with emulated() as advoware:
        advoware.emulator.faults.add(Fault(match=on("POST", TOKEN), times=None, status=200, body=body))
        with pytest.raises(Unavailable) as away:
            await advoware.journal.entries(NUMBER)
        assert not isinstance(away.value, CredentialsRefused | ProtocolViolation)


async def test_each_attempt_has_a_nonce_of_its_own() -> None:
    async with emulated() as advoware:
        advoware.emulator.faults.add(Fault(match=on("POST", TOKEN), status=503, effect=True))
        await advoware.journal.entries(NUMBER)
        assert len(advoware.world.nonces) == 2


@pytest.mark.parametrize("ahead", [-4000.0, 4000.0])
async def test_a_wrong_clock_is_corrected_by_the_server_s(ahead: float) -> None:
    async with emulated(Behaviour(clock_ahead=ahead)) as advoware:
        assert list(await advoware.journal.entries(NUMBER)) == []
        assert advoware.asked(TOKEN) == 1


async def test_a_gateway_that_alone_knows_the_time_is_asked_twice() -> None:
    async with emulated(Behaviour(clock_ahead=4000)) as advoware:
        configurator = json.dumps(
            {
                "relayUrl": advoware.url("base_url"),
                "securityGateway": advoware.url("security_gateway"),
            }
        )
        advoware.emulator.faults.add(Fault(match=on("GET", URL), status=200, body=configurator.encode()))
        assert list(await advoware.journal.entries(NUMBER)) == []
        assert advoware.asked(TOKEN) == 2


async def test_a_clock_that_is_not_to_be_corrected_is_not() -> None:
    async with emulated(Behaviour(clock_ahead=4000), auth={"correct_clock": False}) as advoware:
        with pytest.raises(CredentialsRefused):
            await advoware.journal.entries(NUMBER)
        assert advoware.asked(TOKEN) == 1


async def test_no_secret_is_in_what_people_see() -> None:
    async with emulated(password={"file": None, "env": "PATH"}) as advoware:
        with pytest.raises(CredentialsRefused) as refused:
            await advoware.journal.entries(NUMBER)
        shown = f"{refused.value!r} {advoware.config!r} {advoware.ports!r} {advoware.ports.transports[0].settings!r}"
        assert advoware.world.secrets["api_key"] not in shown
        assert "/usr/bin" not in shown
