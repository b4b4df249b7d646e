"""The four ports and the feed. A connector offers one or more; the host speaks to nothing else.

Every write carries what it replaces: an `expect` that no longer holds raises `PreconditionFailed`. What a port cannot
know is said as unknown and never as absent. All methods raise the classes of `docsyncd.errors`; nothing that an HTTP
library raises leaves a connector.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from docsyncd.core.model import (
    Absent,
    AttachmentId,
    CaseFile,
    CaseFileNumber,
    CollectionId,
    CollectionStage,
    ContentHash,
    Digests,
    Document,
    DocumentId,
    DocumentStatus,
    FileState,
    Holder,
    HolderId,
    IndexedFile,
    IndexFileId,
    IndexStatus,
    JournalEntry,
    Membership,
    Placement,
    RelativePath,
    Revision,
    Scan,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Bytes on the local disk, hashed while they arrived. The file lives as long as the context that made it."""

    path: Path
    digests: Digests

    @property
    def size(self) -> int:
        return self.digests.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A response body that is being read.

    :param size: bytes announced by the record of the content, not by the response.
    :param chunks: the body; ends early only by raising `CorruptContent`.
    """

    name: str
    size: int
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """What is to change in a record: only what is named is sent, and None clears it."""

    status: DocumentStatus | None = None
    index_status: IndexStatus | None = None
    values: Mapping[str, str | tuple[str, ...] | None]
    """By attribute name of `Document`: `index_file`, `collections`, `indexed_hash`, `index_error`, `md5`, `sha256`, `preview`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One document that may have changed since the cursor. `deep`: its links or its consent may have."""

    document: DocumentId
    deep: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """One page of changes and the cursor behind it; `more` says that another page can be had at once."""

    items: tuple[Change, ...]
    cursor: str
    more: bool


class Catalog(Protocol):
    """The records: which documents exist, what they point to, where they should be searchable."""

    async def document(self, document: DocumentId) -> Document | None:
        """The record, or None if the catalog itself says that it is gone (never because it could not be asked)."""

    async def memberships(self, document: Document) -> tuple[Membership, ...]:
        """Every link to a record that stands for a collection, with the consent as it is at this moment."""

    def open(self, document: Document) -> AbstractAsyncContextManager[Download]:
        """The bytes behind `document.file`. `NotReady` while its upload is unfinished, `PreconditionFailed` if it was replaced."""

    async def save(self, document: Document, patch: Patch, *, expect: Revision | None) -> Document:
        """Change the record in one request and return it as it is now.

        `expect` is `document.revision`; None where the catalog keeps no versions, and then the record is read again
        after the write: if it points to another file than `document` did, `PreconditionFailed` is raised. Where the patch
        only announces work (`IndexStatus.SYNCING` and nothing else), the answer to the write itself may say so.
        """

    async def attach_preview(self, document: Document, picture: bytes, *, expect: Revision | None) -> AttachmentId:
        """Store a WebP picture for the record's preview field; it shows only after `save` names it."""

    async def changed_since(self, cursor: str | None) -> Changes:
        """Documents changed since the cursor; None begins at now, less the overlap."""

    def ids(self) -> AsyncIterator[DocumentId]:
        """Every document. An iteration that ends without an error was complete."""

    def links(self) -> AsyncIterator[tuple[CollectionId, DocumentId]]:
        """Every pair of an active collection and a linked document. Complete if it ends without an error."""

    async def holder(self, holder: HolderId) -> Holder | None:
        """The record that stands for a collection, or None if the catalog says that it is gone."""

    def holders(self) -> AsyncIterator[Holder]:
        """Every record that stands for a collection. Complete if it ends without an error."""

    def holder_documents(self, holder: HolderId) -> AsyncIterator[DocumentId]:
        """Every document linked to it."""

    async def save_holder(
        self, holder: Holder, collection: CollectionId | None, stage: CollectionStage, *, expect: Revision | None
    ) -> None:
        """Store which collection it stands for, and its stage, in one request."""

    async def case_file(self, number: CaseFileNumber) -> CaseFile | None:
        """The case file's record, or None if there is none."""


