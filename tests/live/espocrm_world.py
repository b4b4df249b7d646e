"""An EspoCRM as the world of the `Catalog` contract and of the live flow: people act through its REST API.

The same code plays against a real EspoCRM and against the emulator. It makes its own records, remembers them and deletes them
at the end, also after a failure.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import anyio

from docsyncd.api import CaseFileNumber, Catalog, CollectionId, CollectionStage, DocumentId
from docsyncd.testing.host import PlainHost
from docsyncd_espocrm.client import connect
from docsyncd_espocrm.profile import Profile
from tests.live.espocrm_api import EspoApi, Refused, as_api_user, as_person, espo_api
from tests.live.remotes import EspoRemote

MEDIA_TYPES: Final = {"txt": "text/plain", "pdf": "application/pdf"}

DEFAULTS: Final[Mapping[str, Any]] = {"varchar": "docsyncd", "text": "docsyncd", "int": 1, "float": 1.0, "bool": False}
"""What goes into a required field that this suite knows nothing of, by type; an enum gets its first option, a date today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderLink:
    """The link that leads from documents to the records that stand for collections."""

    name: str
    entity: str
    fields: Mapping[str, Mapping[str, Any]]


class EspoWorld:
    """One EspoCRM and what was made in it. `people` is the login that acts; `docsyncd` is the API user's own."""

    def __init__(
        self,
        people: EspoApi,
        docsyncd: EspoApi,
        profile: Profile,
        catalog: Catalog,
        *,
        consent_field: str,
        fields: Mapping[str, Mapping[str, Mapping[str, Any]]],
        holder_link: HolderLink,
    ) -> None:
        self.people = people
        self.docsyncd = docsyncd
        self.profile = profile
        self._catalog = catalog
        self._consent_field = consent_field
        self._fields = fields
        self.holder_link = holder_link
        self._made: list[tuple[str, str]] = []
        self._attachments: set[str] = set()

    @property
    def catalog(self) -> Catalog:
        return self._catalog

    @property
    def holds(self) -> Collection[str]:
        names = self.profile.document
        mapped = {"status": names.status, "index_status": names.index_status, "md5": names.md5, "sha256": names.sha256}
        return {attribute for attribute, field in mapped.items() if field}

    @property
    def asks_consent(self) -> bool:
        return bool(self._consent_field)

    @property
    def holders_consent(self) -> bool:
        return self._consent_field in self.holder_link.fields

    async def add_document(
        self, name: str, content: bytes, *, case_file: str | None = None, holder: str | None = None
    ) -> DocumentId:
        """With `holder`, linked from the first moment on (reference: espocrm.md, 3.6)."""
        body: dict[str, Any] = {
            "name": name.replace("<", "").replace(">", ""),
            f"{self.profile.document.file}Id": await self._upload(name, content),
        }
        if case_file is not None:
            body[f"{self.profile.case_file.link}Id"] = case_file
        if holder is not None:
            body[f"{self.holder_link.name}Ids"] = [holder]
        document = DocumentId(await self._create(self.profile.document.entity, body))
        if holder is not None:
            await self.link(document, holder)
        return document

    async def replace_file(self, document: DocumentId, name: str, content: bytes) -> None:
        await self.change(document, {f"{self.profile.document.file}Id": await self._upload(name, content)})

    async def begin_upload(self, document: DocumentId, name: str, first: bytes, *, size: int) -> None:
        announced = {**self._attachment(name), "size": size, "isBeingUploaded": True}
        attachment = str((await self.people.ask("POST", "Attachment", announced))["id"])
        self._attachments.add(attachment)
        chunk = f"data:text/plain;base64,{base64.b64encode(first).decode()}"
        await self.people.ask("POST", f"Attachment/chunk/{attachment}", text=chunk)
        await self.change(document, {f"{self.profile.document.file}Id": attachment})

    async def rename(self, document: DocumentId, name: str) -> None:
        await self.change(document, {"name": name})

    async def change(self, document: DocumentId, body: Mapping[str, Any]) -> None:
        await self.people.ask("PUT", f"{self.profile.document.entity}/{document}", body)

    async def delete_document(self, document: DocumentId) -> None:
        await self._delete(self.profile.document.entity, document)

    async def record(self, document: DocumentId) -> Mapping[str, Any]:
        """All attributes, as people's login sees them."""
        found = await self.people.ask("GET", f"{self.profile.document.entity}/{document}")
        return dict(found)

    async def picture(self, attachment: str) -> bytes:
        return await self.people.bytes_of(attachment)

    async def add_case_file(self, *, admitted: bool = True, name: str = "") -> tuple[str, CaseFileNumber]:
        names = self.profile.case_file
        number = str(100_000_000 + secrets.randbelow(800_000_000))
        body: dict[str, Any] = {"name": name or f"docsyncd contract {number}", names.number: int(number)}
        if names.stage:
            body[names.stage] = "active" if admitted else "paused"
        return await self._create(names.entity, body), CaseFileNumber(number)

    async def set_consent(self, case_file: str, *, given: bool) -> None:
        await self.people.ask("PUT", f"{self.profile.case_file.entity}/{case_file}", {self._consent_field: given})

    async def add_holder(
        self, collection: CollectionId | None, stage: CollectionStage, *, consent: bool = False, name: str = ""
    ) -> str:
        names = self.profile.collection
        body: dict[str, Any] = {"name": name or f"docsyncd contract {secrets.token_hex(4)}", names.id: collection}
        if names.stage in self.holder_link.fields:
            body[names.stage] = names.stage_values[stage][0]
        if self.holders_consent:
            body[self._consent_field] = consent
        return await self._create(self.holder_link.entity, body)

    async def link(self, document: DocumentId, holder: str) -> None:
        await self.people.ask("POST", self._link(document), {"id": holder})

    async def unlink(self, document: DocumentId, holder: str) -> None:
        await self.people.ask("DELETE", self._link(document), {"id": holder})

    def adopt(self, entity: str, identifier: str) -> None:
        """Count a record among those that were made here; the last adopted is deleted first."""
        if entity == "Attachment":
            self._attachments.add(identifier)
        else:
            self._made.append((entity, identifier))

    async def clean_up(self) -> None:
        """Delete everything that was made, the last first. What cannot be deleted is named after all the rest has gone."""
        kept: list[str] = []
        while self._made:
            entity, identifier = self._made[-1]
            try:
                await self._delete(entity, identifier)
            except Refused as refused:
                self._made.remove((entity, identifier))
                if refused.status != 404:
                    kept.append(f"{entity}/{identifier}: {refused}")
        while self._attachments:
            kept += await self._delete_attachment(self._attachments.pop())
        assert not kept, "left behind in EspoCRM, please delete by hand:\n" + "\n".join(kept)

    async def _delete(self, entity: str, identifier: str) -> None:
        if entity == self.profile.document.entity:
            with suppress(Refused):
                record = await self.record(DocumentId(identifier))
                fields = (self.profile.document.file, self.profile.document.preview)
                self._attachments |= {record[f"{name}Id"] for name in fields if name and record.get(f"{name}Id")}
        await self.people.ask("DELETE", f"{entity}/{identifier}")
        self._made.remove((entity, identifier))

    async def _delete_attachment(self, attachment: str) -> list[str]:
        """Only who made it may delete it: people their files, docsyncd its pictures. Most are gone: they were replaced."""
        answers: list[Refused] = []
        for login in (self.people, self.docsyncd):
            try:
                await login.ask("DELETE", f"Attachment/{attachment}")
            except Refused as refused:
                answers.append(refused)
            else:
                return []
        return [] if any(refused.status == 404 for refused in answers) else [f"Attachment/{attachment}: {answers[0]}"]

    async def _create(self, entity: str, body: Mapping[str, Any]) -> str:
        made = await self.people.ask("POST", entity, {**self._required(entity), **body})
        self._made.append((entity, str(made["id"])))
        return str(made["id"])

    def _required(self, entity: str) -> dict[str, Any]:
        """Something for every required field without a default: an installation may have made its own fields required."""
        found: dict[str, Any] = {}
        today = datetime.now(UTC)
        for name, field in self._fields[entity].items():
            if not field.get("required") or field.get("readOnly") or field.get("default") is not None:
                continue
            match field.get("type"):
                case "date":
                    found[name] = today.date().isoformat()
                case "datetime":
                    found[name] = today.strftime("%Y-%m-%d %H:%M:%S")
                case "enum":
                    found[name] = next((option for option in field.get("options") or () if option), None)
                case kind if kind in DEFAULTS:
                    found[name] = DEFAULTS[str(kind)]
        return found

    async def _upload(self, name: str, content: bytes) -> str:
        announced = self._attachment(name)
        uri = f"data:{announced['type']};base64,{base64.b64encode(content).decode()}"
        record = await self.people.ask("POST", "Attachment", {**announced, "file": uri})
        self._attachments.add(str(record["id"]))
        assert record["size"] == len(content)
        return str(record["id"])

    def _attachment(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "type": MEDIA_TYPES.get(name.rpartition(".")[2], "text/plain"),
            "role": "Attachment",
            "relatedType": self.profile.document.entity,
            "field": self.profile.document.file,
        }

    def _link(self, document: DocumentId) -> str:
        return f"{self.profile.document.entity}/{document}/{self.holder_link.name}"


