"""The port `Index` on xAI: two hosts and two keys, joined where one call needs both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import anyio

from docsyncd.api import (
    Clock,
    CollectionGone,
    CollectionId,
    DocumentId,
    FileGone,
    Finding,
    Host,
    IndexedFile,
    IndexFileId,
    NotReady,
    Placement,
    PlacementState,
    Ports,
    Rejected,
    RemoteError,
    Reply,
    RequestFailed,
    Staged,
    Transport,
    TransportSettings,
    index_tag,
)
from docsyncd_xai.check import check
from docsyncd_xai.config import XaiConfig
from docsyncd_xai.files import Files
from docsyncd_xai.memberships import Memberships
from docsyncd_xai.names import acceptable_name, refusal
from docsyncd_xai.pace import Pace
from docsyncd_xai.recently import Recently
from docsyncd_xai.refusals import classify, explain

LOOK_AGAIN: Final = 3.0
"""Seconds until a file that is not seen yet is placed again: long enough for most replicas, short against the window of 60."""


class XaiIndex:
    """`docsyncd.ports.Index`. Its methods' meaning and errors stand there; here stands what is xAI's own."""

    def __init__(self, files: Transport, management: Transport, config: XaiConfig, clock: Clock) -> None:
        pace = Pace(config.rate)
        self._remote = files.remote
        self._config = config
        self._clock = clock
        self._files = Files(files, config, pace)
        self._memberships = Memberships(management, pace)
        self._uploaded = Recently(clock, config.settles)
        self._placed = Recently(clock, config.settles)

    def refusal(self, name: str, size: int) -> str | None:
        return refusal(name, size, max_bytes=self._config.max_bytes, media_types=self._config.media_types)

    async def placements(self, document: DocumentId, collections: Collection[CollectionId]) -> tuple[Placement, ...]:
        """One filtered listing per collection, all at once: xAI has no call for several (xai.md, 2.2)."""
        found: dict[CollectionId, tuple[Placement, ...]] = {}
        failures: list[RemoteError] = []

        async def look(collection: CollectionId) -> None:
            try:
                found[collection] = await self._memberships.of(document, collection)
            except RemoteError as error:
                failures.append(error)

        if not index_tag.is_taggable(document):
            return ()
        async with anyio.create_task_group() as looks:
            for collection in dict.fromkeys(collections):
                looks.start_soon(look, collection)
        if failures:
            raise failures[0]
        return tuple(placement for collection in found for placement in found[collection])

    async def find(self, tag: str, *, since: datetime | None) -> tuple[IndexedFile, ...]:
        return await self._files.find(tag, since)

    async def file(self, file: IndexFileId) -> IndexedFile | None:
        """A 404 soon after the upload is "not yet"."""
        found = await self._files.get(file)
        if found is None and self._uploaded.holds(file):
            raise self._unseen(f"the file {file}")
        return found

    async def upload(self, staged: Staged, name: str) -> IndexFileId:
        """`name` is sent as `acceptable_name` makes it, which leaves the tag as it is."""
        reason = self.refusal(name, staged.size)
        if reason is not None:
            raise Rejected(reason, remote=self._remote)
        file = await self._files.upload(staged, acceptable_name(name))
        self._uploaded.note(file)
        return file

    async def place(self, file: IndexFileId, collection: CollectionId, fields: Mapping[str, str]) -> None:
        """xAI does not say how it answers a second placing (xai.md, 2.6): a refusal is believed only of what is no member."""
        try:
            reply = await self._memberships.add(file, collection, fields)
        except CollectionGone:
            raise
        except Rejected:
            if not await self._is_member(file, collection):
                raise
        else:
            if reply.status == 404:
                raise await self._why_not_found(file, collection)
            if reply.status == 409 and not await self._is_member(file, collection):
                raise self._why_in_conflict(file, collection, reply)
        self._placed.note((file, collection))

    async def _is_member(self, file: IndexFileId, collection: CollectionId) -> bool:
        known = self._placed.holds((file, collection))
        return known or await self._memberships.get(file, collection) is not None

    def _why_in_conflict(self, file: IndexFileId, collection: CollectionId, reply: Reply) -> RemoteError:
        """409 for what is no member to be seen: placed so lately that it does not show, or a value that another file has."""
        if self._placed.may_hold((file, collection)):
            return self._unseen(f"the file {file} in collection {collection}")
        return Rejected(f"will not place the file {file} in {collection}: {explain(reply)}", remote=self._remote)

    async def _why_not_found(self, file: IndexFileId, collection: CollectionId) -> RemoteError:
        """What a 404 on placing means. Uploads are not seen at once everywhere; after a while the file is really gone."""
        await self._memberships.require(collection)
        if self._uploaded.may_hold(file):
            return self._unseen(f"the file {file}")
        known = await self._files.get(file)
        if known is None:
            return FileGone(file, remote=self._remote)
        age = None if known.created_at is None else self._clock.now() - known.created_at
        if age is not None and age < timedelta(seconds=self._config.settles):
            return self._unseen(f"the file {file}")
        return RequestFailed(f"the file {file} exists, but {collection} does not see it", remote=self._remote)

    def _unseen(self, what: str) -> NotReady:
        return NotReady(f"does not see {what} yet", remote=self._remote, retry_after=LOOK_AGAIN)

    async def status(self, file: IndexFileId, collection: CollectionId) -> Placement:
        """A 404 soon after placing is "not yet" and not "never"."""
        placement = await self._memberships.get(file, collection)
        if placement is not None:
            return placement
        lately = self._placed.holds((file, collection))
        state = PlacementState.PENDING if lately else PlacementState.ABSENT
        return Placement(file=file, collection=collection, state=state)

    async def withdraw(self, file: IndexFileId, collection: CollectionId) -> None:
        """A member that does not show yet must not come to light after it was withdrawn: that 404 is `NotReady`."""
        removed = await self._memberships.remove(file, collection)
        if not removed and self._placed.holds((file, collection)):
            raise self._unseen(f"the file {file} in collection {collection}")
        self._placed.drop((file, collection))

    async def forget(self, file: IndexFileId) -> None:
        """The same for a file that does not show yet."""
        removed = await self._files.delete(file)
        if not removed and self._uploaded.holds(file):
            raise self._unseen(f"the file {file}")
        self._uploaded.drop(file)

    def files(self) -> AsyncIterator[IndexedFile]:
        return self._files.tagged()

    def members(self, collection: CollectionId) -> AsyncIterator[Placement]:
        return self._memberships.members(collection)

    async def find_collections(self, tag: str) -> tuple[CollectionId, ...]:
        return await self._memberships.find(tag)

    async def create_collection(self, name: str) -> CollectionId:
        return await self._memberships.create(name)

    async def delete_collection(self, collection: CollectionId) -> None:
        await self._memberships.delete(collection)

    async def check(self) -> Sequence[Finding]:
        """Both keys, and whether this team may store anything."""
        return await check(self._files, self._memberships)


@asynccontextmanager
async def connect(name: str, config: XaiConfig, host: Host) -> AsyncIterator[Ports]:
    """Open both hosts. `ConfigError` if a key cannot be read."""
    async with (
        host.transport(_settings(name, config, config.files_url, "api_key")) as files,
        host.transport(_settings(name, config, config.management_url, "management_key")) as management,
    ):
        index = XaiIndex(files, management, config, host.clock)
        yield Ports(transports=(files, management), index=index, check=index.check)


_HEALTH: Final = {"api_key": "/v1/api-key", "management_key": "/v1/collections?limit=1"}


def _settings(name: str, config: XaiConfig, url: str, key: str) -> TransportSettings:
    """`key` is the key's name in the configuration; each host has its own."""
    secret = config.api_key if key == "api_key" else config.management_key
    return TransportSettings(
        remote=name,
        base_url=url,
        headers={"Authorization": f"Bearer {secret.reveal(key=f'connectors.{name}.{key}')}"},
        health=_HEALTH[key],
        classify=partial(classify, remote=name, key=key),
        explain=explain,
        parallel=config.parallel,
        connect_timeout=config.connect_timeout,
        read_timeout=config.read_timeout,
    )
