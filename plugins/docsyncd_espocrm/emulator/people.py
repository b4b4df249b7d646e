"""People at the emulated EspoCRM: a lawyer who files documents as the browser does, an operator who registers webhooks.

They use the API like anybody else, so that accept lists, size limits and chunked uploads hold for them, too.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from docsyncd.testing.stage import RefusedByRemote, Standing
from docsyncd_espocrm.emulator.auth import BASE
from docsyncd_espocrm.emulator.media import type_of
from docsyncd_espocrm.emulator.world import World

CHUNK = 3 * 1024 * 1024
"""Bytes of one chunk of an upload, below EspoCRM's own 4 MiB."""

LAWYER = {"Authorization": aiohttp.encode_basic_auth("anwalt", "anwalt")}


class People:
    """Satisfies `docsyncd.testing.stage.CatalogStage` for the seed profile."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._url = ""
        self._knowledge: dict[str, str] = {}
        self.asked_by_people = 0

    async def settings(self, urls: Mapping[str, str], listener: str, secrets: Path) -> Mapping[str, Any]:
        self._url = urls["url"]
        user = self._world.api_user
        key = secrets / "espocrm_api_key"
        key.write_text(user.api_key, encoding="utf-8")
        table: dict[str, Any] = {"type": "espocrm", "url": self._url, "api_key": {"file": str(key)}}
        known: list[dict[str, Any]] = []
        for event in ("create", "update", "delete"):
            body = {"event": f"Document.{event}", "url": f"{listener}/vmh/webhook/document/{event}", "skipOwn": True}
            made = await self._ask("POST", "/Webhook", body, api_key=user.api_key)
            secret = secrets / f"webhook_{event}"
            secret.write_text(str(made["secretKey"]), encoding="utf-8")
            known.append({"id": made["id"], "secret": {"file": str(secret)}})
        return {**table, "webhooks": {"secrets": known}}

    async def open_case_file(self, number: int, name: str, collection: str) -> str:
        case_file = await self._ask(
            "POST",
            f"/{self._world.case_file_entity}",
            {"name": name, "aktennummer": number, "aktivierungsstatus": "active", "aiFreigabe": True},
        )
        knowledge = await self._ask(
            "POST",
            "/CAIKnowledge",
            {"name": f"{name} (KI)", "datenbankId": collection, "aktivierungsstatus": "active"},
        )
        self._knowledge[case_file["id"]] = knowledge["id"]
        return str(case_file["id"])

    async def file_document(self, name: str, content: bytes, case_file: str) -> str:
        attachment = await self._upload(name, content)
        record = await self._ask(
            "POST",
            "/Document",
            {
                "name": name.translate({ord("<"): "_", ord(">"): "_"})[:255],
                "fileId": attachment,
                "publishDate": datetime.now(UTC).date().isoformat(),
                "dateiStatus": "Neu",
                "cAktenId": case_file,
            },
        )
        link = f"/Document/{record['id']}/cAIKnowledges"
        await self._ask("POST", link, {"id": self._knowledge[case_file]})
        return str(record["id"])

    async def replace_document(self, document: str, name: str, content: bytes) -> None:
        attachment = await self._upload(name, content)
        await self._ask("PUT", f"/Document/{document}", {"fileId": attachment, "dateiStatus": "Geändert"})

    async def delete_document(self, document: str) -> None:
        await self._ask("DELETE", f"/Document/{document}", None)

    def refusal(self, name: str) -> str | None:
        """A name with a line break makes the download answer 500 for ever (reference 4.1)."""
        return "EspoCRM cannot deliver a file whose name has a line break" if set("\r\n") & set(name) else None

    def standing(self, document: str) -> Standing:
        record = self._world.record("Document", document)
        preview = record.get("previewId")
        return Standing(
            exists=self._world.exists("Document", document),
            indexed=record["dateiStatus"] == "Gesynct" and record["xaiSyncStatus"] == "synced",
            failed=record["dateiStatus"] == "Fehler",
            error=record["xaiSyncError"] or "",
            file_id=record["xaiFileId"] or "",
            collections=tuple(record["xaiCollections"] or ()),
            preview=self._world.file(preview) if preview else None,
        )

    async def _upload(self, name: str, content: bytes) -> str:
        kind = type_of(name) or "application/octet-stream"
        announced = {
            "name": name,
            "type": kind,
            "role": "Attachment",
            "relatedType": "Document",
            "field": "file",
            "size": len(content),
        }
        if len(content) <= CHUNK:
            made = await self._ask("POST", "/Attachment", {**announced, "file": _data_uri(kind, content)})
            return str(made["id"])
        made = await self._ask("POST", "/Attachment", {**announced, "isBeingUploaded": True})
        for start in range(0, len(content), CHUNK):
            await self._chunk(made["id"], _data_uri(kind, content[start : start + CHUNK]))
        return str(made["id"])

    async def _chunk(self, attachment: str, body: str) -> None:
        self.asked_by_people += 1
        async with (
            aiohttp.ClientSession(headers=LAWYER) as session,
            session.post(f"{self._url}{BASE}/Attachment/chunk/{attachment}", data=body) as reply,
        ):
            if reply.status // 100 != 2:
                raise RefusedByRemote(reply.headers.get("X-Status-Reason") or f"EspoCRM answered {reply.status}")

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None, *, api_key: str = "") -> Any:
        """As the lawyer, or as the API user whose key it is."""
        self.asked_by_people += 1
        headers = {"X-Api-Key": api_key} if api_key else LAWYER
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{self._url}{BASE}{path}", json=body) as reply,
        ):
            if reply.status // 100 != 2:
                raise RefusedByRemote(reply.headers.get("X-Status-Reason") or f"EspoCRM answered {reply.status}")
            return await reply.json(content_type=None)


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
