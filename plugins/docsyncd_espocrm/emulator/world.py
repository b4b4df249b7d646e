"""The world behind the wire, for those who arrange and inspect it: people save, link, delete and restore here as in the browser."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from docsyncd.api import Clock
from docsyncd_espocrm.emulator import saving
from docsyncd_espocrm.emulator.access import ALL, User, UserKind
from docsyncd_espocrm.emulator.content import Content
from docsyncd_espocrm.emulator.media import type_of
from docsyncd_espocrm.emulator.profiles import Profile, case_file_entity, document_entity, schema_of
from docsyncd_espocrm.emulator.schema import EntityType
from docsyncd_espocrm.emulator.store import Store

VERSION = {"9.3": "9.3.10", "10": "10.0.0"}


class World:
    """Everything that the emulated EspoCRM holds. All calls are synchronous and act at once.

    Who exists from the start: `person` (a lawyer, full access), `admin` (password `admin`), `api_user` (`docsyncd`, full access
    and Webhook scope; `api_user.api_key`).

    * `create(entity, user=…, file=(name, bytes), **attributes) -> id` saves like a person in the browser (which fills publishDate);
      `update(entity, id, …)`, `delete(entity, id)`, `restore(entity, id)` (no event), `purge(entity, id)` (out of the table).
      `user` is a `User`, default `person`. Events go to the webhook queue. Unknown attributes raise KeyError.
    * `add_document(file_name, data, **attributes) -> id` is `create` of this profile's document entity with a file.
    * `record(entity, id) -> dict` with all attributes (deleted ones, too), `records(entity) -> list` of the living,
      `exists(entity, id)`.
    * `link(entity, id, link, foreign_id)`, `unlink(…)`, `linked(entity, id, link) -> ids`: no event, no stamp.
    * `attach(name, data, user=…, entity=…, field=…, type=…) -> id`: an uploaded attachment that no record has yet.
      `file(attachment_id) -> bytes`, `file_of(document_id) -> bytes`, `attachments() -> list` of the living records.
    * `add_user(user_name, kind="api", …) -> User`; `user.access[scope][action] = "no"` takes a right away.
    * `entity(name) -> EntityType`: change fields, accept lists, `optimistic_concurrency`, …; then `rebuild()`.
    * `settings`: upload limits, `recordListMaxSizeLimit`, `version`; `store.unclean_hook`: see schema.UncleanHook.
    """

    def __init__(self, profile: Profile, clock: Clock, version: str) -> None:
        self.profile = profile
        self.clock = clock
        self.document_entity = document_entity(profile)
        self.case_file_entity = case_file_entity(profile)
        self.store = Store(schema_of(profile), clock)
        self.users: dict[str, User] = {}
        self.settings: dict[str, Any] = {
            "version": version,
            "siteUrl": "http://crm.example",
            "timeZone": "Europe/Berlin",
            "recordListMaxSizeLimit": 200,
            "attachmentUploadMaxSize": 256,
            "attachmentUploadChunkSize": 4,
            "inlineAttachmentUploadMaxSize": 20,
        }
        self.app_timestamp = int(clock.now().timestamp())
        self.admin = self.add_user("admin", kind="admin", password="admin")  # noqa: S106 - a throw-away world
        self.person = self.add_user("anwalt", kind="regular", name="Rechtsanwältin Anna Weiß", password="anwalt")  # noqa: S106
        self.api_user = self.add_user("docsyncd")

    # People

    def add_user(
        self,
        user_name: str,
        *,
        kind: UserKind = "api",
        name: str = "",
        password: str = "",
        hmac: bool = False,
        access: Mapping[str, Mapping[str, str] | bool] | None = None,
    ) -> User:
        """A user who may do everything in the profile's entity types, unless `access` says otherwise."""
        granted = (
            {scope: dict(ALL) for scope in self.store.schema if scope != "Attachment"} if access is None else access
        )
        user = User(
            id=secrets.token_hex(9)[:17],
            user_name=user_name,
            name=name or user_name,
            kind=kind,
            password=password,
            api_key=secrets.token_hex(16) if kind == "api" else "",
            secret_key=secrets.token_hex(16) if hmac else "",
            token=secrets.token_hex(16) if kind != "api" else "",
            access={scope: levels if isinstance(levels, bool) else dict(levels) for scope, levels in granted.items()},
        )
        if access is None:
            user.access["Webhook"] = True
        self.users[user.id] = user
        self.store.user_names[user.id] = user.name
        return user

    # Records

    def create(
        self, entity: str, *, user: User | None = None, file: tuple[str, bytes] | None = None, **attributes: Any
    ) -> str:
        author = user or self.person
        body = self._body(entity, attributes, file, author)
        if "publishDate" in self.store.entity(entity).fields:
            body.setdefault("publishDate", self.store.now()[:10])
        record, _ = saving.create(self.store, entity, body, author)
        return record.id

    def add_document(self, file_name: str, data: bytes, /, *, user: User | None = None, **attributes: Any) -> str:
        """Named like its file unless `name` says otherwise."""
        return self.create(self.document_entity, user=user, file=(file_name, data), **{"name": file_name} | attributes)

    def update(
        self,
        entity: str,
        record_id: str,
        *,
        user: User | None = None,
        file: tuple[str, bytes] | None = None,
        **attributes: Any,
    ) -> None:
        author = user or self.person
        body = self._body(entity, attributes, file, author)
        saving.update(self.store, self.store.get(entity, record_id), body, author)

    def delete(self, entity: str, record_id: str, *, user: User | None = None) -> None:
        saving.remove(self.store, self.store.get(entity, record_id), user or self.person)

    def restore(self, entity: str, record_id: str) -> None:
        """As an administrator does it: no event, `modifiedAt` unmoved (reference 0, 8)."""
        self.store.get(entity, record_id, deleted=True).deleted = False

    def purge(self, entity: str, record_id: str) -> None:
        """What the weekly clean-up does to deleted records after two months."""
        del self.store.tables[entity][record_id]

    def exists(self, entity: str, record_id: str) -> bool:
        return self.store.find(entity, record_id) is not None

    def record(self, entity: str, record_id: str) -> dict[str, Any]:
        return self.store.view(self.store.get(entity, record_id, deleted=True))

    def records(self, entity: str) -> list[dict[str, Any]]:
        return [self.store.view(record) for record in self.store.living(entity)]

    # Links

    def link(self, entity: str, record_id: str, link: str, foreign_id: str) -> None:
        record = self.store.get(entity, record_id)
        self.store.relate(record, link, self.store.get(self.store.link_of(entity, link).entity, foreign_id))

    def unlink(self, entity: str, record_id: str, link: str, foreign_id: str) -> None:
        record = self.store.get(entity, record_id)
        self.store.unrelate(record, link, self.store.get(self.store.link_of(entity, link).entity, foreign_id))

    def linked(self, entity: str, record_id: str, link: str) -> list[str]:
        return [each.id for each in self.store.related(self.store.get(entity, record_id), link)]

    # Attachments

    def attach(
        self,
        name: str,
        data: bytes,
        *,
        user: User | None = None,
        entity: str = "",
        field: str = "file",
        type: str | None = None,  # noqa: A002 - EspoCRM's own word
    ) -> str:
        """Past the checks of an upload; `type` defaults to what the name's extension says."""
        author = user or self.person
        body = {
            "name": name,
            "type": type if type is not None else type_of(name),
            "size": len(data),
            "role": "Attachment",
            "field": field,
            "relatedType": entity or self.document_entity,
        }
        record, _ = saving.create(self.store, "Attachment", body, author)
        self.store.contents[record.id] = Content(data)
        return record.id

    def attachments(self) -> list[dict[str, Any]]:
        return self.records("Attachment")

    def file(self, attachment_id: str) -> bytes:
        """Raises KeyError when the bytes are gone."""
        return self.store.contents[attachment_id].bytes()

    def file_of(self, document_id: str) -> bytes:
        return self.file(self.record(self.document_entity, document_id)["fileId"])

    # Administration

    def entity(self, name: str) -> EntityType:
        return self.store.entity(name)

    def rebuild(self) -> None:
        """After a change of metadata: X-App-Timestamp moves."""
        self.app_timestamp += 1

    def _body(
        self, entity: str, attributes: Mapping[str, Any], file: tuple[str, bytes] | None, author: User
    ) -> dict[str, Any]:
        kind = self.store.entity(entity)
        known = kind.attributes().keys() | {f"{link}Ids" for link in kind.links}
        if not attributes.keys() <= known:
            raise KeyError(f"{entity} has no {', '.join(sorted(attributes.keys() - known))}")
        if file is None:
            return dict(attributes)
        name, data = file
        return dict(attributes) | {"fileId": self.attach(name, data, user=author, entity=entity)}
