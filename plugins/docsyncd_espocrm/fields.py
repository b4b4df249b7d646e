"""Which fields an installation must have, by the profile, and what is wrong with those that its metadata shows. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from docsyncd.api import Finding, Severity

from .profile import Profile

_TEXT: Final = frozenset({"varchar", "text"})
_ENUM: Final = frozenset({"enum", "varchar"})
_NUMBER: Final = frozenset({"int", "autoincrement", "varchar", "number"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a field must be like. `values` are those that we write; `length` is what we need at least."""

    field: str
    types: frozenset[str]
    severity: Severity = Severity.ERROR
    values: tuple[str, ...] = ()
    length: int = 0
    why: str = ""


def document_fields(profile: Profile) -> Iterator[Expected]:
    """The document's fields; those that are only read may be missing."""
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


def case_file_fields(profile: Profile, consent_field: str) -> Iterator[Expected]:
    """The case file\'s fields; consent is the one that must be there."""
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


def junction_fields(profile: Profile) -> Iterator[Expected]:
    """The rows' fields; none in an installation without rows."""
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


def field_findings(entity: str, fields: Any, expected: Sequence[Expected]) -> list[Finding]:
    """What is wrong with the fields of an entity, as its metadata shows them; one OK if nothing is."""
    if not isinstance(fields, Mapping):
        return [
            mistake(
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


def mistake(subject: str, message: str, fix: str) -> Finding:
    """What refuses the start."""
    return Finding(subject=subject, severity=Severity.ERROR, message=message, fix=fix)
