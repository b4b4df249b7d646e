"""EspoCRM's records in docsyncd's words, and back. Pure: asks nobody, decides nothing.

German values and EspoCRM's names meet the model here and in the profiles, nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from docsyncd.api import (
    AttachmentId,
    CaseFile,
    CaseFileStage,
    CollectionId,
    CollectionStage,
    Document,
    DocumentId,
    DocumentStatus,
    FileReference,
    IndexFileId,
    IndexStatus,
    Patch,
    ProtocolViolation,
    Revision,
    normalise_case_file_number,
)

from .profile import Profile, Values

Record = Mapping[str, Any]
"""One record as JSON has it, by attribute."""

_TIME: Final = "%Y-%m-%d %H:%M:%S"
_Member = TypeVar("_Member", DocumentStatus, IndexStatus, CollectionStage)


def read_time(value: object) -> datetime | None:
    """EspoCRM's `YYYY-MM-DD HH:MM:SS` is UTC (reference/espocrm.md, 3.3). None if it is none, or not one."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def write_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_TIME)


def read_value(meanings: Mapping[_Member, Values], value: object) -> _Member | None:
    """What the value means; None if the profile does not know it. The first meaning wins where two share a value."""
    wire = value.strip().casefold() if isinstance(value, str) else "" if value is None else None
    for meaning, values in meanings.items():
        if wire is not None and wire in (known.casefold() for known in values):
            return meaning
    return None


def written_value(meanings: Mapping[_Member, Values], meaning: _Member) -> str | None:
    """The value that stands for a meaning: the profile's first; null where that is "", or where there is none."""
    return next(iter(meanings.get(meaning, ())), "") or None


def text(record: Record, name: str) -> str | None:
    """An attribute as text; null, "", an unmapped name and a missing attribute are None."""
    value = record.get(name) if name else None
    return None if value is None or value == "" else str(value)


