"""`check-config`: is the configuration complete and sound? Asks no remote and needs no credential to be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from docsyncd.config import Problems
from docsyncd.daemon import load_config
from docsyncd.errors import ConfigError, PluginError
from docsyncd.secrets import Secret
from docsyncd.system import logs


def check_config(path: Path) -> Mapping[str, Any]:
    """`{ok, path, errors: [{key, message}], secrets: [{key, source, present}], connectors}`."""
    logs.configure("warning", "auto")  # to standard error: the answer alone is standard output
    try:
        config, registry = load_config(path)
    except Problems as problems:
        return _refused(path, [{"key": error.key, "message": str(error)} for error in problems.errors])
    except ConfigError as error:
        return _refused(path, [{"key": error.key, "message": str(error)}])
    except PluginError as error:
        return _refused(path, [{"key": "plugins", "message": str(error)}])
    tables: Mapping[str, BaseModel] = {
        "": config.settings,
        **{f"connectors.{name}.": connection.config for name, connection in config.connections.items()},
    }
    secrets = [
        {"key": key, "source": str(secret), "present": _is_present(secret)}
        for prefix, table in tables.items()
        for key, secret in _secrets(table, prefix)
    ]
    return {
        "ok": True,
        "path": str(path),
        "errors": [],
        "secrets": secrets,
        "connectors": sorted(registry.connectors),
        "mode": config.settings.index.mode,
    }


def _refused(path: Path, errors: list[dict[str, str]]) -> Mapping[str, Any]:
    return {"ok": False, "path": str(path), "errors": errors, "secrets": [], "connectors": []}


def _secrets(value: object, prefix: str) -> Iterator[tuple[str, Secret]]:
    """Every secret below a model, with its dotted key."""
    if isinstance(value, Secret):
        yield prefix.rstrip("."), value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name), f"{prefix}{name}.")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _secrets(item, f"{prefix}{number}.")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _secrets(item, f"{prefix}{name}.")


def _is_present(secret: Secret) -> bool:
    try:
        secret.reveal()
    except ConfigError:
        return False
    return True
