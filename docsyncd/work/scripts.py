"""Loading and running the Lua scripts. One transition is one script is one typed function; the functions are in
`redis_queue`, `intervals` and `shared_set`, the sources in `lua/`.

A script is its constants, the sources that it shares with others, its own source, which is a function `transition`, and
`each.lua`, which calls it once for each request, in this order. redis-py repeats a
call whose reply was lost, so each script gives the same state, and where it matters the same answer, when it runs twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from redis import exceptions
from redis.asyncio import Redis

from docsyncd.errors import QueueUnavailable
from docsyncd.work.batch import BatchedScript

ScriptName = Literal[
    "add", "claim", "renew", "finish", "retry", "drop", "pause", "show", "counts", "intake", "due", "compare_delete",
    "compare_expire", "take", "undo_due",
]  # fmt: skip

SHARED: Final[Mapping[ScriptName, tuple[str, ...]]] = {
    "add": ("record", "offer"),
    "claim": ("record", "ending"),
    "renew": ("record",),
    "finish": ("record", "ending"),
    "retry": ("record",),
    "drop": ("record",),
    "pause": ("record",),
    "show": ("record",),
    "counts": ("record",),
    "intake": ("record", "offer"),
}

REFUSALS: Final = ("OOM", "MISCONF", "NOREPLICAS", "MASTERDOWN", "READONLY", "LOADING", "BUSY")
"""Codes of replies that say that the server takes no writes now, while the request itself is sound (redis.io, "Redis
serialization protocol", errors; server.c). redis-py has classes for some of them only."""


def _takes_no_writes(error: exceptions.ResponseError) -> bool:
    known = (exceptions.ReadOnlyError, exceptions.OutOfMemoryError)
    return isinstance(error, known) or str(error).startswith(REFUSALS)


@contextmanager
def redis_errors() -> Iterator[None]:
    """Everything that means "Redis is away or takes no writes" is `QueueUnavailable`; anything else is a bug."""
    try:
        yield
    except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
        raise QueueUnavailable(f"Redis does not answer ({type(error).__name__}: {error}).") from error
    except exceptions.ResponseError as error:
        if _takes_no_writes(error):
            raise QueueUnavailable(f"Redis takes no writes: {error}") from error
        raise


@cache
def source(name: str) -> str:
    """One Lua file of this package."""
    return (files(__package__) / "lua" / f"{name}.lua").read_text(encoding="utf-8")


def _literal(value: float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Scripts:
    """The scripts, ready to run on one server.

    :param keys: KEYS of every script: the prefix and, where a script looks at them, the legacy keys.
    :param constants: settings, as Lua names and values; times in microseconds.
    """

    def __init__(
        self, client: Redis, keys: Sequence[str], *, constants: Mapping[str, float | bool] | None = None
    ) -> None:
        self._client = client
        self._keys = tuple(keys)
        self._constants = "".join(f"local {name} = {_literal(value)}\n" for name, value in (constants or {}).items())
        self._known: dict[ScriptName, BatchedScript] = {}

    def _script(self, name: ScriptName) -> BatchedScript:
        if name not in self._known:
            text = self._constants + "".join(source(part) for part in (*SHARED.get(name, ()), name, "each"))
            self._known[name] = BatchedScript(self._client, text, self._keys)
        return self._known[name]

    async def run(self, name: ScriptName, *arguments: object) -> Any:
        """Run one script; its arguments become JSON. `QueueUnavailable` if Redis is away or takes no writes."""
        with redis_errors():
            return await self._script(name)(*arguments)
