"""A daemon whose configuration names an Advoware that no flow works with yet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from docsyncd.testing.emulation import serve_emulator
from docsyncd_advoware.emulator import AdvowareEmulator, Behaviour
from tests.scenarios.office import PATIENCE, Office, office


@asynccontextmanager
async def firm(folder: Path, behaviour: Behaviour, **changed: Any) -> AsyncIterator[tuple[Office, AdvowareEmulator]]:
    emulator = AdvowareEmulator(behaviour=behaviour)
    (folder / "advoware").mkdir()
    async with serve_emulator(emulator) as urls:
        table = {**emulator.table(urls, folder / "advoware"), **changed}
        async with office(folder, start=False, tables={"connectors.advoware": table}) as here:
            yield here, emulator


def away(status: Mapping[str, Any]) -> str | None:
    (remote,) = [remote for remote in status["remotes"] if remote["name"] == "advoware"]
    return remote["away"] and str(remote["away"])


async def test_it_is_connected_and_checked(tmp_path: Path) -> None:
    async with firm(tmp_path, Behaviour()) as (here, advoware):
        await here.start()
        assert away(await here.daemon.ask("status")) is None
        assert {request.role for request in advoware.requests.all()} == set(advoware.applications)


@pytest.mark.parametrize("wrong", ["offline", "password"])
async def test_its_troubles_do_not_stop_the_other_flow(tmp_path: Path, wrong: str) -> None:
    async with firm(tmp_path, Behaviour()) as (here, advoware):
        if wrong == "offline":
            advoware.world.go_offline()
        else:
            advoware.world.secrets["password"] = "changed since"
        await here.start()
        words = "ist nicht angemeldet" if wrong == "offline" else "Falscher Name"
        assert words in str(away(await here.daemon.ask("status")))
        document = await here.file("Klage.txt", b"Es wird beantragt")
        await here.until(lambda: here.is_indexed(document))


async def test_a_firm_that_comes_back_is_seen_without_anybody_s_doing(tmp_path: Path) -> None:
    async with firm(tmp_path, Behaviour(), offline_pause=1.0) as (here, advoware):
        advoware.world.go_offline()
        await here.start()
        assert away(await here.daemon.ask("status")) is not None
        advoware.world.go_online()
        with anyio.fail_after(PATIENCE):
            while True:
                if away(await here.daemon.ask("status")) is None:
                    return
                await anyio.sleep(0.05)
