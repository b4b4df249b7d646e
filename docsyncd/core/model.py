"""The values that docsyncd decides about.

Frozen, slotted, keyword-only. Times are aware and in UTC, sizes are bytes. Nothing here does I/O,
reads a clock or knows the name of a remote's field: connectors translate at the edge (`wire.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final, Literal, NewType

DocumentId = NewType("DocumentId", str)
"""A record's id in the catalog; opaque."""

CaseFileNumber = NewType("CaseFileNumber", str)
"""Aktennummer, trimmed and without leading zeros (`normalise_case_file_number`)."""

AttachmentId = NewType("AttachmentId", str)
"""Names one immutable content in the catalog: other bytes have another id (reference/espocrm.md, 4.4)."""

CollectionId = NewType("CollectionId", str)
"""A searchable collection of the index."""

IndexFileId = NewType("IndexFileId", str)
"""A file of the index; one file may be placed in many collections."""

ContentHash = NewType("ContentHash", str)
"""BLAKE3 of the bytes, 64 lower-case hex digits."""

RelativePath = NewType("RelativePath", str)
"""A path below a case file's root, `/` between its parts."""

Revision = NewType("Revision", str)
"""What a write replaces: USN, versionNumber, ETag. Opaque; compared for equality only."""


class Absent(Enum):
    """The precondition "there must be nothing yet"."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
Expected = Revision | Literal[Absent.ABSENT]


def normalise_case_file_number(raw: str) -> CaseFileNumber:
    """`" 00123 "` and `"123"` are one case file (installation-profile, U-11). An all-zero number is `0`."""
    trimmed = raw.strip()
    return CaseFileNumber(trimmed.lstrip("0") or ("0" if trimmed else ""))


class Lane(StrEnum):
    """How urgent a key is; a key that waits moves up, never down."""

    INTERACTIVE = "interactive"
    NORMAL = "normal"
    BULK = "bulk"


HolderId = NewType("HolderId", str)
"""A catalog record that stands for a collection, as `<entity>/<id>`."""

WorkKey = NewType("WorkKey", str)
"""What the queue holds: `doc:<id>`, `case:<number>` or `holder:<entity>/<id>`."""


def document_key(document: DocumentId) -> WorkKey:
    return WorkKey(f"doc:{document}")


def case_file_key(number: CaseFileNumber) -> WorkKey:
    return WorkKey(f"case:{number}")


def holder_key(holder: HolderId) -> WorkKey:
    return WorkKey(f"holder:{holder}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something may have changed: look at `key`. Says nothing about what or how.

    :param topic: what said so, for logs and metrics: `vmh.document.update`, `poll`, `sweep.ids`.
    :param deep: look behind the record, too (its links), even if the record itself did not change.
    """

    key: WorkKey
    topic: str
    deep: bool = False


class DocumentStatus(StrEnum):
    """The record's own word on its file (SEED-A `dateiStatus`). UNKNOWN: a value that we do not know."""

    NEW = "new"
    CHANGED = "changed"
    SYNCED = "synced"
    FAILED = "failed"
    NONE = "none"
    UNKNOWN = "unknown"


