"""The worker: a process that draws one document and ends.

Standard input is the control socket (one request with the document beside it), standard output takes the reply. Started
ahead, it imports everything first and then waits; an end of the control socket before a request means "not needed".
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from docsyncd.preview.confine import Limits, die_with, restrict
from docsyncd.preview.previewer import NoPreview
from docsyncd.preview.protocol import REQUEST_BYTES, Request, pack_reply, unpack_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from docsyncd.preview.previewer import Box


def main() -> None:
    """Serve one request. `argv[1]` is the limits as JSON."""
    limits = Limits(**json.loads(sys.argv[1]))
    restrict(limits)
    _import_ahead()
    control = socket.socket(fileno=0)
    message, documents, _, _ = socket.recv_fds(control, REQUEST_BYTES, 1)
    if not message:
        return
    die_with(control)
    answer = os.dup(1)
    _silence()
    reply = draw(unpack_request(message), documents[0], limits)
    with os.fdopen(answer, "wb") as out:
        out.write(reply)


def draw(request: Request, document: int, limits: Limits) -> bytes:
    """The reply, whatever happens: a previewer's error is the reason why there is no picture."""
    # Here and not above: nothing but the limits comes before `restrict`.
    from PIL import Image

    from docsyncd.preview.encode import webp

    Image.MAX_IMAGE_PIXELS = request.pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        picture, _, _ = webp(_picture(request, document), box=request.box, quality=request.quality)
        return pack_reply(picture=picture)
    except NoPreview as refusal:
        return pack_reply(reason=str(refusal))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return pack_reply(reason=f"too many pixels: more than {request.pixels:,}")
    except MemoryError:
        return pack_reply(reason=f"needs more than {limits.memory_mib} MiB of memory")
    except Exception as error:  # noqa: BLE001 - the worker's outermost frame; plugins raise what they like
        return pack_reply(reason=f"{type(error).__name__}: {error}")


def _picture(request: Request, document: int) -> Image.Image:
    module, _, function = request.render.partition(":")
    render: Callable[[Path, Box], Image.Image] = getattr(importlib.import_module(module), function)
    # By our process id and not "self": a program that the previewer starts can open it, too.
    return render(Path(f"/proc/{os.getpid()}/fd/{document}"), request.box)


def _import_ahead() -> None:
    """What nearly every document needs, before there is one to wait."""
    for module in ("docsyncd.preview.encode", "docsyncd.preview.image", "docsyncd.preview.pdf"):
        importlib.import_module(module)


def _silence() -> None:
    """From here on a document is at work: what libraries print about it goes neither into the reply nor into the log."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


if __name__ == "__main__":
    main()
