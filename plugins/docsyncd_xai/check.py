"""What start-up and `doctor` ask xAI once. Reports, and raises for nothing that a remote may say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from docsyncd.api import CredentialsRefused, Finding, RemoteError, Severity, Unavailable
from docsyncd_xai import wire
from docsyncd_xai.files import Files
from docsyncd_xai.memberships import Memberships
from docsyncd_xai.refusals import NO_STORAGE

_FIX_FILES = "Create an API key in the xAI console and name it as api_key; it is not the management key."
_FIX_MANAGEMENT = (
    'Create a management key with the rights of "Collections Endpoint" and AddFileToCollection, '
    "and name it as management_key."
)


async def check(files: Files, memberships: Memberships) -> Sequence[Finding]:
    """One finding for each key, and one for zero data retention if it is on."""
    findings = [
        await _asked("api_key", lambda: _api_key(files), _FIX_FILES),
        await _asked("management_key", lambda: _management_key(memberships), _FIX_MANAGEMENT),
    ]
    if files.storage_forbidden:
        findings.append(
            Finding(
                subject="zero data retention",
                severity=Severity.ERROR,
                message=NO_STORAGE,
                fix="Use the keys of another team.",
            )
        )
    return findings


async def _asked(subject: str, question: Callable[[], Awaitable[Finding]], fix: str) -> Finding:
    """The answer, or what its failure means: being away is no reason not to start, a refused key is."""
    try:
        return await question()
    except RemoteError as error:
        away = isinstance(error, Unavailable) and not isinstance(error, CredentialsRefused)
        severity = Severity.WARNING if away else Severity.ERROR
        return Finding(subject=subject, severity=severity, message=str(error), fix="Try again later." if away else fix)


async def _api_key(files: Files) -> Finding:
    reply = await files.ask("GET", "/v1/api-key")
    key = wire.read(wire.WireKey, reply, remote=files.remote)
    if key.team_blocked or key.api_key_blocked or key.api_key_disabled:
        what = "the team is blocked" if key.team_blocked else "the key is blocked or disabled"
        return Finding(subject="api_key", severity=Severity.ERROR, message=f"xAI says that {what}.", fix=_FIX_FILES)
    return Finding(subject="api_key", severity=Severity.OK, message="is accepted by the files host")


async def _management_key(memberships: Memberships) -> Finding:
    await memberships.ask("GET", "/v1/collections", params={"limit": "1"})
    return Finding(subject="management_key", severity=Severity.OK, message="is accepted, collections can be listed")
