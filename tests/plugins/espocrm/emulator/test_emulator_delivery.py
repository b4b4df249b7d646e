"""When and in which order webhooks arrive, and which are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from docsyncd_espocrm.emulator import EspoEmulator

if TYPE_CHECKING:
    from tests.plugins.espocrm.emulator.conftest import Client, JumpingClock, Receiver

TEN_MINUTES = 600


async def one_update(call: Client, espo: EspoEmulator, receiver: Receiver) -> str:
    """A document with one update that is told."""
    document = espo.world.add_document("a.pdf", b"x")
    await receiver.subscribe(call, "Document.update")
    espo.world.update("Document", document, md5="1001")
    return document


async def test_a_run_takes_twenty_events_and_sends_them_as_one_array(
    call: Client, espo: EspoEmulator, receiver: Receiver
) -> None:
    await receiver.subscribe(call, "Document.create")
    for number in range(46):
        espo.world.add_document(f"{number}.pdf", b"x")
    sizes = [[len(each.items) for each in await espo.deliver()] for _ in range(4)]
    assert sizes == [[20], [20], [6], []]
    assert [item["name"] for item in receiver.items] == [f"{number}.pdf" for number in range(46)]


async def test_a_batch_holds_fifty_and_several_items_of_one_record(
    call: Client, espo: EspoEmulator, receiver: Receiver
) -> None:
    document = await one_update(call, espo, receiver)
    for number in range(59):
        espo.world.update("Document", document, md5=str(number))
    receiver.statuses = [503]
    espo.webhook_settings.event_portion = 60
    (refused,) = await espo.deliver()
    assert len(refused.items) == 50
    (rest,) = await espo.deliver()
    assert len(rest.items) == 10
    assert {item["id"] for item in receiver.items} == {document}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "delivered"),
        (204, "delivered"),
        (302, "delivered"),
        (401, "retry"),
        (403, "retry"),
        (404, "retry"),
        (405, "retry"),
        (408, "retry"),
        (500, "retry"),
        (503, "retry"),
        (400, "dropped"),
        (409, "dropped"),
        (413, "dropped"),
        (422, "dropped"),
        (429, "dropped"),
        (501, "dropped"),
        (502, "dropped"),
        (504, "dropped"),
    ],
)
async def test_the_answer_decides_between_done_again_and_lost(
    call: Client, espo: EspoEmulator, receiver: Receiver, clock: JumpingClock, status: int, outcome: str
) -> None:
    await one_update(call, espo, receiver)
    receiver.statuses = [status]
    assert [each.outcome for each in await espo.deliver()] == [outcome]
    clock.jump(TEN_MINUTES)
    assert len(await espo.deliver()) == (outcome == "retry")


async def test_a_410_deletes_the_webhook_and_all_that_waits_for_it(
    call: Client, espo: EspoEmulator, receiver: Receiver
) -> None:
    document = await one_update(call, espo, receiver)
    espo.webhook_settings.batch = 1
    espo.world.update("Document", document, md5="1002")
    receiver.statuses = [410]
    assert [each.outcome for each in await espo.deliver()] == ["webhook removed"]
    assert (await call("GET", "Webhook")).json["total"] == 0
    espo.world.update("Document", document, md5="1003")
    assert espo.webhook_job.is_idle


async def test_a_refused_batch_comes_four_times_ten_minutes_apart_and_never_again(
    call: Client, espo: EspoEmulator, receiver: Receiver, clock: JumpingClock
) -> None:
    await one_update(call, espo, receiver)
    receiver.statuses = [503] * 9
    for _ in range(4):
        assert len(await espo.deliver()) == 1
        clock.jump(TEN_MINUTES - 1)
        assert await espo.deliver() == []
        clock.jump(1)
    assert await espo.deliver() == []
    assert len(receiver.posts) == 4


async def test_a_retried_update_arrives_after_a_newer_one(
    call: Client, espo: EspoEmulator, receiver: Receiver, clock: JumpingClock
) -> None:
    document = await one_update(call, espo, receiver)
    receiver.statuses = [503]
    await espo.deliver()
    espo.world.update("Document", document, md5="1002")
    await espo.deliver()
    clock.jump(TEN_MINUTES)
    await espo.deliver()
    assert [post.items[0]["md5"] for post in receiver.posts if post.status == 200] == ["1002", "1001"]


async def test_a_delete_can_overtake_an_update(
    call: Client, espo: EspoEmulator, receiver: Receiver, clock: JumpingClock
) -> None:
    document = await one_update(call, espo, receiver)
    await receiver.subscribe(call, "Document.delete")
    receiver.statuses = [503]
    await espo.deliver()
    espo.world.delete("Document", document)
    await espo.deliver()
    clock.jump(TEN_MINUTES)
    await espo.deliver()
    assert ["md5" in item for item in receiver.items] == [False, True]


@pytest.mark.parametrize(("dialect", "outcome"), [("9.3", "retry"), ("10", "dropped")])
async def test_a_refused_connection_is_tried_again_by_9_3_and_lost_by_10(
    clock: JumpingClock, serve_client: Any, closed_port: int, dialect: Any, outcome: str
) -> None:
    espo = EspoEmulator(webhook_period=None, clock=clock, dialect=dialect)
    async with serve_client(espo) as call:
        await call("POST", "Webhook", {"event": "Document.create", "url": f"http://127.0.0.1:{closed_port}/x"})
        espo.world.add_document("a.pdf", b"x")
        assert [(each.status, each.outcome) for each in await espo.deliver()] == [(0, outcome)]


async def test_a_receiver_that_is_slow_gets_a_duplicate(
    call: Client, espo: EspoEmulator, receiver: Receiver, clock: JumpingClock
) -> None:
    await one_update(call, espo, receiver)
    espo.webhook_settings.timeout = 0.1
    receiver.delays = [0.5]
    assert [(each.status, each.outcome) for each in await espo.deliver()] == [(408, "retry")]
    clock.jump(TEN_MINUTES)
    await espo.deliver()
    assert [post.items[0]["md5"] for post in receiver.posts] == ["1001", "1001"]


async def test_a_name_that_does_not_resolve_loses_the_event_at_once(call: Client, espo: EspoEmulator) -> None:
    await call("POST", "Webhook", {"event": "Document.create", "url": "http://docsyncd.invalid/x"})
    espo.world.add_document("a.pdf", b"x")
    assert [(each.status, each.outcome) for each in await espo.deliver()] == [(0, "dropped")]


async def test_an_address_that_is_no_longer_allowed_loses_the_event_at_once(
    call: Client, espo: EspoEmulator, receiver: Receiver
) -> None:
    await one_update(call, espo, receiver)
    espo.webhook_settings.allowed_addresses = set()
    assert [each.outcome for each in await espo.deliver()] == ["dropped"]
    assert receiver.posts == []


async def test_what_the_user_may_no_longer_read_or_what_is_purged_is_dropped_silently(
    call: Client, espo: EspoEmulator, receiver: Receiver
) -> None:
    document = await one_update(call, espo, receiver)
    levels = espo.world.api_user.access["Document"]
    assert isinstance(levels, dict)
    levels["read"] = "no"
    assert await espo.deliver() == []
    levels["read"] = "all"
    espo.world.update("Document", document, md5="1002")
    espo.world.purge("Document", document)
    assert await espo.deliver() == []
    assert espo.webhook_job.is_idle


async def test_an_inactive_webhook_drops_what_waits(call: Client, espo: EspoEmulator, receiver: Receiver) -> None:
    await one_update(call, espo, receiver)
    webhook = (await call("GET", "Webhook")).json["list"][0]["id"]
    receiver.statuses = [503]
    await espo.deliver()
    await call("PUT", f"Webhook/{webhook}", {"isActive": False})
    espo.webhook_job.items[0].process_at = None
    assert await espo.deliver() == []
    assert espo.webhook_job.is_idle


async def test_a_literal_address_stops_all_webhooks_of_10_when_asked_to(
    clock: JumpingClock, serve_client: Any, receiver: Receiver
) -> None:
    espo = EspoEmulator(webhook_period=None, clock=clock, dialect="10")
    espo.webhook_settings.literal_ip_crashes = True
    async with serve_client(espo) as call:
        await receiver.subscribe(call, "Document.create")
        espo.world.add_document("a.pdf", b"x")
        assert await espo.deliver() == []
        assert not espo.webhook_job.is_idle


async def test_while_served_the_job_runs_by_itself(clock: JumpingClock, serve_client: Any, receiver: Receiver) -> None:
    espo = EspoEmulator(webhook_period=0.02, clock=clock)
    async with serve_client(espo) as call:
        await receiver.subscribe(call, "Document.create")
        espo.world.add_document("a.pdf", b"x")
        with anyio.fail_after(5):
            await receiver.arrived.wait()
    assert receiver.items[0]["name"] == "a.pdf"
