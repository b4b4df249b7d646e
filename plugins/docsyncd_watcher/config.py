"""The table `[connectors.NAME]` with `type = "watcher"`."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from docsyncd.api import Secret

Seconds = Annotated[float, Field(gt=0)]
Address = Annotated[str, BeforeValidator(lambda value: value.rstrip("/")), Field(pattern=r"^https?://\S+$")]
Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
"""JSON keys that mean one thing, the first that is there counts. Upper and lower case are the same."""

FEED: Final = "advoware:pending_aktennummern"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone; Europe/Berlin is one") from error
    return name


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class KeysConfig(_Table):
    """What the listing of a watcher of level basic calls its values. Each is a list, the first key that is there counts, and upper
    and lower case are the same. Nobody has published that JSON; what the listing has beyond these is logged once."""

    files: Names = ("files", "dateien", "items")
    """The list of files, if the listing is an object and not the list itself."""
    filename: Names = ("filename", "name")
    """The bare name."""
    path: Names = ("path", "relative_path")
    """The path below the case file's folder. Where it is missing, the name is the path."""
    usn: Names = ("usn",)
    """The number that moves with each change of the file."""
    hash: Names = ("blake3Hash", "hash")
    """BLAKE3 of the content, 64 hexadecimal digits. Where it is missing, every file is read to know its content."""
    size: Names = ("size",)
    """Bytes."""
    modified: Names = ("modified",)
    """Time of the last change: ISO 8601, or seconds since 1970."""
    folder: Names = ("isDirectory", "is_directory")
    """True for what is a folder and no file."""


class WatcherConfig(_Table):
    """The watcher on the Windows file server. Address, endpoints and the names of environment variables are the earlier
    implementation's."""

    url: Address = "http://localhost:8765"
    """Address of the watcher. Default: the earlier implementation's. Use https beyond this host: the token and the documents
    travel on this line."""
    token: Secret
    """The bearer token. Required."""
    level: Literal["auto", "basic", "extended"] = "auto"
    """Which protocol the watcher speaks. `auto` asks it; `basic` never asks; `extended` refuses a watcher that does not, so that
    no write ever has less than an enforced precondition (docs/reference/watcher-protocol.md)."""
    instance: str = ""
    """A name for this file server, for a watcher of level basic, which has none of its own. Change it when the server is replaced:
    docsyncd then halts until somebody has looked. Default: the address alone."""
    modified_zone: Annotated[str, AfterValidator(_known_zone)] = "Europe/Berlin"
    """Zone of times that a watcher of level basic sends without one. Default: the zone that Advoware's servers run in."""
    pending_set: Annotated[str, Field(min_length=1)] = FEED
    """The Redis set by which the watcher, and people, say which case files are due. Default: the earlier implementation's."""
    keys: KeysConfig = KeysConfig()
    """Names in the listing of a watcher of level basic."""
    parallel: int = Field(default=4, ge=1, le=64)
    """Files on the line at once, and as many questions beside them. 4: one server with one disk."""
    attempts: int = Field(default=3, ge=1, le=10)
    """Tries of one request, with back-off; the earlier implementation's number. After them the queue tries again later."""
    connect_timeout: Seconds = 10.0
    """Seconds to connect; a tunnel to the office may be slow to wake."""
    read_timeout: Seconds = 60.0
    """Seconds without a byte. A listing may have to hash first what has changed."""
    upload_timeout: Seconds = 600.0
    """Seconds from the last byte of an upload to the answer: the watcher flushes, hashes and replaces first."""

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.modified_zone)