class Index(Protocol):
    """Search collections. A file is uploaded once and placed in any number of collections."""

    def refusal(self, name: str, size: int) -> str | None:
        """Why this content cannot be indexed at all (type, size), in words for a person, or None. Asks nobody."""

    async def placements(self, document: DocumentId, collections: Collection[CollectionId]) -> tuple[Placement, ...]:
        """What these collections hold of the document, found by our tag alone. Raises `Rejected` if one is gone."""

    async def find(self, tag: str, *, since: datetime | None) -> tuple[IndexedFile, ...]:
        """Files whose name carries exactly this tag, placed or not. `since` bounds the search by creation time."""

    async def file(self, file: IndexFileId) -> IndexedFile | None:
        """One file, or None if the index says that there is none."""

    async def upload(self, staged: Staged, name: str) -> IndexFileId:
        """Store the bytes under exactly this name. `OutcomeUnknown` if the answer was lost: then `find` before again."""

    async def place(self, file: IndexFileId, collection: CollectionId, fields: Mapping[str, str]) -> None:
        """Make the file a member. Being one already is success.

        `NotReady` while the index does not see the file yet, `FileGone` once there is none, `CollectionGone` likewise.
        """

    async def status(self, file: IndexFileId, collection: CollectionId) -> Placement:
        """Where the file stands in the collection; state ABSENT if it is not a member."""

    async def withdraw(self, file: IndexFileId, collection: CollectionId) -> None:
        """End the membership. Not being a member is success."""

    async def forget(self, file: IndexFileId) -> None:
        """Delete the file, which must be placed nowhere. Being gone already is success."""

    def files(self) -> AsyncIterator[IndexedFile]:
        """Every file that carries our tag. Complete if it ends without an error."""

    def members(self, collection: CollectionId) -> AsyncIterator[Placement]:
        """Every member of a collection. Complete if it ends without an error."""

    async def find_collections(self, tag: str) -> tuple[CollectionId, ...]:
        """Collections whose name ends with exactly this tag."""

    async def create_collection(self, name: str) -> CollectionId:
        """Create a collection; not idempotent (names are not unique): write the id down before going on."""

    async def delete_collection(self, collection: CollectionId) -> None:
        """Delete a collection. Being gone already is success."""


class Replica(Protocol):
    """The files of a case file, on one of its two sides."""

    async def scan(self, case_file: CaseFileNumber) -> Scan:
        """All files, or an incomplete scan: unknown is never read as absent."""

    def read(self, case_file: CaseFileNumber, file: FileState) -> AbstractAsyncContextManager[Download]:
        """The bytes of one file of a scan. `PreconditionFailed` if it is gone or no longer what was seen, `NotReady` while
        another program has it open."""

    async def write(
        self,
        case_file: CaseFileNumber,
        path: RelativePath,
        staged: Staged,
        *,
        expect: FileState | Literal[Absent.ABSENT],
        operation: str,
        fence: int,
    ) -> FileState:
        """Replace or create the file and return what stands there now, by reading back.

        :param expect: what is replaced, its `content` known, for it was kept before; anything else is `PreconditionFailed`.
        :param operation: this effect's id, the same when it is tried again; a replica that remembers it performs it once.
        :param fence: of the lease (`Claim.fence`); a replica that has seen a higher one raises `LeaseLost`.
        """

    async def remove(self, case_file: CaseFileNumber, *, expect: FileState, operation: str, fence: int) -> None:
        """Remove the file, where the replica can bring it back. `Rejected` where it never removes anything."""


class Journal(Protocol):
    """The history of a case file: which files belong to it and what they are."""

    async def entries(self, case_file: CaseFileNumber) -> Sequence[JournalEntry]:
        """All entries; an unreachable journal raises, it is never empty. `SafetyHalt` with the valve `wrong-case` if what is found
        under this number is another case file."""

    async def append(self, case_file: CaseFileNumber, entry: JournalEntry, *, marker: str) -> JournalEntry:
        """Add an entry once and return it as stored, with its number.

        :param marker: names the operation. It is stored with the entry, and an entry that carries it already is the one that
            an earlier try made: it is returned, and none is added. `OutcomeUnknown` if the answer was lost: call it again later.
        """

    async def archived(self, case_file: CaseFileNumber) -> bool | None:
        """Is the case file filed away (Ablage)? None: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Someone outside says which case files are due: members of a set on the queue's own server.

    A declaration, not a method. Taking members into the queue is one step of that server (`RedisQueue.intake`), so that a
    number is in the set or in the queue whatever dies; and no connector reaches Redis.

    :param source: the set's key; outsiders `SADD` Aktennummern to it.
    """

    source: str


__all__ = [
    "Catalog",
    "Change",
    "Changes",
    "ContentHash",
    "Download",
    "Feed",
    "Index",
    "Journal",
    "Patch",
    "Replica",
    "Staged",
]
