"""The two remotes of a live run: real ones, or their emulators served over HTTP. Who uses them sees no difference."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import anyio

from docsyncd.testing.emulation import serve_emulator
from docsyncd_espocrm.config import EspoConfig
from docsyncd_espocrm.emulator import EspoEmulator
from docsyncd_xai.config import XaiConfig
from docsyncd_xai.emulator import API_KEY, MANAGEMENT_KEY, Behaviour, XaiEmulator
from tests.live import environment
from tests.live.environment import EspoAccount, XaiAccount

ADMIN: Final = ("admin", "admin")
"""The administrator of the emulated EspoCRM."""

ROOT: Final = Path(__file__).parents[2]

World = Literal["real", "seed", "vmh-2026-03-23", "prepared"]
"""Which EspoCRM: a real one, an emulated 9.3 of either profile, or a bare emulated 10 after `prepare_espocrm`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EspoRemote:
    """An EspoCRM that can be talked to. `table`: its table in docsyncd.toml, with the secrets in files."""

    account: EspoAccount
    table: Mapping[str, Any]
    real: bool

    @property
    def config(self) -> EspoConfig:
        return EspoConfig.model_validate({key: value for key, value in self.table.items() if key != "type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class XaiRemote:
    """An xAI that can be talked to."""

    account: XaiAccount
    table: Mapping[str, Any]
    real: bool

    @property
    def config(self) -> XaiConfig:
        return XaiConfig.model_validate({key: value for key, value in self.table.items() if key != "type"})


@asynccontextmanager
async def espocrm_remote(world: World, account: EspoAccount | None, folder: Path) -> AsyncIterator[EspoRemote]:
    """`account` is the real one's, for the world `real`. Secrets go below `folder`."""
    if world == "real":
        assert account is not None
        yield _espo_remote(account, folder, real=True)
        return
    if world == "prepared":
        emulator = EspoEmulator(profile="stock", dialect="10", webhook_period=0.3)
    else:
        emulator = EspoEmulator(profile=world, webhook_period=0.3)
    async with serve_emulator(emulator) as urls:
        if world == "prepared":
            account = await prepared(urls["url"])
        else:
            consent_field = "aiFreigabe" if world == "seed" else ""
            account = EspoAccount(
                url=urls["url"], api_key=emulator.api_key, login=ADMIN, profile=world, consent_field=consent_field
            )
        yield _espo_remote(account, folder, real=False)


async def prepared(url: str) -> EspoAccount:
    """Prepare a bare EspoCRM as README.md says, twice: the second time nothing is created and the same is printed."""
    variables = {environment.ESPOCRM_URL: url, environment.ADMIN_USER: ADMIN[0], environment.ADMIN_PASSWORD: ADMIN[1]}
    first, second = [await _prepare(variables), await _prepare(variables)]
    assert first.stdout == second.stdout
    assert b"created" in first.stderr
    assert b"created" not in second.stderr
    written = tomllib.loads(first.stdout.decode())
    keys = [line for line in second.stderr.decode().splitlines() if line.startswith(environment.ESPOCRM_API_KEY)]
    table = written["connectors"]["espocrm"]
    return EspoAccount(
        url=url,
        api_key=keys[0].partition("=")[2],
        login=ADMIN,
        profile=table["profile"],
        names=table["names"],
        consent_field=written["index"]["consent_field"],
    )


async def _prepare(variables: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "tests.live.prepare_espocrm", "--api-user", "docsyncd-live"]
    done = await anyio.run_process(command, env={**os.environ, **variables}, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done


def _espo_remote(account: EspoAccount, folder: Path, *, real: bool) -> EspoRemote:
    table: dict[str, Any] = {
        "type": "espocrm",
        "url": account.url,
        "api_key": {"file": secret_file(folder, "espocrm-api-key", account.api_key)},
        "profile": account.profile,
        "names": dict(account.names),
        "consent_field": account.consent_field,
    }
    return EspoRemote(account=account, table=table, real=real)


@asynccontextmanager
async def xai_remote(account: XaiAccount | None, folder: Path) -> AsyncIterator[XaiRemote]:
    """The real one if there is an account, else its emulator."""
    if account is not None:
        yield _xai_remote(account, folder, real=True)
        return
    async with serve_emulator(XaiEmulator(behaviour=Behaviour(index_seconds=0.2))) as urls:
        played = XaiAccount(api_key=API_KEY, management_key=MANAGEMENT_KEY, addresses=urls)
        yield _xai_remote(played, folder, real=False)


def _xai_remote(account: XaiAccount, folder: Path, *, real: bool) -> XaiRemote:
    table: dict[str, Any] = {
        "type": "xai",
        "api_key": {"file": secret_file(folder, "xai-api-key", account.api_key)},
        "management_key": {"file": secret_file(folder, "xai-management-key", account.management_key)},
        **account.addresses,
    }
    return XaiRemote(account=account, table=table, real=real)


def secret_file(folder: Path, name: str, secret: str) -> str:
    """Written for the owner's eyes only; its path."""
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(secret, encoding="utf-8")
    return str(path)
