"""What start-up and `doctor` ask Advoware once. Reports, writes nothing, and raises for nothing that a remote may say."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from docsyncd.api import (
    CredentialsRefused,
    DocsyncdError,
    Finding,
    Severity,
    Unavailable,
    normalise_case_file_number,
)
from docsyncd_advoware.access import Entrance
from docsyncd_advoware.akten import is_archived
from docsyncd_advoware.config import AdvowareConfig
from docsyncd_advoware.entry import HistoryEntry
from docsyncd_advoware.journal import AdvowareJournal
from docsyncd_advoware.server import Server
from docsyncd_advoware.server_clock import ServerClock
from docsyncd_advoware.wire import MISSING

WARN_SKEW: Final = timedelta(seconds=120)
ERROR_SKEW: Final = timedelta(seconds=300)
"""How wrong our clock may be. The vendor names no tolerance; five minutes is the usual one for signed requests."""

_FIX_ACCESS = "Check app_id, api_key, kanzlei, database, user and password; the vendor enables an App-ID per Kanzlei."
_FIX_SAMPLE = "Compare the keys in the answer with [connectors.advoware.fields] and [connectors.advoware.akte]."


async def check(
    server: Server, journal: AdvowareJournal, entrance: Entrance, clock: ServerClock, config: AdvowareConfig
) -> Sequence[Finding]:
    """Token, clock, Swagger file, rules for files, and the sample Akte if one is named."""
    token = await _asked("token", lambda: _token(server, entrance), _FIX_ACCESS)
    findings = [*token, *_clock(clock)]
    if all(finding.severity is Severity.OK for finding in token):
        findings += await _swagger(server, journal, config)
        if config.sample:
            findings += await _asked("sample Akte", lambda: _sample(journal, config), _FIX_SAMPLE)
    return (*findings, *_rules(config))


async def _asked(subject: str, question: Callable[[], Awaitable[Sequence[Finding]]], fix: str) -> Sequence[Finding]:
    """The answer, or what its failure means: being away is no reason not to start, a refused key is."""
    try:
        return await question()
    except DocsyncdError as error:
        away = isinstance(error, Unavailable) and not isinstance(error, CredentialsRefused)
        severity = Severity.WARNING if away else Severity.ERROR
        found = Finding(subject=subject, severity=severity, message=str(error), fix="Try again later." if away else fix)
        return (found,)


async def _token(server: Server, entrance: Entrance) -> Sequence[Finding]:
    await server.health()
    message = f"is issued, and {(await entrance.grant()).base_url} accepts it"
    return (Finding(subject="token", severity=Severity.OK, message=message),)


def _clock(clock: ServerClock) -> Iterator[Finding]:
    offset = clock.offset
    if offset is None:
        return
    seconds = round(abs(offset).total_seconds())
    if abs(offset) <= WARN_SKEW:
        yield Finding(subject="clock", severity=Severity.OK, message=f"differs from Advoware's by {seconds} s")
        return
    severity = Severity.ERROR if abs(offset) > ERROR_SKEW else Severity.WARNING
    yield Finding(
        subject="clock",
        severity=severity,
        message=f"differs from Advoware's by {seconds} s; signed requests may be refused.",
        fix="Let this host's clock be set by NTP.",
    )


async def _swagger(server: Server, journal: AdvowareJournal, config: AdvowareConfig) -> Sequence[Finding]:
    """The version of the API, and what it offers for the History. Only the firm's own server may have the file."""
    try:
        digest = await journal.swagger()
        verbs = _verbs(server.decoded(await server.ask("GET", config.paths.swagger)), config.paths.history)
    except DocsyncdError as error:
        if config.writes.enabled and config.writes.swagger:
            fix = "Without it no entry is made; clear writes.swagger, or correct paths.swagger."
            return (Finding(subject="Swagger file", severity=Severity.WARNING, message=str(error), fix=fix),)
        return (Finding(subject="Swagger file", severity=Severity.OK, message=f"is not reachable: {error}"),)
    said = f"{', '.join(verbs)} for the History" if verbs else "nothing at paths.history"
    message = f"sha256 {digest} offers {said}"
    approved = config.writes.swagger
    if approved and approved != digest:
        fix = "Try an entry by hand, then set writes.swagger; until then no entry is made."
        return (Finding(subject="Swagger file", severity=Severity.WARNING, message=f"has changed: {message}", fix=fix),)
    if not verbs:
        fix = "Set paths.history, paths.akte and paths.search as the file has them."
        return (Finding(subject="Swagger file", severity=Severity.WARNING, message=message, fix=fix),)
    return (Finding(subject="Swagger file", severity=Severity.OK, message=message),)


def _verbs(swagger: Any, template: str) -> Sequence[str]:
    """The methods of a path, whatever its parameters are called."""
    paths = swagger.get("paths") if isinstance(swagger, dict) else None
    offered = {
        _shape(path): methods
        for path, methods in (paths or {}).items()
        if isinstance(path, str) and isinstance(methods, dict)
    }
    return [method.upper() for method in offered.get(_shape(template), {})]


def _shape(path: str) -> tuple[str, ...]:
    return tuple("{}" if part.startswith("{") else part.casefold() for part in path.strip("/").split("/"))


async def _sample(journal: AdvowareJournal, config: AdvowareConfig) -> Sequence[Finding]:
    """Describes one Akte by keys and counts: what has to be known before the connector can be trusted, and no client's data."""
    number = normalise_case_file_number(config.sample)
    akte = await journal.akte(number)
    value = akte.row.first(config.archived.field)
    archived = is_archived(akte.row, config.archived, config.dates)
    shown = "is missing" if value is MISSING else f"is {json.dumps(value, default=str)}"
    meaning = {True: "archived", False: "not archived", None: "unknown: such an Akte is left as it is"}[archived]
    entries = await journal.entries(number)
    return (
        Finding(
            subject="ablage",
            severity=Severity.WARNING if archived is None else Severity.OK,
            message=f"{config.archived.field[0]} of Akte {number} {shown}: {meaning}",
            fix="Look at one archived, one active and one re-activated Akte, then set [connectors.advoware.archived]."
            if archived is None
            else "",
        ),
        _history(entries, config),
    )


def _history(entries: Sequence[HistoryEntry], config: AdvowareConfig) -> Finding:
    files = [entry for entry in entries if entry.file is not None]
    lost = sorted({entry.unmapped for entry in files if entry.unmapped is not None})
    extra = sorted({key for entry in entries for key in entry.extra})
    message = (
        f"{len(entries)} entries, {sum(entry.number is not None for entry in entries)} with a number, "
        f"{sum(entry.date is not None for entry in entries)} with a date, {len(files)} with a file, "
        f"{sum(entry.path is not None for entry in files)} of them mapped; keys not used: {', '.join(extra) or 'none'}"
    )
    if lost or (entries and not files):
        fix = "; ".join(lost) or f"no entry has one of the keys {', '.join(config.fields.file)}"
        return Finding(subject="History", severity=Severity.WARNING, message=message, fix=f"See files.rules: {fix}.")
    return Finding(subject="History", severity=Severity.OK, message=message)


def _rules(config: AdvowareConfig) -> Iterator[Finding]:
    if not config.files.rules and not config.files.relative:
        yield Finding(
            subject="files.rules",
            severity=Severity.WARNING,
            message="no rule maps the files of the History to paths, so no file belongs to it.",
            fix="Look at the file values of some entries, then write files.rules.",
        )
