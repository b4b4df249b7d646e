"""What the example of `docsyncd_connectors` imports from its own package."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class FolderConfig(BaseModel):
    """The table of `type = "folder"`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: Path
