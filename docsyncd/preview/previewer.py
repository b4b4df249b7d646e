"""What draws a preview: named here, imported and run only inside the confined worker."""

from __future__ import annotations

from dataclasses import dataclass

Box = tuple[int, int]
"""Width and height in pixels that a picture has to fit into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewer:
    """A function that draws one kind of document.

    :param name: for logs and `explain`.
    :param render: `module:function`, importable in the worker; called with the staged file's path (a path without
        the document's name or extension) and the box in pixels; returns a `PIL.Image`. A larger picture is shrunk to
        the box and put on white. An error's text becomes the reason why there is no preview.
    """

    name: str
    render: str


class NoPreview(Exception):
    """A previewer's own sentence on why this document has no picture: "encrypted PDF: needs a password"."""
