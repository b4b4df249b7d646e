"""EspoCRM as a catalog: each port method, put together from the module that owns its noun."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Final

from docsyncd.api import (
    AttachmentId,
    CaseFile,
    CaseFileNumber,
    Changes,
    Clock,
    CollectionId,
    CollectionStage,
    Document,
    DocumentId,
    Download,
    Holder,
    HolderId,
    Host,
    IndexStatus,
    Membership,
    Patch,
    Ports,
    PreconditionFailed,
    ProtocolViolation,
    Rejected,
    Revision,
    TransportSettings,
)

from .attachments import Attachments, Upload
from .changes import ChangeFeed
from .check import Check
from .config import EspoConfig
from .holders import Holders
from .junction import WRITTEN, Junction
from .links import Links
from .memberships import Memberships
from .rest import HEALTH, Missing, Rest, classify, equals, explain, hmac_header
from .webhook import reveal_secrets, revealed
from .wire import Wire

PREVIEW_NAME: Final = "Vorschau.webp"
"""EspoCRM compares the extension with the declared and the detected type (reference/espocrm.md, 4.1)."""


@asynccontextmanager
async def connect(name: str, config: EspoConfig, host: Host) -> AsyncIterator[Ports]:
    """Open a connection. Sends nothing yet; a secret that cannot be read is a `ConfigError` that names its key."""
    table = f"connectors.{name}"
    reveal_secrets(config, table=table)
    async with host.transport(transport_settings(name, config, table=table)) as transport:
        rest = Rest(transport, page_size=config.page_size)
        catalog = EspoCatalog(rest, config, clock=host.clock)
        yield Ports(transports=(transport,), catalog=catalog, check=Check(rest, config, catalog.layout).findings)


def transport_settings(name: str, config: EspoConfig, *, table: str) -> TransportSettings:
    """The request path, with the credentials in it."""
    key = revealed(config.api_key, key=f"{table}.api_key")
    sign = None
    headers: Mapping[str, str] = {"X-Api-Key": key}
    if config.hmac_secret is not None:
        sign, headers = partial(hmac_header, key, revealed(config.hmac_secret, key=f"{table}.hmac_secret")), {}
    return TransportSettings(
        remote=name,
        base_url=config.api_url,
        headers=headers,
        sign=sign,
        health=HEALTH,
        classify=partial(classify, name),
        explain=explain,
        parallel=config.parallel,
        connect_timeout=config.connect_timeout,
        read_timeout=config.read_timeout,
    )


class EspoCatalog:
    """The port `Catalog`."""

    def __init__(self, rest: Rest, config: EspoConfig, *, clock: Clock) -> None:
        profile = config.resolved
        self._rest = rest
        self._clock = clock
        self._names = profile.document
        self._number_type: str | None = None
        self._wire = Wire(profile, remote=rest.remote)
        self.layout = Links(rest, profile, consent_field=config.consent_field, only=config.collection_links)
        self._memberships = Memberships(rest, self._wire, self.layout, consent_field=config.consent_field)
        self._holders = Holders(rest, self._wire, self.layout)
        self._attachments = Attachments(rest, self._wire, chunk=config.upload_chunk)
        self._changes = ChangeFeed(
            rest,
            self._wire,
            self.layout,
            clock=clock,
            overlap=config.poll_overlap,
            watch_consent=bool(config.consent_field),
        )
        self._junction = (
            None if profile.junction is None else Junction(rest, self._wire, self._memberships, profile.junction)
        )

    async def document(self, document: DocumentId) -> Document | None:
        """None only on EspoCRM's own "does not exist", or on a record that an administrator sees as deleted."""
        try:
            record = await self._rest.record(self._names.entity, document)
        except Missing:
            return None
        if record.get("deleted") is True:
            return None
        case_file = (await self.layout.layout()).case_file
        if case_file is not None and not case_file.many and self._wire.case_file_attribute not in record:
            raise ProtocolViolation(
                f"{self._names.entity} came without {self._wire.case_file_attribute}: may the API user read the field?",
                remote=self._rest.remote,
            )
        read = self._wire.document(record)
        return read if self._junction is None else await self._junction.completed(read)

    async def memberships(self, document: Document) -> tuple[Membership, ...]:
        try:
            return await self._memberships.of(document)
        except Rejected as refused:
            await self._demand_alive(document, refused)
            raise

    def open(self, document: Document) -> AbstractAsyncContextManager[Download]:
        return self._attachments.open(document)

    async def save(self, document: Document, patch: Patch, *, expect: Revision | None) -> Document:
        """One PUT with what the profile maps, then the record as it is now.

        EspoCRM's version check compares only the fields that a PUT changes, and ours are not the person's: so the record is
        read again in any case, and another file is `PreconditionFailed`. Only what merely announces that work has begun is
        content with the PUT's own answer, the whole record as EspoCRM wrote it (reference/espocrm.md, 3.2). In an installation
        with rows between document and collection those are written last, one PUT each: its hooks call them unclean whenever
        the record is saved.
        """
        in_rows = WRITTEN if self._junction is not None else frozenset[str]()
        own = Patch(
            status=patch.status,
            index_status=patch.index_status if self._junction is None else None,
            values={name: value for name, value in patch.values.items() if name not in in_rows},
        )
        body = self._wire.changes(own, document)
        now: Document | None = None
        if body:
            try:
                answer = await self._rest.put(self._rest.path(self._names.entity, document.id), body, version=expect)
            except Rejected as refused:
                await self._demand_alive(document, refused)
                raise
            if self._junction is None and _only_announces(patch):
                now = self._wire.document(self._rest.mapping(answer.json(remote=self._rest.remote)))
        if self._junction is not None:
            await self._junction.save(document, patch, now=self._clock.now())
        now = now or await self.document(document.id)
        if now is None:
            raise PreconditionFailed(f"document {document.id} is gone", remote=self._rest.remote)
        if _attachment(now) != _attachment(document):
            raise PreconditionFailed(
                f"the file of document {document.id} was replaced while it was worked on", remote=self._rest.remote
            )
        return self._wire.as_told(now, own)

    async def _demand_alive(self, document: Document, refused: Rejected) -> None:
        """A refusal may only mean that the record went while we worked: then the plan is stale, and nobody's fault."""
        if await self.document(document.id) is None:
            raise PreconditionFailed(f"document {document.id} is gone", remote=self._rest.remote) from refused

    async def attach_preview(
        self,
        document: Document,  # noqa: ARG002 - of the port: the picture belongs to no record until `save` names it
        picture: bytes,
        *,
        expect: Revision | None,  # noqa: ARG002 - nothing is replaced here; `save` carries the precondition
    ) -> AttachmentId:
        if not self._names.preview:
            raise Rejected("the profile maps no preview field", remote=self._rest.remote)

        async def read(offset: int, length: int) -> bytes:
            return picture[offset : offset + length]

        return await self._attachments.upload(
            Upload(
                entity=self._names.entity,
                field=self._names.preview,
                name=PREVIEW_NAME,
                media_type="image/webp",
                size=len(picture),
                read=read,
            )
        )

    async def changed_since(self, cursor: str | None) -> Changes:
        return await self._changes.since(cursor)

    async def ids(self) -> AsyncIterator[DocumentId]:
        async for record in self._rest.walk(self._rest.path(self._names.entity), select=("id",)):
            yield DocumentId(self._wire.identifier(record))

    def links(self) -> AsyncIterator[tuple[CollectionId, DocumentId]]:
        return self._memberships.pairs()

    async def holder(self, holder: HolderId) -> Holder | None:
        return await self._holders.one(holder)

    def holders(self) -> AsyncIterator[Holder]:
        return self._holders.every()

    def holder_documents(self, holder: HolderId) -> AsyncIterator[DocumentId]:
        return self._holders.documents(holder)

    async def save_holder(
        self, holder: Holder, collection: CollectionId | None, stage: CollectionStage, *, expect: Revision | None
    ) -> None:
        await self._holders.save(holder, collection, stage, expect=expect)

    async def case_file(self, number: CaseFileNumber) -> CaseFile | None:
        """The one case file with this number, padded or not (installation-profile, U-11). `Rejected` if there are two."""
        names = self._wire.profile.case_file
        if self._number_type is None:
            self._number_type = str(await self._rest.metadata(f"entityDefs.{names.entity}.fields.{names.number}.type"))
        if self._number_type in ("int", "autoincrement"):
            if not number.isdecimal():
                return None
            where = equals(names.number, int(number))
        else:
            where = {"type": "like", "attribute": names.number, "value": f"%{number}"}
        found = [
            self._wire.case_file(record)
            async for record in self._rest.walk(
                self._rest.path(names.entity),
                select=[name for name in (names.number, names.reference, names.stage, "versionNumber") if name],
                where=[where],
            )
        ]
        matching = [each for each in found if each.number == number]
        if len(matching) > 1:
            raise Rejected(
                f"case-file number {number} stands in {len(matching)} records: "
                f"{', '.join(sorted(each.id for each in matching))}",
                remote=self._rest.remote,
            )
        return matching[0] if matching else None


def _only_announces(patch: Patch) -> bool:
    """It claims nothing of the file: the save that does reads again."""
    return patch.index_status is IndexStatus.SYNCING and patch.status is None and not patch.values


def _attachment(document: Document) -> AttachmentId | None:
    return None if document.file is None else document.file.attachment
