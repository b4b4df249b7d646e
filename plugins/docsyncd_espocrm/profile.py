"""Profiles: what an installation of EspoCRM calls the things that docsyncd knows.

A profile is data (`profiles/*.toml`); `[connectors.NAME.names]` overrides single names. This module loads and validates.
It translates nothing (`wire.py`) and asks no remote whether the names exist (`check.py`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from docsyncd.api import CollectionStage, ConfigError, DocumentStatus, IndexStatus

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
"""An entity, field or link. It becomes part of a path or a query, hence the narrow alphabet."""
Optional = Annotated[str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$", max_length=100)]
"""A name, or "" for "this installation has no such field": it is neither read nor written."""
Values = tuple[str, ...]
"""The first is written, all are understood, in any case; "" stands for null."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DocumentNames(_Table):
    """The document entity and its fields."""

    entity: Name
    file: Name
    """The file field; its attribute is this plus `Id`."""
    status: Optional = ""
    index_status: Optional = ""
    index_file: Optional = ""
    collections: Optional = ""
    """An `array` field."""
    indexed_hash: Optional = ""
    index_error: Optional = ""
    md5: Optional = ""
    sha256: Optional = ""
    preview: Optional = ""
    """An image or file field; its attribute is this plus `Id`."""
    extra: Mapping[str, Optional] = Field(default_factory=dict)
    """Further attributes to read, by the name that they get in `Document.extra`."""
    status_values: Mapping[DocumentStatus, Values]
    index_status_values: Mapping[IndexStatus, Values]


class CaseFileNames(_Table):
    """The case file's entity (Akte) and its fields."""

    entity: Name
    link: Optional = ""
    """The document entity's link to the case file: many-to-one, or many-to-many in older installations. "": none."""
    number: Name
    reference: Optional = ""
    stage: Optional = ""
    admitted: Values
    """Values of `stage` whose case files are synced."""
    refused: Values
    """Values whose case files are not; any other value holds, visibly."""


class CollectionNames(_Table):
    """What makes an entity stand for a collection: it has the field `id`."""

    id: Name
    stage: Optional = ""
    """Where an entity has no such field its records count as active."""
    stage_values: Mapping[CollectionStage, Values]


class JunctionNames(_Table):
    """The rows between document and collection, where they and not the document hold what the index knows."""

    entity: Name
    document: Name
    holder: Name
    holder_entity: Name
    index_file: Name
    status: Optional = ""
    indexed_hash: Optional = ""
    last_sync: Optional = ""
    rows_route: str = "/{entity}"
    """Path that lists a document's rows; `{entity}` and `{document}` are filled in. Answers `[…]` or `{"list": […]}`."""
    row_route: str = "/{entity}/{row}"
    """Path that a PUT changes one row at; `{entity}`, `{row}`, `{document}` and `{holder}` are filled in."""


class Profile(_Table):
    """One installation's names."""

    document: DocumentNames
    case_file: CaseFileNames
    collection: CollectionNames
    junction: JunctionNames | None = None


def profile_names() -> tuple[str, ...]:
    """The profiles that are shipped, sorted."""
    folder = resources.files(__package__) / "profiles"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_profile(name: str, overrides: Mapping[str, Any] | None = None) -> Profile:
    """The shipped profile with `overrides` laid over it, table by table. `ConfigError` says which name is wrong."""
    if name not in profile_names():
        raise ConfigError(
            f"there is no profile {name!r}.", key="profile", fix=f"Write one of: {', '.join(profile_names())}."
        )
    shipped = resources.files(__package__) / "profiles" / f"{name}.toml"
    raw = tomllib.loads(shipped.read_text(encoding="utf-8"))
    try:
        return Profile.model_validate(_laid_over(raw, overrides or {}))
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"{first['msg']} (got {first['input']!r})", key=".".join(["names", *map(str, first["loc"])])
        ) from error


def _laid_over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` wins; tables are merged, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _laid_over(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
