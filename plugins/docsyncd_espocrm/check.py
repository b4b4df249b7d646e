"""What a start-up and the doctor want to know of an EspoCRM: do the mapped names exist, and may we use them?

EspoCRM accepts and drops an attribute that it does not know (reference/espocrm.md, 3.2), so a wrong name would never show by
itself. Reads only; reports what it finds and raises only where EspoCRM cannot be asked at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from docsyncd.api import Finding, ProtocolViolation, Rejected, Severity

from .config import EspoConfig
from .links import Layout, Links
from .profile import Profile
from .rest import Rest
from .wire import Record

_TEXT: Final = frozenset({"varchar", "text"})
_ENUM: Final = frozenset({"enum", "varchar"})
_NUMBER: Final = frozenset({"int", "autoincrement", "varchar", "number"})
_LEVELS: Final = {True: "all", "yes": "all"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a field must be like. `values` are those that we write; `length` is what we need at least."""

    field: str
    types: frozenset[str]
    severity: Severity = Severity.ERROR
    values: tuple[str, ...] = ()
    length: int = 0
    why: str = ""


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
            found.append(_error("links to collections", str(error), "Check the profile and the API user's role."))
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
                _error(
                    f"link {self._profile.document.entity}.{case_file.link}",
                    "does not exist or is hidden: the case file, and so its consent, cannot be read",
                    f"Let the API user read {case_file.entity}, or correct names.case_file.link.",
                )
            )
        return layout

    def _expected(self, layout: Layout | None) -> Mapping[str, Sequence[Expected]]:
        """By entity, the fields that must exist."""
        expected = {self._profile.document.entity: list(_document_fields(self._profile))}
        case_file = self._profile.case_file
        if case_file.link:
            entity = (
                layout.case_file.entity if layout is not None and layout.case_file is not None else case_file.entity
            )
            expected.setdefault(entity, []).extend(_case_file_fields(self._profile, self._config.consent_field))
        if self._profile.junction is not None:
            expected[self._profile.junction.entity] = list(_junction_fields(self._profile))
        return expected

    def _rights(self, layout: Layout | None) -> Mapping[str, Sequence[str]]:
        """By entity, the actions that we need."""
        needed: dict[str, Sequence[str]] = {self._profile.document.entity: ("read", "edit")}
        if layout is not None:
            needed |= {link.entity: ("read",) for link in layout.collections}
            if layout.case_file is not None:
                needed[layout.case_file.entity] = ("read",)
        if self._profile.junction is not None:
            needed[self._profile.junction.entity] = ("read", "edit")
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


def field_findings(entity: str, fields: Any, expected: Sequence[Expected]) -> list[Finding]:
    """What is wrong with the fields of an entity, as its metadata shows them; one OK if nothing is."""
    if not isinstance(fields, Mapping):
        return [
            _error(
                f"entity {entity}",
                "does not exist, or the API user's role hides it",
                "Check the profile's name for it, and the role.",
            )
        ]
    found = [finding for each in expected for finding in _field_findings(entity, fields.get(each.field), each)]
    return found or [
        Finding(subject=f"entity {entity}", severity=Severity.OK, message=f"{len(expected)} mapped fields are there")
    ]


def _field_findings(entity: str, definition: Any, expected: Expected) -> Iterator[Finding]:
    subject = f"field {entity}.{expected.field}"
    if not isinstance(definition, Mapping):
        yield Finding(
            subject=subject,
            severity=expected.severity,
            message=f"does not exist; EspoCRM would drop what is written to it without a word{expected.why}",
            fix="Add the field, or correct its name (or switch it off with an empty one) in names.",
        )
        return
    kind = definition.get("type")
    if kind not in expected.types:
        yield Finding(
            subject=subject,
            severity=expected.severity,
            message=f"is of type {kind}, needed is {' or '.join(sorted(expected.types))}",
            fix="Name another field in names, or change its type.",
        )
    options = definition.get("options")
    lacking = [value for value in expected.values if value] if kind == "enum" else []
    lacking = [value for value in lacking if value not in (options or ())]
    if lacking:
        yield Finding(
            subject=subject,
            severity=expected.severity,
            message=f"lacks the options {', '.join(lacking)}; EspoCRM would refuse to save them",
            fix="Add the options, or map the meanings to existing ones in names.",
        )
    length = definition.get("maxLength")
    if isinstance(length, int) and length < expected.length:
        yield Finding(
            subject=subject,
            severity=expected.severity,
            message=f"holds {length} characters, needed are {expected.length}",
            fix=f"Raise its maximal length to {expected.length}.",
        )


