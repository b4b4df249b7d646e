"""The table `[connectors.NAME]` with `type = "advoware"`.

The vendor documents discovery and token. Paths, keys, dates and errors of Akten and History are not public: each is a key here,
with the likeliest value as its default (reference: advoware-windows-sync.md, 1.1 to 1.6).
"""

from __future__ import annotations

import datetime
import zoneinfo
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from docsyncd.api import Secret
from docsyncd_advoware.error_table import ERRORS, ErrorRule
from docsyncd_advoware.table import Table


def _day(text: str) -> str:
    return datetime.date.fromisoformat(text).isoformat()


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"this host knows no time zone {name!r}; install tzdata if the name is right") from error
    return name


Seconds = Annotated[float, Field(gt=0)]
Address = Annotated[str, BeforeValidator(lambda value: value.rstrip("/")), Field(pattern=r"^https?://[^\s/]+\S*$")]
PathTemplate = Annotated[str, Field(pattern=r"^/\S*$")]
Day = Annotated[str, AfterValidator(_day)]
Keys = Annotated[tuple[str, ...], Field(min_length=1)]
Value = str | bool | int


class Discovery(Table):
    """Where the firm's Advoware is: the vendor's configurator says it."""

    configurator_url: Address = "https://www2.advo-net.net/AdvonetConfigurator/api/Url"
    """The vendor's directory, asked with `?Kanzlei=`; its answer names the other two addresses."""
    base_url: Address | None = None
    """Address of the API. Default: what the configurator names, `connectorUrl` if it is set, else `relayUrl`."""
    security_gateway: Address | None = None
    """Address that issues tokens. Default: what the configurator names."""
    ttl: Seconds = 21600.0
    """Seconds until the configurator is asked again. 6 hours: firms move seldom, and a call that fails asks at once."""
    allow_http: bool = False
    """Believe addresses without TLS that the configurator names. Default off: password and files' names would go in the clear."""
    ca_file: Path | None = None
    """Certificates (PEM) to trust instead of the system's, for a connector on the firm's own server. Default: the system's."""


class Auth(Table):
    """How a token is asked for. The vendor documents the request; tolerances and lifetimes are not."""

    role: int = 2
    """`Role` of the request: 2 in the vendor's example."""
    product: int = 64
    """`Product` of the request: always 64 for third parties, says the vendor."""
    timestamp: Literal["milliseconds", "seconds", "ticks"] = "milliseconds"
    """Fraction of `RequestTimeStamp`: 3, 0 or 7 digits. All three are seen in public clients; what is signed is sent."""
    expiration: Keys = ("expiration_utc",)
    """Keys of the token's end, a time in UTC; the vendor's client reads this one."""
    lifetime: Keys = ("expires_in",)
    """Keys of its life in seconds, asked where it names no end."""
    fallback_lifetime: Seconds = 3000.0
    """Seconds that a token lives if its answer says nothing. 50 minutes: the earlier implementation saw 55."""
    margin: Annotated[float, Field(ge=0)] = 120.0
    """Seconds before its end at which a token is renewed; for a short-lived one at most half its life."""
    correct_clock: bool = True
    """Sign with the server's time, as its Date header tells it, instead of this host's."""


class Paths(Table):
    """Where resources are; both `/api/v1` and `/api/v1/advonet` occur in public code. `{id}` is Advoware's id of the Akte."""

    akte: PathTemplate = "/api/v1/advonet/Akten/{id}"
    """One Akte."""
    token: PathTemplate = "/api/v1/Token"  # noqa: S105 - a path
    """On the security gateway, where tokens are asked for."""
    search: PathTemplate = "/api/v1/advonet/Akten?aktennummer={number}"
    """Akten with this number; used by `akte.find = "search"`."""
    history: PathTemplate = "/api/v1/advonet/Akten/{id}/History"
    """All entries of an Akte."""
    history_create: PathTemplate = "/api/v1/advonet/Akten/{id}/History"
    """Where an entry is posted."""
    health: PathTemplate = "/api/v1/advonet/Akten/0"
    """A cheap request that needs a token. An Akte that does not exist: 404 is as good an answer as 200."""
    swagger: PathTemplate = "/swagger/v1/swagger.json"
    """The machine-readable description; usually reachable on the firm's own server only."""


