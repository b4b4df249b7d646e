"""The entity types of two installations: the one that docsyncd's extension makes, and the one it replaces.

Source of names and values: installation-profile, parts 2 and 8; Document's stock fields: reference 5.1.
"""

from __future__ import annotations

from typing import Literal

from docsyncd_espocrm.emulator.schema import EntityType, Field, Link

Profile = Literal["seed", "vmh-2026-03-23", "stock"]
"""`stock`: EspoCRM as it is installed, with nothing of ours."""

STOCK_ACCEPT = (
    ".pdf", ".odt", ".ods", ".odp", ".docx", ".xlsx", ".pptx", ".doc", ".xls", ".ppt", ".rtf", ".csv", ".md", ".txt",
)  # fmt: skip
"""What a stock `Document.file` takes: no mail, no image, no archive (reference 4.1)."""

ACCEPT = (
    *STOCK_ACCEPT,
    ".eml", ".msg", ".ics", ".vcf", ".p7m", ".p7s", ".asc", ".sig", ".pgp", ".pkcs7", ".p7b", ".cer", ".crt",
    ".zip", ".7z", ".rar", ".gz", ".tar", ".xml", ".xjustiz", ".html", ".htm", ".json", ".log", ".xps", ".ps", ".eps",
    ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".heic", ".heif", ".tif", ".tiff", ".svg", ".avif",
    ".docm", ".dotx", ".dot", ".xlsm", ".xlsb", ".xltx", ".pptm", ".pps", ".ppsx", ".odg", ".odf", ".pages", ".numbers",
    ".mp3", ".wav", ".m4a", ".ogg", ".dss", ".ds2", ".mp4", ".mov", ".avi", ".wmv", ".mkv", ".dwg", ".dxf", ".vsd", ".vsdx",
    ".one", ".mht", ".mhtml", ".wpd", ".tmp", ".bin", ".dat", ".bak",
)  # fmt: skip
"""What docsyncd's extension makes it take: what a law firm files."""

ACTIVATION = ("new", "active", "paused", "deactivated")


def schema_of(profile: Profile) -> dict[str, EntityType]:
    """Fresh entity types; the caller may change them."""
    own = {"seed": _seed, "vmh-2026-03-23": _vmh, "stock": _stock}
    types = [*_common(), *own[profile]()]
    return {each.name: each for each in types}


def document_entity(profile: Profile) -> str:
    return "CDokumente" if profile == "vmh-2026-03-23" else "Document"


def case_file_entity(profile: Profile) -> str:
    return "CAdvowareAkten" if profile == "vmh-2026-03-23" else "CAkten"


def custom_type(name: str) -> EntityType:
    """An entity type of template `Base`, as the Entity Manager makes it."""
    return EntityType(name=name, fields={"name": _name(), "description": Field(type="text"), **_base()})


def _base() -> dict[str, Field]:
    return {
        "createdAt": Field(type="datetime", read_only=True),
        "modifiedAt": Field(type="datetime", read_only=True),
        "createdBy": Field(type="link", entity="User", read_only=True),
        "modifiedBy": Field(type="link", entity="User", read_only=True),
        "assignedUser": Field(type="link", entity="User"),
    }


def _name(*, pattern: str | None = None) -> Field:
    return Field(type="varchar", required=True, max_length=255, pattern=pattern)


def _varchar(length: int = 255) -> Field:
    return Field(type="varchar", max_length=length)


def _enum(*options: str, default: str | None = None) -> Field:
    return Field(type="enum", options=options, default=default)


def _many(entity: str, foreign: str, relation: str, through: str = "") -> Link:
    return Link(kind="manyMany", entity=entity, foreign=foreign, relation=relation, through=through)


