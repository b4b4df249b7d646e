"""Who gets in, and what a wrong key does to everybody."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docsyncd_espocrm.emulator import EspoEmulator
    from tests.plugins.espocrm.emulator.conftest import Client, JumpingClock


async def test_an_api_key_opens_the_door(call: Client) -> None:
    answer = await call("GET", "")
    assert (answer.status, answer.json) == (200, "EspoCRM REST API")
    assert int(answer.headers["X-App-Timestamp"]) > 0


async def test_a_401_is_empty_and_says_text_html(call: Client) -> None:
    wrong = await call("GET", "Document", headers={"X-Api-Key": "wrong"}, anonymous=True)
    assert (wrong.status, wrong.body) == (401, b"")
    assert wrong.headers["Content-Type"].startswith("text/html")
    assert "WWW-Authenticate" not in wrong.headers


async def test_only_a_401_without_credentials_asks_for_them_and_not_for_a_post(call: Client) -> None:
    assert (await call("GET", "Document", anonymous=True)).headers["WWW-Authenticate"] == 'Basic realm=""'
    assert "WWW-Authenticate" not in (await call("POST", "Document", {}, anonymous=True)).headers


async def test_the_eleventh_denial_locks_out_good_keys_until_a_minute_has_passed(
    call: Client, clock: JumpingClock
) -> None:
    for _ in range(11):
        assert (await call("GET", "", headers={"X-Api-Key": "wrong"}, anonymous=True)).status == 401
    locked = await call("GET", "")
    assert (locked.status, locked.body, locked.reason) == (403, b"", None)
    clock.jump(61)
    assert (await call("GET", "")).status == 200


@pytest.mark.parametrize(
    ("signed", "raw", "status"),
    [
        ("GET /Document", False, 200),
        ("GET /Document", True, 200),
        ("GET /Document?maxSize=1", False, 401),
        ("GET Document", False, 401),
        ("GET /api/v1/Document", False, 401),
    ],
)
async def test_hmac_covers_the_method_and_the_bare_path(
    call: Client, espo: EspoEmulator, signed: str, raw: bool, status: int
) -> None:
    user = espo.world.add_user("signer", hmac=True)
    digest = hmac.new(user.secret_key.encode(), signed.encode(), hashlib.sha256)
    value = digest.digest() if raw else digest.hexdigest().encode()
    header = base64.b64encode(user.api_key.encode() + b":" + value).decode()
    answer = await call("GET", "Document?maxSize=1", headers={"X-Hmac-Authorization": header}, anonymous=True)
    assert answer.status == status


async def test_an_api_key_wins_over_basic_and_loses_to_espo_authorization(
    call: Client, admin: Mapping[str, str]
) -> None:
    plain = await call("GET", "App/user", headers=admin)
    assert plain.json["user"]["userName"] == "docsyncd"
    espo = await call("GET", "App/user", headers={"Espo-Authorization": admin["Authorization"].removeprefix("Basic ")})
    assert espo.json["user"]["userName"] == "admin"


async def test_a_person_gets_a_token_that_serves_as_password(call: Client, admin: Mapping[str, str]) -> None:
    token = (await call("GET", "App/user", headers=admin, anonymous=True)).json["token"]
    credentials = base64.b64encode(f"admin:{token}".encode()).decode()
    answer = await call("GET", "App/user", headers={"Espo-Authorization": credentials}, anonymous=True)
    assert answer.json["user"]["userName"] == "admin"
    assert (await call("GET", "App/user")).json["token"] is None


async def test_a_role_switches_webhooks_on_with_a_boolean_only(call: Client, admin: Mapping[str, str]) -> None:
    levels = {"create": "yes", "read": "all", "edit": "all", "delete": "all"}
    body = {"name": "docsyncd", "data": {"Document": levels, "Webhook": levels}}
    refused = await call("POST", "Role", body, headers=admin, anonymous=True)
    assert (refused.status, refused.reason) == (400, "Bad data. Value for *Webhook* should be be boolean.")


async def test_an_administrator_creates_an_api_user_whose_key_works_at_once(
    call: Client, admin: Mapping[str, str]
) -> None:
    levels = {"create": "yes", "read": "all", "edit": "all", "delete": "no"}
    role = await call("POST", "Role", {"name": "r", "data": {"Document": levels}}, headers=admin, anonymous=True)
    body = {
        "userName": "second",
        "lastName": "Second",
        "type": "api",
        "authMethod": "ApiKey",
        "rolesIds": [role.json["id"]],
    }
    user = await call("POST", "User", body, headers=admin, anonymous=True)
    assert "secretKey" not in user.json
    document = await call.document("Vertrag")
    call.key = user.json["apiKey"]
    assert (await call("GET", f"Document/{document}")).status == 200
    assert (await call("DELETE", f"Document/{document}")).status == 403
    assert (await call("GET", "CAkten")).status == 403
    assert (await call("POST", "User", body)).status == 403