class AkteFields(Table):
    """How an Akte is found, and what its keys are called. Upper and lower case are alike in all keys."""

    find: Literal["search", "id"] = "search"
    """`search` asks `paths.search` for the number; `id`: Advoware's id is the Aktennummer itself."""
    ids: dict[str, str] = Field(default_factory=dict)
    """Advoware's ids by Aktennummer, for what neither finds, such as `{ "4711" = "90210" }`. Default: none."""
    id: Keys = ("id", "akteId")
    """Keys of the id."""
    number: Keys = ("aktennummer", "aktennr", "nr")
    """Keys of the Aktennummer. It, or the Aktenzeichen, must be what was asked for, else the Akte is held (`wrong-case`)."""
    reference: Keys = ("aktenzeichen", "az")
    """Keys of the Aktenzeichen."""
    verified_for: Seconds = 600.0
    """Seconds in which the id that was found for a number is used for its History without asking again."""


class Archive(Table):
    """When an Akte counts as filed away. A filing number survives re-activation, so its presence may prove nothing."""

    field: Keys = ("ablage",)
    """Keys looked at. Missing: unknown, and an unknown Akte is left as it is."""
    operator: Literal["set", "one_of", "none_of"] = "set"
    """`set`: neither empty, 0, false nor a zero date. `one_of`, `none_of`: compared with `values`."""
    values: tuple[str, ...] = ()
    """What `one_of` and `none_of` compare with; as text, upper and lower case alike."""
    null: Literal["unknown", "no"] = "unknown"
    """What JSON's null means. Default: unknown, until one archived, one active and one re-activated Akte have been looked at."""


class Fields(Table):
    """What the keys of a History entry are called. Upper and lower case are alike."""

    envelope: str = ""
    """Key of the list, if the answer is an object around it. Default: the answer is the list itself."""
    number: Keys = ("hnr", "historynr", "historyNummer")
    """Keys of the entry's number (hNr). `"42"` is 42; null and 0 are unknown."""
    akte: Keys = ("aktennummer", "aktennr", "akteId")
    """Keys that name the Akte in an entry; one that names another one holds the Akte (`wrong-case`)."""
    date: Keys = ("dat", "datum")
    """Keys of the date."""
    time: Keys = ("zeit", "uhrzeit")
    """Keys of the time of day, where it is not part of the date."""
    text: Keys = ("text", "betreff")
    """Keys of the text."""
    kind: Keys = ("art",)
    """Keys of the kind of entry."""
    file: Keys = ("datei", "dateiname", "pfad")
    """Keys of the file, as a path in Advoware's own form; see `files`."""
    required: tuple[Literal["number", "akte", "date", "time", "text", "kind", "file"], ...] = ("number",)
    """What every entry must have a key for, be it null. One without: the History is not understood, and is not read as empty."""


class FileRule(Table):
    """One root under which the firm keeps its Akten."""

    root: Annotated[str, Field(min_length=1)]
    """Beginning of the value, such as `T:\\Akten\\{number}\\`: `/` and `\\` are alike, so are upper and lower case. `{number}`,
    `{id}`, `{reference}` and any other key of the Akte stand for its values, `*` for any one folder."""


class Files(Table):
    """How the file of an entry becomes a path below the Akte's folder. What no rule fits is reported and never guessed."""

    rules: tuple[FileRule, ...] = ()
    """Tried in this order. Default: none, so that no absolute value belongs to a file until somebody has looked at some."""
    relative: bool = False
    """A value without drive, server or leading separator is a path below the Akte's folder already."""
    short_names: bool = False
    """Take a name such as `KLAGES~1.DOC` as it stands. Default off: it is probably the 8.3 alias of another name."""


