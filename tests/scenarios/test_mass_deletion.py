"""An accident in EspoCRM must not empty the index: what vanishes in numbers waits for a person."""

from __future__ import annotations

from pathlib import Path

import anyio

from docsyncd_espocrm.emulator import EspoEmulator
from tests.scenarios.office import Office, office

LIMIT = 2


async def _held(firm: Office) -> list[str]:
    errors = (await firm.daemon.ask("errors"))["errors"]
    return sorted(entry["key"] for entry in errors if entry["error"].startswith("mass-deletion"))


async def _held_at_last(firm: Office, count: int) -> list[str]:
    """The keys that the valve holds, once they are so many."""
    with anyio.move_on_after(20):
        while len(held := await _held(firm)) != count:  # noqa: ASYNC110 - another process is asked
            await anyio.sleep(0.1)
    return held


async def test_what_vanishes_in_numbers_is_held_until_a_person_says_so(tmp_path: Path) -> None:
    async with office(tmp_path, tables={"audit": {"max_deletions_per_hour": LIMIT}}) as firm:
        documents = [await firm.file(f"Anlage {number}.txt", f"Anlage {number}".encode()) for number in range(5)]
        await firm.until(firm.is_in_step)
        world: EspoEmulator = firm.espocrm
        for document in documents:
            world.world.delete("Document", document)
        await firm.until(lambda: len(firm.xai.world.files) == len(documents) - LIMIT, what="the first removals")
        held = await _held_at_last(firm, len(documents) - LIMIT)
        assert len(firm.xai.world.files) == len(held)

        restored = held[0].removeprefix("doc:")
        world.world.restore("Document", restored)
        await firm.daemon.ask("retry", key=held[0])
        await firm.daemon.ask("retry", key=held[1])
        await firm.until(lambda: len(firm.xai.world.files) == 2, what="the removal that a person allowed")
        assert [holding.ready for holding in firm.xai.stage.holdings(restored)] == [True]
        assert await _held_at_last(firm, 1) == [held[2]]
