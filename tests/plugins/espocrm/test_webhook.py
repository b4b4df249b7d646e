"""Which webhooks are believed, and what their bodies say."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from docsyncd.api import ConfigError, Decoded, SignatureRefused
from docsyncd.secrets import Secret
from docsyncd.testing.emulation import serve
from docsyncd_espocrm.config import EspoConfig
from docsyncd_espocrm.emulator import EspoEmulator
from docsyncd_espocrm.rest import is_identifier
from docsyncd_espocrm.webhook import decode, webhooks
from tests.plugins.espocrm.connected import connected

WEBHOOK = "6b01d452cf2575ea9"
KEY = b"85e2a27ad2931a82f4d6760c00210e56"
OTHER = b"00000000000000000000000000000000"
BODY = (
    rb'[{"id":"6b01d4530895917aa","name":"Vertrag M\u00fcller","deleted":false,"status":"Active",'
    rb'"publishDate":"2026-11-21","createdAt":"2026-11-21 17:26:43","modifiedAt":"2026-11-21 17:26:43","dateiStatus":null,'
    rb'"md5":"x","xaiCollections":["c1","c2"],"xaiSyncStatus":"no_sync","fileStatus":"new","syncStatus":"no_sync",'
    rb'"fileId":"6b01d452f2b7af711","fileName":"Vertrag M\u00fcller.pdf","createdById":"6b01d43601fb0e58a"}]'
)
SIGNATURE = (
    "NmIwMWQ0NTJjZjI1NzVlYTk6YTlmNTIxZGE4NTA5YjA5Mjk0NjcwMDJmMjNmMzE0ZjM2MzljNTk5NDYwNzE0ZGQyOTg2YWU4M2UyNTM5ZGY2NQ=="
)
LEGACY = "NmIwMWQ0NTJjZjI1NzVlYTk6qfUh2oUJsJKUZwAvI/MU82OcWZRgcU3SmGroPiU532U="
"""The reference's own test vector (reference/espocrm.md, 1.4)."""


def signed(body: bytes, *, key: bytes = KEY, webhook: str = WEBHOOK) -> dict[str, str]:
    digest = hmac.new(key, body, hashlib.sha256).hexdigest()
    return {"signature": base64.b64encode(f"{webhook}:{digest}".encode()).decode()}


def read(body: bytes, headers: dict[str, str] | None = None, *, keys: tuple[bytes, ...] = (KEY,)) -> Decoded:
    given = signed(body) if headers is None else headers
    return decode({WEBHOOK: keys}, "vmh.document.create", given, body)


def keys_of(decoded: Decoded) -> list[str]:
    return [str(notice.key) for notice in decoded.notices]


@pytest.mark.parametrize(
    "headers",
    [{"signature": SIGNATURE}, {"x-signature": LEGACY}, {"signature": SIGNATURE, "x-signature": LEGACY}],
    ids=["current", "legacy", "both"],
)
def test_a_recorded_request_is_believed_by_either_header(headers: dict[str, str]) -> None:
    assert len(BODY) == 413
    decoded = read(BODY, headers)
    assert keys_of(decoded) == ["doc:6b01d4530895917aa"]
    assert [(notice.topic, notice.deep) for notice in decoded.notices] == [("vmh.document.create", False)]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"signature": ""},
        {"signature": "%%%"},
        {"signature": base64.b64encode(b"no colon at all").decode()},
        {"signature": base64.b64encode(WEBHOOK.encode() + b":abc").decode()},
        {"signature": base64.b64encode(WEBHOOK.encode() + b":" + b"zz" * 32).decode()},
        {"x-signature": base64.b64encode(b"\xff\xfe:" + b"x" * 32).decode()},
        {"signature": LEGACY},
        {"x-signature": SIGNATURE},
        signed(BODY, key=OTHER),
        signed(BODY, webhook="ffffffffffffffff0"),
        signed(BODY + b"\n"),
        {"signature": "Ünicode"},
    ],
)
def test_what_no_secret_of_ours_signed_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureRefused):
        read(BODY, headers)


def test_no_secret_refuses_everything() -> None:
    with pytest.raises(SignatureRefused):
        read(BODY, {"signature": SIGNATURE}, keys=())


def test_the_previous_secret_still_counts() -> None:
    assert keys_of(read(BODY, {"signature": SIGNATURE}, keys=(OTHER, KEY))) == ["doc:6b01d4530895917aa"]


def test_a_raw_digest_may_hold_colons() -> None:
    body = next(
        body
        for body in (json.dumps([{"id": str(number)}]).encode() for number in range(1000))
        if b":" in hmac.digest(KEY, body, "sha256")
    )
    raw = WEBHOOK.encode() + b":" + hmac.digest(KEY, body, "sha256")
    assert len(read(body, {"x-signature": base64.b64encode(raw).decode()}).notices) == 1


def test_a_batch_becomes_one_notice_per_document() -> None:
    items: list[object] = [{"id": f"doc{number % 10}", "md5": str(number)} for number in range(48)]
    decoded = read(json.dumps([*items, {"name": "no id"}, {"id": ""}]).encode())
    assert keys_of(decoded) == [f"doc:doc{number}" for number in range(10)]
    assert decoded.skipped == 2
    assert not decoded.malformed


