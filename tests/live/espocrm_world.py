"""An EspoCRM as the world of the `Catalog` contract: people act through its REST API, as administrator.

The same code plays against a real EspoCRM and against the emulator. It makes its own records, remembers them and deletes them
at the end. Not one line of the connector's requests is used, so that the two cannot be wrong in the same way.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import aiohttp

from docsyncd.api import CaseFileNumber, Catalog, CollectionId, CollectionStage, DocumentId
from docsyncd_espocrm.profile import Profile

STAGES = {
    CollectionStage.NEW: "new",
    CollectionStage.ACTIVE: "active",
    CollectionStage.PAUSED: "paused",
    CollectionStage.DEACTIVATED: "deactivated",
}
"""Keys of the enum as both known installations have them (installation-profile, 2.2 and 2.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderLink:
    """The link that leads from documents to the records that stand for collections."""

    name: str
    entity: str
    fields: Collection[str]


class EspoWorld:
    """One EspoCRM and what was made in it."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        profile: Profile,
        catalog: Catalog,
        *,
        consent_field: str,
        fields: Mapping[str, Collection[str]],
        holder_link: HolderLink,
    ) -> None:
        self._session = session
        self._base = f"{url.rstrip('/')}/api/v1"
        self._profile = profile
        self._catalog = catalog
        self._consent_field = consent_field
        self._fields = fields
        self._link = holder_link
        self._made: list[tuple[str, str]] = []

    @property
    def catalog(self) -> Catalog:
        return self._catalog

    @property
    def holds(self) -> Collection[str]:
        names = self._profile.document
        mapped = {"status": names.status, "index_status": names.index_status, "md5": names.md5, "sha256": names.sha256}
        return {attribute for attribute, field in mapped.items() if field}

    @property
    def asks_consent(self) -> bool:
        return bool(self._consent_field)

    @property
    def holders_consent(self) -> bool:
        return self._consent_field in self._link.fields

    async def add_document(self, name: str, content: bytes, *, case_file: str | None = None) -> DocumentId:
        body: dict[str, Any] = {
            "name": name.replace("<", "").replace(">", ""),
            "fileId": await self._upload(name, content),
        }
        if "publishDate" in self._fields[self._profile.document.entity]:
            body["publishDate"] = datetime.now(UTC).date().isoformat()
        if case_file is not None:
            body[f"{self._profile.case_file.link}Id"] = case_file
        return DocumentId(await self._create(self._profile.document.entity, body))

    async def replace_file(self, document: DocumentId, name: str, content: bytes) -> None:
        await self._change(document, {f"{self._profile.document.file}Id": await self._upload(name, content)})

    async def begin_upload(self, document: DocumentId, name: str, first: bytes, *, size: int) -> None:
        announced = {**self._attachment(name), "size": size, "isBeingUploaded": True}
        attachment = (await self._call("POST", "Attachment", announced))["id"]
        chunk = f"data:text/plain;base64,{base64.b64encode(first).decode()}"
        await self._call("POST", f"Attachment/chunk/{attachment}", text=chunk)
        await self._change(document, {f"{self._profile.document.file}Id": attachment})

    async def rename(self, document: DocumentId, name: str) -> None:
        await self._change(document, {"name": name})

    async def delete_document(self, document: DocumentId) -> None:
        entity = self._profile.document.entity
        await self._call("DELETE", f"{entity}/{document}")
        self._made.remove((entity, document))

    async def picture(self, attachment: str) -> bytes:
        async with self._session.get(f"{self._base}/Attachment/file/{attachment}") as response:
            assert response.status == 200, await _words(response)
            return await response.read()

    async def add_case_file(self, *, admitted: bool = True) -> tuple[str, CaseFileNumber]:
        names = self._profile.case_file
        number = str(100_000_000 + secrets.randbelow(800_000_000))
        body: dict[str, Any] = {"name": f"docsyncd contract {number}", names.number: int(number)}
        if names.stage:
            body[names.stage] = "active" if admitted else "paused"
        return await self._create(names.entity, body), CaseFileNumber(number)

    async def set_consent(self, case_file: str, *, given: bool) -> None:
        await self._call("PUT", f"{self._profile.case_file.entity}/{case_file}", {self._consent_field: given})

    async def add_holder(
        self, collection: CollectionId | None, stage: CollectionStage, *, consent: bool = False
    ) -> str:
        names = self._profile.collection
        body: dict[str, Any] = {"name": f"docsyncd contract {secrets.token_hex(4)}", names.id: collection}
        if names.stage in self._link.fields:
            body[names.stage] = STAGES[stage]
        if self.holders_consent:
            body[self._consent_field] = consent
        return await self._create(self._link.entity, body)

    async def link(self, document: DocumentId, holder: str) -> None:
        await self._call("POST", f"{self._profile.document.entity}/{document}/{self._link.name}", {"id": holder})

    async def unlink(self, document: DocumentId, holder: str) -> None:
        await self._call("DELETE", f"{self._profile.document.entity}/{document}/{self._link.name}", {"id": holder})

    async def clean_up(self) -> None:
        """Delete everything that was made, the last first."""
        while self._made:
            entity, identifier = self._made.pop()
            await self._call("DELETE", f"{entity}/{identifier}")

    async def _change(self, document: DocumentId, body: Mapping[str, Any]) -> None:
        await self._call("PUT", f"{self._profile.document.entity}/{document}", body)

    async def _create(self, entity: str, body: Mapping[str, Any]) -> str:
        identifier = str((await self._call("POST", entity, body))["id"])
        self._made.append((entity, identifier))
        return identifier

    async def _upload(self, name: str, content: bytes) -> str:
        body = {**self._attachment(name), "file": f"data:text/plain;base64,{base64.b64encode(content).decode()}"}
        record = await self._call("POST", "Attachment", body)
        assert record["size"] == len(content)
        return str(record["id"])

    def _attachment(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "type": "text/plain",
            "role": "Attachment",
            "relatedType": self._profile.document.entity,
            "field": self._profile.document.file,
        }

    async def _call(self, method: str, path: str, body: Any = None, *, text: str | None = None) -> Any:
        sent, kind = (json.dumps(body), "application/json") if text is None else (text, "text/plain")
        payload = None if body is None and text is None else BytesIO(sent.encode())
        async with self._session.request(
            method, f"{self._base}/{path}", data=payload, headers={"Content-Type": kind}
        ) as response:
            assert response.status // 100 == 2, f"{method} {path}: {await _words(response)}"
            return await response.json()


async def _words(response: aiohttp.ClientResponse) -> str:
    reason = response.headers.get("X-Status-Reason", "")
    return f"{response.status} {reason} {(await response.text())[:300]}"


@asynccontextmanager
async def espo_world(
    url: str, *, login: tuple[str, str], profile: Profile, catalog: Catalog, consent_field: str
) -> AsyncIterator[EspoWorld]:
    """Look at the installation's metadata, hand out the world, and clean up after it."""
    credentials = base64.b64encode(":".join(login).encode()).decode()
    async with aiohttp.ClientSession(headers={"Authorization": f"Basic {credentials}"}) as session:
        base = f"{url.rstrip('/')}/api/v1/Metadata"

        async def metadata(key: str) -> Any:
            async with session.get(base, params={"key": key}) as response:
                assert response.status == 200, await _words(response)
                return await response.json()

        entity = profile.document.entity
        fields = {entity: await metadata(f"entityDefs.{entity}.fields")}
        holder_link: HolderLink | None = None
        for name, link in (await metadata(f"entityDefs.{entity}.links")).items():
            if link.get("type") == "hasMany" and link.get("entity"):
                foreign = await metadata(f"entityDefs.{link['entity']}.fields") or {}
                if profile.collection.id in foreign:
                    holder_link = HolderLink(name=name, entity=link["entity"], fields=foreign)
        assert holder_link is not None, f"no link of {entity} leads to an entity with {profile.collection.id}"
        world = EspoWorld(
            session, url, profile, catalog, consent_field=consent_field, fields=fields, holder_link=holder_link
        )
        try:
            yield world
        finally:
            await world.clean_up()
