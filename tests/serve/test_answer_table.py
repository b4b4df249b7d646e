"""Every row of the answer table (index-sync.md, Triggers), over a socket."""

from __future__ import annotations

import anyio
import pytest
from prometheus_client import generate_latest

from docsyncd.serve.answers import ANSWERS, Outcome
from docsyncd.serve.counters import NO_TOPIC
from docsyncd.serve.webhooks import ListenerSettings
from tests.serve.listening import (
    AWAY,
    PATH,
    TOPIC,
    WEBHOOK,
    Listener,
    batch,
    eventually,
    listener,
    post,
    signature,
    status,
    words,
)

QUICK = ListenerSettings(max_body=1000, enqueue_deadline=0.2, body_timeout=0.3, drain=0.2)


def test_every_outcome_has_an_answer() -> None:
    assert set(ANSWERS) == set(Outcome)


def test_no_answer_makes_espocrm_drop_an_event_unless_it_was_enqueued_or_will_be_polled() -> None:
    for outcome, answer in ANSWERS.items():
        kept = answer.status in {401, 404, 503} or outcome is Outcome.ACCEPTED or answer.poll
        assert kept, outcome


async def test_a_signed_batch_is_in_the_queue_before_it_is_answered() -> None:
    async with listener() as running:
        answer = await running.say(post(batch("a1", "b2")))
        assert status(answer) == 200
        assert words(answer) == {"status": "accepted", "action": "update", "new_ids_count": 2, "total_ids_in_batch": 2}
        assert running.intake.commits == [["doc:a1", "doc:b2"]]
        assert running.intake.polls == []


async def test_the_same_record_twice_in_a_batch_is_one_key() -> None:
    async with listener() as running:
        answer = await running.say(post(batch("a1", "a1", "a1")))
        assert words(answer) == {"status": "accepted", "action": "update", "new_ids_count": 1, "total_ids_in_batch": 3}
        assert running.intake.commits == [["doc:a1"]]


async def test_items_without_an_id_are_skipped_and_counted() -> None:
    async with listener() as running:
        answer = await running.say(post(b'[{"id": "a1"}, {"name": "no id"}]'))
        assert status(answer) == 200
        assert words(answer)["total_ids_in_batch"] == 2
        assert running.intake.commits == [["doc:a1"]]
        assert running.counters.stats().skipped == 1


async def test_an_empty_batch_is_accepted_without_asking_the_queue() -> None:
    async with listener() as running:
        assert status(await running.say(post(b"[]"))) == 200
        assert running.intake.commits == []


@pytest.mark.parametrize("body", [b"<html>", b'{"id":', b'"text"', b"\xff\xfe", b""], ids=repr)
async def test_a_signed_body_that_cannot_be_decoded_is_taken_and_polled_for(body: bytes) -> None:
    async with listener() as running:
        answer = await running.say(post(body))
        assert status(answer) == 200
        assert running.intake.polls == [TOPIC]
        assert running.counters.stats().requests == {(TOPIC, Outcome.UNDECODABLE): 1}


@pytest.mark.parametrize("signed", ["", "0" * 64, "not-hex", signature(b"another body"), "\xe4\xf6"])
async def test_a_wrong_signature_is_unauthorized_and_nothing_is_queued(signed: str) -> None:
    async with listener() as running:
        assert status(await running.say(post(batch("a1"), signed=signed))) == 401
        assert running.intake.commits == []


async def test_a_missing_signature_is_unauthorized() -> None:
    async with listener() as running:
        request = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"
        assert status(await running.say(request.encode())) == 401


def _says_when_to_come_back(answer: bytes) -> bool:
    return status(answer) == 503 and b"\r\nRetry-After: 30\r\n" in answer


async def test_before_the_first_generation_stands_everything_is_asked_to_come_back() -> None:
    async with listener() as running:
        running.routes = None
        assert _says_when_to_come_back(await running.say(post(batch("a1"))))
        running.routes = {PATH: WEBHOOK}
        assert status(await running.say(post(batch("a1")))) == 200


