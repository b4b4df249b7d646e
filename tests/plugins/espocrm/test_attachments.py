"""Bytes out of EspoCRM and into it, with everything that can happen on the way."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from docsyncd.api import (
    CorruptContent,
    NotReady,
    OutcomeUnknown,
    Patch,
    PreconditionFailed,
    Rejected,
    RequestFailed,
    Unavailable,
)
from docsyncd.testing.contracts.catalog import webp
from docsyncd.testing.emulation import Fault, on
from docsyncd_espocrm.attachments import Attachments, Upload
from docsyncd_espocrm.rest import Rest
from docsyncd_espocrm.wire import Wire
from tests.plugins.espocrm.connected import Connected, connected

PDF = b"%PDF-1.4\n" + b"x" * 1000


def uploads(at: Connected, *, chunk: int | None = None) -> Attachments:
    rest = Rest(at.transport, page_size=200)
    return Attachments(rest, Wire(at.config.resolved, remote="espocrm"), chunk=chunk)


def upload_of(content: bytes, name: str = "Anlage.pdf") -> Upload:
    async def read(offset: int, length: int) -> bytes:
        return content[offset : offset + length]

    return Upload(
        entity="Document", field="file", name=name, media_type="application/pdf", size=len(content), read=read
    )


async def test_a_partial_file_is_not_downloaded_although_espocrm_would_serve_it(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = at.world.add_document("Scan.pdf", PDF)
        attachment = at.world.record("Document", document)["fileId"]
        at.world.store.get("Attachment", attachment).attributes["isBeingUploaded"] = True
        start = at.espo.requests.last
        with pytest.raises(NotReady) as waiting:
            await at.content(await at.read(document))
        assert waiting.value.retry_after > 0
        assert not any("/file/" in line for line in at.requests_since(start))


async def test_a_file_that_is_shorter_than_its_record_says_is_corrupt(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = at.world.add_document("Scan.pdf", PDF)
        attachment = at.world.record("Document", document)["fileId"]
        at.world.store.get("Attachment", attachment).attributes["size"] = len(PDF) + 1
        with pytest.raises(CorruptContent, match=str(len(PDF) + 1)):
            await at.content(await at.read(document))


async def test_a_file_that_is_longer_than_its_record_says_is_corrupt(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = at.world.add_document("Scan.pdf", PDF)
        attachment = at.world.record("Document", document)["fileId"]
        at.world.store.get("Attachment", attachment).attributes["size"] = 10
        with pytest.raises(CorruptContent):
            await at.content(await at.read(document))


async def test_a_file_replaced_between_the_record_and_the_bytes_is_planned_again(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Vertrag.pdf", PDF))

        async def somebody_replaces(_request: object) -> None:
            at.world.update("Document", document.id, file=("Vertrag v2.pdf", PDF * 2))

        at.espo.faults.add(Fault(match=on("GET", "/Attachment/file/"), before=somebody_replaces))
        with pytest.raises(PreconditionFailed, match="replaced"):
            await at.content(document)
        assert await at.content(await at.read(document.id)) == PDF * 2


async def test_a_document_deleted_while_its_bytes_are_asked_for_is_planned_again(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Vertrag.pdf", PDF, user=at.world.api_user))
        at.world.store.remove_attachment(document.file.attachment if document.file else "")
        at.world.delete("Document", document.id)
        with pytest.raises(PreconditionFailed, match="gone"):
            await at.content(document)


async def test_a_file_that_somebody_deleted_under_the_document_is_said_to_be(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Vertrag.pdf", PDF))
        at.world.store.remove_attachment(document.file.attachment if document.file else "")
        with pytest.raises(Rejected, match="does not exist"):
            await at.content(await at.read(document.id))


async def test_the_file_of_a_deleted_document_is_refused_and_means_that_it_is_gone(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Vertrag.pdf", PDF))
        at.world.delete("Document", document.id)
        with pytest.raises(PreconditionFailed, match="gone"):
            await at.content(document)
        assert [each.status for each in at.espo.requests.all() if "/Attachment/" in each.path] == [403]


async def test_a_file_that_we_may_not_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Vertrag.pdf", PDF))
        headers = {"X-Status-Reason": "No read access."}
        at.espo.faults.add(Fault(match=on("GET", "/Attachment/"), status=403, headers=headers))
        with pytest.raises(Rejected, match="No read access"):
            await at.content(document)
        assert at.transport.breaker.reason is None


async def test_what_the_reader_raises_is_not_taken_for_espocrms(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Vertrag.pdf", PDF))

        async def read_and_refuse() -> None:
            async with at.catalog.open(document):
                at.world.delete("Document", document.id)
                raise Rejected("too large", remote="xai")

        with pytest.raises(Rejected, match="too large"):
            await read_and_refuse()


async def test_a_file_whose_name_has_a_newline_fails_alone(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        poisoned = await at.read(at.world.add_document("a\nb.pdf", PDF))
        healthy = await at.read(at.world.add_document("c.pdf", PDF))
        with pytest.raises(Rejected):
            await at.content(poisoned)
        assert at.transport.breaker.reason is None
        assert await at.content(healthy) == PDF


async def test_a_download_that_stalls_in_the_middle_is_not_a_file(tmp_path: Path) -> None:
    async with connected(tmp_path, read_timeout=0.5) as at:
        document = await at.read(at.world.add_document("Film.pdf", PDF))
        headers = {"Content-Length": str(len(PDF))}
        at.espo.faults.add(Fault(match=on("GET", "/Attachment/file/"), status=200, headers=headers, body=PDF[:100]))
        with pytest.raises(RequestFailed, match="broke off in the body"):
            await at.content(document)


async def test_a_small_file_is_stored_in_one_request(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        start = at.espo.requests.last
        attachment = await uploads(at).upload(upload_of(PDF))
        assert at.requests_since(start) == ["GET /App/user", "POST /Attachment"]
        assert at.world.file(attachment) == PDF


async def test_a_large_file_is_stored_in_order_chunk_by_chunk(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    async with connected(tmp_path) as at:
        start = at.espo.requests.last
        attachment = await uploads(at, chunk=100_000).upload(upload_of(content))
        path = f"/Attachment/chunk/{attachment}"
        assert at.requests_since(start) == ["POST /Attachment", *[f"POST {path}"] * 3, f"GET /Attachment/{attachment}"]
        assert at.world.file(attachment) == content


async def test_a_chunk_whose_answer_was_lost_is_never_sent_again(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    async with connected(tmp_path) as at:
        at.espo.faults.add(Fault(match=on("POST", "/chunk/"), skip=1, cut=True, effect=True))
        attachment = await uploads(at, chunk=100_000).upload(upload_of(content))
        assert at.world.file(attachment) == content
        assert len([each for each in at.espo.requests.verbs() if each.endswith("/Attachment")]) == 2


async def test_an_upload_that_never_gets_an_answer_is_given_up(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        at.espo.faults.add(Fault(match=on("POST", "/Attachment"), cut=True, effect=True, times=None))
        with pytest.raises(OutcomeUnknown):
            await uploads(at, chunk=100_000).upload(upload_of(PDF))
        assert len([each for each in at.espo.requests.verbs() if each.endswith("/Attachment")]) == 3


async def test_a_refused_type_is_refused_in_espocrms_words(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        with pytest.raises(Rejected, match="Not allowed file type"):
            await uploads(at).upload(upload_of(PDF, name="Programm.exe"))


async def test_what_arrives_as_another_size_is_not_used(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        body = b'{"id":"6b01d452f2b7af711","size":0,"isBeingUploaded":false}'
        at.espo.faults.add(Fault(match=on("POST", "/Attachment"), status=200, body=body))
        with pytest.raises(CorruptContent, match="0 bytes"):
            await uploads(at, chunk=100_000).upload(upload_of(PDF))


async def test_espocrm_away_ends_an_upload_at_once(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        at.espo.faults.add(Fault(match=on("*"), status=503, times=None))
        with pytest.raises(Unavailable):
            await uploads(at, chunk=100_000).upload(upload_of(PDF))


async def test_a_new_preview_takes_the_old_ones_place_and_its_bytes_with_it(tmp_path: Path) -> None:
    async with connected(tmp_path) as at:
        document = await at.read(at.world.add_document("Brief.pdf", PDF))
        first = await at.catalog.attach_preview(document, webp(), expect=None)
        shown = await at.catalog.save(document, Patch(values={"preview": first}), expect=None)
        second = await at.catalog.attach_preview(shown, webp(), expect=None)
        again = await at.catalog.save(shown, Patch(values={"preview": second}), expect=None)
        assert again.preview == second
        assert not at.world.exists("Attachment", first)
        assert at.world.file(second) == webp()


async def test_without_a_preview_field_none_is_attached(tmp_path: Path) -> None:
    async with connected(tmp_path, names={"document": {"preview": ""}}) as at:
        document = await at.read(at.world.add_document("Brief.pdf", PDF))
        with pytest.raises(Rejected, match="preview"):
            await at.catalog.attach_preview(document, webp(), expect=None)


async def test_many_downloads_share_the_few_connections(tmp_path: Path) -> None:
    async with connected(tmp_path, parallel=2) as at:
        documents = [await at.read(at.world.add_document(f"{number}.pdf", PDF * 500)) for number in range(12)]
        bodies: list[bytes] = []

        async def fetch(number: int) -> None:
            bodies.append(await at.content(documents[number]))

        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                for number in range(12):
                    group.start_soon(fetch, number)
        assert bodies == [PDF * 500] * 12
