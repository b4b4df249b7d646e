"""What the emulated xAI holds, and how it behaves where the documentation says nothing."""

from __future__ import annotations

import shutil
import tempfile
import uuid
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import blake3

from docsyncd.api import Clock
from docsyncd_xai.media import media_type

Paging = Literal["always", "absent", "stuck"]
"""`pagination_token`: on every page (a short page is the end), absent on the last page, or the same page for ever."""


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """One switch per undocumented or surprising trait (reference/xai.md, 1.2, 1.4, 2.2, 2.6, 2.7). Change it at any time."""

    upload_lag: float = 0.0
    """Seconds after its upload in which a file answers 404 on both hosts and is in no list."""
    membership_lag: float = 0.0
    """Seconds after its placing in which a member answers 404 and is in no list."""
    index_seconds: float = 0.3
    """Seconds from placing to PROCESSED, through PROCESSING, CHUNKED, EMBEDDING and WRITING."""
    search_lag: float = 0.0
    """Seconds that the search stays behind, both in finding and in forgetting."""
    max_bytes: int = 48_000_000
    """Bytes of one file; above it 413."""
    unsupported: Literal["failed", "skipped"] = "failed"
    """What becomes of a type that cannot be indexed: DOCUMENT_STATUS_FAILED, or `processing_status: skipped` for ever."""
    same_member: Literal["overwrite", "conflict"] = "overwrite"
    """Placing a member once more: 200 and new fields, or 409."""
    delete_placed: Literal["detach", "dangling", "refuse"] = "detach"
    """Deleting a placed file: it leaves its collections, or stays listed in them, or the call answers 400."""
    batch_missing: Literal["omit", "refuse"] = "omit"
    """batchGet with the id of a non-member: left out, or 404 for the whole call."""
    violation_status: int = 400
    """Status for a required field that is missing or a unique one that is taken: 400 or 409."""
    undefined_fields: Literal["refuse", "ignore"] = "refuse"
    """Fields that the collection does not define."""
    files_paging: Paging = "always"
    """The token of file lists."""
    management_paging: Paging = "absent"
    """The token of the management lists."""
    management_errors: Literal["grpc", "flat", "nested", "text"] = "grpc"
    """Shape of the management host's error bodies."""
    wrong_management_key: int = 401
    """Status for a wrong management key; api.x.ai's is always 400."""
    zero_data_retention: bool = False
    """`x-zero-data-retention: true`, and files and collections are switched off (403)."""
    camel_case: bool = False
    """The management host answers in camelCase."""


@dataclass(slots=True, kw_only=True)
class StoredFile:
    """One uploaded file. `name` is exactly what stood on the wire."""

    id: str
    name: str
    size: int
    blake3: str
    purpose: str
    content_type: str
    created_at: datetime
    expires_at: datetime | None
    path: Path
    born: float
    """Monotonic seconds of the upload."""

    @property
    def content(self) -> bytes:
        return self.path.read_bytes()


@dataclass(slots=True, kw_only=True)
class Member:
    """One file in one collection."""

    file: StoredFile
    fields: dict[str, str]
    placed: float
    """Monotonic seconds of the placing or of the last PATCH."""
    reindexed: int = 0


@dataclass(slots=True, kw_only=True)
class FieldDefinition:
    key: str
    required: bool = False
    unique: bool = False
    inject_into_chunk: bool = False


@dataclass(slots=True, kw_only=True)
class StoredCollection:
    """One collection; `members` by file id."""

    id: str
    name: str
    description: str
    created_at: datetime
    members: dict[str, Member] = field(default_factory=dict)
    definitions: dict[str, FieldDefinition] = field(default_factory=dict)


