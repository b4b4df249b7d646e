"""Secrets that a configuration names but never holds.

`{ credential = "name" }` reads a systemd credential, `{ file = "/path" }` a file, `{ env = "NAME" }` a variable. The value
is read when it is used, not when the configuration is checked, and is never part of a `repr`, an error or a log line.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from docsyncd.errors import ConfigError


class Secret(BaseModel):
    """Where a secret is to be found; exactly one of the three is set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    credential: str | None = None
    """Name below systemd's `$CREDENTIALS_DIRECTORY`; set by `LoadCredential=` in the unit."""
    file: Path | None = None
    """A file whose whole content, less surrounding white space, is the secret."""
    env: str | None = None
    """An environment variable. Child processes inherit it: for trying things out, not for production."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(source is not None for source in (self.credential, self.file, self.env)) != 1:
            raise ValueError('a secret is one of { credential = "…" }, { file = "…" } or { env = "…" }')
        return self

    def __str__(self) -> str:
        if self.credential is not None:
            return f"credential {self.credential}"
        return f"file {self.file}" if self.file is not None else f"environment variable {self.env}"

    def reveal(self, *, key: str = "") -> str:
        """The secret itself. `ConfigError` names the source and the configuration's key, never the value."""
        if self.env is not None:
            value = os.environ.get(self.env, "").strip()
            if not value:
                raise ConfigError(f"the {self} is not set or is empty.", key=key, fix="Set it, or name another source.")
            return value
        path = self._path(key)
        try:
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = type(error).__name__
            raise ConfigError(f"the {self} cannot be read ({reason}).", key=key, fix=f"Check {path}.") from error
        if not value:
            raise ConfigError(f"the {self} is empty.", key=key, fix=f"Write the secret into {path}.")
        return value

    def _path(self, key: str) -> Path:
        if self.file is not None:
            return self.file
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if folder is None:
            raise ConfigError(
                f"the {self} cannot be read: no $CREDENTIALS_DIRECTORY is set.",
                key=key,
                fix="Start docsyncd by its systemd unit, or name the secret by { file = … }.",
            )
        return Path(folder) / str(self.credential)
