"""The JSON of level extended and what it means, and what both levels share.

An answer that is not wholly a listing is `ProtocolViolation`, never an empty case file. What a file in a listing lacks is
unknown; what makes it no ordinary file is said in `oddity`, so that the file is parked and not lost from sight.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic.alias_generators import to_camel

from docsyncd.api import (
    CaseFileNumber,
    ContentHash,
    FileState,
    ProtocolViolation,
    Reply,
    Revision,
    Scan,
    Volume,
    normalise_case_file_number,
)
from docsyncd_watcher.names import OUTSIDE, is_text, leaves_the_case_file, relative

FOLDER: Final = 0x10
REPARSE_POINT: Final = 0x400
ELSEWHERE: Final = 0x1000 | 0x40000 | 0x400000
"""FILE_ATTRIBUTE_OFFLINE, RECALL_ON_OPEN, RECALL_ON_DATA_ACCESS: reading would fetch the content from another storage."""


def _raw_text(value: object) -> str:
    """pydantic's own `str` refuses lone surrogates, which NTFS allows in a name."""
    if not isinstance(value, str) or not value:
        raise ValueError("a text was expected")
    return value


RawText = Annotated[str, PlainValidator(_raw_text)]


class _Wire(BaseModel):
    """Keys in camelCase; what is not known here is kept in `model_extra`."""

    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True)


class WireCapabilities(_Wire):
    """The answer to discovery. Anything else is a watcher of level basic."""

    protocol: Annotated[str, Field(pattern="^docsyncd-watcher$")]
    version: Annotated[int, Field(ge=1)]
    instance: Annotated[str, Field(min_length=1)]
    generated_at: AwareDatetime | None = None
    max_file_bytes: int | None = None


class WireState(_Wire):
    """What must not change while a file is read: the header `X-File-State`."""

    volume_serial: str
    journal_id: str | None
    file_id: str
    usn: int
    size: int
    modified: AwareDatetime

    def revision(self) -> Revision:
        return Revision(str(self.usn))


class WireFile(_Wire):
    """One file of an extended listing."""

    path: RawText
    file_id: Annotated[str, Field(min_length=1)]
    parent_id: str | None = None
    usn: int
    size: Annotated[int, Field(ge=0)]
    modified: AwareDatetime
    changed: AwareDatetime | None = None
    attributes: int = 0
    link_count: int = 1
    open_state: str = "closed"
    blake3_hash: str | None = None
    hash_usn: int | None = None

    def oddity(self) -> str | None:
        if self.attributes & REPARSE_POINT:
            return "a reparse point"
        if self.attributes & ELSEWHERE:
            return "its content is not on this server"
        return f"it has {self.link_count} hard links" if self.link_count > 1 else path_oddity(self.path)


class WireListing(_Wire):
    """An extended listing. `listing_complete` and `count` are its end marker: without them it is none."""

    akte: str
    generated_at: AwareDatetime
    volume_serial: Annotated[str, Field(min_length=1)]
    journal_id: str | None
    first_usn: int
    next_usn: int
    root_file_id: str | None
    files: tuple[WireFile, ...]
    count: int
    listing_complete: bool


class WireWritten(_Wire):
    """The answer to an extended upload."""

    file: WireFile
    quarantine: str | None = None
    replayed: bool = False


Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], reply: Reply, *, remote: str) -> Model:
    """The answer's meaning; `ProtocolViolation` if it has none."""
    return _validated(model, reply.json(remote=remote), f"{reply.method} answered {reply.status}", remote)


def read_state(reply: Reply, *, remote: str) -> WireState:
    """The header of a download or of HEAD."""
    raw = reply.headers.get("X-File-State", "")
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise ProtocolViolation(f"{reply.method} answered without a readable X-File-State", remote=remote) from error
    return _validated(WireState, value, "X-File-State", remote)


def _validated(model: type[Model], value: Any, what: str, remote: str) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
        raise ProtocolViolation(f"{what} with something unexpected{where and f' at {where}'}", remote=remote) from error


def capabilities(reply: Reply) -> WireCapabilities | None:
    """None: not of level extended, whatever it answered."""
    try:
        return WireCapabilities.model_validate_json(reply.body) if reply.status == 200 else None
    except ValidationError:
        return None


def content_hash(value: object) -> ContentHash | None:
    """64 hexadecimal digits; another hash than BLAKE3 has another length, and is unknown."""
    return ContentHash(value.lower()) if isinstance(value, str) and re.fullmatch(r"[0-9A-Fa-f]{64}", value) else None


def path_oddity(path: str) -> str | None:
    """Why a path of a listing is not followed."""
    if leaves_the_case_file(relative(path)):
        return OUTSIDE
    return None if is_text(path) else "its name is no text: it has half a character"


def extended_scan(reply: Reply, case_file: CaseFileNumber, *, instance: str, remote: str) -> Scan:
    """Folders are left out: they are no documents."""
    listing = read(WireListing, reply, remote=remote)
    require_owner(listing.akte, case_file, remote)
    if listing.count != len(listing.files):
        raise ProtocolViolation(
            f"the listing announces {listing.count} files and has {len(listing.files)}", remote=remote
        )
    journal = listing.journal_id
    files = tuple(
        _extended_state(file, journal=journal is not None, taken_at=listing.generated_at)
        for file in listing.files
        if not file.attributes & FOLDER
    )
    require_distinct(files, remote)
    return Scan(
        files=files,
        complete=listing.listing_complete,
        volume=Volume(
            serial=f"{instance}/{listing.volume_serial}",
            journal=journal or "",
            next_usn=listing.next_usn if journal else 0,
        ),
        taken_at=listing.generated_at,
    )


def _extended_state(file: WireFile, *, journal: bool, taken_at: datetime) -> FileState:
    """Without a journal nothing says that a file stood still: its revision is never the same twice, its hash is not believed."""
    believed = journal and file.hash_usn == file.usn
    return FileState(
        path=relative(file.path),
        revision=Revision(str(file.usn) if journal else f"{file.usn}?{taken_at.isoformat()}"),
        size=file.size,
        modified_at=file.modified.astimezone(UTC),
        content=content_hash(file.blake3_hash) if believed else None,
        file_id=file.file_id,
        oddity=file.oddity(),
    )


def require_owner(told: object, case_file: CaseFileNumber, remote: str) -> None:
    """A listing of another case file is the worst answer of all."""
    if normalise_case_file_number(str(told)) != case_file:
        raise ProtocolViolation(f"asked for case file {case_file}, the listing is another's", remote=remote)


def require_distinct(files: Sequence[FileState], remote: str) -> None:
    if len({file.path for file in files}) != len(files):
        raise ProtocolViolation("the listing names one path twice", remote=remote)
