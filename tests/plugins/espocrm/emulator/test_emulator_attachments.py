"""Attachments: uploads that are believed too easily, downloads that promise little, and bytes that go at once."""

from __future__ import annotations

import base64
import io
import resource
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientPayloadError, ServerDisconnectedError
from PIL import Image

from docsyncd.testing.emulation import Fault, on

if TYPE_CHECKING:
    from docsyncd_espocrm.emulator import EspoEmulator
    from tests.plugins.espocrm.emulator.conftest import Answer, Client


def picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), "white").save(stream, kind)
    return stream.getvalue()


async def begin(call: Client, size: int, name: str = "a.pdf") -> str:
    body = {"name": name, "type": "application/pdf", "role": "Attachment", "relatedType": "Document", "field": "file"}
    answer = await call("POST", "Attachment", body | {"size": size, "isBeingUploaded": True})
    assert answer.json["isBeingUploaded"] is True
    return str(answer.json["id"])


async def chunk(call: Client, attachment: str, data: bytes) -> Answer:
    encoded = b"data:application/pdf;base64," + base64.b64encode(data)
    return await call("POST", f"Attachment/chunk/{attachment}", data=encoded, headers={"Content-Type": "text/plain"})


async def test_an_upload_answers_its_size_and_can_be_downloaded(call: Client) -> None:
    answer = await call.upload("Vertrag Müller.pdf", b"%PDF-1.4 inhalt")
    assert answer.status == 200
    assert (answer.json["size"], answer.json["isBeingUploaded"]) == (15, False)
    assert answer.json["storage"] == "EspoUploadDir"
    assert (await call("GET", f"Attachment/file/{answer.json['id']}")).body == b"%PDF-1.4 inhalt"


async def test_everything_before_the_first_comma_is_ignored_and_garbage_gives_an_empty_file(call: Client) -> None:
    body = {"name": "a.pdf", "relatedType": "Document", "field": "file"}
    good = await call("POST", "Attachment", body | {"file": "anything at all," + base64.b64encode(b"x").decode()})
    assert good.json["size"] == 1
    garbage = await call("POST", "Attachment", body | {"file": "data:application/pdf;base64,@@@@"})
    assert (garbage.status, garbage.json["size"]) == (200, 0)
    torn = await call("POST", "Attachment", body | {"file": "data:,eHh4eA"})
    assert torn.json["size"] == 4
    no_comma = await call("POST", "Attachment", body | {"file": "eHh4"})
    assert (no_comma.status, no_comma.reason) == (400, "Bad file contents.")


@pytest.mark.parametrize("left_out", ["relatedType", "field"])
async def test_an_upload_says_for_which_field_it_is(call: Client, left_out: str) -> None:
    body = {"name": "a.pdf", "relatedType": "Document", "field": "file", "file": "data:,eHh4"}
    del body[left_out]
    assert (await call("POST", "Attachment", body)).status == 400


async def test_only_the_declared_size_is_limited(call: Client) -> None:
    refused = await call.upload("a.pdf", b"x", size=257 * 1024 * 1024)
    assert refused.status == 403
    lied = await call.upload("a.pdf", b"x", size=5)
    assert lied.json["size"] == 1


async def test_files_are_accepted_by_extension_in_any_case_and_not_by_content(call: Client, espo: EspoEmulator) -> None:
    for name in ("mail.EML", "scan.tif", "akte.zip", "brief.p7m"):
        assert (await call.upload(name, b"x", kind="text/html")).status == 200
    for name in ("setup.exe", "ohne"):
        refused = await call.upload(name, b"x")
        assert (refused.status, refused.reason) == (403, "Not allowed file type.")


@pytest.mark.parametrize(
    ("name", "kind", "data", "status"),
    [
        ("p.png", "image/png", picture("PNG"), 200),
        ("p.webp", "image/webp", picture("WEBP"), 200),
        ("p.jpg", "image/jpeg", picture("JPEG"), 200),
        ("p.tiff", "image/tiff", picture("TIFF"), 403),
        ("p.png", "image/jpeg", picture("PNG"), 403),
        ("p.png", "image/png", picture("JPEG"), 403),
        ("p.pdf", "application/pdf", b"%PDF", 403),
    ],
)
async def test_extension_type_and_content_of_an_image_must_agree(
    call: Client, name: str, kind: str, data: bytes, status: int
) -> None:
    assert (await call.upload(name, data, kind=kind, field="preview")).status == status


async def test_chunks_are_appended_as_they_arrive(call: Client, espo: EspoEmulator) -> None:
    attachment = await begin(call, 6)
    assert (await chunk(call, attachment, b"bbb")).json is True
    assert (await chunk(call, attachment, b"aaa")).json is True
    assert espo.world.file(attachment) == b"bbbaaa"
    assert (await call("GET", f"Attachment/{attachment}")).json["isBeingUploaded"] is False
    assert (await chunk(call, attachment, b"c")).status == 403


