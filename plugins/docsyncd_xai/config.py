"""The table `[connectors.NAME]` with `type = "xai"`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from docsyncd.api import Secret
from docsyncd_xai.media import MEDIA_TYPES

Seconds = Annotated[float, Field(gt=0)]
Address = Annotated[str, BeforeValidator(lambda value: value.rstrip("/")), Field(pattern=r"^https?://\S+$")]


class XaiConfig(BaseModel):
    """Two hosts, two keys, and what xAI does not document."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    api_key: Secret
    """The inference key: stores, lists and deletes files on `files_url`."""
    management_key: Secret
    """The management key: needs the rights of the group "Collections Endpoint" and `AddFileToCollection`. Another key than
    `api_key`; xAI shows it once."""
    files_url: Address = "https://api.x.ai"
    """Host of the files. Default: the global host; xAI's regional ones have no files (reference: xai.md, 4)."""
    management_url: Address = "https://management-api.x.ai"
    """Host of the collections."""
    max_file_mb: float = Field(default=48.0, gt=0, le=512)
    """Largest file, in 1,000,000 bytes. Default: `index.max_file_mb`; 48 is the lowest of four published limits (xai.md, 1.2)."""
    also_accept: dict[Annotated[str, Field(pattern=r"^[a-z0-9]{1,20}$")], str] = {}
    """Further extensions and their media types, such as `{ eml = "message/rfc822" }`. Default: none beyond xAI's list (xai.md,
    2.5); what xAI then refuses shows as failed."""
    parallel: int = Field(default=16, ge=1, le=128)
    """Requests in flight at once, per host. 16 keeps 16 documents moving; xAI publishes no limit, and a 429 pauses all."""
    parallel_uploads: int = Field(default=4, ge=1, le=64)
    """Uploads in flight at once. 4 fill a line of 100 Mbit/s (xai.md, 1.5)."""
    rate: float | None = Field(default=None, gt=0)
    """Most requests per second over both hosts. Default: no limit of our own; 4 is the cautious value (xai.md, 1.5)."""
    connect_timeout: Seconds = 10.0
    """Seconds to connect; 10 covers a cold TLS handshake over a slow line."""
    read_timeout: Seconds = 60.0
    """Seconds without a byte of the answer."""
    upload_timeout: Seconds = 600.0
    """Seconds from the last byte of an upload to the first of its answer. xAI's own client waits up to 27 minutes."""
    settles: float = Field(default=60.0, ge=0)
    """Seconds in which a 404 for what was just uploaded or placed is not believed (xai.md, 2.6)."""

    @property
    def max_bytes(self) -> int:
        return int(self.max_file_mb * 1_000_000)

    @property
    def media_types(self) -> dict[str, str]:
        """Everything that is accepted: extension → media type."""
        return {**MEDIA_TYPES, **self.also_accept}