class Dates(Table):
    """Dates come without zone and with or without fraction. They never decide which content wins."""

    zone: Annotated[str, AfterValidator(_zone)] = "Europe/Berlin"
    """Time zone of a date that names none."""
    formats: tuple[str, ...] = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y")
    """Tried after ISO 8601, in the notation of Python's strptime."""
    sentinels: tuple[Day, ...] = ("0001-01-01", "1899-12-30", "1900-01-01")
    """Days that mean "no date"."""


class Writes(Table):
    """How an entry is made. Nothing about it is public: it is off until somebody has tried it with the firm's own Swagger page."""

    enabled: bool = False
    """May entries be posted at all? The flow has a switch of its own; both must be on."""
    swagger: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """SHA-256 of the Swagger file with which the keys below were tried; `doctor` shows the present one. Where set, a changed file
    stops all writing. Default: not compared."""
    number: str = ""
    """Key under which the Akte's number is sent along. Default: not sent, the address names the Akte."""
    text: str = "text"
    """Key of the text."""
    kind: str = "art"
    """Key of the kind."""
    date: str = "dat"
    """Key of the date, sent as local time of `dates.zone`, `2026-11-21T14:05:00`."""
    file: str = "datei"
    """Key of the file."""
    file_value: str = "{path}"
    """The file's value: `{path}` with `\\` between its parts, and the placeholders of `files.rules`."""
    constants: dict[str, Value] = Field(default_factory=dict)
    """Further keys and values that each new entry gets. Default: none."""
    settles: Annotated[float, Field(ge=0)] = 60.0
    """Seconds after a lost answer before the entry's absence is believed and it is posted again."""
    marker: Literal["text", "file"] = "text"
    """By what our own entry is known again: a mark at the end of its text, or its file alone (`text` survives a rename)."""


class AdvowareConfig(Table):
    """One firm's Advoware, by the vendor's REST API."""

    app_id: str = Field(min_length=1)
    """App-ID that the vendor issued; it must be enabled for this Kanzlei."""
    api_key: Secret
    """API key that belongs to the App-ID, base64 as issued; it signs the request for a token."""
    kanzlei: str = Field(min_length=1)
    """Kanzleikennung, the firm's identifier at the vendor."""
    database: str = Field(min_length=1)
    """Name of the firm's database."""
    user: str = Field(min_length=1)
    """Short code of the employee in whose name docsyncd reads; use one of its own with the least rights."""
    password: Secret
    """That employee's password."""
    discovery: Discovery = Discovery()
    """Addresses."""
    auth: Auth = Auth()
    """The token."""
    paths: Paths = Paths()
    """Paths of the API."""
    akte: AkteFields = AkteFields()
    """Akten."""
    archived: Archive = Archive()
    """Ablage."""
    fields: Fields = Fields()
    """Keys of History entries."""
    files: Files = Files()
    """Files of History entries."""
    dates: Dates = Dates()
    """Dates of History entries."""
    writes: Writes = Writes()
    """New History entries."""
    errors: tuple[ErrorRule, ...] = ()
    """Lines of the table of errors, read from top to bottom and before docsyncd's own; what no line fits is `unknown`."""
    sample: str = ""
    """Aktennummer that `doctor` reads and describes: keys, files, ablage. Default: none."""
    parallel: int = Field(default=2, ge=1, le=16)
    """Requests in flight at once. 2: no limit is published, and the firm's own server answers them."""
    rate: float = Field(default=5.0, gt=0)
    """Most requests per second; the same reason."""
    offline_pause: Seconds = 70.0
    """Seconds to stay away when the firm's server is offline; the vendor's client tells its own clients the same."""
    connect_timeout: Seconds = 10.0
    """Seconds to connect."""
    read_timeout: Seconds = 15.0
    """Seconds without a byte, as in the vendor's client."""

    @property
    def error_table(self) -> tuple[ErrorRule, ...]:
        return (*self.errors, *ERRORS)