def test_a_single_object_is_a_batch_of_one() -> None:
    assert keys_of(read(b'{"id":"abc"}')) == ["doc:abc"]


def test_a_numeric_id_is_an_id() -> None:
    assert keys_of(read(b'[{"id":4711}]')) == ["doc:4711"]


@pytest.mark.parametrize("item", [None, 1, "x", [], {}, {"id": None}, {"id": True}, {"id": "../x"}, {"id": "a b"}])
def test_an_item_without_usable_id_is_skipped_and_counted(item: object) -> None:
    decoded = read(json.dumps([item, {"id": "good"}]).encode())
    assert keys_of(decoded) == ["doc:good"]
    assert decoded.skipped == 1


@pytest.mark.parametrize("body", [b"", b"\xff", b"[{", b"null", b'"text"', b"17", b"[" * 100_000])
def test_a_signed_body_that_cannot_be_decoded_says_so(body: bytes) -> None:
    assert read(body) == Decoded(malformed=True)


@given(body=st.binary(max_size=200), claimed=st.binary(max_size=120))
def test_no_request_from_outside_gets_further_than_its_signature(body: bytes, claimed: bytes) -> None:
    header = base64.b64encode(claimed).decode()
    with pytest.raises(SignatureRefused):
        read(body, {"signature": header, "x-signature": header})


@given(
    items=st.lists(
        st.recursive(st.none() | st.integers() | st.text(), st.lists) | st.dictionaries(st.text(), st.text())
    )
)
def test_every_item_of_a_signed_batch_is_either_noticed_or_counted(items: list[object]) -> None:
    decoded = read(json.dumps(items).encode())
    named = [str(item["id"]) for item in items if isinstance(item, dict) and is_identifier(item.get("id", ""))]
    assert keys_of(decoded) == [f"doc:{each}" for each in dict.fromkeys(named)]
    assert decoded.skipped == len(items) - len(named)
    assert not decoded.malformed


async def test_what_espocrm_sends_is_understood(tmp_path: Path) -> None:
    """The emulator's own job posts to a listener that does nothing but decode."""
    espo = EspoEmulator(webhook_period=None)
    received: list[tuple[str, Decoded]] = []
    secrets: dict[str, list[bytes]] = {}

    async def listen(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        topic = f"vmh.document.{request.match_info['event']}"
        received.append((topic, decode(secrets, topic, headers, await request.read())))
        return web.Response()

    listener = web.Application()
    listener.add_routes([web.post("/vmh/webhook/document/{event}", listen)])
    async with connected(tmp_path, espo) as at, serve(listener) as address, aiohttp.ClientSession() as session:
        for event in ("create", "update", "delete"):
            hook = {"event": f"Document.{event}", "url": f"{address}/vmh/webhook/document/{event}"}
            async with session.post(
                f"{at.config.api_url}/Webhook", json=hook, headers={"X-Api-Key": espo.api_key}
            ) as answer:
                record = await answer.json()
                secrets[record["id"]] = [record["secretKey"].encode()]
        documents = [at.world.add_document(f"Klage {number}.pdf", b"%PDF-1.4") for number in range(3)]
        for _time in range(2):
            at.world.update("Document", documents[0], name=f"Klage {_time} neu")
        at.world.delete("Document", documents[2])
        await espo.deliver()
    noticed = {topic: keys_of(decoded) for topic, decoded in received}
    assert noticed == {
        "vmh.document.create": [f"doc:{each}" for each in documents],
        "vmh.document.update": [f"doc:{documents[0]}"],
        "vmh.document.delete": [f"doc:{documents[2]}"],
    }


def test_the_configured_urls_have_one_topic_each(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(KEY)
    config = EspoConfig.model_validate(
        {
            "url": "https://crm.example",
            "api_key": Secret(env="UNSET"),
            "webhooks": {"secrets": [{"id": WEBHOOK, "secret": {"file": str(tmp_path / "secret")}}]},
        }
    )
    declared = {webhook.path: webhook for webhook in webhooks(config)}
    assert {path: webhook.topic for path, webhook in declared.items()} == {
        f"/vmh/webhook/document/{event}": f"vmh.document.{event}" for event in ("create", "update", "delete")
    }
    decoded = declared["/vmh/webhook/document/delete"].decode({"signature": SIGNATURE}, BODY)
    assert [notice.topic for notice in decoded.notices] == ["vmh.document.delete"]


def test_declaring_webhooks_needs_no_secret_and_using_them_names_the_missing_one() -> None:
    config = EspoConfig.model_validate(
        {
            "url": "https://crm.example",
            "api_key": {"env": "UNSET"},
            "webhooks": {"secrets": [{"id": WEBHOOK, "secret": {"file": "/nonexistent/secret"}}]},
        }
    )
    first, *_rest = webhooks(config)
    with pytest.raises(ConfigError) as refused:
        first.decode({"signature": SIGNATURE}, BODY)
    assert "webhooks.secrets.0.secret" in refused.value.key
