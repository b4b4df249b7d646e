"""xAI's JSON, as its several interfaces spell it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from docsyncd.api import CollectionId, PlacementState, ProtocolViolation, Reply
from docsyncd_xai import wire

COLLECTION = CollectionId("collection_1")
HASH = "AB" * 32


def reply(body: object) -> Reply:
    return Reply(200, {}, body if isinstance(body, bytes) else json.dumps(body).encode(), "GET", "/v1/x")


def member(**changes: Any) -> wire.WireMember:
    metadata = {
        "file_id": "file_1",
        "name": "Klage.pdf",
        "size_bytes": "123",
        "hash": HASH,
        **changes.pop("metadata", {}),
    }
    return wire.read(wire.WireMember, reply({"file_metadata": metadata, **changes}), remote="xai")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("DOCUMENT_STATUS_PROCESSED", PlacementState.READY),
        ("document_status_processed", PlacementState.READY),
        (2, PlacementState.READY),
        ("DOCUMENT_STATUS_FAILED", PlacementState.FAILED),
        (3, PlacementState.FAILED),
        ("DOCUMENT_STATUS_UNKNOWN", PlacementState.PENDING),
        ("DOCUMENT_STATUS_PROCESSING", PlacementState.PENDING),
        ("DOCUMENT_STATUS_CHUNKED", PlacementState.PENDING),
        ("DOCUMENT_STATUS_EMBEDDING", PlacementState.PENDING),
        ("DOCUMENT_STATUS_WRITING", PlacementState.PENDING),
        (6, PlacementState.PENDING),
        ("DOCUMENT_STATUS_OF_NEXT_YEAR", PlacementState.PENDING),
        (77, PlacementState.PENDING),
        (None, PlacementState.PENDING),
    ],
)
def test_a_status_that_nobody_knows_is_unfinished(status: str | int | None, state: PlacementState) -> None:
    assert member(status=status).meant(COLLECTION).state is state


@pytest.mark.parametrize("metadata", [{"processing_status": "Skipped"}, {"upload_status": "Failed"}])
def test_what_was_skipped_or_broke_off_has_failed(metadata: dict[str, str]) -> None:
    placement = member(status="DOCUMENT_STATUS_PROCESSING", metadata=metadata).meant(COLLECTION)
    assert placement.state is PlacementState.FAILED
    assert placement.error == "xAI names no reason"
    assert member(status=2, metadata=metadata).meant(COLLECTION).state is PlacementState.READY


def test_the_hash_is_believed_only_if_it_looks_like_one() -> None:
    assert member().meant(COLLECTION).content == HASH.lower()
    assert member(metadata={"hash": "sha1:abc"}).meant(COLLECTION).content is None
    assert member(metadata={"hash": None}).meant(COLLECTION).content is None


def test_both_spellings_are_read() -> None:
    body = {"documents": [{"fileMetadata": {"fileId": "file_1", "name": "K"}, "errorMessage": "no", "status": 3}]}
    found = wire.read(wire.WireMembers, reply({**body, "paginationToken": "t"}), remote="xai")
    assert found.pagination_token == "t"
    assert found.documents[0].meant(COLLECTION).error == "no"


def test_an_empty_list_may_be_missing_or_null() -> None:
    assert wire.read(wire.WireMembers, reply({}), remote="xai").documents == ()
    assert wire.read(wire.WireFiles, reply({"data": None}), remote="xai").data == ()


def test_times_are_seconds_even_if_they_come_as_milliseconds() -> None:
    moment = datetime(2026, 11, 21, 12, tzinfo=UTC)
    for value in (int(moment.timestamp()), int(moment.timestamp()) * 1000):
        file = wire.read(
            wire.WireFile, reply({"id": "file_1", "created_at": value, "bytes": "7"}), remote="xai"
        ).meant()
        assert (file.created_at, file.size) == (moment, 7)


@pytest.mark.parametrize("body", [b"<html>", b"", {"data": [{"filename": "without an id"}]}, []])
def test_what_is_not_the_protocol_is_said_to_be_so(body: object) -> None:
    with pytest.raises(ProtocolViolation, match="something unexpected"):
        wire.read(wire.WireFiles, reply(body), remote="xai")