@asynccontextmanager
async def espo_world(
    url: str, *, api_key: str, login: tuple[str, str] | None, profile: Profile, catalog: Catalog, consent_field: str
) -> AsyncIterator[EspoWorld]:
    """Look at the installation's metadata, hand out the world, and clean up after it. Without a login the API user acts."""
    async with AsyncExitStack() as stack:
        docsyncd = await stack.enter_async_context(espo_api(url, as_api_user(api_key)))
        people = docsyncd if login is None else await stack.enter_async_context(espo_api(url, as_person(*login)))
        entity = profile.document.entity
        holder_link: HolderLink | None = None
        for name, link in (await people.metadata(f"entityDefs.{entity}.links") or {}).items():
            if link.get("type") == "hasMany" and link.get("entity"):
                foreign = await people.metadata(f"entityDefs.{link['entity']}.fields") or {}
                if profile.collection.id in foreign:
                    holder_link = HolderLink(name=name, entity=link["entity"], fields=foreign)
        assert holder_link is not None, (
            f"no link of {entity} leads to an entity with the field {profile.collection.id}: is the profile right, and "
            "may this login see both? (tests/live/README.md, “What EspoCRM needs before”)"
        )
        fields = {
            name: await people.metadata(f"entityDefs.{name}.fields") or {}
            for name in (entity, profile.case_file.entity, holder_link.entity)
        }
        world = EspoWorld(
            people, docsyncd, profile, catalog, consent_field=consent_field, fields=fields, holder_link=holder_link
        )
        try:
            yield world
        finally:
            with anyio.CancelScope(shield=True):
                await world.clean_up()


@asynccontextmanager
async def connected_world(remote: EspoRemote) -> AsyncIterator[EspoWorld]:
    """The world of a remote, with the connector under test connected to it."""
    config, account = remote.config, remote.account
    async with connect("espocrm", config, PlainHost()) as ports:
        assert ports.catalog is not None
        async with espo_world(
            account.url,
            api_key=account.api_key,
            login=account.login,
            profile=config.resolved,
            catalog=ports.catalog,
            consent_field=config.consent_field,
        ) as world:
            yield world