class IndexStatus(StrEnum):
    """The record's word on its place in the index (SEED-A `xaiSyncStatus`)."""

    SYNCING = "syncing"
    SYNCED = "synced"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReference:
    """The content that a record points to."""

    attachment: AttachmentId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A catalog record, as read. What it says of the index is a claim, not a proof: EspoCRM's "Duplicate" copies it.

    :param revision: what a write to this record replaces, or None where the catalog keeps no versions.
    :param case_file: the id of its case-file record (not the number), or None.
    :param index_file: the file of the index that the record names.
    :param collections: the collections that the record names, in the record's order.
    :param indexed_hash: hash at the last successful indexing: BLAKE3, or MD5 or SHA-256 by the earlier implementation.
    :param extra: mapped fields that only some profiles have, by their name in the profile.
    :param shown: after a save, how the catalog shows it, where that differs because it cannot hold all that was told.
    """

    id: DocumentId
    name: str
    revision: Revision | None
    modified_at: datetime | None
    file: FileReference | None
    case_file: str | None
    status: DocumentStatus
    index_status: IndexStatus
    index_file: IndexFileId | None
    collections: tuple[CollectionId, ...]
    indexed_hash: str | None
    index_error: str | None
    md5: str | None
    sha256: str | None
    preview: AttachmentId | None
    extra: Mapping[str, str | int | None] = field(default_factory=dict)
    shown: Document | None = field(default=None, compare=False, repr=False)


class CollectionStage(StrEnum):
    """The life of a collection in the catalog (installation-profile, 2.5). UNKNOWN holds: neither placed nor withdrawn."""

    NEW = "new"
    ACTIVE = "active"
    PAUSED = "paused"
    DEACTIVATED = "deactivated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One link between a document and a catalog record that stands for a collection.

    :param holder: the linked record.
    :param collection: its collection in the index; None while none was created.
    :param consent: may this document leave the house for this collection? Asked anew before each upload.
    """

    holder: HolderId
    collection: CollectionId | None
    stage: CollectionStage
    consent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A catalog record that stands for a collection."""

    id: HolderId
    name: str
    collection: CollectionId | None
    stage: CollectionStage
    revision: Revision | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """Three hashes of one pass over the bytes, lower-case hex, and the number of bytes."""

    blake3: ContentHash
    sha256: str
    md5: str
    size: int

    def names(self, digest: str | None) -> bool:
        """Is `digest` one of these three? (Records of the earlier implementation hold MD5 or SHA-256.)"""
        return digest is not None and digest.lower() in (self.blake3, self.sha256, self.md5)


class PlacementState(StrEnum):
    """Where a file stands in a collection. ABSENT: not a member."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One file in one collection, as the index reports it.

    :param content: the index's own BLAKE3, once it knows it.
    :param name: the file's name in the index; carries our tag if we uploaded it.
    :param error: the index's reason, with FAILED.
    """

    file: IndexFileId
    collection: CollectionId
    state: PlacementState
    name: str = ""
    content: ContentHash | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedFile:
    """A file that the index stores, placed or not."""

    id: IndexFileId
    name: str
    size: int
    created_at: datetime | None


class CaseFileStage(StrEnum):
    """Whether a case file is synced at all (SEED-B: Neu, Aktiv, Import are). UNKNOWN holds it, visibly."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """The catalog's record of a case file."""

    id: str
    number: CaseFileNumber
    reference: str | None
    stage: CaseFileStage
    revision: Revision | None


class Side(StrEnum):
    """Which replica of a case file is meant."""

    RECORD = "record"
    REPLICA = "replica"


class Drift(StrEnum):
    """One side of an item against what was agreed. Without an ancestor: ABSENT or CREATED. UNKNOWN is never read as absent."""

    ABSENT = "absent"
    CREATED = "created"
    UNCHANGED = "unchanged"
    MODIFIED = "modified"
    DELETED = "deleted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What a record's own fields say was agreed last (SEED-B `syncHash`, `syncPath`): a copy of our ancestors for bad days."""

    content: ContentHash | None
    path: RelativePath | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """One file of a case file, as a replica lists it. `content` is None where only reading would tell.

    :param file_id: what stays the same while the file is renamed: the document's id, the NTFS file id. None: unknown.
    :param agreed: on the record's side only.
    :param oddity: why this is no ordinary file (reparse point, several hard links, a folder), or None.
    """

    path: RelativePath
    revision: Revision
    size: int | None
    modified_at: datetime | None
    content: ContentHash | None
    file_id: str | None
    agreed: Agreed | None = field(default=None, compare=False)
    oddity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Which file system a scan saw, and how far its change journal had got (reference/advoware-windows-sync.md, 2.1).

    :param serial: of the volume, with the watcher's own identity if it has one.
    :param journal: the change journal's id; another id means that USNs begin anew.
    :param next_usn: the journal's end. It never goes back unless the disk did.
    """

    serial: str
    journal: str
    next_usn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A replica's listing of one case file. Only a complete one says that something is absent.

    :param volume: None where the replica cannot tell (EspoCRM; a watcher of level basic).
    :param taken_at: by the replica's own clock; None if it does not say.
    """

    files: tuple[FileState, ...]
    complete: bool
    volume: Volume | None = None
    taken_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One entry of the case file's history. `number` 0 or None means unknown (installation-profile, U-03)."""

    number: int | None
    path: RelativePath | None
    kind: str | None
    text: str | None
    date: datetime | None