async def test_a_repeated_chunk_breaks_the_upload_after_it_was_appended(call: Client, espo: EspoEmulator) -> None:
    attachment = await begin(call, 4)
    await chunk(call, attachment, b"abc")
    again = await chunk(call, attachment, b"abc")
    assert (again.status, again.reason) == (500, "File size mismatch.")
    assert espo.world.file(attachment) == b"abcabc"
    assert (await call("GET", f"Attachment/{attachment}")).json["isBeingUploaded"] is True


async def test_a_chunk_without_its_marker_is_refused(call: Client) -> None:
    attachment = await begin(call, 4)
    assert (await call("POST", f"Attachment/chunk/{attachment}", data=b"abcd")).status == 400


async def test_a_file_that_is_still_being_uploaded_downloads_cut_off_with_a_matching_length(call: Client) -> None:
    attachment = await begin(call, 9)
    await chunk(call, attachment, b"half")
    body = {"name": "Vertrag", "fileId": attachment, "publishDate": "2026-11-21"}
    assert (await call("POST", "Document", body)).status == 200
    answer = await call("GET", f"Attachment/file/{attachment}")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"half", "4")
    record = (await call("GET", f"Attachment/{attachment}")).json
    assert (record["isBeingUploaded"], record["size"]) == (True, 9)


async def test_a_download_knows_no_range_no_etag_and_no_head(call: Client, espo: EspoEmulator) -> None:
    attachment = espo.world.attach("a.pdf", b"0123456789", user=espo.world.api_user)
    ranged = await call("GET", f"Attachment/file/{attachment}", headers={"Range": "bytes=2-3"})
    assert (ranged.status, ranged.body) == (200, b"0123456789")
    assert {"ETag", "Accept-Ranges", "Last-Modified"}.isdisjoint(ranged.headers)
    head = await call("HEAD", f"Attachment/file/{attachment}")
    assert (head.status, head.headers["Content-Length"]) == (200, "0")


async def test_the_file_name_goes_out_raw_and_quotes_are_not_escaped(call: Client, espo: EspoEmulator) -> None:
    attachment = espo.world.attach('Vertrag "Müller".pdf', b"x", user=espo.world.api_user)
    answer = await call("GET", f"Attachment/file/{attachment}")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="Vertrag "Müller".pdf"'


async def test_a_file_without_a_type_downloads_as_json_and_an_empty_one_as_nothing(
    call: Client, espo: EspoEmulator
) -> None:
    attachment = espo.world.attach("a.pdf", b"", user=espo.world.api_user, type="")
    answer = await call("GET", f"Attachment/file/{attachment}")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"].startswith("application/json")


async def test_a_name_with_a_newline_is_stored_and_never_downloads(call: Client) -> None:
    answer = await call.upload("a\nb.pdf", b"x")
    assert answer.json["name"] == "a\nb.pdf"
    for _ in range(2):
        assert (await call("GET", f"Attachment/file/{answer.json['id']}")).status == 500


async def test_names_are_kept_as_given_but_for_the_blanks_around_them(call: Client) -> None:
    for name in ("a/b.pdf", "..\\x.pdf", "📄.pdf"):
        assert (await call.upload(f" {name} ", b"x")).json["name"] == name
    assert (await call.upload("x" * 252 + ".pdf", b"x")).status == 400


@pytest.mark.parametrize("field", ["file", "preview"])
async def test_the_replaced_file_is_gone_at_once_with_its_bytes(call: Client, espo: EspoEmulator, field: str) -> None:
    document = await call.document("Vertrag")
    data, kind = (b"%PDF 2", "application/pdf") if field == "file" else (picture("PNG"), "image/png")
    name = "v.pdf" if field == "file" else "v.png"
    ids = [(await call.upload(name, data, kind=kind, field=field)).json["id"] for _ in range(2)]
    await call("PUT", f"Document/{document}", {f"{field}Id": ids[0]})
    await call("PUT", f"Document/{document}", {f"{field}Id": ids[0]})
    assert espo.world.file(ids[0]) == data
    await call("PUT", f"Document/{document}", {f"{field}Id": ids[1]})
    for path in (f"Attachment/{ids[0]}", f"Attachment/file/{ids[0]}"):
        assert (await call("GET", path)).status == 404
    with pytest.raises(KeyError):
        espo.world.file(ids[0])


