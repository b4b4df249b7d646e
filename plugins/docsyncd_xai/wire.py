"""xAI's JSON and what it means. Snake case and camel case are read alike, int64 come as strings, empty lists may be missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

from pydantic import AliasChoices, AliasGenerator, BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from docsyncd.api import (
    CollectionId,
    ContentHash,
    IndexedFile,
    IndexFileId,
    Placement,
    PlacementState,
    ProtocolViolation,
    Reply,
)

_Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
_NO_LIST = BeforeValidator(lambda value: () if value is None else value)


class _Wire(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=AliasGenerator(validation_alias=lambda name: AliasChoices(name, to_camel(name))),
    )


class WireFile(_Wire):
    """A file of api.x.ai (xai.md, 1.3)."""

    id: str
    filename: _Text = ""
    bytes: int | None = None
    created_at: int | None = None

    def meant(self) -> IndexedFile:
        return IndexedFile(
            id=IndexFileId(self.id), name=self.filename, size=self.bytes or 0, created_at=_moment(self.created_at)
        )


class WireFiles(_Wire):
    data: Annotated[tuple[WireFile, ...], _NO_LIST] = ()
    pagination_token: str | None = None


class WireFileMetadata(_Wire):
    file_id: str
    name: _Text = ""
    hash: _Text = ""
    upload_status: _Text = ""
    upload_error_message: _Text = ""
    processing_status: _Text = ""


class WireMember(_Wire):
    """A document of a collection (xai.md, 2.4)."""

    file_metadata: WireFileMetadata
    status: str | int | None = None
    error_message: _Text = ""

    def meant(self, collection: CollectionId) -> Placement:
        state = self.state()
        reason = self.error_message or self.file_metadata.upload_error_message
        return Placement(
            file=IndexFileId(self.file_metadata.file_id),
            collection=collection,
            state=state,
            name=self.file_metadata.name,
            content=_content(self.file_metadata.hash),
            error=(reason or "xAI names no reason") if state is PlacementState.FAILED else None,
        )

    def state(self) -> PlacementState:
        """READY and FAILED by the status alone; a file that was skipped or broke off has no status that says so."""
        state = STATES.get(self.word(), PlacementState.PENDING)
        broken = {self.file_metadata.processing_status.lower(), self.file_metadata.upload_status.lower()} & _BROKEN
        return PlacementState.FAILED if broken and state is PlacementState.PENDING else state

    def word(self) -> str:
        """`PROCESSED` of `DOCUMENT_STATUS_PROCESSED` or of 2."""
        if isinstance(self.status, int):
            return _NUMBERS.get(self.status, str(self.status))
        return (self.status or "").upper().removeprefix("DOCUMENT_STATUS_")


class WireMembers(_Wire):
    documents: Annotated[tuple[WireMember, ...], _NO_LIST] = ()
    pagination_token: str | None = None


class WireFieldDefinition(_Wire):
    key: str


class WireCollection(_Wire):
    """A collection (xai.md, 2.3)."""

    collection_id: str
    collection_name: _Text = ""
    field_definitions: Annotated[tuple[WireFieldDefinition, ...], _NO_LIST] = ()


class WireCollections(_Wire):
    collections: Annotated[tuple[WireCollection, ...], _NO_LIST] = ()
    pagination_token: str | None = None


class WireKey(_Wire):
    """What `GET /v1/api-key` says of the inference key."""

    team_blocked: bool = False
    api_key_blocked: bool = False
    api_key_disabled: bool = False


STATES: Final[Mapping[str, PlacementState]] = {
    "UNKNOWN": PlacementState.PENDING,
    "PROCESSING": PlacementState.PENDING,
    "PROCESSED": PlacementState.READY,
    "FAILED": PlacementState.FAILED,
    "CHUNKED": PlacementState.PENDING,
    "EMBEDDING": PlacementState.PENDING,
    "WRITING": PlacementState.PENDING,
}
"""In the order of their numbers. New ones have broken old clients: what is not here is PENDING (xai.md, 2.4 and 5)."""

_NUMBERS = dict(enumerate(STATES))
_BROKEN = frozenset({"failed", "skipped"})

Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], reply: Reply, *, remote: str) -> Model:
    """The answer's meaning; `ProtocolViolation` if it has none."""
    try:
        return model.model_validate_json(reply.body)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
        raise ProtocolViolation(
            f"{reply.method} {reply.path} answered {reply.status} with something unexpected{where and f' at {where}'}",
            remote=remote,
        ) from error


def _content(digest: str) -> ContentHash | None:
    """xAI's hash, if it has the shape of a BLAKE3 (which is documented in one place only)."""
    return ContentHash(digest.lower()) if re.fullmatch(r"[0-9A-Fa-f]{64}", digest) else None


def _moment(seconds: int | None) -> datetime | None:
    """Unix seconds; milliseconds, of which one client speaks, would lie in the year 5000 and are recognised by that."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds / 1000 if seconds > 100_000_000_000 else seconds, UTC)
