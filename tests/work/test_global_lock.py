"""`locking = "global"`: the one lock of the old system, which releases it unchecked and whose people delete it by hand."""

from __future__ import annotations

import anyio
import pytest
from redis.asyncio import Redis

from docsyncd.core.model import CaseFileNumber
from docsyncd.errors import LeaseLost
from docsyncd.work.shared_set import GlobalLock, LockSettings

NAME = LockSettings().key
NUMBER = CaseFileNumber("12345")


def _short(client: Redis, *, lease: float = 30.0) -> GlobalLock:
    return GlobalLock(client, settings=LockSettings(lease=lease, renew_every=0.03, margin=0.05))


async def test_the_lock_shows_the_akte_and_ends_with_the_run(client: Redis) -> None:
    async with GlobalLock(client).hold(NUMBER) as held:
        assert held
        assert str(await client.get(NAME)).startswith("12345:")
        assert 1790 < await client.ttl(NAME) <= 1800
    assert not await client.exists(NAME)


async def test_somebody_elses_lock_is_respected(client: Redis) -> None:
    await client.set(NAME, "777", nx=True, ex=1800)
    async with GlobalLock(client).hold(NUMBER) as held:
        assert not held
    assert await client.get(NAME) == "777"
    await client.delete(NAME)


async def test_two_daemons_never_hold_it_together(client: Redis) -> None:
    async with GlobalLock(client).hold(NUMBER) as first, GlobalLock(client).hold(NUMBER) as second:
        assert (first, second) == (True, False)


async def test_the_lock_is_renewed_for_as_long_as_the_run_takes(client: Redis) -> None:
    async with _short(client, lease=0.5).hold(NUMBER) as held:
        assert held
        await anyio.sleep(1.0)
        assert await client.exists(NAME)


@pytest.mark.parametrize("successor", [None, "777"])
async def test_a_lock_that_is_taken_away_aborts_the_run_and_is_told(client: Redis, successor: str | None) -> None:
    async def run() -> None:
        async with _short(client).hold(NUMBER):
            await client.delete(NAME)
            if successor:
                await client.set(NAME, successor)
            await anyio.sleep_forever()

    with anyio.fail_after(5), pytest.raises(LeaseLost, match="deleted"):
        await run()
    assert await client.get(NAME) == successor
    await client.delete(NAME)


async def test_a_lock_lost_just_before_the_end_is_told_too(client: Redis) -> None:
    with pytest.raises(LeaseLost):
        async with GlobalLock(client).hold(NUMBER):
            await client.delete(NAME)


async def test_the_runs_own_error_comes_through_and_the_lock_is_released(client: Redis) -> None:
    with pytest.raises(ZeroDivisionError):
        async with GlobalLock(client).hold(NUMBER):
            raise ZeroDivisionError
    assert not await client.exists(NAME)


async def test_a_cancelled_run_releases_the_lock(client: Redis) -> None:
    with anyio.move_on_after(0.05):
        async with GlobalLock(client).hold(NUMBER):
            await anyio.sleep_forever()
    assert not await client.exists(NAME)
