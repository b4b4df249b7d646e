"""The table of errors: German words first, then statuses, and nobody's answer is read as success."""

from __future__ import annotations

import json

import pytest

from docsyncd.api import CredentialsRefused, Rejected, Reply, RequestFailed, Unavailable
from docsyncd_advoware.error_table import ERRORS, ErrorRule, Meaning
from docsyncd_advoware.refusals import classifier, explain, meaning


def reply(status: int, body: object) -> Reply:
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Reply(status, {}, raw, "GET", "/api/v1/advonet/Akten/1")


@pytest.mark.parametrize(
    ("status", "body", "means"),
    [
        (500, "Die Kanzlei 'x' ist nicht angemeldet.", Meaning.FIRM_OFFLINE),
        (404, {"Message": "Die Datenbank IST NICHT ANGEMELDET"}, Meaning.FIRM_OFFLINE),
        (200, "ist nicht angemeldet", Meaning.FIRM_OFFLINE),
        (403, "Das Produkt ist für diesen Benutzer nicht freigeschaltet", Meaning.NOT_LICENSED),
        (400, "Die Anwendung ist nicht registriert", Meaning.NOT_LICENSED),
        (400, "Falscher Name oder falsches Kennwort", Meaning.CREDENTIALS),
        (500, "Benutzer / Kennwort ungültig", Meaning.CREDENTIALS),
        (401, "", Meaning.CREDENTIALS),
        (403, "Diese Aktion ist nicht erlaubt", Meaning.VALIDATION),
        (404, "<html>", Meaning.NOT_FOUND),
        (405, "", Meaning.VALIDATION),
        (422, {"title": "One or more validation errors"}, Meaning.VALIDATION),
        (503, "", Meaning.TRANSIENT),
        (418, "", None),
    ],
)
def test_each_line_of_the_default_table(status: int, body: object, means: Meaning | None) -> None:
    assert meaning(reply(status, body), ERRORS) is means


def test_a_letter_that_json_escaped_is_read_as_the_letter() -> None:
    body = '{"message": "Benutzer \\/ Kennwort ung\\u00fcltig"}'
    assert meaning(reply(400, body), [ErrorRule(pattern="kennwort ungü", means=Meaning.CREDENTIALS)]) is not None


@pytest.mark.parametrize(
    ("means", "error"),
    [
        (Meaning.CREDENTIALS, CredentialsRefused),
        (Meaning.NOT_LICENSED, CredentialsRefused),
        (Meaning.FIRM_OFFLINE, Unavailable),
        (Meaning.NOT_FOUND, Rejected),
        (Meaning.VALIDATION, Rejected),
        (Meaning.TRANSIENT, RequestFailed),
        (Meaning.UNKNOWN, RequestFailed),
    ],
)
def test_what_the_worker_does_about_each_meaning(means: Meaning, error: type[Exception]) -> None:
    classify = classifier([ErrorRule(status=418, means=means)], remote="advoware", pause=70)
    assert type(classify(reply(418, "Grund"))) is error


def test_an_answer_that_no_line_fits_is_tried_again_and_blames_nobody_for_good() -> None:
    assert type(classifier([], remote="advoware", pause=70)(reply(418, ""))) is RequestFailed


def test_an_overloaded_server_is_left_to_the_transport_which_knows_retry_after() -> None:
    assert classifier(ERRORS, remote="advoware", pause=70)(reply(503, "")) is None


def test_a_firm_that_is_offline_is_left_alone_for_a_while() -> None:
    away = classifier(ERRORS, remote="advoware", pause=70)(reply(500, "ist nicht angemeldet"))
    assert isinstance(away, Unavailable)
    assert away.retry_after == 70


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"Message": "Akte gesperrt"}, "Akte gesperrt"),
        ({"error": {"Meldung": "gesperrt"}}, "gesperrt"),
        ({"error": 7, "detail": "x"}, "x"),
        ("<html><h1>Fehler</h1></html>", "Fehler"),
        (b"\xfc broken", "\ufffd broken"),
        ('"nur Text"', "nur Text"),
        ("", ""),
    ],
)
def test_the_reason_is_found_in_any_shape(body: object, words: str) -> None:
    assert explain(reply(400, body)) == words
