"""What the daemon remembers of each document: the content it saw, its files in the index, how it last decided.

All of it can be lost: the record's fields, the tags in the index and the sweeps bring it back, at the price of more requests.
Only the holder of a document's lease writes its memory, and every write carries the lease's fencing number: a worker that was
taken over cannot overwrite what its successor learned. Sweeps never write a memory; they `disturb` it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from docsyncd.clock import Clock
from docsyncd.core.model import (
    AttachmentId,
    CollectionId,
    ContentHash,
    Digests,
    DocumentId,
    HolderId,
    IndexFileId,
    Membership,
)
from docsyncd.errors import LeaseLost
from docsyncd.work.scripts import redis_errors, source

DECISIONS_KEPT = 30
"""Decisions per document that `explain` can show; older ones are in the log."""

FENCE_SECONDS = 3600
"""A forgotten document's fence outlives its memory: longer than any worker that was taken over can still be running."""

DECISIONS_SECONDS = 90 * 86400
"""As long as the version store keeps contents."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def _told(method: Callable[Parameters, Awaitable[Result]]) -> Callable[Parameters, Coroutine[Any, Any, Result]]:
    """Redis' own errors leave this module as `QueueUnavailable`."""

    @wraps(method)
    async def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with redis_errors():
            return await method(*args, **kwargs)

    return run


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Content(_Record):
    """Hashes of the bytes behind one attachment id, which never change (reference: espocrm.md, 4.4)."""

    attachment: AttachmentId
    blake3: ContentHash
    sha256: str
    md5: str
    size: int

    @property
    def digests(self) -> Digests:
        return Digests(blake3=self.blake3, sha256=self.sha256, md5=self.md5, size=self.size)


class StoredFile(_Record):
    """One of this document's files in the index.

    :param content: what it holds: a whole hash, the first 12 digits that a tag shows, or "" if nobody knows.
    :param adopted: uploaded by the earlier implementation: it has no tag, and listings of our files do not show it.
    """

    content: str
    adopted: bool = False
    placed_at: datetime | None = None


class Intent(_Record):
    """An upload that was about to be sent. It stays until its file is known, or known not to exist."""

    name: str
    content: ContentHash
    at: datetime


class Drawn(_Record):
    """The preview of one content: the attachment that holds it and whether the record names it, or why there is none."""

    content: ContentHash
    picture: AttachmentId | None
    saved: bool = False
    reason: str = ""


class Waiting(_Record):
    """A run stopped to wait for the index: the fingerprint of the record, the epoch, and the links and consent it had read."""

    record: str
    epoch: int
    memberships: tuple[Membership, ...]


class Memory(_Record):
    """Everything about one document.

    :param settled: fingerprint of the record when the last run ended with nothing left to do.
    :param settled_epoch: the epoch that run began with; `disturb` raises the epoch and so unsettles the document.
    :param wanted: the collections that it had to be in at that moment.
    :param held: the valve that holds it until a person says otherwise; no later run opens it by itself.
    """

    group: str = ""
    name: str = ""
    content: Content | None = None
    files: Mapping[IndexFileId, StoredFile] = {}
    intent: Intent | None = None
    drawn: Drawn | None = None
    waiting: Waiting | None = None
    wanted: tuple[CollectionId, ...] = ()
    settled: str | None = None
    settled_epoch: int = -1
    summary: str = ""
    reason: str = ""
    held: str = ""


class Orphan(_Record):
    """A file of ours that a sweep found. `content` as in `StoredFile`; `collection` "" if it is placed nowhere."""

    file: IndexFileId
    content: str
    collection: CollectionId


class Recall(_Record):
    """A memory as loaded.

    :param known: False if there is none: a new document, or Redis was lost.
    :param topic: what spoke of the document last: `vmh.document.update`, `poll`, `sweep.ids`, …
    :param orphans: files that a sweep found and the memory does not hold, and the collections that hold them.
    """

    memory: Memory
    epoch: int
    known: bool
    topic: str = ""
    orphans: tuple[Orphan, ...]

    def files(self) -> dict[IndexFileId, StoredFile]:
        """The memory's files and the orphans."""
        return {orphan.file: StoredFile(content=orphan.content) for orphan in self.orphans} | dict(self.memory.files)

    def collections(self) -> set[CollectionId]:
        """Wherever one of the files may be placed, as far as anybody noted."""
        return {*self.memory.wanted, *(orphan.collection for orphan in self.orphans if orphan.collection)}