async def test_a_shared_file_belongs_to_the_last_and_goes_for_both(call: Client, espo: EspoEmulator) -> None:
    shared = (await call.upload("a.pdf", b"x")).json["id"]
    body = {"name": "one", "fileId": shared, "publishDate": "2026-11-21"}
    one = (await call("POST", "Document", body)).json["id"]
    two = (await call("POST", "Document", body | {"name": "two"})).json["id"]
    assert (await call("GET", f"Attachment/{shared}")).json["relatedId"] == two
    await call("PUT", f"Document/{one}", {"fileId": (await call.upload("b.pdf", b"y")).json["id"]})
    assert espo.world.record("Document", two)["fileId"] == shared
    assert espo.world.record("Document", two)["fileName"] is None


async def test_a_copy_keeps_its_bytes_when_the_original_goes(call: Client, espo: EspoEmulator) -> None:
    document = await call.document("Vertrag", b"original")
    original = espo.world.record("Document", document)["fileId"]
    body = {"relatedType": "Document", "field": "file"}
    copy = (await call("POST", f"Attachment/copy/{original}", body)).json["id"]
    await call("PUT", f"Document/{document}", {"fileId": (await call.upload("b.pdf", b"new")).json["id"]})
    assert (await call("GET", f"Attachment/file/{copy}")).body == b"original"


async def test_the_name_of_a_document_and_of_its_file_are_two_things(call: Client, espo: EspoEmulator) -> None:
    document = await call.document("Vertrag")
    answer = await call("PUT", f"Document/{document}", {"name": "Neu", "fileName": "ignored.pdf"})
    assert (answer.json["name"], answer.json["fileName"]) == ("Neu", "Vertrag.pdf")


async def test_an_attachment_deleted_under_a_document_leaves_an_id_without_a_name(
    call: Client, espo: EspoEmulator
) -> None:
    document = await call.document("Vertrag")
    attachment = espo.world.record("Document", document)["fileId"]
    assert (await call("DELETE", f"Attachment/{attachment}")).json is True
    record = (await call("GET", f"Document/{document}")).json
    assert (record["fileId"], record["fileName"]) == (attachment, None)


async def test_an_upload_of_somebody_else_that_hangs_nowhere_is_forbidden(call: Client, espo: EspoEmulator) -> None:
    foreign = espo.world.attach("a.pdf", b"x")
    assert (await call("GET", f"Attachment/{foreign}")).status == 403
    document = await call.document("Vertrag")
    for attachment in (foreign, "6b01d4530895917aa"):
        refused = await call("PUT", f"Document/{document}", {"fileId": attachment})
        assert refused.status == 403
        assert refused.reason == "No foreign record access for link operation (Document:file)."


async def test_the_file_of_a_deleted_document_of_somebody_else_is_a_403_and_no_404(
    call: Client, espo: EspoEmulator
) -> None:
    document = espo.world.add_document("a.pdf", b"x")
    attachment = espo.world.record("Document", document)["fileId"]
    assert (await call("GET", f"Attachment/file/{attachment}")).status == 200
    espo.world.delete("Document", document)
    assert (await call("GET", f"Attachment/file/{attachment}")).status == 403


async def test_listing_attachments_is_for_administrators(call: Client, admin: dict[str, str]) -> None:
    await call.upload("a.pdf", b"x")
    assert (await call("GET", "Attachment")).status == 403
    assert (await call("GET", "Attachment", headers=admin, anonymous=True)).json["total"] == 1


async def test_sixty_megabytes_come_in_chunks_and_go_out_without_being_held_in_memory(call: Client) -> None:
    piece, count = bytes(range(256)) * 4096 * 4, 15
    attachment = await begin(call, len(piece) * count)
    for _ in range(count):
        assert (await chunk(call, attachment, piece)).status == 200
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert await call.drain(f"Attachment/file/{attachment}") == len(piece) * count
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 16 * 1024, "kilobytes"


async def test_a_download_can_be_made_to_break_off_in_the_middle(call: Client, espo: EspoEmulator) -> None:
    attachment = espo.world.attach("a.pdf", b"x" * 3_000_000, user=espo.world.api_user)
    espo.faults.add(Fault(match=on("GET", "/Attachment/file/"), cut=True, effect=True, keep=1_000_000))
    with pytest.raises(ClientPayloadError):
        await call("GET", f"Attachment/file/{attachment}")
    assert await call.drain(f"Attachment/file/{attachment}") == 3_000_000


async def test_a_download_can_be_cut_before_anything_arrives(call: Client, espo: EspoEmulator) -> None:
    attachment = espo.world.attach("a.pdf", b"x" * 3_000_000, user=espo.world.api_user)
    espo.faults.add(Fault(match=on("GET", "/Attachment/file/"), cut=True, effect=True, times=None))
    with pytest.raises(ServerDisconnectedError):
        await call("GET", f"Attachment/file/{attachment}")
