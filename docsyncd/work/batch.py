"""Requests to one script that wait at the same time travel together: one round trip, one call, an answer for each.

An idle queue sends each request at once. Under load the round trip in Python (about 100 µs) costs more than what the
script does, so that sharing it makes up for our longer scripts (tests/benchmarks/bench_queue.py). Each request is one
JSON array, because redis-py packs arguments slowly. Only for requests that may be repeated: when a caller that sends
for the others is cancelled, they send again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from redis import exceptions
from redis.asyncio import Redis

MOST: Final = 64
"""Requests in one call: the server does nothing else meanwhile, about 3 ms."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Request:
    text: str
    turn: anyio.Event = field(default_factory=anyio.Event)
    """Set when there is something to do for the caller: it is answered, or may send."""
    answered: bool = False
    answer: Any = None


class BatchedScript:
    """One script on one server. Its Lua source takes requests in ARGV and returns as many answers.

    :param keys: KEYS, the same for all requests.
    """

    def __init__(self, client: Redis, source: str, keys: Sequence[str]) -> None:
        self._client = client
        self._source = source
        self._sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        self._keys = keys
        self._waiting: list[_Request] = []
        self._sending = False

    async def __call__(self, *arguments: object) -> Any:
        """The script's answer to this request, or its error."""
        own = _Request(text=json.dumps(arguments))
        self._waiting.append(own)
        try:
            while not own.answered:
                if self._sending:
                    await own.turn.wait()
                    own.turn = anyio.Event()
                else:
                    await self._send_waiting(own)
        finally:
            if not own.answered and own in self._waiting:
                self._waiting.remove(own)
            if self._waiting and not self._sending:
                self._waiting[0].turn.set()
        if isinstance(own.answer, Exception):
            raise own.answer
        return own.answer

    async def _send_waiting(self, own: _Request) -> None:
        """A Redis that is away fails all of them; a sender that is cancelled only itself."""
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        self._sending = True
        try:
            answers = await self._call([request.text for request in batch])
        except (exceptions.RedisError, OSError) as error:
            answers = [error] * len(batch)
        except BaseException:
            self._waiting[:0] = [request for request in batch if request is not own]
            raise
        finally:
            self._sending = False
        for request, answer in zip(batch, answers, strict=True):
            request.answer, request.answered = answer, True
            request.turn.set()

    async def _call(self, requests: Sequence[str]) -> list[Any]:
        arguments = (*self._keys, *requests)
        try:
            answers = await self._client.evalsha(self._sha, len(self._keys), *arguments)
        except exceptions.NoScriptError:
            # A new, restarted or promoted server: EVAL teaches it the script.
            answers = await self._client.eval(self._source, len(self._keys), *arguments)
        return list(answers)
