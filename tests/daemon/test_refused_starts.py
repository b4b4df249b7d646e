"""A daemon that cannot begin says so once, with the key and the way out, and ends with status 1."""

from __future__ import annotations

import socket
import stat
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from docsyncd.demo_daemon import DaemonProcess, free_port, write_toml
from tests.daemon.terminal import Shown, docsyncd

SECRET = "k9-throw-away"


def config(folder: Path, **tables: Mapping[str, Any]) -> Path:
    """A configuration whose remotes are away: no obstacle to a start."""
    folder.mkdir(exist_ok=True)
    secret = folder / "key"
    secret.write_text(SECRET, encoding="utf-8")
    key = {"file": str(secret)}
    nowhere = "http://127.0.0.1:1"
    connectors = {
        "espocrm": {"type": "espocrm", "url": nowhere, "api_key": key},
        "xai": {
            "type": "xai",
            "api_key": key,
            "management_key": key,
            "files_url": nowhere,
            "management_url": nowhere,
        },
    }
    return write_toml(folder, f"127.0.0.1:{free_port()}", connectors, tables)


async def refused(path: Path) -> Shown:
    """Start it. One message, and nothing on standard output."""
    shown = await docsyncd("run", "--config", path)
    assert shown.status == 1
    assert shown.out == ""
    errors = [line for line in shown.err.splitlines() if not line.startswith("{")]
    assert errors[0].startswith("error: "), shown.err
    assert sum(line.startswith("error: ") for line in errors) == 1
    assert sum(line.startswith("  fix: ") for line in errors) <= 1
    assert SECRET not in shown.err
    return shown


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        shown = await refused(config(tmp_path, listener={"bind": address}))
    assert f"listener.bind: {address} cannot be bound: Address already in use." in shown.err
    assert "fix: Choose a free port" in shown.err


async def test_a_state_directory_that_is_a_file(tmp_path: Path) -> None:
    shown = await refused(config(tmp_path, daemon={"state_dir": str(tmp_path / "key")}))
    assert f"daemon.state_dir: {tmp_path}/key cannot be written: File exists." in shown.err
    assert "fix: Name a directory in which the user " in shown.err


async def test_a_state_directory_on_a_file_system_that_takes_no_files(tmp_path: Path) -> None:
    shown = await refused(config(tmp_path, daemon={"state_dir": "/proc/docsyncd"}))
    assert "daemon.state_dir: /proc/docsyncd cannot be written" in shown.err


async def test_a_second_daemon_on_the_same_state_directory(tmp_path: Path) -> None:
    first = config(tmp_path / "first")
    state = str(tmp_path / "first" / "state")
    second = config(tmp_path / "second", daemon={"state_dir": state})
    async with DaemonProcess(first, tmp_path / "first", {}) as daemon:
        shown = await refused(second)
        assert "daemon.state_dir: another daemon uses " in shown.err
        assert "fix: " in shown.err
        assert daemon.is_alive
        assert (await daemon.ask("status"))["mode"] == "live"


async def test_a_broken_file(tmp_path: Path) -> None:
    path = config(tmp_path)
    path.write_text("[daemon]\nworkers = = 4\n", encoding="utf-8")
    assert "is not valid TOML: Invalid value (at line 2" in (await refused(path)).err


async def test_several_mistakes_in_one_file_are_told_at_once(tmp_path: Path) -> None:
    shown = await refused(config(tmp_path, index={"mode": "alive", "pol_every": 1.0}))
    assert "index.mode: " in shown.err
    assert "index.pol_every: unknown key. Did you mean `poll_every`?" in shown.err


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    shown = await refused(tmp_path / "nowhere.toml")
    assert "nowhere.toml cannot be read: No such file or directory." in shown.err


@pytest.mark.parametrize("connector", ["espocrm", "xai"])
async def test_a_secret_that_is_missing_is_named_by_its_key(tmp_path: Path, connector: str) -> None:
    path = config(tmp_path)
    head, table, rest = path.read_text(encoding="utf-8").partition(f"[connectors.{connector}]")
    path.write_text(head + table + rest.replace("/key", "/forgotten", 1), encoding="utf-8")
    shown = await refused(path)
    assert f"connectors.{connector}.api_key: the file {tmp_path}/forgotten cannot be read" in shown.err


async def test_a_redis_that_nobody_answers_at(tmp_path: Path) -> None:
    shown = await refused(config(tmp_path, queue={"url": f"redis://:{SECRET}@127.0.0.1:1/0"}))
    assert "Redis does not answer" in shown.err
    assert "fix: Start it, and check [queue] url." in shown.err


async def test_a_redis_address_that_makes_no_sense_shows_no_part_of_its_password(tmp_path: Path) -> None:
    shown = await refused(config(tmp_path, queue={"url": f"redis://user:{SECRET}#1@127.0.0.1/0"}))
    assert "queue.url: this is no address of a Redis." in shown.err


async def test_a_missing_redis_password_is_named_by_its_key(tmp_path: Path) -> None:
    queue = {"url": "redis://127.0.0.1:1/0", "password": {"file": str(tmp_path / "forgotten")}}
    assert "queue.password: the file " in (await refused(config(tmp_path, queue=queue))).err


async def test_a_message_wraps_under_itself_on_a_narrow_terminal(tmp_path: Path) -> None:
    shown = await docsyncd("run", "--config", config(tmp_path, index={"pol_every": 1.0}), columns=50)
    lines = shown.err.splitlines()
    assert max(map(len, lines)) <= 50
    assert all(line.startswith("       ") for line in lines[1:])


async def test_no_daemon_no_permission(tmp_path: Path) -> None:
    shown = await docsyncd("status", "--socket", tmp_path / "none.sock")
    assert shown.status == 1
    assert shown.err.startswith(f"error: No docsyncd answers on {tmp_path}/none.sock.\n  fix: Start it with `sudo ")
    shown = await docsyncd("status", "--config", tmp_path / "none.toml")
    assert "No docsyncd answers on /run/docsyncd/control.sock." in shown.err


async def test_the_state_directory_is_made_for_the_daemon_alone(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    async with DaemonProcess(config(tmp_path / "new"), tmp_path / "new", {}):
        assert stat.S_IMODE(state.stat().st_mode) & stat.S_IRWXO == 0
