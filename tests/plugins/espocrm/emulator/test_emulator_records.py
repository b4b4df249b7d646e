"""Single records: what a save takes, refuses, stamps and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docsyncd_espocrm.emulator import EspoEmulator
    from tests.plugins.espocrm.emulator.conftest import Client, JumpingClock


async def test_a_creation_answers_200_and_leaves_nulls_out(call: Client) -> None:
    attachment = await call.upload("a.pdf", b"%PDF")
    body = {"name": "Vertrag", "fileId": attachment.json["id"], "publishDate": "2026-11-21", "md5": None}
    answer = await call("POST", "Document", body)
    assert answer.status == 200
    assert None not in answer.json.values()
    assert answer.json["fileName"] == "a.pdf"
    assert (await call("GET", f"Document/{answer.json['id']}")).json["md5"] is None


@pytest.mark.parametrize("left_out", ["name", "file", "publishDate"])
async def test_a_document_needs_a_name_a_file_and_a_publish_date(call: Client, left_out: str) -> None:
    attachment = await call.upload("a.pdf", b"%PDF")
    body = {"name": "Vertrag", "fileId": attachment.json["id"], "publishDate": "2026-11-21"}
    del body["fileId" if left_out == "file" else left_out]
    answer = await call("POST", "Document", body)
    assert answer.status == 400
    assert answer.reason == f"Field validation failure; entityType: Document, field: {left_out}, type: required."
    message = answer.json["messageTranslation"]
    assert message == {
        "label": "validationFailure",
        "scope": None,
        "data": {"field": left_out, "type": "required"},
    }


async def test_posting_twice_makes_two_records(call: Client, espo: EspoEmulator) -> None:
    first, second = await call.document("Vertrag"), await call.document("Vertrag")
    assert first != second
    assert len(espo.world.records("Document")) == 2


async def test_json_is_ascii_with_escaped_slashes_and_comes_in_chunks(call: Client) -> None:
    document = await call.document("Müller", description="a/b")
    answer = await call("GET", f"Document/{document}")
    assert "Content-Length" not in answer.headers
    assert answer.headers["Content-Type"] == "application/json"
    raw = answer.body
    assert b'"M\\u00fcller"' in raw
    assert b'"a\\/b"' in raw


async def test_a_missing_record_is_a_404_with_the_reason_in_a_header_and_no_body(call: Client) -> None:
    answer = await call("GET", "Document/6b01d4530895917aa")
    assert (answer.status, answer.body) == (404, b"")
    assert answer.reason == "Record 6b01d4530895917aa does not exist."


async def test_a_deleted_record_is_gone_for_us_and_visible_to_an_administrator(
    call: Client, admin: Mapping[str, str]
) -> None:
    document = await call.document("Vertrag")
    assert (await call("DELETE", f"Document/{document}")).json is True
    assert (await call("GET", f"Document/{document}")).status == 404
    assert (await call("PUT", f"Document/{document}", {"md5": "x"})).status == 404
    assert (await call("DELETE", f"Document/{document}")).status == 404
    seen = await call("GET", f"Document/{document}", headers=admin, anonymous=True)
    assert (seen.status, seen.json["deleted"]) == (200, True)


async def test_a_restored_record_is_back_without_a_stamp(
    call: Client, clock: JumpingClock, admin: Mapping[str, str]
) -> None:
    document = await call.document("Vertrag")
    before = (await call("GET", f"Document/{document}")).json["modifiedAt"]
    await call("DELETE", f"Document/{document}")
    clock.jump(60)
    body = {"id": document}
    answer = await call("POST", "Document/action/restoreDeleted", body, headers=admin, anonymous=True)
    assert answer.json is True
    assert (await call("GET", f"Document/{document}")).json["modifiedAt"] == before


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_put_is_partial_as_patch_is(call: Client, method: str) -> None:
    document = await call.document("Vertrag", md5="1", sha="2")
    answer = await call(method, f"Document/{document}", {"md5": "3"})
    assert (answer.json["md5"], answer.json["sha"]) == ("3", "2")


async def test_unknown_attributes_are_ignored_and_system_ones_dropped(call: Client) -> None:
    document = await call.document("Vertrag")
    before = (await call("GET", f"Document/{document}")).json
    body = {"id": "mine", "createdAt": "2000-01-01 00:00:00", "modifiedById": "x", "deleted": True, "sync-usn": 1}
    answer = await call("PUT", f"Document/{document}", body)
    assert answer.status == 200
    assert answer.json == before


async def test_a_put_of_equal_values_stamps_nothing(call: Client, clock: JumpingClock) -> None:
    document = await call.document("Vertrag", md5="1")
    clock.jump(5)
    assert (await call("PUT", f"Document/{document}", {"md5": "1"})).json["modifiedAt"] == "2026-11-21 12:00:00"
    assert (await call("PUT", f"Document/{document}", {"md5": "2"})).json["modifiedAt"] == "2026-11-21 12:00:05"


async def test_our_own_bookkeeping_moves_modified_at_and_modified_by(call: Client, espo: EspoEmulator) -> None:
    document = espo.world.add_document("a.pdf", b"%PDF")
    answer = await call("PUT", f"Document/{document}", {"xaiSyncStatus": "synced"})
    assert answer.json["modifiedById"] == espo.world.api_user.id


@pytest.mark.parametrize(
    ("attribute", "sent", "stored"),
    [
        ("hnr", "12", 12),
        ("hnr", 12.7, 12),
        ("md5", 5, "5"),
        ("md5", "  x ", "x"),
        ("md5", "", None),
        ("xaiCollections", ["c1", "c2"], ["c1", "c2"]),
        ("lastSync", "2026-11-21 12:00", "2026-11-21 12:00:00"),
        ("lastSync", "2026-11-21T12:00:00+01:00", "2026-11-21 11:00:00"),
        ("lastSync", "2026-11-21T12:00:00Z", "2026-11-21 12:00:00"),
        ("lastSync", None, None),
    ],
)
async def test_values_are_coerced(call: Client, attribute: str, sent: Any, stored: Any) -> None:
    document = await call.document("Vertrag")
    assert (await call("PUT", f"Document/{document}", {attribute: sent})).status == 200
    assert (await call("GET", f"Document/{document}")).json[attribute] == stored


@pytest.mark.parametrize(
    ("attribute", "sent", "kind"),
    [
        ("hnr", "abc", "valid"),
        ("md5", "x" * 33, "maxLength"),
        ("xaiSyncStatus", "clean", "valid"),
        ("xaiCollections", "c1", "array"),
        ("name", "a <b>", "pattern"),
        ("name", None, "required"),
        ("lastSync", "", "valid"),
        ("lastSync", "2026-11-21", "valid"),
        ("lastSync", "2026-11-21T12:00:00.123Z", "valid"),
        ("lastSync", "2026-02-30 12:00:00", "valid"),
    ],
)
async def test_values_are_refused(call: Client, attribute: str, sent: Any, kind: str) -> None:
    document = await call.document("Vertrag")
    answer = await call("PUT", f"Document/{document}", {attribute: sent})
    assert answer.status == 400
    assert answer.json["messageTranslation"]["data"] == {"field": attribute, "type": kind}


async def test_a_put_answers_a_date_time_as_it_was_sent(call: Client) -> None:
    document = await call.document("Vertrag")
    answer = await call("PUT", f"Document/{document}", {"lastSync": "2026-11-21 12:00"})
    assert answer.json["lastSync"] == "2026-11-21 12:00"


async def test_malformed_json_is_a_500_without_a_word(call: Client) -> None:
    answer = await call("POST", "Document", data=b"{")
    assert (answer.status, answer.body, answer.reason) == (500, b"", None)


async def test_a_wrong_method_is_a_405_in_json_and_options_repeats_it_with_200(call: Client) -> None:
    wrong = await call("PUT", "Document", {})
    assert wrong.status == 405
    assert wrong.headers["Allow"] == "GET, HEAD, POST"
    options = await call("OPTIONS", "Document")
    assert (options.status, options.json) == (200, wrong.json)


async def test_an_unknown_entity_type_is_a_404(call: Client) -> None:
    assert (await call("GET", "CNothing")).status == 404


async def test_a_stale_version_is_refused_when_the_put_changes_something(call: Client, espo: EspoEmulator) -> None:
    espo.world.entity("Document").optimistic_concurrency = True
    document = await call.document("Vertrag")
    fresh = await call("PUT", f"Document/{document}", {"md5": "3"}, headers={"X-Version-Number": "1"})
    assert (fresh.status, fresh.json["versionNumber"]) == (200, 2)
    stale = {"X-Version-Number": "1"}
    conflict = await call("PUT", f"Document/{document}", {"md5": "4", "sha": "5", "xaiFileId": None}, headers=stale)
    assert (conflict.status, conflict.reason) == (409, "modified")
    assert conflict.json == {"values": {"md5": "3", "sha": None}, "versionNumber": 2}
    assert espo.world.record("Document", document)["sha"] is None
    assert (await call("PUT", f"Document/{document}", {"md5": "3"}, headers=stale)).status == 200


async def test_stale_writers_of_different_attributes_pass_only_where_the_switch_says_so(
    call: Client, espo: EspoEmulator
) -> None:
    espo.world.entity("Document").optimistic_concurrency = True
    document, stale = await call.document("Vertrag"), {"X-Version-Number": "1"}
    await call("PUT", f"Document/{document}", {"md5": "3"}, headers=stale)
    assert (await call("PUT", f"Document/{document}", {"sha": "5"}, headers=stale)).status == 409
    espo.world.entity("Document").stale_writers_may_differ = True
    assert (await call("PUT", f"Document/{document}", {"sha": "5"}, headers=stale)).status == 200
    assert (await call("PUT", f"Document/{document}", {"md5": "4"}, headers=stale)).status == 409


async def test_without_the_header_or_the_switch_no_version_is_compared(call: Client, espo: EspoEmulator) -> None:
    document = await call.document("Vertrag")
    assert (await call("PUT", f"Document/{document}", {"md5": "1"}, headers={"X-Version-Number": "7"})).status == 200
    espo.world.entity("Document").optimistic_concurrency = True
    old = await call("PUT", f"Document/{document}", {"md5": "2"}, headers={"X-Version-Number": "7"})
    assert (old.status, old.json["versionNumber"]) == (200, 1)
    assert (await call("PUT", f"Document/{document}", {"md5": "2"})).json["versionNumber"] == 2
    assert (await call("PUT", f"Document/{document}", {"md5": "9"}, headers={"X-Version-Number": "1"})).status == 409


async def test_metadata_answers_at_any_depth_and_null_for_what_is_absent(call: Client, espo: EspoEmulator) -> None:
    field = await call("GET", "Metadata?key=entityDefs.Document.fields.xaiSyncStatus")
    assert field.json == {"type": "enum", "options": ["syncing", "synced", "failed"]}
    assert (await call("GET", "Metadata?key=entityDefs.Document.fields.xaiSyncedHash.maxLength")).json == 64
    assert ".eml" in (await call("GET", "Metadata?key=entityDefs.Document.fields.file.accept")).json
    absent = await call("GET", "Metadata?key=entityDefs.Document.fields.syncUsn")
    assert (absent.status, absent.body) == (200, b"null")
    assert (await call("GET", "Metadata?key=scopes.Document.object")).json is True
    espo.world.api_user.access.pop("CAkten")
    assert (await call("GET", "Metadata?key=entityDefs.CAkten")).json is None


async def test_metadata_names_both_sides_of_a_link(call: Client) -> None:
    links = (await call("GET", "Metadata?key=entityDefs.Document.links")).json
    assert links["cAkten"] == {"type": "belongsTo", "entity": "CAkten", "foreign": "dokumente"}
    assert links["cAIKnowledges"]["entity"] == "CAIKnowledge"
    assert links["cAIKnowledges"]["relationName"]


async def test_the_app_timestamp_moves_with_the_metadata(call: Client, espo: EspoEmulator) -> None:
    before = int((await call("GET", "")).headers["X-App-Timestamp"])
    espo.world.rebuild()
    assert int((await call("GET", "")).headers["X-App-Timestamp"]) == before + 1


async def test_a_client_learns_version_limits_and_rights(call: Client) -> None:
    user = (await call("GET", "App/user")).json
    assert user["settings"]["recordListMaxSizeLimit"] == 200
    assert user["settings"]["attachmentUploadMaxSize"] == 256
    assert user["settings"]["attachmentUploadChunkSize"] == 4
    assert user["acl"]["table"]["Document"]["edit"] == "all"
    assert user["acl"]["table"]["Webhook"] is True
    assert (await call("GET", "App/about")).json["version"] == "9.3.10"
    assert (await call("GET", "Settings")).json["attachmentUploadChunkSize"] == 4
