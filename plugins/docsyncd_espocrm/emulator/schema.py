"""Entity types, their fields and links, and what `GET Metadata` says about them. Tests may change them at run time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

LinkKind = Literal["belongsTo", "hasMany", "manyMany"]

UncleanHook = Literal["off", "content", "fields", "always"]
"""When the replaced installation's hook makes a modified document unclean. Its rule is not public, so it is a switch.

`content`: a new file or name; `fields` (default): any attribute besides syncStatus; `always`: every change, even one that sets
the status alone."""

SYSTEM_ATTRIBUTES = frozenset(
    {"id", "deleted", "createdAt", "createdById", "modifiedAt", "modifiedById", "versionNumber", "streamUpdatedAt"}
)
"""Silently dropped from every body (reference 3.2)."""

_ID_TYPES = frozenset({"link", "file", "image"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field as entityDefs has it. `entity` is the foreign type of a link; `accept` the file names that a file field takes."""

    type: str
    required: bool = False
    default: Any = None
    options: tuple[str, ...] = ()
    max_length: int | None = None
    pattern: str | None = None
    entity: str = ""
    accept: tuple[str, ...] = ()
    read_only: bool = False

    def metadata(self) -> dict[str, Any]:
        named: dict[str, Any] = {
            "required": self.required or None,
            "default": self.default,
            "options": list(self.options) or None,
            "maxLength": self.max_length,
            "pattern": self.pattern,
            "accept": list(self.accept) or None,
            "readOnly": self.read_only or None,
        }
        return {"type": self.type} | {key: value for key, value in named.items() if value is not None}

    def attributes(self, name: str) -> tuple[str, ...]:
        """The attributes that this field shows, the stored one first."""
        if self.type in _ID_TYPES:
            return (f"{name}Id", f"{name}Name")
        if self.type == "linkMultiple":
            return (f"{name}Ids", f"{name}Names")
        return (name,)

    @property
    def is_upload(self) -> bool:
        return self.type in ("file", "image")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One side of a relationship.

    :param relation: names the pair table of a manyMany link, the same on both sides.
    :param through: the entity type that is the pair table's record form, if there is one.
    """

    kind: LinkKind
    entity: str
    foreign: str = ""
    relation: str = ""
    through: str = ""

    def metadata(self) -> dict[str, Any]:
        shown = {"type": "belongsTo" if self.kind == "belongsTo" else "hasMany", "entity": self.entity}
        return (
            shown
            | ({"foreign": self.foreign} if self.foreign else {})
            | ({"relationName": self.relation} if self.relation else {})
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute of records: which field it belongs to, and which of the field's attributes it is."""

    name: str
    field_name: str
    field: Field
    stored: bool


@dataclass(slots=True, kw_only=True)
class EntityType:
    """One entity type; every member may be changed while the emulator runs (a field removed, a switch turned).

    :param optimistic_concurrency: the Entity Manager's switch; adds `versionNumber`.
    :param stale_writers_may_differ: a stale PUT passes when nobody else touched its attributes. The reference says so in words;
        its sample of a 409 and EspoCRM's source refuse every stale PUT that changes something: so False, the stricter one.
    :param numeric_ids: record ids are row numbers (pair tables in record form).
    :param unclean_hook: saving a record runs the installation's hook (installation-profile 2.6).
    """

    name: str
    fields: dict[str, Field]
    links: dict[str, Link] = field(default_factory=dict)
    optimistic_concurrency: bool = False
    stale_writers_may_differ: bool = False
    count_disabled: bool = False
    numeric_ids: bool = False
    unclean_hook: bool = False
    _attributes: tuple[Any, dict[str, Attribute]] | None = field(default=None, init=False, repr=False)

    @property
    def is_custom(self) -> bool:
        """Made by an administrator or an extension: its fields and links get no prefix (reference 5.2)."""
        return self.name[:1] == "C" and self.name[1:2].isupper()

    @property
    def is_object(self) -> bool:
        """Only types with an object scope have webhook events: no attachments, no pair tables (reference 1.1)."""
        return not self.numeric_ids and self.name not in ("Attachment", "Webhook")

    def attributes(self) -> dict[str, Attribute]:
        """All attributes in EspoCRM's order: id, name, deleted, plain ones, then those of files and links."""
        made_for = (dict(self.fields), self.optimistic_concurrency)
        if self._attributes is None or self._attributes[0] != made_for:
            self._attributes = (made_for, self._list_attributes())
        return self._attributes[1]

    def _list_attributes(self) -> dict[str, Attribute]:
        plain: list[Attribute] = []
        related: list[Attribute] = []
        for name, each in self.fields.items():
            shown = each.attributes(name)
            for position, attribute in enumerate(shown):
                stored = each.type != "linkMultiple" and position == 0
                entry = Attribute(name=attribute, field_name=name, field=each, stored=stored)
                (plain if len(shown) == 1 else related).append(entry)
        if self.optimistic_concurrency:
            plain.append(_system("versionNumber", "int"))
        head = [_system("id", "int" if self.numeric_ids else "varchar")]
        if plain and plain[0].name == "name":
            head.append(plain.pop(0))
        return {entry.name: entry for entry in (*head, _system("deleted", "bool"), *plain, *related)}

    def metadata(self) -> dict[str, Any]:
        """What stands under entityDefs."""
        return {
            "fields": {name: each.metadata() for name, each in self.fields.items()},
            "links": {name: each.metadata() for name, each in self.links.items()},
            "collection": {"orderBy": "createdAt", "order": "desc"},
        } | ({"optimisticConcurrencyControl": True} if self.optimistic_concurrency else {})


Schema = Mapping[str, EntityType]


def _system(name: str, kind: str) -> Attribute:
    return Attribute(name=name, field_name=name, field=Field(type=kind, read_only=True), stored=True)