class Wire:
    """One profile's translation. `remote` names the connector in errors."""

    def __init__(self, profile: Profile, *, remote: str) -> None:
        self.profile = profile
        self.remote = remote
        names = profile.document
        self.file_attribute: Final = f"{names.file}Id"
        self.case_file_attribute: Final = f"{profile.case_file.link}Id" if profile.case_file.link else ""
        self.preview_attribute: Final = f"{names.preview}Id" if names.preview else ""
        self._plain: Final = {
            "index_file": names.index_file,
            "collections": names.collections,
            "indexed_hash": names.indexed_hash,
            "index_error": names.index_error,
            "md5": names.md5,
            "sha256": names.sha256,
            "preview": self.preview_attribute,
        }

    def document(self, record: Record) -> Document:
        """The record. Without its file attribute nothing can be said of it: `ProtocolViolation`, not "has no file"."""
        names = self.profile.document
        number = record.get("versionNumber")
        preview = text(record, self.preview_attribute)
        index_file = text(record, names.index_file)
        return Document(
            id=DocumentId(self.identifier(record)),
            name=text(record, "name") or "",
            revision=None if number is None else Revision(str(number)),
            modified_at=read_time(record.get("modifiedAt")),
            file=self._file(record),
            case_file=text(record, self.case_file_attribute),
            status=_meaning(names.status, names.status_values, record, DocumentStatus.NONE, DocumentStatus.UNKNOWN),
            index_status=_meaning(
                names.index_status, names.index_status_values, record, IndexStatus.NONE, IndexStatus.UNKNOWN
            ),
            index_file=None if index_file is None else IndexFileId(index_file),
            collections=self._collections(record),
            indexed_hash=text(record, names.indexed_hash),
            index_error=text(record, names.index_error),
            md5=text(record, names.md5),
            sha256=text(record, names.sha256),
            preview=None if preview is None else AttachmentId(preview),
            extra={name: _plain_value(record.get(field)) for name, field in names.extra.items() if field},
        )

    def identifier(self, record: Record) -> str:
        value = record.get("id")
        if not isinstance(value, str | int) or value == "":
            raise ProtocolViolation("a record came without an id", remote=self.remote)
        return str(value)

    def changes(self, patch: Patch, document: Document) -> dict[str, Any]:
        """The attributes that a PUT of the record names: only what the profile maps, null for None.

        Where two meanings share a value, a document that holds it holds both: to write it again would change nothing.
        """
        names = self.profile.document
        body: dict[str, Any] = {}
        status, index_status = patch.status, patch.index_status
        if names.status and status is not None and not _holds(names.status_values, document.status, status):
            body[names.status] = written_value(names.status_values, status)
        meanings = names.index_status_values
        if (
            names.index_status
            and index_status is not None
            and not _holds(meanings, document.index_status, index_status)
        ):
            body[names.index_status] = written_value(meanings, index_status)
        for name, value in patch.values.items():
            if name not in self._plain:
                raise KeyError(f"a document has no attribute {name!r} to be written")
            if self._plain[name]:
                body[self._plain[name]] = list(value) if isinstance(value, tuple) else (value or None)
        return body

    def as_told(self, read: Document, patch: Patch) -> Document:
        """`read`, with the patch's own word where the profile cannot hold it: an unmapped name, two meanings of one value.

        Without this a caller that compares would write the same thing for ever.
        """
        names = self.profile.document
        kept: dict[str, Any] = {
            name: tuple(value) if isinstance(value, tuple) else value
            for name, value in patch.values.items()
            if not self._plain[name]
        }
        if patch.status is not None and _same(names.status, names.status_values, patch.status, read.status):
            kept["status"] = patch.status
        if patch.index_status is not None and _same(
            names.index_status, names.index_status_values, patch.index_status, read.index_status
        ):
            kept["index_status"] = patch.index_status
        return replace(read, **kept, shown=read) if kept else read

    def collection(self, record: Record) -> CollectionId | None:
        value = text(record, self.profile.collection.id)
        return None if value is None else CollectionId(value)

    def collection_stage(self, record: Record, *, has_stage: bool) -> CollectionStage:
        """Where the entity has no stage field, an id makes it active. A stage that cannot be read is UNKNOWN."""
        names = self.profile.collection
        if not has_stage:
            return CollectionStage.NEW if self.collection(record) is None else CollectionStage.ACTIVE
        value = record.get(names.stage)
        if value is None or value == "":
            return CollectionStage.UNKNOWN
        return read_value(names.stage_values, value) or CollectionStage.UNKNOWN

    def case_file(self, record: Record) -> CaseFile:
        names = self.profile.case_file
        number = record.get("versionNumber")
        stage = (text(record, names.stage) or "").strip().casefold()
        return CaseFile(
            id=self.identifier(record),
            number=normalise_case_file_number(text(record, names.number) or ""),
            reference=text(record, names.reference),
            stage=CaseFileStage.ADMITTED
            if stage in _folded(names.admitted)
            else CaseFileStage.REFUSED
            if stage in _folded(names.refused)
            else CaseFileStage.UNKNOWN,
            revision=None if number is None else Revision(str(number)),
        )

    def _file(self, record: Record) -> FileReference | None:
        if self.file_attribute not in record:
            raise ProtocolViolation(
                f"{self.profile.document.entity} came without {self.file_attribute}: does the field exist, and may the "
                "API user read it?",
                remote=self.remote,
            )
        attachment = text(record, self.file_attribute)
        if attachment is None:
            return None
        name = text(record, f"{self.profile.document.file}Name") or text(record, "name") or ""
        return FileReference(attachment=AttachmentId(attachment), name=name)

    def _collections(self, record: Record) -> tuple[CollectionId, ...]:
        value = record.get(self.profile.document.collections) if self.profile.document.collections else None
        if value is None:
            return ()
        if not isinstance(value, list):
            raise ProtocolViolation(
                f"{self.profile.document.collections} is not a list but {type(value).__name__}", remote=self.remote
            )
        return tuple(CollectionId(str(item)) for item in value)


def _meaning(
    field: str, meanings: Mapping[_Member, Values], record: Record, none: _Member, unknown: _Member
) -> _Member:
    if not field:
        return none
    value = record.get(field)
    found = read_value(meanings, value)
    return found if found is not None else none if value is None or value == "" else unknown


def _same(field: str, meanings: Mapping[_Member, Values], told: _Member, read: _Member) -> bool:
    return not field or (told != read and written_value(meanings, told) == written_value(meanings, read))


def _holds(meanings: Mapping[_Member, Values], held: _Member, told: _Member) -> bool:
    """Would writing `told` leave a field as it is that reads as `held`? A value that we do not know is always replaced."""
    return held.value != "unknown" and written_value(meanings, held) == written_value(meanings, told)


def _folded(values: Values) -> frozenset[str]:
    return frozenset(value.casefold() for value in values)


def _plain_value(value: object) -> str | int | None:
    return value if isinstance(value, str | int) or value is None else str(value)
