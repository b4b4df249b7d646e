"""Which links of the document entity lead to collections, and which one to the case file: read from EspoCRM's metadata.

What the API user's role may not see is missing from the metadata (reference/espocrm.md, part 6). So a link that is not there
any more may only have become invisible: it stays in use, where it is refused aloud, until EspoCRM says that it does not exist.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from docsyncd.api import ProtocolViolation

from .profile import Profile
from .rest import Rest


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionLink:
    """A many-to-many link to records that stand for collections; which of their fields exist."""

    name: str
    entity: str
    has_stage: bool
    has_consent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFileLink:
    """The link to the case file. `many`: older installations link a document to any number of them."""

    name: str
    entity: str
    many: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How documents, case files and collections hang together in this installation."""

    collections: tuple[CollectionLink, ...]
    case_file: CaseFileLink | None


class Links:
    """Reads the layout once per connection, and again when `X-App-Timestamp` says that the metadata may have changed."""

    def __init__(self, rest: Rest, profile: Profile, *, consent_field: str, only: Collection[str]) -> None:
        self._rest = rest
        self._profile = profile
        self._consent_field = consent_field
        self._only = only
        self._layout: Layout | None = None
        self._read_at: str | None = None
        self._reading = anyio.Lock()

    async def layout(self) -> Layout:
        """The layout. `ProtocolViolation` if no link leads to a collection: that is a mistake in the set-up and not a
        reason to withdraw every document."""
        async with self._reading:
            if self._layout is None or self._rest.timestamp != self._read_at:
                self._layout = await self._read(known=self._layout)
            return self._layout

    async def confirmed_gone(self, link: CollectionLink) -> bool:
        """After EspoCRM denied the link: does its metadata say so, too? Then the link is dropped."""
        async with self._reading:
            fresh = await self._read(known=None)
            if link.name in {each.name for each in fresh.collections}:
                return False
            self._layout = fresh
            return True

    async def _read(self, *, known: Layout | None) -> Layout:
        names = self._profile.document
        links = await self._rest.metadata(f"entityDefs.{names.entity}.links")
        self._read_at = self._rest.timestamp
        if not isinstance(links, Mapping):
            raise self._wrong(f"shows no links of {names.entity}: does it exist, and may the API user read it?")
        found = {link.name: link for link in (known.collections if known is not None else ())}
        for name in sorted(self._only or links):
            link = await self._collection_link(name, links.get(name))
            if link is not None:
                found[name] = link
            elif name in self._only and name not in found:
                raise self._wrong(
                    f"shows no link {names.entity}.{name} to an entity with the field {self._profile.collection.id}, "
                    f"but connectors.{self._rest.remote}.collection_links names it"
                )
        if not found:
            raise self._wrong(
                f"shows no link of {names.entity} to an entity with the field {self._profile.collection.id}: is the "
                "profile right, and may the API user read that entity?"
            )
        case_file = self._case_file_link(links) or (known.case_file if known is not None else None)
        return Layout(collections=tuple(found.values()), case_file=case_file)

    async def _collection_link(self, name: str, definition: Any) -> CollectionLink | None:
        """A link counts if both its sides may be many and its foreign entity has the collection-id field."""
        if not isinstance(definition, Mapping) or definition.get("type") != "hasMany":
            return None
        entity = definition.get("entity")
        if not isinstance(entity, str):
            return None
        fields = await self._rest.metadata(f"entityDefs.{entity}.fields")
        if not isinstance(fields, Mapping) or self._profile.collection.id not in fields:
            return None
        return CollectionLink(
            name=name,
            entity=entity,
            has_stage=self._profile.collection.stage in fields,
            has_consent=self._consent_field in fields,
        )

    def _case_file_link(self, links: Mapping[str, Any]) -> CaseFileLink | None:
        name = self._profile.case_file.link
        definition = links.get(name)
        if not name or not isinstance(definition, Mapping):
            return None
        entity = str(definition.get("entity") or self._profile.case_file.entity)
        return CaseFileLink(name=name, entity=entity, many=definition.get("type") == "hasMany")

    def _wrong(self, words: str) -> ProtocolViolation:
        return ProtocolViolation(f"EspoCRM's metadata {words}", remote=self._rest.remote)
