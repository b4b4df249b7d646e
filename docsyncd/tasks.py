"""Two small helpers for structured concurrency."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
from anyio.abc import TaskGroup

Item = TypeVar("Item")
Result = TypeVar("Result")


@asynccontextmanager
async def task_group() -> AsyncIterator[TaskGroup]:
    """An anyio task group whose only error leaves it as itself. Several at once stay an `ExceptionGroup`."""
    try:
        async with anyio.create_task_group() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if error is group:
            raise
        raise error from error.__cause__


async def in_parallel(ask: Callable[[Item], Awaitable[Result]], items: Iterable[Item]) -> list[Result]:
    """`ask` for every item at once, the answers in the order of the items. The first error cancels the rest.

    It leaves as itself: a breaker that opens refuses all of them in one moment, and that is no group of bugs.
    """
    wanted = list(items)
    answers: dict[int, Result] = {}
    errors: list[Exception] = []
    async with task_group() as tasks:

        async def one(number: int, item: Item) -> None:
            try:
                answers[number] = await ask(item)
            except Exception as error:  # noqa: BLE001 - raised below, once the others have ended
                errors.append(error)
                tasks.cancel_scope.cancel()

        for number, item in enumerate(wanted):
            tasks.start_soon(one, number, item)
    if errors:
        raise errors[0]
    return [answers[number] for number in range(len(wanted))]
