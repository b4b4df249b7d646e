"""What draws a preview: named here, imported and run only inside the confined worker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewer:
    """A function that draws one kind of document.

    :param name: for logs and `explain`.
    :param render: `module:function`, importable in the worker; called with the staged file's path, returns a `PIL.Image`.
    """

    name: str
    render: str