def _common() -> list[EntityType]:
    """Types that every installation has and that this emulator needs."""
    attachment = EntityType(
        name="Attachment",
        fields={
            "name": _name(),
            "type": _varchar(100),
            "size": Field(type="int"),
            "field": _varchar(100),
            "isBeingUploaded": Field(type="bool", default=False),
            "role": _varchar(36),
            "storage": Field(type="varchar", default="EspoUploadDir", max_length=24),
            "relatedType": _varchar(100),
            "relatedId": _varchar(24),
            "parentType": _varchar(100),
            "parentId": _varchar(24),
            "sourceId": _varchar(36),
            "createdAt": Field(type="datetime", read_only=True),
            "createdBy": Field(type="link", entity="User", read_only=True),
        },
    )
    webhook = EntityType(
        name="Webhook",
        fields={
            "event": Field(type="varchar", required=True, max_length=100),
            "url": Field(type="varchar", required=True, max_length=512),
            "isActive": Field(type="bool", default=True),
            "entityType": Field(type="varchar", read_only=True),
            "type": Field(type="varchar", read_only=True),
            "field": Field(type="varchar", read_only=True),
            "secretKey": Field(type="varchar", max_length=100, read_only=True),
            "skipOwn": Field(type="bool", default=False),
            "description": Field(type="text"),
            **{name: each for name, each in _base().items() if name != "assignedUser"},
            "user": Field(type="link", entity="User"),
        },
    )
    folder = EntityType(name="DocumentFolder", fields={"name": _name(), **_base()})
    account = EntityType(
        name="Account",
        fields={"name": _name(), **_base()},
        links={"documents": _many("Document", "accounts", "accountDocument")},
    )
    return [attachment, webhook, folder, account]


def _stock_fields() -> dict[str, Field]:
    """Document's fields but for its file (reference 5.1)."""
    return {
        "name": _name(pattern="$noBadCharacters"),
        "status": _enum("Active", "Draft", "Expired", "Canceled", default="Active"),
        "type": _enum("", "Contract", "NDA", "EULA", "License Agreement"),
        "publishDate": Field(type="date", required=True),
        "expirationDate": Field(type="date"),
        "description": Field(type="text"),
        **_base(),
    }


def _stock() -> list[EntityType]:
    document = EntityType(
        name="Document",
        fields={
            **_stock_fields(),
            "file": Field(type="file", required=True, accept=STOCK_ACCEPT),
            "folder": Field(type="link", entity="DocumentFolder"),
        },
        links={
            "folder": Link(kind="belongsTo", entity="DocumentFolder"),
            "accounts": _many("Account", "documents", "accountDocument"),
        },
    )
    return [document]


def _seed() -> list[EntityType]:
    document = EntityType(
        name="Document",
        fields={
            **_stock_fields(),
            "dateiStatus": _enum("Neu", "Geändert", "Gesynct", "Fehler"),
            "md5": _varchar(32),
            "sha": _varchar(64),
            "xaiFileId": _varchar(),
            "xaiCollections": Field(type="array"),
            "xaiSyncedHash": _varchar(64),
            "xaiSyncStatus": _enum("syncing", "synced", "failed"),
            "xaiSyncError": Field(type="text"),
            "syncHash": _varchar(64),
            "sync_usn": _varchar(32),
            "syncPath": _varchar(1000),
            "fileStatus": _varchar(32),
            "syncStatus": _varchar(32),
            "syncError": Field(type="text"),
            "lastSync": Field(type="datetime"),
            "hnr": Field(type="int"),
            "file": Field(type="file", required=True, accept=ACCEPT),
            "preview": Field(type="image"),
            "folder": Field(type="link", entity="DocumentFolder"),
            "cAkten": Field(type="link", entity="CAkten"),
        },
        links={
            "folder": Link(kind="belongsTo", entity="DocumentFolder"),
            "accounts": _many("Account", "documents", "accountDocument"),
            "cAkten": Link(kind="belongsTo", entity="CAkten", foreign="dokumente"),
            "cAIKnowledges": _many("CAIKnowledge", "dokumente", "cAIKnowledgeDocument"),
        },
    )
    case_file = EntityType(
        name="CAkten",
        fields={
            "name": _name(),
            **_base(),
            "aktennummer": Field(type="int"),
            "aktenzeichen": _varchar(100),
            "aktenpfad": _varchar(1000),
            "status": _enum("Neu", "Aktiv", "Import", "Abgelegt"),
            "aktivierungsstatus": _enum(*ACTIVATION, "import", default="new"),
            "aiFreigabe": Field(type="bool", default=False),
            "syncStatus": _enum("synced", "unclean", "pending_sync", "failed"),
            "syncError": Field(type="text"),
            "lastSync": Field(type="datetime"),
        },
        links={"dokumente": Link(kind="hasMany", entity="Document", foreign="cAkten")},
    )
    knowledge = EntityType(
        name="CAIKnowledge",
        fields=_knowledge_fields(),
        links={"dokumente": _many("Document", "cAIKnowledges", "cAIKnowledgeDocument")},
    )
    return [document, case_file, knowledge]


