"""Webhook records, what is told to whom, and the request byte for byte."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest

from docsyncd_espocrm.emulator import EspoEmulator
from docsyncd_espocrm.emulator.signing import signature_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.plugins.espocrm.emulator.conftest import Client, JumpingClock, Receiver


async def told(espo: EspoEmulator) -> list[Mapping[str, Any]]:
    return [item for delivery in await espo.deliver() for item in delivery.items]


async def test_creating_a_webhook_answers_201_with_the_secret(call: Client, receiver: Receiver) -> None:
    answer = await call("POST", "Webhook", {"event": "Document.create", "url": receiver.url("c")})
    assert answer.status == 201
    made = answer.json
    assert len(made["secretKey"]) == 32
    assert (made["isActive"], made["skipOwn"], made["entityType"], made["type"]) == (True, False, "Document", "create")
    assert made["field"] is None
    assert made["modifiedByName"] is None
    assert (await call("GET", f"Webhook/{made['id']}")).json["secretKey"] == made["secretKey"]


async def test_an_api_user_lists_only_its_own_webhooks(
    call: Client, espo: EspoEmulator, receiver: Receiver, admin: Mapping[str, str]
) -> None:
    mine = await receiver.subscribe(call, "Document.create")
    call.key = espo.world.add_user("other").api_key
    foreign = await receiver.subscribe(call, "Document.create")
    call.key = espo.api_key
    listed = (await call("GET", "Webhook?select=id,event,url,secretKey,skipOwn,isActive")).json
    assert [each["id"] for each in listed["list"]] == [mine]
    assert (await call("DELETE", f"Webhook/{foreign}")).status == 403
    assert (await call("GET", "Webhook", headers=admin, anonymous=True)).json["total"] == 2


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("Document.relate", 400),
        ("Nothing.create", 400),
        ("Document.fieldUpdate", 400),
        ("Document.fieldUpdate.nothing", 400),
        ("", 400),
        ("Attachment.create", 403),
        ("Document.fieldUpdate.file", 201),
    ],
)
async def test_what_can_be_subscribed(call: Client, receiver: Receiver, event: str, status: int) -> None:
    assert (await call("POST", "Webhook", {"event": event, "url": receiver.url("x")})).status == status


async def test_without_the_scope_or_read_access_nothing_can_be_subscribed(
    call: Client, espo: EspoEmulator, receiver: Receiver, admin: Mapping[str, str]
) -> None:
    body = {"event": "CAkten.update", "url": receiver.url("x")}
    espo.world.api_user.access.pop("CAkten")
    refused = await call("POST", "Webhook", body)
    assert (refused.status, refused.reason) == (403, "Entity type is forbidden.")
    espo.world.api_user.access.pop("Webhook")
    assert (await call("POST", "Webhook", body | {"event": "Document.update"})).status == 403
    assert (await call("POST", "Webhook", body, headers=admin, anonymous=True)).status == 201


async def test_fifty_webhooks_are_enough_for_one_user(call: Client, receiver: Receiver) -> None:
    for _ in range(50):
        await receiver.subscribe(call, "Document.create")
    assert (await call("POST", "Webhook", {"event": "Document.create", "url": receiver.url("x")})).status == 403


async def test_the_event_of_a_webhook_stays_what_it_is(call: Client, receiver: Receiver) -> None:
    webhook = await receiver.subscribe(call, "Document.create")
    body = {"event": "Document.delete", "url": receiver.url("new"), "isActive": False, "skipOwn": True}
    answer = (await call("PUT", f"Webhook/{webhook}", body)).json
    assert (answer["event"], answer["url"]) == ("Document.create", receiver.url("new"))
    assert (answer["isActive"], answer["skipOwn"]) == (False, True)
    assert (await call("DELETE", f"Webhook/{webhook}")).json is True
    assert (await call("GET", "Webhook")).json["total"] == 0


async def test_skip_own_without_a_user_is_switched_off_without_a_word(
    call: Client, espo: EspoEmulator, receiver: Receiver, admin: Mapping[str, str]
) -> None:
    body = {"event": "Document.create", "url": receiver.url("x"), "skipOwn": True}
    alone = await call("POST", "Webhook", body, headers=admin, anonymous=True)
    assert alone.json["skipOwn"] is False
    owned = await call("POST", "Webhook", body | {"userId": espo.world.api_user.id}, headers=admin, anonymous=True)
    assert owned.json["skipOwn"] is True


async def test_a_private_address_is_refused_unless_it_is_allowed(call: Client, espo: EspoEmulator) -> None:
    espo.webhook_settings.allowed_addresses = set()
    espo.webhook_settings.allow("127.0.0.1:8080")
    body = {"event": "Document.create"}
    for url in ("http://127.0.0.1:8081/x", "http://10.0.0.5/x", "http://localhost/x"):
        refused = await call("POST", "Webhook", body | {"url": url})
        assert refused.status == 400
        assert refused.reason == "Field validation failure; entityType: Webhook, field: url, type: notInternal."
    assert (await call("POST", "Webhook", body | {"url": "http://127.0.0.1:8080/x"})).status == 201


@pytest.mark.parametrize(("dialect", "status"), [("9.3", 201), ("10", 400)])
async def test_a_bad_url_is_noticed_at_creation_only_by_10(
    clock: JumpingClock, serve_client: Any, dialect: Any, status: int
) -> None:
    espo = EspoEmulator(webhook_period=None, clock=clock, dialect=dialect)
    async with serve_client(espo) as call:
        assert (await call("POST", "Webhook", {"event": "Document.create", "url": "nonsense"})).status == status
        espo.world.add_document("a.pdf", b"x")
        assert [(each.status, each.outcome) for each in await espo.deliver()] in ([(0, "dropped")], [])


def test_the_reference_vector_is_signed_byte_for_byte() -> None:
    body = (
        rb'[{"id":"6b01d4530895917aa","name":"Vertrag M\u00fcller","deleted":false,"status":"Active",'
        rb'"publishDate":"2026-11-21","createdAt":"2026-11-21 17:26:43","modifiedAt":"2026-11-21 17:26:43",'
        rb'"dateiStatus":null,"md5":"x","xaiCollections":["c1","c2"],"xaiSyncStatus":"no_sync","fileStatus":"new",'
        rb'"syncStatus":"no_sync","fileId":"6b01d452f2b7af711","fileName":"Vertrag M\u00fcller.pdf",'
        rb'"createdById":"6b01d43601fb0e58a"}]'
    )
    assert len(body) == 413
    assert signature_headers("6b01d452cf2575ea9", "85e2a27ad2931a82f4d6760c00210e56", body) == {
        "Signature": (
            "NmIwMWQ0NTJjZjI1NzVlYTk6YTlmNTIxZGE4NTA5YjA5Mjk0NjcwMDJmMjNmMzE0ZjM2MzljNTk5NDYwNzE0ZGQyOTg2YWU4M2UyNTM5ZGY2NQ=="
        ),
        "X-Signature": "NmIwMWQ0NTJjZjI1NzVlYTk6qfUh2oUJsJKUZwAvI/MU82OcWZRgcU3SmGroPiU532U=",
    }


@pytest.mark.parametrize(
    ("dialect", "names"),
    [
        ("9.3", ["Host", "Accept", "Content-Type", "Content-Length", "Signature", "X-Signature"]),
        ("10", ["Host", "User-Agent", "Content-Type", "Signature", "X-Signature", "Content-Length"]),
    ],
)
async def test_a_request_has_exactly_these_headers_in_this_order(
    clock: JumpingClock, serve_client: Any, receiver: Receiver, dialect: Any, names: list[str]
) -> None:
    espo = EspoEmulator(webhook_period=None, clock=clock, dialect=dialect)
    async with serve_client(espo) as call:
        webhook = await receiver.subscribe(call, "Document.create")
        secret = espo.world.record("Webhook", webhook)["secretKey"]
        espo.world.add_document("a/Müller.pdf", b"x")
        await espo.deliver()
    (post,) = receiver.posts
    assert [name for name, _ in post.headers] == names
    assert b"a\\/M\\u00fcller.pdf" in post.body
    assert json.loads(post.body)[0]["name"] == "a/Müller.pdf"
    digest = hmac.new(secret.encode(), post.body, hashlib.sha256)
    signatures = {name: base64.b64decode(value) for name, value in post.headers if name.endswith("Signature")}
    assert signatures["Signature"] == f"{webhook}:{digest.hexdigest()}".encode()
    assert signatures["X-Signature"] == f"{webhook}:".encode() + digest.digest()


async def test_a_body_above_a_megabyte_asks_before_it_is_sent(
    call: Client, espo: EspoEmulator, receiver: Receiver
) -> None:
    await receiver.subscribe(call, "Document.create")
    espo.world.add_document("a.pdf", b"x", description="x" * 1_500_000)
    assert [each.outcome for each in await espo.deliver()] == ["delivered"]
    assert ("Expect", "100-continue") in receiver.posts[0].headers


async def test_a_create_tells_what_is_set_and_the_file(call: Client, espo: EspoEmulator, receiver: Receiver) -> None:
    await receiver.subscribe(call, "Document.create")
    document = await call.document("Vertrag", dateiStatus=None, md5="x")
    (item,) = await told(espo)
    record = espo.world.record("Document", document)
    assert list(item) == [
        *("id", "name", "deleted", "status", "publishDate", "createdAt", "modifiedAt", "dateiStatus", "md5"),
        *("createdById", "fileId", "fileName"),
    ]
    assert (item["dateiStatus"], item["fileId"], item["fileName"]) == (None, record["fileId"], "Vertrag.pdf")


async def test_an_update_tells_only_what_changed_and_who_did_it_the_first_time(
    call: Client, espo: EspoEmulator, receiver: Receiver
) -> None:
    await receiver.subscribe(call, "Document.update")
    document = espo.world.add_document("a.pdf", b"x", md5="1")
    await call("PUT", f"Document/{document}", {"md5": "2", "sha": None, "lastSync": "2026-11-21 12:13"})
    await call("PUT", f"Document/{document}", {"md5": "3"})
    first, second = await told(espo)
    assert first == {
        "md5": "2",
        "lastSync": "2026-11-21 12:13",
        "modifiedById": espo.world.api_user.id,
        "modifiedByName": "docsyncd",
        "id": document,
    }
    assert second == {"md5": "3", "id": document}


async def test_an_update_of_nothing_tells_nothing(call: Client, espo: EspoEmulator, receiver: Receiver) -> None:
    await receiver.subscribe(call, "Document.update")
    document = espo.world.add_document("a.pdf", b"x", md5="1")
    await call("PUT", f"Document/{document}", {"md5": "1"})
    assert await told(espo) == []


async def test_ids_that_cannot_be_stored_tell_only_who_tried(
    call: Client, espo: EspoEmulator, receiver: Receiver
) -> None:
    await receiver.subscribe(call, "Document.update")
    document = espo.world.add_document("a.pdf", b"x")
    await call("PUT", f"Document/{document}", {"cAIKnowledgesIds": ["x"]})
    (item,) = await told(espo)
    assert item.keys() == {"modifiedById", "modifiedByName", "id"}


async def test_a_field_update_of_the_file_tells_id_and_name_and_not_at_creation(
    call: Client, espo: EspoEmulator, receiver: Receiver
) -> None:
    await receiver.subscribe(call, "Document.fieldUpdate.file")
    document = espo.world.add_document("a.pdf", b"x")
    espo.world.update("Document", document, md5="1")
    espo.world.update("Document", document, file=("v2.pdf", b"y"))
    (item,) = await told(espo)
    assert list(item.items()) == [
        ("id", document),
        ("fileId", espo.world.record("Document", document)["fileId"]),
        ("fileName", "v2.pdf"),
    ]


async def test_a_delete_tells_the_id_and_a_restore_nothing(
    call: Client, espo: EspoEmulator, receiver: Receiver
) -> None:
    for event in ("create", "update", "delete"):
        await receiver.subscribe(call, f"Document.{event}")
    document = espo.world.add_document("a.pdf", b"x")
    await espo.deliver()
    espo.world.delete("Document", document)
    espo.world.restore("Document", document)
    assert await told(espo) == [{"id": document}]


async def test_nothing_is_told_of_the_time_before_a_webhook_or_while_it_is_off(
    call: Client, espo: EspoEmulator, receiver: Receiver
) -> None:
    espo.world.add_document("before.pdf", b"x")
    webhook = await receiver.subscribe(call, "Document.create")
    await call("PUT", f"Webhook/{webhook}", {"isActive": False})
    espo.world.add_document("meanwhile.pdf", b"x")
    await call("PUT", f"Webhook/{webhook}", {"isActive": True})
    espo.world.add_document("after.pdf", b"x")
    assert [item["name"] for item in await told(espo)] == ["after.pdf"]


async def test_two_equal_webhooks_tell_everything_twice(call: Client, espo: EspoEmulator, receiver: Receiver) -> None:
    for _ in range(2):
        await receiver.subscribe(call, "Document.create")
    espo.world.add_document("a.pdf", b"x")
    assert [each.outcome for each in await espo.deliver()] == ["delivered", "delivered"]


async def test_skip_own_keeps_our_own_writes_to_ourselves(call: Client, espo: EspoEmulator, receiver: Receiver) -> None:
    webhook = await receiver.subscribe(call, "Document.update")
    document = espo.world.add_document("a.pdf", b"x")
    await call("PUT", f"Document/{document}", {"md5": "1"})
    assert len(await told(espo)) == 1
    await call("PUT", f"Webhook/{webhook}", {"skipOwn": True})
    await call("PUT", f"Document/{document}", {"md5": "2"})
    espo.world.update("Document", document, sha="3")
    (item,) = await told(espo)
    assert item["sha"] == "3"
