"""What an installation may set about previews."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from docsyncd.preview.previewer import Box


def spare_cores() -> int:
    """The cores that this process may use, less one for the sync itself; at least 1."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewSettings:
    """Each has its unit, default and reason.

    :param enabled: default True. Off, every document is answered with "previews are off".
    :param parallel: processes that draw at once; default cores - 1, at least 1: drawing is pure CPU, the sync keeps one.
    :param seconds: wall-clock and CPU limit for one document, default 30: a page that takes longer is a bomb or a hang.
    :param memory_mib: address space of each process in MiB, default 512: twice what the largest admitted picture needs.
    :param pixels: largest picture that is decoded, in pixels, default 50 million: A4 in colour at 600 dpi has 35 million.
    :param box: width and height in pixels of the largest preview, default 600 x 800: a portrait page, readable headings.
    :param quality: WebP quality, 1 to 100, default 85: text stays sharp, a page of it takes about 40 KiB.
    """

    enabled: bool = True
    parallel: int = field(default_factory=spare_cores)
    seconds: float = 30.0
    memory_mib: int = 512
    pixels: int = 50_000_000
    box: Box = (600, 800)
    quality: int = 85
