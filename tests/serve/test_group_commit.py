"""Many callers, one commit."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from docsyncd.errors import QueueUnavailable
from docsyncd.serve.group_commit import GroupCommit
from tests.serve.listening import eventually


class Store:
    """Remembers what was committed, one list per call; a commit ends when `gate` is set."""

    def __init__(self) -> None:
        self.started: list[list[int]] = []
        self.committed: list[list[int]] = []
        self.running = 0
        self.at_once = 0
        self.gate = anyio.Event()
        self.failure: Exception | None = None

    async def commit(self, items: Sequence[int]) -> None:
        self.started.append(list(items))
        self.running += 1
        self.at_once = max(self.at_once, self.running)
        try:
            await self.gate.wait()
            if self.failure is not None:
                raise self.failure
            self.committed.append(list(items))
        finally:
            self.running -= 1


async def test_callers_of_one_loop_turn_share_a_commit() -> None:
    store = Store()
    store.gate.set()
    group = GroupCommit(store.commit, deadline=1)
    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(group.add, [number])
    assert store.committed == [list(range(50))]


async def test_what_comes_during_a_commit_forms_the_next_one() -> None:
    store = Store()
    group = GroupCommit(store.commit, deadline=1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(group.add, [1])
        await eventually(lambda: bool(store.started))
        for number in (2, 3):
            tasks.start_soon(group.add, [number])
            await anyio.wait_all_tasks_blocked()
        store.gate.set()
    assert store.committed == [[1], [2, 3]]
    assert store.at_once == 1


async def test_nobody_returns_before_his_items_are_durable() -> None:
    store = Store()
    group = GroupCommit(store.commit, deadline=1)
    returned: list[int] = []

    async def caller(number: int) -> None:
        await group.add([number])
        assert any(number in batch for batch in store.committed)
        returned.append(number)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(caller, 1)
        tasks.start_soon(caller, 2)
        await anyio.wait_all_tasks_blocked()
        assert returned == []
        store.gate.set()
    assert sorted(returned) == [1, 2]


@pytest.mark.parametrize("failure", [QueueUnavailable("Redis is loading."), RuntimeError("a bug")], ids=["away", "bug"])
async def test_a_failed_commit_fails_all_its_callers_and_no_other(failure: Exception) -> None:
    store = Store()
    store.gate.set()
    store.failure = failure
    group = GroupCommit(store.commit, deadline=1)
    failed: list[Exception] = []

    async def caller(number: int) -> None:
        try:
            await group.add([number])
        except (QueueUnavailable, RuntimeError) as error:
            failed.append(error)

    async with anyio.create_task_group() as tasks:
        for number in (1, 2, 3):
            tasks.start_soon(caller, number)
    assert len(failed) == 3
    assert failure in failed, "the reason itself reaches one of them"
    store.failure = None
    await group.add([4])
    assert store.committed == [[4]]


async def test_nobody_waits_longer_than_the_deadline() -> None:
    store = Store()
    group = GroupCommit(store.commit, deadline=0.1)

    async def caller(number: int) -> None:
        with pytest.raises(QueueUnavailable):
            await group.add([number])

    with anyio.fail_after(1):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(caller, 1)
            await eventually(lambda: bool(store.started))
            tasks.start_soon(caller, 2)
    store.gate.set()
    await group.add([3])
    assert store.committed == [[3]]


async def test_a_caller_that_is_cancelled_does_not_take_the_others_along() -> None:
    store = Store()
    group = GroupCommit(store.commit, deadline=1)
    async with anyio.create_task_group() as others, anyio.create_task_group() as first:
        first.start_soon(group.add, [1])
        others.start_soon(group.add, [2])
        await eventually(lambda: bool(store.started))
        first.cancel_scope.cancel()
        store.gate.set()
    assert store.committed == [[1, 2]]
