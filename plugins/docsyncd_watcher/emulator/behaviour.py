"""How the emulated watcher behaves where nobody has written it down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """One switch per undocumented trait. The seed tells endpoints, header and four keys, and nothing else
    (reference/installation-profile.md, 5). Change it at any time."""

    level: Literal["basic", "extended"] = "extended"
    """Only the seed's endpoints, or those of docs/reference/watcher-protocol.md."""
    shape: Literal["object", "list"] = "object"
    """A basic listing: `{"akte": …, "files": […]}`, or the bare list."""
    spelling: Literal["seed", "other"] = "seed"
    """Keys of a basic listing: `filename, path, blake3Hash`, or `name, relative_path, hash`."""
    separator: Literal["/", "\\"] = "/"
    """Between folders in a basic listing's paths."""
    hashes: Literal["listed", "stale", "absent"] = "listed"
    """Whether listings know the contents; `stale`: hashed before the last change (basic: not distinguishable, so absent)."""
    modified: Literal["zoned", "naive", "seconds", "garbage"] = "zoned"
    """A basic listing's times: ISO with `Z`, local time without a zone (Europe/Berlin), Unix seconds, or nothing readable."""
    no_folder: Literal["absent", "empty"] = "absent"
    """A basic listing of a case file that has no folder: 404, or an empty list."""
    unverified: bool = False
    """A basic PUT that ignores `X-Blake3-Hash`, as a careless watcher may."""
    put_answer: Literal["json", "nothing", "wrong hash"] = "json"
    """The answer to a basic PUT: a JSON with the hash, 204, or a JSON with another hash than was sent."""
    locked_status: int = 500
    """What a basic watcher says of a file that another program has open."""
    unannounced: bool = False
    """Downloads of level basic come chunked, without a Content-Length."""
    unconditional: Literal["refuse", "allow"] = "refuse"
    """What an extended watcher does with a PUT without a precondition: 428, or serve the earlier implementation."""
    busy: bool = False
    """An extended watcher that has no time: every question but the one for its health is answered with 409."""
    list_at_most: int | None = None
    """A listing with fewer files than there are. Extended: it says that it is incomplete. Basic: nobody can tell."""