class Ledger:
    """Memories in Redis hashes, `<prefix>doc:<id>`; owners of index files in `<prefix>files`."""

    def __init__(self, client: Redis, clock: Clock, *, prefix: str) -> None:
        self._redis = client
        self._clock = clock
        self._prefix = prefix
        self._remember = client.register_script(source("remember"))
        self._adopt = client.register_script(source("adopt"))

    @_told
    async def recall(self, document: DocumentId) -> Recall:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hmget(self._memory(document), "memory", "epoch")
            pipe.smembers(self._orphans(document))
            pipe.hget(self._topics, document)
            (raw, epoch), orphans, topic = await pipe.execute()
        return Recall(
            memory=Memory.model_validate_json(raw) if raw else Memory(),
            epoch=int(epoch or 0),
            known=raw is not None,
            topic=topic or "",
            orphans=tuple(Orphan.model_validate_json(member) for member in sorted(orphans)),
        )

    @_told
    async def commit(
        self,
        document: DocumentId,
        memory: Memory,
        *,
        fence: int,
        decision: str = "",
        forgotten: Collection[IndexFileId] = (),
    ) -> None:
        """Replace the memory, and add a decision to its log. `LeaseLost` if a later lease has written already."""
        arguments: list[str | int] = [
            fence,
            memory.model_dump_json(),
            decision,
            document,
            DECISIONS_KEPT,
            DECISIONS_SECONDS,
        ]
        kept = await self._remember(
            keys=[self._memory(document), self._owners, self._decisions(document), self._groups],
            args=[*arguments, memory.group, len(memory.files), *memory.files, *forgotten],
        )
        if not kept:
            raise LeaseLost(f"a later lease has written the memory of document {document}")

    @_told
    async def settle_orphans(self, document: DocumentId, orphans: Collection[Orphan]) -> None:
        """These have been dealt with."""
        if orphans:
            await self._redis.srem(self._orphans(document), *(orphan.model_dump_json() for orphan in orphans))

    @_told
    async def noticed(self, notices: Sequence[tuple[DocumentId, str]]) -> Sequence[str]:
        """Note what spoke of each document last (the topic, for its next decision), and return the case file that each
        was last seen in, "" if none was, in the order of the question.
        """
        if not notices:
            return ()
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hmget(self._groups, [str(document) for document, _ in notices])
            pipe.hset(self._topics, mapping={str(document): topic for document, topic in notices})
            groups, _ = await pipe.execute()
        return [str(group or "") for group in groups]

    @_told
    async def settled(self, documents: Sequence[DocumentId]) -> frozenset[DocumentId]:
        """Those of them whose last run left nothing to do."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for document in documents:
                pipe.hget(self._memory(document), "memory")
            memories = await pipe.execute() if documents else []
        return frozenset(
            document
            for document, raw in zip(documents, memories, strict=True)
            if raw is not None and Memory.model_validate_json(raw).settled is not None
        )

    @_told
    async def disturb(self, documents: Collection[DocumentId]) -> None:
        """Something behind these records may have changed (links, consent): their next run looks at everything."""
        if not documents:
            return
        with redis_errors():
            async with self._redis.pipeline(transaction=True) as pipe:
                for document in documents:
                    pipe.hincrby(self._memory(document), "epoch", 1)
                await pipe.execute()

    @_told
    async def adopt(self, file: IndexFileId, document: DocumentId) -> bool:
        """Claim a file without a tag, uploaded by the earlier implementation; False if another document has it."""
        return bool(await self._adopt(keys=[self._owners], args=[file, document]) == document)

    @_told
    async def owner(self, file: IndexFileId) -> DocumentId | None:
        found = await self._redis.hget(self._owners, file)
        return None if found is None else DocumentId(str(found))

    @_told
    async def orphaned(self, document: DocumentId, orphans: Collection[Orphan]) -> None:
        """A sweep found files of this document that its memory does not hold; its next run deals with them."""
        await self._redis.sadd(self._orphans(document), *(orphan.model_dump_json() for orphan in orphans))
        await self.disturb((document,))

    async def forget(
        self, document: DocumentId, *, fence: int, files: Collection[IndexFileId], decision: str = ""
    ) -> None:
        """The document is gone and so is everything of it. Its decisions stay for `explain` until they expire."""
        await self.commit(document, Memory(summary="deleted"), fence=fence, decision=decision, forgotten=files)
        with redis_errors():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hdel(self._memory(document), "memory", "epoch")
                pipe.expire(self._memory(document), FENCE_SECONDS)
                pipe.delete(self._orphans(document))
                pipe.hdel(self._topics, document)
                await pipe.execute()

    @_told
    async def decisions(self, document: DocumentId) -> Sequence[str]:
        """JSON of the last decisions, newest first."""
        return [str(line) for line in await self._redis.lrange(self._decisions(document), 0, -1)]

    async def documents(self) -> AsyncIterator[DocumentId]:
        """Every document that has a memory; one may come twice or be missing if it changes meanwhile."""
        start = f"{self._prefix}doc:"
        with redis_errors():
            async for key in self._redis.scan_iter(match=f"{start}*", count=500):
                yield DocumentId(str(key)[len(start) :])

    @_told
    async def removals(self, document: DocumentId, *, window: float) -> int:
        """Note that this document vanished, and count the distinct ones within the last `window` seconds."""
        now = self._clock.now().timestamp()
        key = f"{self._prefix}removals"
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zremrangebyscore(key, "-inf", now - window)
            pipe.zadd(key, {document: now}, nx=True)
            pipe.zcard(key)
            pipe.expire(key, int(window) + 1)
            results = await pipe.execute()
        return int(results[2])

    @_told
    async def stage_age(self, holder: HolderId) -> float:
        """Seconds since a holder's present stage was first noted; 0 the first time."""
        now = self._clock.now().timestamp()
        await self._redis.hsetnx(self._stages, holder, str(now))
        return max(0.0, now - float(await self._redis.hget(self._stages, holder) or now))

    @_told
    async def forget_stage(self, holder: HolderId) -> None:
        """Its stage asks for nothing any more."""
        await self._redis.hdel(self._stages, holder)

    @_told
    async def complete(self) -> bool:
        """Has a sweep seen everything since this ledger began? Then an unknown document is a new one."""
        return bool(await self._redis.exists(f"{self._prefix}complete"))

    @_told
    async def set_complete(self) -> None:
        await self._redis.set(f"{self._prefix}complete", "1")

    @property
    def _stages(self) -> str:
        return f"{self._prefix}stages"

    @property
    def _topics(self) -> str:
        return f"{self._prefix}topics"

    @property
    def _groups(self) -> str:
        return f"{self._prefix}groups"

    @property
    def _owners(self) -> str:
        return f"{self._prefix}files"

    def _memory(self, document: DocumentId) -> str:
        return f"{self._prefix}doc:{document}"

    def _orphans(self, document: DocumentId) -> str:
        return f"{self._prefix}orphans:{document}"

    def _decisions(self, document: DocumentId) -> str:
        return f"{self._prefix}decisions:{document}"