class World:
    """Everything that xAI stores; read it and change it freely between requests.

    * `files`: file id → `StoredFile` (`.name`, `.size`, `.blake3`, `.content`)
    * `collections`: collection id → `StoredCollection` (`.name`, `.members`: file id → `Member`)
    * `deleted`: files that were deleted, by id, without their content
    * `uploads`: how many uploads were stored in all; `uploads - len(files) - len(deleted)` expired
    * `create_collection(name)`, `add_file(name, content)`, `place(file, collection)`, `delete_file(id)`: as if by another client
    * `names(collection)`: names of its members, sorted; `status(file, collection)`: its present indexing status
    * `unplaced()`: ids of files that no collection holds
    * `behaviour`: the switches
    """

    def __init__(self, clock: Clock, behaviour: Behaviour) -> None:
        self.clock = clock
        self.behaviour = behaviour
        self.files: dict[str, StoredFile] = {}
        self.deleted: dict[str, StoredFile] = {}
        self.collections: dict[str, StoredCollection] = {}
        self.uploads = 0
        self.left: dict[tuple[str, str], tuple[Member, float]] = {}
        """Members that were removed, and when: what a lagging search still finds."""
        self._folder = Path(tempfile.mkdtemp(prefix="xai-emulator-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def create_collection(self, name: str, definitions: Mapping[str, FieldDefinition] | None = None) -> str:
        """An empty collection; names need not be unique. Returns its id."""
        collection = StoredCollection(
            id=f"collection_{uuid.uuid4()}",
            name=name,
            description="",
            created_at=self.clock.now(),
            definitions=dict(definitions or {}),
        )
        self.collections[collection.id] = collection
        return collection.id

    def add_file(self, name: str, content: bytes) -> str:
        """Store a file. Returns its id."""
        path = self.spool()
        path.write_bytes(content)
        return self.keep(path, name=name, size=len(content), digest=blake3.blake3(content).hexdigest()).id

    def spool(self) -> Path:
        """Where the next upload's bytes go."""
        return self._folder / uuid.uuid4().hex

    def keep(
        self, path: Path, *, name: str, size: int, digest: str, purpose: str = "", lifetime: int | None = None
    ) -> StoredFile:
        """Make spooled bytes a file. `lifetime` is in seconds."""
        now = self.clock.now()
        file = StoredFile(
            id=f"file_{uuid.uuid4()}",
            name=name,
            size=size,
            blake3=digest,
            purpose=purpose,
            content_type=media_type(name) or "application/octet-stream",
            created_at=now,
            expires_at=None if lifetime is None else now + timedelta(seconds=lifetime),
            path=path,
            born=self.clock.monotonic(),
        )
        self.files[file.id] = file
        self.uploads += 1
        return file

    def place(self, file: str, collection: str, fields: Mapping[str, str] | None = None) -> None:
        """Make a file a member, or a member's fields new."""
        self.collections[collection].members[file] = Member(
            file=self.files[file], fields=dict(fields or {}), placed=self.clock.monotonic()
        )

    def remove(self, file: str, collection: str) -> None:
        """End a membership; the file stays."""
        member = self.collections[collection].members.pop(file)
        self.left[collection, file] = (member, self.clock.monotonic())

    def delete_file(self, file: str) -> None:
        """Delete a file; whether its memberships go, too, is `behaviour.delete_placed`."""
        gone = self.files.pop(file)
        self.deleted[file] = gone
        gone.path.unlink(missing_ok=True)
        if self.behaviour.delete_placed == "detach":
            for collection in self.collections.values():
                if file in collection.members:
                    self.remove(file, collection.id)

    def expire(self) -> None:
        """Drop the files whose time has come; they are in no list afterwards and answer 404."""
        now = self.clock.now()
        for file in [file for file in self.files.values() if file.expires_at is not None and file.expires_at <= now]:
            del self.files[file.id]
            file.path.unlink(missing_ok=True)
            for collection in self.collections.values():
                collection.members.pop(file.id, None)

    def visible(self, file: StoredFile) -> bool:
        """Has the upload's lag passed?"""
        return self.clock.monotonic() - file.born >= self.behaviour.upload_lag

    def settled(self, member: Member) -> bool:
        """Has the placing's lag passed?"""
        return self.clock.monotonic() - member.placed >= self.behaviour.membership_lag

    def member_status(self, member: Member) -> str:
        """Where the indexing stands now."""
        steps = ("PROCESSING", "CHUNKED", "EMBEDDING", "WRITING")
        elapsed = self.clock.monotonic() - member.placed
        if elapsed < self.behaviour.index_seconds:
            return steps[int(len(steps) * elapsed / self.behaviour.index_seconds)]
        if media_type(member.file.name) is not None:
            return "PROCESSED"
        return "FAILED" if self.behaviour.unsupported == "failed" else "PROCESSING"

    def skipped(self, member: Member) -> bool:
        """Was this type passed over without a status that says so?"""
        ready = self.clock.monotonic() - member.placed >= self.behaviour.index_seconds
        return ready and media_type(member.file.name) is None and self.behaviour.unsupported == "skipped"

    def status(self, file: str, collection: str) -> str:
        """`PROCESSED`, `FAILED`, …; `ABSENT` for what is no member."""
        member = self.collections[collection].members.get(file)
        return "ABSENT" if member is None else self.member_status(member)

    def names(self, collection: str) -> list[str]:
        return sorted(member.file.name for member in self.collections[collection].members.values())

    def unplaced(self) -> list[str]:
        placed = {file for collection in self.collections.values() for file in collection.members}
        return [file for file in self.files if file not in placed]

    def searchable(self, collection: str) -> list[Member]:
        """The members that a search sees now, lag included."""
        now = self.clock.monotonic()
        lag = self.behaviour.search_lag
        ready = self.behaviour.index_seconds + lag
        here = [
            member
            for member in self.collections[collection].members.values()
            if self.member_status(member) == "PROCESSED" and now - member.placed >= ready
        ]
        gone = [member for (where, _), (member, at) in self.left.items() if where == collection and now - at < lag]
        return [member for member in here + gone if member.file.path.exists()]