async def test_a_reload_swaps_the_paths_while_the_port_stays_open() -> None:
    async with listener() as running:
        running.routes = {"/new": WEBHOOK}
        assert status(await running.say(post(batch("a1")))) == 404
        assert status(await running.say(post(batch("a1"), path="/new"))) == 200


async def test_without_its_queue_the_listener_asks_to_come_back() -> None:
    async with listener() as running:
        running.intake.failure = AWAY
        assert _says_when_to_come_back(await running.say(post(batch("a1"))))
        assert running.counters.stats().requests == {(TOPIC, Outcome.QUEUE_AWAY): 1}


async def test_a_queue_that_does_not_confirm_in_time_is_away() -> None:
    async with listener(QUICK) as running:
        running.intake.gate = anyio.Event()
        start = anyio.current_time()
        assert _says_when_to_come_back(await running.say(post(batch("a1"))))
        assert 0.15 < anyio.current_time() - start < 2.0


@pytest.mark.parametrize("failure", [TimeoutError(), RuntimeError("boom")], ids=["time-out", "bug"])
async def test_an_error_of_ours_is_not_the_senders_fault(failure: Exception) -> None:
    async with listener() as running:
        running.intake.failure = failure
        assert _says_when_to_come_back(await running.say(post(batch("a1"))))
        logged = [entry for entry in running.log.entries if entry["event"] == "webhook.failed"]
        assert [entry["exc_info"] for entry in logged] == [failure]


async def test_a_bug_in_a_connector_is_logged_with_its_traceback_and_the_event_comes_back() -> None:
    async with listener() as running:
        assert _says_when_to_come_back(await running.say(post(batch("bug"))))
        assert [entry["event"] for entry in running.log.entries] == ["webhook.failed"]
        assert status(await running.say(post(batch("a1")))) == 200


async def test_more_than_the_limit_in_flight_is_asked_to_come_back() -> None:
    async with listener(ListenerSettings(max_in_flight=2, drain=0.2)) as running:
        running.intake.gate = gate = anyio.Event()
        answers: list[int | None] = []

        async def one(key: str) -> None:
            answers.append(status(await running.say(post(batch(key)))))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one, "a1")
            tasks.start_soon(one, "b2")
            await eventually(lambda: running.counters.in_flight == 2)
            assert _says_when_to_come_back(await running.say(post(batch("c3"))))
            gate.set()
        assert answers == [200, 200]
        assert running.counters.stats().in_flight == 0


async def test_a_body_that_announces_too_much_is_refused_before_it_is_read() -> None:
    async with listener(QUICK) as running:
        answer = await running.say(post(b"x" * 10, length=1001), patience=1.0)
        assert _says_when_to_come_back(answer)
        assert running.intake.polls == [TOPIC]


async def test_a_body_that_grows_too_large_is_refused_where_it_does() -> None:
    async with listener(QUICK) as running:
        chunks = b"".join(b"200\r\n" + b"x" * 512 + b"\r\n" for _ in range(3)) + b"0\r\n\r\n"
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        assert _says_when_to_come_back(await running.say(head.encode() + chunks))
        assert running.intake.polls == [TOPIC]


async def test_the_default_limit_is_16_mib() -> None:
    async with listener() as running:
        largest = b"[" + b" " * (16 * 1024 * 1024 - 2) + b"]"
        assert status(await running.say(post(largest))) == 200
        assert _says_when_to_come_back(await running.say(post(largest + b" ")))
        assert running.intake.polls == [TOPIC]


async def test_strangers_cannot_make_the_daemon_hold_more_than_its_share() -> None:
    async with listener(ListenerSettings(max_held=1500, drain=0.2)) as running:
        async with await anyio.connect_tcp("127.0.0.1", running.port) as slow:
            await slow.send(post(b"x" * 1000, length=1400))
            await eventually(lambda: running.counters.in_flight == 1)
            assert _says_when_to_come_back(await running.say(post(b"x" * 1000)))
        await eventually(lambda: running.counters.in_flight == 0)
        assert status(await running.say(post(b"[" + b" " * 1000 + b"]"))) == 200


