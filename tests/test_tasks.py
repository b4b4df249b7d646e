"""Structured concurrency: one error leaves as itself, also when many tasks fail in the same moment."""

from __future__ import annotations

import anyio
import pytest

from docsyncd.errors import RequestFailed, Unavailable
from docsyncd.tasks import in_parallel, task_group


async def test_the_answers_come_in_the_order_of_the_questions() -> None:
    async def ask(number: int) -> int:
        await anyio.sleep(0.01 * (3 - number))
        return number * number

    assert await in_parallel(ask, [0, 1, 2, 3]) == [0, 1, 4, 9]
    assert await in_parallel(ask, []) == []


async def test_the_first_error_cancels_the_rest_and_leaves_as_itself() -> None:
    ended: list[int] = []

    async def ask(number: int) -> None:
        try:
            await anyio.sleep(0.01 if number == 2 else 10)
        finally:
            ended.append(number)
        raise RequestFailed("500", remote="xai")

    with anyio.fail_after(5), pytest.raises(RequestFailed):
        await in_parallel(ask, [1, 2, 3])
    assert sorted(ended) == [1, 2, 3]


async def test_an_open_breaker_that_refuses_all_at_once_is_one_error() -> None:
    async def ask(number: int) -> None:
        raise Unavailable(f"not asked ({number})", remote="xai")

    with pytest.raises(Unavailable, match="not asked"):
        await in_parallel(ask, [1, 2, 3])


async def test_the_only_error_of_a_task_group_leaves_it_as_itself() -> None:
    async def fail() -> None:
        raise RequestFailed("500", remote="xai")

    async def nested() -> None:
        async with task_group(), task_group() as inner:
            inner.start_soon(fail)
            await anyio.sleep_forever()

    with pytest.raises(RequestFailed):
        await nested()


async def test_several_errors_of_a_task_group_stay_a_group() -> None:
    async def fail(number: int) -> None:
        raise RequestFailed(str(number), remote="xai")

    async def both() -> None:
        async with task_group() as tasks:
            tasks.start_soon(fail, 1)
            tasks.start_soon(fail, 2)

    with pytest.raises(ExceptionGroup) as group:
        await both()
    assert [str(error) for error in group.value.exceptions] == ["xai: 1", "xai: 2"]