def _knowledge_fields() -> dict[str, Field]:
    return {
        "name": _name(),
        **_base(),
        "datenbankId": _varchar(),
        "aktivierungsstatus": _enum(*ACTIVATION, default="new"),
        "aiFreigabe": Field(type="bool", default=False),
        "syncStatus": _enum("synced", "unclean", "pending_sync", "failed"),
        "lastSync": Field(type="datetime"),
    }


def _vmh() -> list[EntityType]:
    row_status = ("new", "unclean", "synced", "failed", "unsupported")
    junction = "CAIKnowledgeCDokumente"
    document = EntityType(
        name="CDokumente",
        unclean_hook=True,
        fields={
            "name": _name(),
            "description": Field(type="text"),
            **_base(),
            "hnr": Field(type="int"),
            "syncStatus": _enum(*row_status, default="new"),
            "syncedHash": _varchar(64),
            "md5": _varchar(32),
            "sha": _varchar(64),
            "blake3": _varchar(64),
            "fileStatus": _varchar(32),
            "lastSync": Field(type="datetime"),
            "file": Field(type="file", required=True, accept=ACCEPT),
            "preview": Field(type="image"),
            "cAdvowareAkten": Field(type="link", entity="CAdvowareAkten"),
        },
        links={
            "cAdvowareAkten": Link(kind="belongsTo", entity="CAdvowareAkten", foreign="dokumentes"),
            "cAIKnowledges": _many("CAIKnowledge", "dokumente", "cAIKnowledgeCDokumente", junction),
        },
    )
    case_file = EntityType(
        name="CAdvowareAkten",
        fields={
            "name": _name(),
            **_base(),
            "aktennummer": Field(type="int"),
            "aktenzeichen": _varchar(100),
            "aktenpfad": _varchar(1000),
            "aktivierungsstatus": _enum(*ACTIVATION, default="new"),
            "syncStatus": _enum("synced", "unclean", "pending_sync"),
            "lastSync": Field(type="datetime"),
        },
        links={"dokumentes": Link(kind="hasMany", entity="CDokumente", foreign="cAdvowareAkten")},
    )
    knowledge = EntityType(
        name="CAIKnowledge",
        fields={name: each for name, each in _knowledge_fields().items() if name != "aiFreigabe"},
        links={"dokumente": _many("CDokumente", "cAIKnowledges", "cAIKnowledgeCDokumente", junction)},
    )
    rows = EntityType(
        name=junction,
        numeric_ids=True,
        fields={
            "aiDocumentId": _varchar(),
            "syncstatus": _enum(*row_status, default="new"),
            "lastSync": Field(type="datetime"),
            "syncedHash": _varchar(64),
            "cAIKnowledge": Field(type="link", entity="CAIKnowledge", required=True),
            "cDokumente": Field(type="link", entity="CDokumente", required=True),
        },
    )
    return [document, case_file, knowledge, rows]
