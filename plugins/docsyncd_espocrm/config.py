"""The table `[connectors.NAME]` with `type = "espocrm"`. Nothing here reads a secret or asks EspoCRM."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from docsyncd.api import ConfigError, Secret

from .profile import Profile, load_profile

Path = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*$", max_length=200)]


class WebhookSecret(BaseModel):
    """The secret key of one webhook record. Two entries with one id are its current and its previous secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    """The webhook's id in EspoCRM, which stands in front of the signature (reference/espocrm.md, 1.5)."""
    secret: Secret
    """Its `secretKey`: 32 hex characters, used as text. EspoCRM generates it; `GET Webhook` shows it."""


class Webhooks(BaseModel):
    """Where EspoCRM posts to, and how it signs. One URL per event: the payload does not say which event it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    create: Path = "/vmh/webhook/document/create"
    """URL path for `create` events. The default is the earlier implementation's, so that its webhooks go on working."""
    update: Path = "/vmh/webhook/document/update"
    """URL path for `update` events."""
    delete: Path = "/vmh/webhook/document/delete"
    """URL path for `delete` events."""
    secrets: tuple[WebhookSecret, ...] = ()
    """One entry per webhook record and secret. Default none: every webhook is refused, changes are found by polling."""

    @model_validator(mode="after")
    def _distinct_paths(self) -> Self:
        if len({self.create, self.update, self.delete}) != 3:
            raise ValueError("create, update and delete need three different paths")
        return self


class EspoConfig(BaseModel):
    """How to reach an EspoCRM, and what its things are called."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")]
    """Address of the installation, without `/api/v1`. Required."""
    api_key: Secret
    """The API user's key (32 hex characters). Required."""
    hmac_secret: Secret | None = None
    """The API user's secret key, if its authentication method is HMAC. Default none: the key alone is sent."""
    profile: str = "seed"
    """Which shipped profile names the entities and fields. Default `seed`: the stock entity Document."""
    names: dict[str, Any] = Field(default_factory=dict)
    """Names that differ from the profile's, in its own tables: `[connectors.espocrm.names.document] md5 = "cMd5"`."""
    consent_field: Annotated[str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$", max_length=100)] = "aiFreigabe"
    """Boolean field that lets a document leave the house: on its case file, else on the linked record. Default
    `aiFreigabe`, which our extension brings. `""`: the active link is enough, as in the earlier implementation."""
    collection_links: tuple[str, ...] = ()
    """Links of the document entity that lead to collections. Default none named: all many-to-many links whose foreign
    entity has the profile's collection-id field."""
    webhooks: Webhooks = Field(default_factory=Webhooks)
    """URL paths and secrets of the webhooks."""
    parallel: Annotated[int, Field(ge=1, le=10)] = 4
    """Requests in flight at once. Default 4: eleven refused logins within 60 s lock out every login from this address,
    good keys included, so a key that turned bad must not be tried eleven times before the first 401 is read."""
    page_size: Annotated[int, Field(ge=1, le=1000)] = 200
    """Records per list request. Default 200: EspoCRM's own limit (`recordListMaxSizeLimit`); above it answers 403."""
    poll_overlap: Annotated[float, Field(ge=2.0, le=3600.0)] = 5.0
    """Seconds that each poll looks back behind the newest change it saw. Default 5: `modifiedAt` has a resolution of
    one second and is set before the transaction that stores it commits."""
    upload_chunk: Annotated[int, Field(ge=64 * 1024, le=256 * 1024 * 1024)] | None = None
    """Bytes per upload request, before base64 adds a third. Default: what EspoCRM announces (4 MiB). Lower it if a
    proxy in front answers 413."""
    connect_timeout: Annotated[float, Field(gt=0.0, le=120.0)] = 10.0
    """Seconds to connect. Default 10: a cold TLS handshake over a slow line."""
    read_timeout: Annotated[float, Field(gt=0.0, le=600.0)] = 60.0
    """Seconds without a byte. Default 60: EspoCRM's slowest list pages."""

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        try:
            load_profile(self.profile, self.names)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self

    @cached_property
    def resolved(self) -> Profile:
        """The profile with this table's own names laid over it."""
        return load_profile(self.profile, self.names)

    @property
    def api_url(self) -> str:
        """Base of every request, without a trailing slash."""
        return self.url.rstrip("/") + "/api/v1"
