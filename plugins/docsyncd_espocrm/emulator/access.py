"""Users and what they may do: scope levels of roles, and the particular rights on attachments (reference 2, 4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from docsyncd_espocrm.emulator.errors import forbidden
from docsyncd_espocrm.emulator.store import Record, Store

Action = Literal["create", "read", "edit", "delete"]
UserKind = Literal["admin", "regular", "api"]

ALL: Mapping[str, str] = {"create": "yes", "read": "all", "edit": "all", "delete": "all", "stream": "all"}


@dataclass(slots=True, kw_only=True)
class User:
    """Somebody who can log in.

    :param access: per scope a map of levels (`all`, `own`, `no`; create `yes` or `no`), or a boolean (Webhook).
    :param api_key: of an API user; `secret_key` only with authMethod Hmac.
    :param token: what `GET App/user` hands to a person.
    """

    id: str
    user_name: str
    name: str
    kind: UserKind
    password: str = ""
    api_key: str = ""
    secret_key: str = ""
    token: str = ""
    active: bool = True
    access: dict[str, dict[str, str] | bool] = field(default_factory=dict)

    @property
    def is_admin(self) -> bool:
        return self.kind == "admin"


def has_scope(user: User, scope: str) -> bool:
    level = user.access.get(scope, False)
    return user.is_admin or level is True or isinstance(level, dict)


def demand_admin(user: User) -> None:
    """Raises the 403 that everybody else gets."""
    if not user.is_admin:
        raise forbidden("No access.")


def may(user: User, action: Action, entity: str, record: Record | None = None) -> bool:
    """By the role's level; with a record, `own` asks who created it or whom it is assigned to."""
    if user.is_admin:
        return True
    levels = user.access.get(entity, False)
    if isinstance(levels, bool):
        return levels
    level = levels.get(action, "no")
    if level == "own" and record is not None:
        return user.id in (record.attributes.get("createdById"), record.attributes.get("assignedUserId"))
    return level in ("all", "yes", "own")


def may_read_attachment(store: Store, user: User, attachment: Record) -> bool:
    """Through the living parent; without one only the creator."""
    if user.is_admin or attachment.attributes.get("createdById") == user.id:
        return True
    for side in ("related", "parent"):
        entity, record_id = attachment.attributes.get(f"{side}Type"), attachment.attributes.get(f"{side}Id")
        parent = store.find(entity, record_id) if entity and record_id else None
        if parent is not None:
            return may(user, "read", parent.entity, parent)
    return False
