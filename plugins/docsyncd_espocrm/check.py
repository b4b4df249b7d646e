"""What a start-up and the doctor want to know of an EspoCRM: do the mapped names exist, and may we use them?

EspoCRM accepts and drops an attribute that it does not know (reference/espocrm.md, 3.2), so a wrong name would never show by
itself. Reads only; reports what it finds and raises only where EspoCRM cannot be asked at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from docsyncd.api import Finding, ProtocolViolation, Rejected, Severity

from .config import EspoConfig
from .fields import Expected, case_file_fields, document_fields, field_findings, junction_fields, mistake
from .links import Layout, Links
from .rest import Rest
from .wire import Record

_LEVELS: Final = {True: "all", "yes": "all"}


class Check:
    """The self-check of one connection."""

    def __init__(self, rest: Rest, config: EspoConfig, links: Links) -> None:
        self._rest = rest
        self._config = config
        self._profile = config.resolved
        self._links = links

    async def findings(self) -> Sequence[Finding]:
        user = self._rest.mapping(await self._rest.get("/App/user"))
        found = [_version(user), *_page_size(user, self._config.page_size)]
        layout = await self._layout(found)
        for entity, expected in self._expected(layout).items():
            fields = await self._rest.metadata(f"entityDefs.{entity}.fields")
            found += field_findings(entity, fields, expected)
        found += right_findings(_acl(user), self._rights(layout))
        found += await self._webhooks()
        return found

    async def _layout(self, found: list[Finding]) -> Layout | None:
        try:
            layout = await self._links.layout()
        except ProtocolViolation as error:
            found.append(mistake("links to collections", str(error), "Check the profile and the API user's role."))
            return None
        names = ", ".join(f"{link.name} ({link.entity})" for link in layout.collections)
        found.append(Finding(subject="links to collections", severity=Severity.OK, message=names))
        consent = self._config.consent_field
        found += [
            Finding(
                subject=f"field {link.entity}.{consent}",
                severity=Severity.WARNING,
                message="does not exist, so a document without case file never has consent for it",
                fix=f"Add a boolean field {consent} to {link.entity}, if such documents are to be searchable.",
            )
            for link in layout.collections
            if consent and not link.has_consent
        ]
        case_file = self._profile.case_file
        if case_file.link and layout.case_file is None:
            found.append(
                mistake(
                    f"link {self._profile.document.entity}.{case_file.link}",
                    "does not exist or is hidden: the case file, and so its consent, cannot be read",
                    f"Let the API user read {case_file.entity}, or correct names.case_file.link.",
                )
            )
        return layout

    def _expected(self, layout: Layout | None) -> Mapping[str, Sequence[Expected]]:
        """By entity, the fields that must exist."""
        expected = {self._profile.document.entity: list(document_fields(self._profile))}
        case_file = self._profile.case_file
        if case_file.link:
            entity = (
                layout.case_file.entity if layout is not None and layout.case_file is not None else case_file.entity
            )
            expected.setdefault(entity, []).extend(case_file_fields(self._profile, self._config.consent_field))
        if self._profile.junction is not None:
            expected[self._profile.junction.entity] = list(junction_fields(self._profile))
        return expected

    def _rights(self, layout: Layout | None) -> Mapping[str, Mapping[str, Severity]]:
        """By entity, the actions that we need, and how bad it is to lack one."""
        read, write = {"read": Severity.ERROR}, {"read": Severity.ERROR, "edit": Severity.ERROR}
        needed: dict[str, Mapping[str, Severity]] = {self._profile.document.entity: write}
        if layout is not None:
            # Edit stores the id of a collection that was created; those that exist already are served without it.
            needed |= {link.entity: {**read, "edit": Severity.WARNING} for link in layout.collections}
            if layout.case_file is not None:
                needed.setdefault(layout.case_file.entity, read)
        if self._profile.junction is not None:
            needed[self._profile.junction.entity] = write
        return needed

    async def _webhooks(self) -> Sequence[Finding]:
        select = ("event", "url", "isActive", "skipOwn")
        try:
            hooks = [hook async for hook in self._rest.walk("/Webhook", select=select)]
        except Rejected as error:
            return [
                Finding(
                    subject="webhooks",
                    severity=Severity.WARNING,
                    message=f"cannot be listed ({error}); changes are found by polling at the latest",
                    fix='Give the API user\'s role the scope "Webhook".',
                )
            ]
        return webhook_findings(self._config, hooks)


def right_findings(acl: Mapping[str, Any], needed: Mapping[str, Mapping[str, Severity]]) -> list[Finding]:
    """May the API user do what we do, with every record? A record that it cannot see looks as if it did not exist."""
    found: list[Finding] = []
    for entity, actions in needed.items():
        granted = acl.get(entity)
        for action, severity in actions.items():
            level = granted.get(action, "no") if isinstance(granted, Mapping) else "all" if granted is True else "no"
            level = _LEVELS.get(level, level)
            if level == "all":
                continue
            missing = level in ("no", False)
            found.append(
                Finding(
                    subject=f"right to {action} {entity}",
                    severity=severity if missing else Severity.WARNING,
                    message="is missing" if missing else f"covers only {level}: the rest stays unseen",
                    fix=f"Set {action} of {entity} to “all” in the API user's role.",
                )
            )
    return found or [Finding(subject="rights", severity=Severity.OK, message=f"all on {', '.join(sorted(needed))}")]


def webhook_findings(config: EspoConfig, hooks: Sequence[Record]) -> list[Finding]:
    """Is each event posted to us, once, by an active webhook whose secret we know?"""
    entity, secrets = config.resolved.document.entity, {entry.id for entry in config.webhooks.secrets}
    paths = {"create": config.webhooks.create, "update": config.webhooks.update, "delete": config.webhooks.delete}
    found: list[Finding] = []
    for event, path in paths.items():
        subject = f"webhook {entity}.{event}"
        ours = [hook for hook in hooks if hook.get("event") == f"{entity}.{event}" and _leads_to(hook, path)]
        active = [hook for hook in ours if hook.get("isActive") is True]
        found += _webhook_findings(subject, path, ours, active)
        found += [
            Finding(
                subject=subject,
                severity=Severity.WARNING,
                message=f"{hook.get('id')} signs with a secret that is not configured; every event of it is refused",
                fix="Add its id and secret to webhooks.secrets.",
            )
            for hook in active
            if hook.get("id") not in secrets
        ]
    return found


def _webhook_findings(subject: str, path: str, ours: Sequence[Record], active: Sequence[Record]) -> Iterator[Finding]:
    if not ours:
        yield Finding(
            subject=subject,
            severity=Severity.WARNING,
            message="is missing; changes are found by polling at the latest",
            fix=f"Create it for the address that ends in {path}, with “skip own” on.",
        )
    elif not active:
        yield Finding(
            subject=subject,
            severity=Severity.WARNING,
            message="is inactive; nothing is replayed for the time that it is",
            fix="Activate it in EspoCRM, Administration, Webhooks.",
        )
    elif len(active) > 1:
        yield Finding(
            subject=subject,
            severity=Severity.WARNING,
            message=f"exists {len(active)} times, so every event comes as often",
            fix=f"Remove all but one of {', '.join(str(hook.get('id')) for hook in active)}.",
        )
    else:
        own = "" if active[0].get("skipOwn") else "; our own writes come back (set “skip own” to spare a read each)"
        yield Finding(subject=subject, severity=Severity.OK, message=f"active{own}")


def _leads_to(hook: Record, path: str) -> bool:
    return urlsplit(str(hook.get("url"))).path.rstrip("/").endswith(path.rstrip("/"))


def _acl(user: Record) -> Mapping[str, Any]:
    acl = user.get("acl")
    table = acl.get("table") if isinstance(acl, Mapping) else None
    return table if isinstance(table, Mapping) else {}


def _version(user: Record) -> Finding:
    settings = user.get("settings")
    version = settings.get("version") if isinstance(settings, Mapping) else None
    account = user.get("user")
    name = account.get("userName") if isinstance(account, Mapping) else None
    return Finding(subject="login", severity=Severity.OK, message=f"EspoCRM {version or '(no version)'} as {name}")


def _page_size(user: Record, page_size: int) -> list[Finding]:
    settings = user.get("settings")
    limit = settings.get("recordListMaxSizeLimit") if isinstance(settings, Mapping) else None
    if not isinstance(limit, int) or page_size <= limit:
        return []
    return [
        mistake(
            "page size",
            f"{page_size} is above EspoCRM's limit of {limit}: every list would be refused",
            f"Set page_size = {limit}.",
        )
    ]
