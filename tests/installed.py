"""Plugins as a package manager leaves them: a folder on `sys.path` with modules and `*.dist-info` beside them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import invalidate_caches
from pathlib import Path
from typing import Final

PLUGINS: Final = Path(__file__).parent / "data" / "plugins"


@contextmanager
def installed(*names: str, root: Path = PLUGINS) -> Iterator[None]:
    """These plugins of `tests/data/plugins` (or folders of `root`) are installed while the context lasts."""
    folders = [str(root / name) for name in names]
    sys.path[:0] = folders
    invalidate_caches()
    try:
        yield
    finally:
        for folder in folders:
            sys.path.remove(folder)
            for module in [m for m in sys.modules.values() if str(getattr(m, "__file__", "")).startswith(f"{folder}/")]:
                del sys.modules[module.__name__]


def write_distribution(folder: Path, name: str, entry_points: str) -> None:
    """The metadata of a distribution, version 1.0."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[docsyncd]\n{entry_points}\n", encoding="utf-8")
