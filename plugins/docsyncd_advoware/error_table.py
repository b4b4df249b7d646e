"""The table by which an error answer is understood, as part of the configuration (advoware-windows-sync.md, 1.4)."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from docsyncd_advoware.table import Table


def _compiled(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_compiled)]


class Meaning(StrEnum):
    """What an error answer stands for."""

    CREDENTIALS = "credentials"
    NOT_LICENSED = "not_licensed"
    FIRM_OFFLINE = "firm_offline"
    NOT_FOUND = "not_found"
    VALIDATION = "validation"
    TRANSIENT = "transient"
    UNKNOWN = "unknown"


class ErrorRule(Table):
    """One line of the table of errors: both conditions must hold."""

    status: int | None = Field(default=None, ge=100, le=599)
    """The answer's status. Default: any."""
    pattern: Pattern = ""
    """Regular expression that the body contains, upper and lower case alike. Default: any."""
    means: Meaning
    """`credentials` and `not_licensed` stop the connection until a person acts, `firm_offline` until Advoware is back,
    `not_found` and `validation` park the Akte, `transient` and `unknown` are tried again."""


ERRORS = (
    ErrorRule(pattern="ist nicht angemeldet", means=Meaning.FIRM_OFFLINE),
    ErrorRule(pattern="ist nicht registriert", means=Meaning.NOT_LICENSED),
    ErrorRule(pattern="freigeschaltet", means=Meaning.NOT_LICENSED),
    ErrorRule(pattern="falscher name oder falsches kennwort", means=Meaning.CREDENTIALS),
    ErrorRule(pattern="benutzer / kennwort ung", means=Meaning.CREDENTIALS),
    ErrorRule(status=401, means=Meaning.CREDENTIALS),
    ErrorRule(status=403, means=Meaning.VALIDATION),
    ErrorRule(status=404, means=Meaning.NOT_FOUND),
    ErrorRule(status=405, means=Meaning.VALIDATION),
    ErrorRule(status=400, means=Meaning.VALIDATION),
    ErrorRule(status=409, means=Meaning.VALIDATION),
    ErrorRule(status=422, means=Meaning.VALIDATION),
    *(ErrorRule(status=status, means=Meaning.TRANSIENT) for status in (408, 425, 429, 500, 502, 503, 504)),
)
"""docsyncd's own lines. The German texts are those by which the vendor's own client knows its errors."""
