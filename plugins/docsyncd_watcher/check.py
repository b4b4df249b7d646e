"""What start-up and `doctor` ask the watcher once. Reports, and raises for nothing that it may say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from docsyncd.api import CaseFileNumber, Clock, CredentialsRefused, Finding, RemoteError, Reply, Severity, Unavailable
from docsyncd_watcher import names
from docsyncd_watcher.level import Discovery, described
from docsyncd_watcher.lines import Lines

SKEW: Final = timedelta(seconds=120)
"""Difference of clocks above which `conflict = "newer"` cannot be trusted (case-file-sync.md, decision 4)."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

NOBODYS: Final = CaseFileNumber("0")
"""A case-file number that no firm has: the question is only whether the token is taken."""


async def check(lines: Lines, discovery: Discovery, clock: Clock) -> Sequence[Finding]:
    """The token, the protocol level, the clock, and the line."""
    findings = [*_line(lines.config.url)]
    try:
        level = await discovery.level()
        reply = await lines.ask("GET", names.listing_path(NOBODYS), accept={400, 404})
    except RemoteError as error:
        return [*findings, _failed(error)]
    name, guard = described(level)
    told = f"level {name}, guard={guard}"
    message = told if guard == "enforced" else f"{told}: a save within a moment of a write may be overtaken"
    findings.append(Finding(subject="level", severity=Severity.OK, message=message))
    return [*findings, *_clock(reply, clock.now())]


def _line(url: str) -> Sequence[Finding]:
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname in _LOOPBACK:
        return ()
    return (
        Finding(
            subject="url",
            severity=Severity.WARNING,
            message="the token and the documents travel unencrypted to another host.",
            fix="Use https, or a tunnel that ends on this host.",
        ),
    )


def _failed(error: RemoteError) -> Finding:
    away = isinstance(error, Unavailable) and not isinstance(error, CredentialsRefused)
    fix = "Start the watcher, or wait." if away else "Check token, address and level."
    severity = Severity.WARNING if away else Severity.ERROR
    return Finding(subject="watcher", severity=severity, message=str(error), fix=fix)


def _clock(reply: Reply, now: datetime) -> Sequence[Finding]:
    try:
        theirs = parsedate_to_datetime(reply.headers.get("Date", ""))
    except ValueError:
        return ()
    skew = abs(now - theirs)
    if skew <= SKEW:
        return ()
    return (
        Finding(
            subject="clock",
            severity=Severity.WARNING,
            message=f"the watcher's clock and ours differ by {skew.total_seconds():.0f} s: the newer of two texts is then unknown.",
            fix="Let both hosts take their time from one source.",
        ),
    )
