"""One TOML file → frozen models. Every error names its key, what is wrong and what to write; all of them at once.

Each field's docstring carries unit, default and the reason for it; `etc/docsyncd.toml` shows every key, and a test keeps
the two equal.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from docsyncd.connector import Connector
from docsyncd.errors import ConfigError
from docsyncd.secrets import Secret

MAX_CONFIG = 1024 * 1024
"""Bytes: a larger configuration is a mistake, such as the path of a log file."""

Seconds = Annotated[float, Field(gt=0)]


class Table(BaseModel):
    """A TOML table: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class DaemonConfig(Table):
    name: str = Field(default="docsyncd", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    """This daemon's name among those that share a queue; shown as the holder of a key. Default `docsyncd`."""
    state_dir: Path = Path("/var/lib/docsyncd")
    """Folder for the audit chain, the embedded server's data and staged files. Default is the unit's StateDirectory."""
    workers: int = Field(default=8, ge=1, le=128)
    """Keys worked on at once. 8: the work is waiting for remotes, whose own limits (`parallel`) are lower."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe event that is logged. `info` is one line per finished document."""
    log_format: Literal["auto", "console", "json"] = "auto"
    """`auto` writes for people on a terminal and JSON elsewhere."""


class QueueConfig(Table):
    url: str | None = None
    """Redis or Valkey: `redis://`, `rediss://`, `unix://` or `redis+sentinel://host:port,…/service/db`. Default: embedded."""
    password: Secret | None = None
    """Where the server's password is found. Default: none, or the one in `url` (which logs and backups may show)."""
    server_binary: Path | None = None
    """Program of the embedded server. Default: valkey-server or redis-server in PATH, else the one of extra `embedded`."""
    prefix: str = Field(default="docsyncd:", min_length=1)
    """Beginning of every Redis key that docsyncd owns, so that several installations can share a server."""
    lease: Seconds = 60.0
    """Seconds after which a dead worker's key is taken over; renewed every third of it. 60 outlasts any pause short of a crash."""


class ListenerConfig(Table):
    bind: str = "127.0.0.1:8480"
    """`address:port` of the webhook listener. Loopback by default: put a TLS proxy in front, or bind an inner address."""


class AdminConfig(Table):
    control_socket: Path | None = None
    """Socket of the commands. Default: `control.sock` in `daemon.state_dir`."""
    operators: str = "docsyncd-operators"
    """Group whose members may act (sync, retry, pause); everybody who can open the socket may look."""


class IndexConfig(Table):
    mode: Literal["observe", "live"] = "observe"
    """`observe` plans and shows, without any effect; `live` works. As installed nothing leaves the house."""
    catalog: str = "espocrm"
    """Name of the connector table that holds the documents."""
    index: str = "xai"
    """Name of the connector table that makes them searchable."""
    consent_field: str = "aiFreigabe"
    """Boolean on the case file (else on the linked entity) without which nothing is uploaded; "" means the link is consent."""
    collections: tuple[str, ...] = ()
    """Collection ids that may be filled and emptied; empty means every collection that an entity of the catalog names.
    What is not on the list stays as it is: no new version, no withdrawn consent and no deletion reaches it."""
    scope: Literal["all", "linked"] = "all"
    """Which documents are worked on: `all`, or only those `linked` to a collection that may be filled. The others are then
    read and nothing else: no preview, no hash, no status. `linked` is for trying docsyncd out beside other documents."""
    max_file_mb: float = Field(default=48.0, gt=0, le=512)
    """Largest file, in 1,000,000 bytes. 48 is the lowest of xAI's four published limits (reference: xai.md, 1.2)."""
    poll_every: Seconds = 60.0
    """Seconds between two looks for changes that no webhook announced. Also how soon withdrawn consent is seen."""
    first_look: Seconds = 2.0
    """Seconds until a placed file is first looked at; doubles up to 30. Indexing takes seconds to minutes."""
    give_up_after: Seconds = 3600.0
    """Seconds until a file that is not indexed is shown as failed (xai.md, 2.4)."""
    collection_grace: Seconds = 86400.0
    """Seconds that a deactivated entity keeps its collection before an operator may delete it: a day to notice a mistake."""
    upload_settles: Seconds = 60.0
    """Seconds after a broken-off upload before its absence is believed and it is sent again (xai.md, 2.6: 404 for a while)."""


class PreviewsConfig(Table):
    enabled: bool = True
    """Draw a picture of the first page into the record's preview field."""
    parallel: int = Field(default=0, ge=0, le=64)
    """Pictures drawn at once; 0 means one less than there are cores, at least one."""
    seconds: Seconds = 30.0
    """Time limit for one document; a hostile one costs an icon, never the sync."""
    memory_mib: int = Field(default=512, ge=64)
    """Address space of one converter in MiB."""


class AuditConfig(Table):
    max_deletions_per_hour: int = Field(default=20, ge=1)
    """Documents that may vanish from the catalog in one hour before the rest is held for a person."""


class SweepsConfig(Table):
    every: Seconds = 86400.0
    """Seconds between two complete comparisons of ids, links and files. A day: webhooks and polls do the daily work."""
    orphan_age: Seconds = 3600.0
    """Seconds that a file of the index may be placed nowhere before it is forgotten; longer than any upload."""


class PluginsConfig(Table):
    disabled: tuple[str, ...] = ()
    """Entry points of group `docsyncd` that are not loaded."""


def _with_type(table: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(table.get("type"), str):
        raise ValueError('this table needs a type, such as type = "espocrm"')  # noqa: TRY004 - pydantic adds the key
    return table


class Settings(Table):
    """Everything but the connectors' tables."""

    daemon: DaemonConfig = DaemonConfig()
    queue: QueueConfig = QueueConfig()
    listener: ListenerConfig = ListenerConfig()
    admin: AdminConfig = AdminConfig()
    index: IndexConfig = IndexConfig()
    previews: PreviewsConfig = PreviewsConfig()
    audit: AuditConfig = AuditConfig()
    sweeps: SweepsConfig = SweepsConfig()
    plugins: PluginsConfig = PluginsConfig()
    connectors: dict[str, Annotated[dict[str, Any], AfterValidator(_with_type)]] = {}
    """One table per connection: `[connectors.NAME]` with `type` and the keys of that connector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One `[connectors.NAME]` table, validated by its connector's own model."""

    name: str
    connector: Connector
    config: BaseModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration that can be run."""

    settings: Settings
    connections: Mapping[str, Connection]
    path: Path

    def connection(self, role: str, port: str) -> Connection:
        """The connection bound to a role, such as `index.catalog`; `ConfigError` names the key that binds it."""
        section, key = role.split(".")
        name = getattr(getattr(self.settings, section), key)
        connection = self.connections.get(name)
        if connection is None:
            known = ", ".join(sorted(self.connections)) or "none"
            raise ConfigError(
                f"there is no [connectors.{name}].",
                key=role,
                fix=f"Name one of the configured ones ({known}), or add it.",
            )
        if port not in connection.connector.offers:
            raise ConfigError(
                f'[connectors.{name}] is of type "{connection.connector.name}", which offers no {port}.',
                key=role,
                fix="Name another connection.",
            )
        return connection


class Problems(ConfigError):
    """Everything that is wrong with a file, one `ConfigError` each."""

    def __init__(self, path: Path, errors: Iterable[ConfigError]) -> None:
        self.errors = tuple(errors)
        super().__init__(f"{path} cannot be used:\n" + "\n".join(f"  {error}" for error in self.errors))


def read_settings(path: Path) -> Settings:
    """Read and check everything but the connectors' tables. Raises `ConfigError` or `Problems`."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", fix="Name it with --config.") from error
    if len(raw) > MAX_CONFIG:
        raise ConfigError(f"{path} has {len(raw)} bytes; a configuration has less than {MAX_CONFIG}.")
    try:
        data = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        raise Problems(path, explain(error, Settings, "")) from None  # pydantic's own error shows what was written


def control_path(settings: Settings) -> Path:
    """Where the control socket is: configured, or in the state directory."""
    return settings.admin.control_socket or settings.daemon.state_dir / "control.sock"


def bind(settings: Settings, connectors: Mapping[str, Connector], path: Path) -> Config:
    """Check the connectors' tables against the models of the connectors that are installed."""
    errors: list[ConfigError] = []
    connections: dict[str, Connection] = {}
    for name, table in settings.connectors.items():
        connector = connectors.get(table["type"])
        if connector is None:
            errors.append(_unknown_type(name, table["type"], connectors))
            continue
        own = {key: value for key, value in table.items() if key != "type"}
        try:
            table_config = connector.config.model_validate({**_inherited(connector, settings), **own})
        except ValidationError as error:
            errors.extend(explain(error, connector.config, f"connectors.{name}"))
        else:
            connections[name] = Connection(name=name, connector=connector, config=table_config)
    if errors:
        raise Problems(path, errors)
    config = Config(settings=settings, connections=connections, path=path)
    for role, port in (("index.catalog", "catalog"), ("index.index", "index")):
        try:
            config.connection(role, port)
        except ConfigError as error:
            errors.append(error)
    if errors:
        raise Problems(path, errors)
    return config


def _inherited(connector: Connector, settings: Settings) -> dict[str, Any]:
    """What a connector takes over from the host's tables (`Connector.inherits`)."""
    values: dict[str, Any] = {}
    for own, key in connector.inherits.items():
        section, name = key.split(".")
        values[own] = getattr(getattr(settings, section), name)
    return values


def _unknown_type(name: str, kind: str, connectors: Mapping[str, Connector]) -> ConfigError:
    near = _nearest(kind, connectors)
    fix = f'Did you mean "{near}"?' if near else f"Installed are: {', '.join(sorted(connectors)) or 'none'}."
    return ConfigError(f'no installed plugin brings a connector "{kind}".', key=f"connectors.{name}.type", fix=fix)


def explain(error: ValidationError, model: type[BaseModel], prefix: str) -> list[ConfigError]:
    """pydantic's errors in our words: dotted key, what is wrong, the nearest known key."""
    found: list[ConfigError] = []
    for item in error.errors(include_url=False, include_input=False):
        parts = [str(part) for part in item["loc"]]
        key = ".".join(part for part in (prefix, *parts) if part)
        if item["type"] == "extra_forbidden":
            found.append(_unknown_key(key, parts, model))
        elif item["type"] == "missing":
            found.append(ConfigError("this key is required and not set.", key=key, fix=_hint(model, parts)))
        else:
            found.append(ConfigError(f"{_sentence(item['msg'])}", key=key, fix=_hint(model, parts)))
    return found


def _unknown_key(key: str, parts: list[str], model: type[BaseModel]) -> ConfigError:
    table = _model_at(model, parts[:-1])
    known = sorted(table.model_fields) if table is not None else []
    near = _nearest(parts[-1], known)
    return ConfigError(
        "unknown key.", key=key, fix=f"Did you mean `{near}`?" if near else f"Known here: {', '.join(known)}."
    )


def _hint(model: type[BaseModel], parts: list[str]) -> str:
    """What the field's documentation says it should hold."""
    table = _model_at(model, parts[:-1])
    described = table.model_fields.get(parts[-1]) if table is not None and parts else None
    return re.sub(r"\s+", " ", described.description) if described is not None and described.description else ""


def _model_at(model: type[BaseModel], parts: Iterable[str]) -> type[BaseModel] | None:
    """The model that a key belongs to. A part that is no field is a position in a list or a name in a table of such models."""
    here: type[BaseModel] | None = model
    for part in parts:
        described = here.model_fields.get(part) if here is not None else None
        if described is not None:
            here = _model_in(described.annotation)
    return here


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model in an annotation such as `Secret | None` or `tuple[WebhookSecret, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _nearest(word: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ").rstrip(".") + "."
