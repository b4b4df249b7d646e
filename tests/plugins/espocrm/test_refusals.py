"""What EspoCRM's and its proxies' refusals mean to the worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from docsyncd.api import (
    Catalog,
    CredentialsRefused,
    DocumentId,
    PreconditionFailed,
    ProtocolViolation,
    Rejected,
    Reply,
    RequestFailed,
    Unavailable,
)
from docsyncd.secrets import Secret
from docsyncd.testing.emulation import Fault, on
from docsyncd.testing.host import HandClock, PlainHost
from docsyncd_espocrm.client import connect
from docsyncd_espocrm.config import EspoConfig
from docsyncd_espocrm.emulator import EspoEmulator
from docsyncd_espocrm.rest import Missing, classify, explain
from tests.plugins.espocrm.connected import connected


def reply(status: int, *, reason: str | None = None, body: bytes = b"", path: str = "/Document/x") -> Reply:
    headers = {} if reason is None else {"X-Status-Reason": reason}
    return Reply(status, headers, body, "GET", path)


async def test_a_wrong_key_is_tried_once_and_locks_nobody_out(tmp_path: Path) -> None:
    async with connected(tmp_path, key="f" * 32) as at:
        with pytest.raises(CredentialsRefused):
            await at.catalog.document(DocumentId("abc"))
        async with anyio.create_task_group() as group:
            for _attempt in range(20):
                group.start_soon(_refused, at.catalog.document(DocumentId("abc")))
        assert len(at.espo.requests.all()) == 1
        assert at.transport.breaker.refused_credentials


async def _refused(asked: Awaitable[object]) -> None:
    with pytest.raises(CredentialsRefused):
        await asked


async def test_parallel_requests_with_a_wrong_key_stay_below_the_lock_out(tmp_path: Path) -> None:
    async with connected(tmp_path, key="f" * 32) as at:
        async with anyio.create_task_group() as group:
            for number in range(30):
                group.start_soon(_refused, at.catalog.document(DocumentId(f"abc{number}")))
        assert len(at.espo.requests.all()) <= at.config.parallel


async def test_a_lock_out_is_not_taken_for_a_refusal_of_this_document(tmp_path: Path) -> None:
    espo = EspoEmulator(webhook_period=None)
    async with connected(tmp_path, espo) as at:
        document = at.world.add_document("Klage.pdf", b"%PDF-1.4")
        espo.faults.add(Fault(match=on("*"), status=403, times=None))
        with pytest.raises(Unavailable, match="lock out") as refused:
            await at.catalog.document(DocumentId(document))
        assert refused.value.retry_after is not None
        assert refused.value.retry_after > 60
        assert at.transport.breaker.reason is not None


async def test_eleven_strangers_lock_us_out_for_a_minute_and_then_it_is_over(tmp_path: Path) -> None:
    clock = HandClock()
    espo = EspoEmulator(webhook_period=None, clock=clock)
    async with connected(tmp_path, espo) as at:
        document = at.world.add_document("Klage.pdf", b"%PDF-1.4")
        await at.read(document)
        for _attempt in range(11):
            with pytest.raises(CredentialsRefused):
                async with stranger(at.config, tmp_path) as catalog:
                    await catalog.document(DocumentId(document))
        with pytest.raises(Unavailable):
            await at.catalog.document(DocumentId(document))
        clock.pass_by(61)
        await at.transport.health()
        at.transport.breaker.reset()
        assert (await at.read(document)).name == "Klage.pdf"


@asynccontextmanager
async def stranger(config: EspoConfig, folder: Path) -> AsyncIterator[Catalog]:
    """Somebody else behind the same address, with a key that is wrong."""
    (folder / "wrong").write_text("f" * 32, encoding="utf-8")
    wrong = config.model_copy(update={"api_key": Secret(file=folder / "wrong")})
    async with connect("stranger", wrong, PlainHost()) as ports:
        assert ports.catalog is not None
        yield ports.catalog


async def test_a_single_refusal_without_words_parks_one_document_and_opens_no_breaker(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = at.world.add_document("Klage.pdf", b"%PDF-1.4")
        at.espo.faults.add(Fault(match=on("GET", f"/Document/{document}"), status=403, times=None))
        with pytest.raises(Rejected, match="403"):
            await at.catalog.document(DocumentId(document))
        assert at.transport.breaker.reason is None


async def test_a_proxys_404_is_not_a_deletion(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = at.world.add_document("Klage.pdf", b"%PDF-1.4")
        page = b"<html><title>404 Not Found</title></html>"
        fault = Fault(match=on("GET", f"/Document/{document}"), status=404, body=page, times=None)
        at.espo.faults.add(fault)
        with pytest.raises(ProtocolViolation, match="proxy"):
            await at.catalog.document(DocumentId(document))
        at.espo.faults.add(Fault(match=on("*"), status=404, body=page, times=None))
        with pytest.raises(Unavailable):
            await at.catalog.document(DocumentId(document))


async def test_a_login_page_in_front_is_not_an_empty_answer(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        at.world.add_document("Klage.pdf", b"%PDF-1.4")
        at.espo.faults.add(Fault(match=on("GET", "/Document"), status=200, body=b"<html>Bitte anmelden</html>"))
        with pytest.raises(ProtocolViolation, match="not JSON"):
            [each async for each in at.catalog.ids()]


async def test_maintenance_opens_the_breaker(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        at.espo.faults.add(Fault(match=on("*"), status=503, headers={"Retry-After": "30"}, times=None))
        with pytest.raises(Unavailable):
            await at.catalog.document(DocumentId("abc"))
        assert at.transport.breaker.reason is not None


async def test_a_500_on_one_document_is_that_documents_own(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = at.world.add_document("Klage.pdf", b"%PDF-1.4")
        at.espo.faults.add(Fault(match=on("GET", f"/Document/{document}"), status=500, times=None))
        with pytest.raises(RequestFailed):
            await at.catalog.document(DocumentId(document))
        assert at.transport.breaker.reason is None


async def test_an_id_that_is_a_path_is_never_sent(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        for hostile in ("../User/1", "a/b", "..", "", "a?x=1"):
            with pytest.raises(Rejected):
                await at.catalog.document(DocumentId(hostile))
        assert at.espo.requests.all() == ()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(404, reason="Record 6b01 does not exist."), Missing),
        (reply(404, reason="Controller 'CFoo' does not exist."), type(None)),
        (reply(404, reason=""), type(None)),
        (reply(409, reason="modified", body=b'{"values":{}}'), PreconditionFailed),
        (reply(409, reason="duplicate"), type(None)),
        (reply(400, reason="Field validation failure"), type(None)),
        (reply(403, reason="No read access."), type(None)),
        (reply(403, body=b"<html>WAF</html>"), type(None)),
        (reply(413, body=b"<html>nginx</html>"), Rejected),
        (reply(403, path="/"), Unavailable),
    ],
)
def test_each_refusal_has_one_meaning(answer: Reply, kind: type) -> None:
    found = classify("espocrm", answer)
    assert type(found) is kind


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(403, reason="Kein Zugriff auf Müller\udcff"), "Kein Zugriff auf Müller\ufffd"),
        (reply(400, body=b'{"messageTranslation":{"label":"validationFailure"}}'), '{"label": "validationFailure"}'),
        (reply(502, body=b"<html><style>x{}</style><h1>Bad&nbsp;Gateway</h1></html>"), "Bad Gateway"),
        (reply(500), ""),
    ],
)
def test_the_reason_is_said_in_words(answer: Reply, words: str) -> None:
    assert explain(answer) == words