def right_findings(acl: Mapping[str, Any], needed: Mapping[str, Sequence[str]]) -> list[Finding]:
    """May the API user do what we do, with every record? A record that it cannot see looks as if it did not exist."""
    found: list[Finding] = []
    for entity, actions in needed.items():
        granted = acl.get(entity)
        for action in actions:
            level = granted.get(action, "no") if isinstance(granted, Mapping) else "all" if granted is True else "no"
            level = _LEVELS.get(level, level)
            if level == "all":
                continue
            found.append(
                Finding(
                    subject=f"right to {action} {entity}",
                    severity=Severity.ERROR if level in ("no", False) else Severity.WARNING,
                    message="is missing" if level in ("no", False) else f"covers only {level}: the rest stays unseen",
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


def _document_fields(profile: Profile) -> Iterator[Expected]:
    names = profile.document
    statuses = tuple(next(iter(values), "") for values in names.status_values.values())
    index_statuses = tuple(next(iter(values), "") for values in names.index_status_values.values())
    fields = (
        Expected(field=names.file, types=frozenset({"file"})),
        Expected(field=names.status, types=_ENUM, values=statuses),
        Expected(field=names.index_status, types=_ENUM, values=index_statuses),
        Expected(field=names.index_file, types=_TEXT, length=40),
        Expected(field=names.collections, types=frozenset({"array", "multiEnum", "jsonArray"})),
        Expected(field=names.indexed_hash, types=_TEXT, length=64),
        Expected(field=names.index_error, types=_TEXT),
        Expected(field=names.md5, types=_TEXT, length=32),
        Expected(field=names.sha256, types=_TEXT, length=64),
        Expected(field=names.preview, types=frozenset({"image", "file"})),
    )
    yield from (field for field in fields if field.field)
    for field in names.extra.values():
        if field:
            yield Expected(field=field, types=frozenset({*_TEXT, "enum", "int", "datetime"}), severity=Severity.WARNING)


def _case_file_fields(profile: Profile, consent_field: str) -> Iterator[Expected]:
    names = profile.case_file
    if consent_field:
        yield Expected(
            field=consent_field,
            types=frozenset({"bool"}),
            why=": without it no document has consent to leave the house",
        )
    yield Expected(field=names.number, types=_NUMBER, severity=Severity.WARNING)
    for field in (names.reference, names.stage):
        if field:
            yield Expected(field=field, types=_ENUM | _TEXT, severity=Severity.WARNING)


def _junction_fields(profile: Profile) -> Iterator[Expected]:
    names = profile.junction
    if names is None:
        return
    statuses = tuple(next(iter(values), "") for values in profile.document.index_status_values.values())
    yield Expected(field=names.index_file, types=_TEXT, length=40)
    if names.status:
        yield Expected(field=names.status, types=_ENUM, values=statuses)
    if names.indexed_hash:
        yield Expected(field=names.indexed_hash, types=_TEXT, length=64)
    if names.last_sync:
        yield Expected(field=names.last_sync, types=frozenset({"datetime"}))


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
        _error(
            "page size",
            f"{page_size} is above EspoCRM's limit of {limit}: every list would be refused",
            f"Set page_size = {limit}.",
        )
    ]


def _error(subject: str, message: str, fix: str) -> Finding:
    return Finding(subject=subject, severity=Severity.ERROR, message=message, fix=fix)