async def test_a_body_that_does_not_come_is_waited_for_only_so_long() -> None:
    async with listener(QUICK) as running:
        answer = await running.say(post(b"[", length=20), patience=1.5)
        assert _says_when_to_come_back(answer)
        assert running.counters.stats().requests == {(TOPIC, Outcome.SLOW): 1}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", PATH),
        ("HEAD", PATH),
        ("PUT", PATH),
        ("DELETE", PATH),
        ("OPTIONS", "*"),
        ("POST", "/"),
        ("POST", PATH + "/"),
        ("POST", "/" + PATH),
        ("POST", "/x/.." + PATH),
        ("POST", "/robots.txt"),
    ],
)
async def test_another_path_or_method_is_not_found_and_never_redirected(method: str, path: str) -> None:
    async with listener() as running:
        answer = await running.say(post(batch("a1"), method=method, path=path))
        assert status(answer) == 404
        assert b"Location" not in answer
        assert running.counters.stats().requests == {(NO_TOPIC, Outcome.NOT_FOUND): 1}


async def test_a_query_does_not_change_the_path() -> None:
    async with listener() as running:
        assert status(await running.say(post(batch("a1"), path=PATH + "?from=espo"))) == 200


async def test_the_last_good_event_of_a_topic_is_known() -> None:
    async with listener() as running:
        await running.say(post(batch("a1"), signed="wrong"))
        assert running.counters.stats().last_good == {}
        await running.say(post(batch("a1")))
        assert list(running.counters.stats().last_good) == [TOPIC]
        assert _requests(running) == {Outcome.REFUSED: 1, Outcome.ACCEPTED: 1}


def _requests(running: Listener) -> dict[Outcome, int]:
    return {outcome: count for (_, outcome), count in running.counters.stats().requests.items()}


async def test_prometheus_sees_what_status_sees() -> None:
    async with listener() as running:
        await running.say(post(b'[{"id": "a1"}, {}]'))
        await running.say(post(batch("a1"), signed="wrong"))
        text = generate_latest(running.registry).decode()
    assert f'docsyncd_webhook_requests_total{{outcome="accepted",topic="{TOPIC}"}} 1.0' in text
    assert f'docsyncd_webhook_requests_total{{outcome="refused",topic="{TOPIC}"}} 1.0' in text
    assert f'docsyncd_webhook_last_good_timestamp_seconds{{topic="{TOPIC}"}} 1.' in text
    assert "docsyncd_webhook_skipped_items_total 1.0" in text
    assert "docsyncd_webhook_in_flight 0.0" in text
    assert "docsyncd_webhook_enqueue_seconds_count 1.0" in text


async def test_a_request_under_way_is_answered_when_the_listener_stops() -> None:
    answers: list[bytes] = []
    async with anyio.create_task_group() as tasks, listener(ListenerSettings(drain=2.0)) as running:
        running.intake.gate = gate = anyio.Event()

        async def one() -> None:
            answers.append(await running.say(post(batch("a1"), connection="keep-alive")))

        async def confirm_late() -> None:
            await anyio.sleep(0.2)
            gate.set()

        tasks.start_soon(one)
        await eventually(lambda: running.counters.in_flight == 1)
        tasks.start_soon(confirm_late)
    assert [status(answer) for answer in answers] == [200]
    assert running.intake.commits == [["doc:a1"]]


async def test_a_queue_that_never_confirms_does_not_hold_up_the_end() -> None:
    async with anyio.create_task_group() as tasks, listener(ListenerSettings(drain=0.2)) as running:
        running.intake.gate = anyio.Event()
        tasks.start_soon(running.say, post(batch("a1")))
        await eventually(lambda: running.counters.in_flight == 1)
        start = anyio.current_time()
    assert anyio.current_time() - start < 1.5
    assert running.intake.commits == []
