"""Error bodies of every shape, and the wrong key that hides behind a 400."""

from __future__ import annotations

import json

import pytest

from docsyncd.api import CredentialsRefused, Reply
from docsyncd_xai.refusals import classify, explain


def reply(status: int, body: object, headers: dict[str, str] | None = None) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, headers or {}, raw, "GET", "/v1/files")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"code": "Some requested entity was not found", "error": "File not found"}, "File not found"),
        ({"error": {"message": "too many", "type": "rate", "param": None, "code": "429"}}, "too many"),
        ({"error": "no such team"}, "no such team"),
        ({"code": 5, "message": "Document not found", "details": []}, "Document not found"),
        ("only a string", "only a string"),
        (b"rpc error: code = Internal", "rpc error: code = Internal"),
        (b"<html><body><h1>404 Not Found</h1>\n<center>nginx</center></body></html>", "404 Not Found nginx"),
        (b"\xff\xfe broken", "\ufffd\ufffd broken"),
        (b"", ""),
        ([1], "[1]"),
        ({"error": {"message": 7}}, '{"error": {"message": 7}}'),
    ],
)
def test_the_reason_is_found_in_any_shape(body: object, words: str) -> None:
    assert explain(reply(400, body)) == words


def test_a_long_reason_is_cut() -> None:
    assert len(explain(reply(500, b"x" * 5000))) == 300


@pytest.mark.parametrize(
    ("status", "words", "refused"),
    [
        (400, "Incorrect API key provided: xa***", True),
        (400, "expires_after must precede file", False),
        (400, "invalid filename: API key.pdf", False),
        (401, "", True),
        (403, "team is blocked", True),
        (404, "API key not found", False),
        (429, "slow down", False),
    ],
)
def test_a_wrong_key_is_no_poison_document(status: int, words: str, refused: bool) -> None:
    error = classify(reply(status, {"code": "x", "error": words}), remote="xai", key="api_key")
    assert isinstance(error, CredentialsRefused) is refused


def test_zero_data_retention_is_named_as_the_reason() -> None:
    error = classify(reply(403, {"error": "no"}, {"x-zero-data-retention": "True"}), remote="xai", key="api_key")
    assert isinstance(error, CredentialsRefused)
    assert "zero data retention" in str(error)
