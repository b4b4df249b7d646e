"""What every `Replica` must do, as tests that run over a world: an emulator's, or a real remote's.

A connector's test module inherits the stories and says how its world is made:

    class TestMyReplica(ReplicaContract):
        @pytest.fixture
        async def world(self) -> AsyncIterator[ReplicaWorld]:
            async with my_world() as world:
                yield world

The stories use only case files of `world.add_case_file()` and bare names, which every replica can store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, Protocol
from uuid import uuid4

import anyio
import anyio.to_thread
import pytest

from docsyncd.core.model import ABSENT, Absent, CaseFileNumber, FileState, RelativePath
from docsyncd.errors import PreconditionFailed, Rejected
from docsyncd.hashing import digest_bytes, digest_file
from docsyncd.ports import Replica, Staged

TEXT = b"Die Klage wird zugestellt.\n"
NEWER = b"Die Klage wurde zugestellt am 3. M\xc3\xa4rz.\n"
NAME = RelativePath("Klage.txt")


class ReplicaWorld(Protocol):
    """A remote that a story plays in. What people do there, they do without docsyncd."""

    @property
    def replica(self) -> Replica:
        """The port under test, connected."""

    @property
    def removes(self) -> bool:
        """Does this replica remove files at all?"""

    async def add_case_file(self) -> CaseFileNumber:
        """An empty case file."""

    async def put(self, case_file: CaseFileNumber, path: RelativePath, content: bytes) -> None:
        """Somebody files this content, or saves it over what stands there."""

    async def take_away(self, case_file: CaseFileNumber, path: RelativePath) -> None:
        """Somebody deletes the file."""

    async def contents(self, case_file: CaseFileNumber) -> Mapping[RelativePath, bytes]:
        """What stands there, for the eyes of a person."""


@asynccontextmanager
async def staged(content: bytes) -> AsyncIterator[Staged]:
    """Bytes on the local disk, as the host would hand them over."""
    async with anyio.TemporaryDirectory() as folder:
        path = Path(folder) / "staged"
        await anyio.Path(path).write_bytes(content)
        yield Staged(path=path, digests=await anyio.to_thread.run_sync(digest_file, path))


async def listed(world: ReplicaWorld, case_file: CaseFileNumber) -> dict[str, FileState]:
    """A complete scan, by path."""
    scan = await world.replica.scan(case_file)
    assert scan.complete
    assert len({file.path for file in scan.files}) == len(scan.files)
    return {file.path: file for file in scan.files}


async def read(world: ReplicaWorld, case_file: CaseFileNumber, file: FileState) -> bytes:
    """All bytes, which must be as many as announced."""
    async with world.replica.read(case_file, file) as download:
        body = b"".join([chunk async for chunk in download.chunks])
        assert len(body) == download.size
        return body


async def known(world: ReplicaWorld, case_file: CaseFileNumber, path: RelativePath = NAME) -> FileState:
    """The file with its content known: as the host knows it after it kept the pre-image."""
    file = (await listed(world, case_file))[path]
    content = digest_bytes(await read(world, case_file, file)).blake3
    assert file.content in (None, content)
    return FileState(
        path=file.path,
        revision=file.revision,
        size=file.size,
        modified_at=file.modified_at,
        content=content,
        file_id=file.file_id,
    )


async def write(
    world: ReplicaWorld,
    case_file: CaseFileNumber,
    content: bytes,
    *,
    expect: FileState | Literal[Absent.ABSENT],
    path: RelativePath = NAME,
    operation: str | None = None,
) -> FileState:
    async with staged(content) as source:
        return await world.replica.write(
            case_file, path, source, expect=expect, operation=operation or uuid4().hex, fence=1
        )


class ReplicaContract:
    """The stories."""

    async def test_an_empty_case_file_is_empty_and_complete(self, world: ReplicaWorld) -> None:
        assert await listed(world, await world.add_case_file()) == {}

    async def test_a_file_is_listed_and_read_as_it_was_filed(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        await world.put(case_file, NAME, TEXT)
        (file,) = (await listed(world, case_file)).values()
        assert file.path == NAME
        assert file.size in (None, len(TEXT))
        assert file.content in (None, digest_bytes(TEXT).blake3)
        assert file.oddity is None
        assert file.modified_at is None or file.modified_at.tzinfo is not None
        assert await read(world, case_file, file) == TEXT

    async def test_case_files_are_apart(self, world: ReplicaWorld) -> None:
        mine, other = await world.add_case_file(), await world.add_case_file()
        await world.put(other, NAME, TEXT)
        assert await listed(world, mine) == {}
        await write(world, mine, NEWER, expect=ABSENT)
        assert await world.contents(other) == {NAME: TEXT}

    async def test_another_content_has_another_revision(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        await world.put(case_file, NAME, TEXT)
        before = (await listed(world, case_file))[NAME]
        await world.put(case_file, NAME, NEWER)
        after = (await listed(world, case_file))[NAME]
        assert (before.revision, before.content) != (after.revision, after.content)

    async def test_what_nobody_touched_has_the_same_revision(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        await world.put(case_file, NAME, TEXT)
        assert (await listed(world, case_file))[NAME] == (await listed(world, case_file))[NAME]

    async def test_a_new_file_stands_there_as_it_was_written(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        state = await write(world, case_file, TEXT, expect=ABSENT)
        assert (state.path, state.content) == (NAME, digest_bytes(TEXT).blake3)
        assert await world.contents(case_file) == {NAME: TEXT}
        assert await read(world, case_file, (await listed(world, case_file))[NAME]) == TEXT

    async def test_a_file_that_is_replaced_has_the_new_content(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        await world.put(case_file, NAME, TEXT)
        state = await write(world, case_file, NEWER, expect=await known(world, case_file))
        assert state.content == digest_bytes(NEWER).blake3
        assert await world.contents(case_file) == {NAME: NEWER}

    async def test_what_was_just_written_can_be_replaced(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        first = await write(world, case_file, TEXT, expect=ABSENT)
        await write(world, case_file, NEWER, expect=first)
        assert await world.contents(case_file) == {NAME: NEWER}

    async def test_a_colleague_s_change_is_not_overwritten(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        await world.put(case_file, NAME, TEXT)
        seen = await known(world, case_file)
        await world.put(case_file, NAME, b"Ein Kollege war schneller.\n")
        with pytest.raises(PreconditionFailed):
            await write(world, case_file, NEWER, expect=seen)
        assert await world.contents(case_file) == {NAME: b"Ein Kollege war schneller.\n"}

    async def test_a_name_that_was_taken_meanwhile_is_not_overwritten(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        await world.put(case_file, NAME, TEXT)
        with pytest.raises(PreconditionFailed):
            await write(world, case_file, NEWER, expect=ABSENT)
        assert await world.contents(case_file) == {NAME: TEXT}

    async def test_what_was_deleted_meanwhile_does_not_come_back(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        await world.put(case_file, NAME, TEXT)
        seen = await known(world, case_file)
        await world.take_away(case_file, NAME)
        with pytest.raises(PreconditionFailed):
            await write(world, case_file, NEWER, expect=seen)
        assert await world.contents(case_file) == {}

    async def test_the_same_operation_twice_is_done_once(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        operation = uuid4().hex
        first = await write(world, case_file, TEXT, expect=ABSENT, operation=operation)
        second = await write(world, case_file, TEXT, expect=ABSENT, operation=operation)
        assert first.content == second.content
        assert await world.contents(case_file) == {NAME: TEXT}

    async def test_a_file_that_is_gone_is_no_empty_file(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        await world.put(case_file, NAME, TEXT)
        seen = (await listed(world, case_file))[NAME]
        await world.take_away(case_file, NAME)
        with pytest.raises(PreconditionFailed):
            await read(world, case_file, seen)

    async def test_a_deleted_file_is_no_longer_listed(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        await world.put(case_file, NAME, TEXT)
        await world.take_away(case_file, NAME)
        assert await listed(world, case_file) == {}

    @pytest.mark.parametrize(
        "name",
        [
            "Müller ./. Groß & Söhne.txt".replace("/", ","),
            "100 % + [Entwurf] #2; (neu) 'x' =.txt",
            "Gu\u0308te.txt",
            "%2e%2e%2fAkte.txt",
            "日本語 😀.txt",
            "x" * 200 + ".txt",
        ],
    )
    async def test_names_come_and_go_as_they_are(self, world: ReplicaWorld, name: str) -> None:
        case_file = await world.add_case_file()
        path = RelativePath(name)
        state = await write(world, case_file, TEXT, expect=ABSENT, path=path)
        assert state.path == path
        assert set(await world.contents(case_file)) == {path}
        file = (await listed(world, case_file))[path]
        assert await read(world, case_file, file) == TEXT
        await write(world, case_file, NEWER, expect=await known(world, case_file, path), path=path)
        assert await world.contents(case_file) == {path: NEWER}

    async def test_a_file_of_many_pieces_arrives_whole_in_both_directions(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        large = b"".join(number.to_bytes(4, "big") for number in range(900_000))
        await write(world, case_file, large, expect=ABSENT)
        assert await read(world, case_file, (await listed(world, case_file))[NAME]) == large

    async def test_an_empty_file_is_a_file(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        await write(world, case_file, b"", expect=ABSENT)
        file = (await listed(world, case_file))[NAME]
        assert file.size in (None, 0)
        assert await read(world, case_file, file) == b""

    async def test_removing_takes_away_exactly_what_was_seen_or_is_refused(self, world: ReplicaWorld) -> None:
        case_file = await world.add_case_file()
        await world.put(case_file, NAME, TEXT)
        seen = await known(world, case_file)
        if not world.removes:
            with pytest.raises(Rejected):
                await world.replica.remove(case_file, expect=seen, operation=uuid4().hex, fence=1)
            assert await world.contents(case_file) == {NAME: TEXT}
            return
        await world.put(case_file, NAME, NEWER)
        with pytest.raises(PreconditionFailed):
            await world.replica.remove(case_file, expect=seen, operation=uuid4().hex, fence=1)
        assert await world.contents(case_file) == {NAME: NEWER}
        await world.replica.remove(case_file, expect=await known(world, case_file), operation=uuid4().hex, fence=1)
        assert await listed(world, case_file) == {}
