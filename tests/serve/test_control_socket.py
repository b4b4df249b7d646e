"""The control socket, over real sockets."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import structlog
from structlog.testing import LogCapture

from docsyncd.errors import ConfigError, DocsyncdError
from docsyncd.serve.control import Command, control_socket
from docsyncd.serve.control_client import ControlError, call
from docsyncd.serve.peer import Operators, Peer

OPERATORS_GID = 54321
STRANGER = 65534
OPERATORS = Operators(group="docsyncd-operators", gid=OPERATORS_GID, daemon_uid=os.geteuid())

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def path() -> Iterator[Path]:
    """In a directory that everybody may enter, with a short name: pytest's own is private and may be too long."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "control.sock"


async def _status(arguments: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
    yield {"result": {"waiting": 3, "for": arguments.get("key")}}


async def _sync(arguments: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
    for done in (1, 2):
        await anyio.lowlevel.checkpoint()
        yield {"done": done, "of": 2}
    yield {"result": "synced"}
    raise AssertionError("nothing follows a result")


async def _silent(arguments: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
    yield {"done": 1}


async def _unfit(arguments: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
    yield {"done": 1}
    raise ConfigError("no such level.", key="daemon.log_level", fix="Use info.")


async def _plain(arguments: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
    raise DocsyncdError("not now")
    yield {}


async def _bug(arguments: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
    yield {"result": object()}


COMMANDS = [
    Command(name="status", acts=False, run=_status),
    Command(name="sync", acts=True, run=_sync),
    Command(name="silent", acts=False, run=_silent),
    Command(name="unfit", acts=False, run=_unfit),
    Command(name="plain", acts=False, run=_plain),
    Command(name="bug", acts=False, run=_bug),
]


def serving(path: Path, *more: Command, log: LogCapture | None = None) -> AbstractAsyncContextManager[None]:
    logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[log or LogCapture()])
    return control_socket(path, [*COMMANDS, *more], OPERATORS, logger)


async def ask(path: Path, command: str, **arguments: Any) -> list[Mapping[str, Any]]:
    async with aclosing(call(path, command, arguments)) as lines:
        return [line async for line in lines]


async def test_a_question_is_answered(path: Path) -> None:
    async with serving(path):
        assert await ask(path, "status", key="doc:ä") == [{"result": {"waiting": 3, "for": "doc:ä"}}]


async def test_progress_comes_before_the_result(path: Path) -> None:
    async with serving(path):
        assert await ask(path, "sync") == [{"done": 1, "of": 2}, {"done": 2, "of": 2}, {"result": "synced"}]


async def test_a_command_that_ends_without_a_result_says_so(path: Path) -> None:
    async with serving(path):
        assert await ask(path, "silent") == [{"done": 1}, {"result": None}]


async def test_an_error_comes_with_its_fix(path: Path) -> None:
    async with serving(path):
        with pytest.raises(ControlError) as caught:
            await ask(path, "unfit")
        assert (str(caught.value), caught.value.fix) == ("daemon.log_level: no such level.", "Use info.")
        with pytest.raises(ControlError) as caught:
            await ask(path, "plain")
        assert (str(caught.value), caught.value.fix) == ("not now", "")


async def test_a_bug_in_a_command_is_logged_and_the_daemon_goes_on(path: Path) -> None:
    log = LogCapture()
    async with serving(path, log=log):
        with pytest.raises(ControlError, match="An error in docsyncd: TypeError"):
            await ask(path, "bug")
        assert [entry["event"] for entry in log.entries] == ["control.failed"]
        assert await ask(path, "status")


async def test_an_unknown_command_names_the_known_ones(path: Path) -> None:
    async with serving(path):
        with pytest.raises(ControlError) as caught:
            await ask(path, "stauts")
        assert caught.value.fix == "It knows: bug, plain, silent, status, sync, unfit."


@pytest.mark.parametrize(
    "request_line",
    [
        b"\n",
        b"status\n",
        b"[]\n",
        b'{"command": 1, "arguments": {}}\n',
        b'{"command": "status"}\n',
        b"\xff\n",
        b"x" * 70_000,
    ],
    ids=["empty", "no JSON", "a list", "no name", "no arguments", "no UTF-8", "no end"],
)
async def test_a_request_that_is_none_is_told_how_one_looks(path: Path, request_line: bytes) -> None:
    async with serving(path):
        async with await anyio.connect_unix(path) as stream:
            await stream.send(request_line)
            assert b'"fix"' in await stream.receive()
        assert await ask(path, "status")


async def test_a_client_that_goes_cancels_its_command(path: Path) -> None:
    began, cancelled = anyio.Event(), anyio.Event()

    async def wait(arguments: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        yield {"began": True}
        began.set()
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            cancelled.set()
            raise

    async with serving(path, Command(name="wait", acts=False, run=wait)), anyio.create_task_group() as client:
        client.start_soon(ask, path, "wait")
        with anyio.fail_after(2):
            await began.wait()
            client.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await cancelled.wait()


async def test_several_clients_are_served_at_once(path: Path) -> None:
    meeting = anyio.Event()
    waiting = 0

    async def meet(arguments: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        nonlocal waiting
        waiting += 1
        if waiting == 3:
            meeting.set()
        await meeting.wait()
        yield {"result": waiting}

    async with serving(path, Command(name="meet", acts=False, run=meet)):
        with anyio.fail_after(2):
            async with anyio.create_task_group() as clients:
                for _ in range(3):
                    clients.start_soon(ask, path, "meet")
    assert waiting == 3


async def test_a_daemon_that_stops_tells_its_clients(path: Path) -> None:
    began = anyio.Event()

    async def wait(arguments: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        began.set()
        await anyio.sleep_forever()
        yield {}

    async def client() -> None:
        with pytest.raises(ControlError, match="went away before it had answered"):
            await ask(path, "wait")

    async with anyio.create_task_group() as tasks, serving(path, Command(name="wait", acts=False, run=wait)):
        tasks.start_soon(client)
        await began.wait()


async def test_the_socket_is_for_its_user_and_group_and_goes_with_the_daemon(path: Path) -> None:
    async with serving(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.exists()


async def test_what_a_killed_daemon_left_is_replaced(path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    async with serving(path):
        assert await ask(path, "status")


async def test_a_daemon_that_answers_is_not_pushed_aside(path: Path) -> None:
    async with serving(path):
        with pytest.raises(ConfigError, match=f"another docsyncd answers on {path}"):
            async with serving(path):
                pass
        assert await ask(path, "status")


async def test_a_file_in_the_way_is_left_alone(path: Path) -> None:
    path.write_text("a lawyer's note")
    with pytest.raises(ConfigError, match="is no socket"):
        async with serving(path):
            pass
    assert path.read_text() == "a lawyer's note"


async def test_a_path_beyond_what_the_kernel_takes_is_refused_with_its_length(path: Path) -> None:
    long = path.with_name("ü" * 50 + ".sock")
    with pytest.raises(
        ConfigError, match=rf"107 bytes at most, .* has {len(bytes(long))}\..*Choose a shorter one"
    ) as caught:
        async with serving(long):
            pass
    assert caught.value.key == "admin.control_socket"


async def test_a_directory_that_is_missing_is_named(path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{path.parent}/run must be a directory"):
        async with serving(path.parent / "run" / "control.sock"):
            pass


@pytest.mark.parametrize("left", [False, True], ids=["nothing there", "left by a killed daemon"])
async def test_without_a_daemon_the_client_says_where_it_looked_and_how_to_start(path: Path, left: bool) -> None:
    if left:
        abandoned = socket.socket(socket.AF_UNIX)
        abandoned.bind(str(path))
        abandoned.close()
    with pytest.raises(ControlError, match=f"No docsyncd answers on {path}") as caught:
        await ask(path, "status")
    assert "systemctl start docsyncd" in caught.value.fix


@pytest.mark.parametrize(
    ("peer", "may_act"),
    [
        (Peer(uid=0, groups=frozenset({0})), True),
        (Peer(uid=991, groups=frozenset({991})), True),
        (Peer(uid=1000, groups=frozenset({1000, OPERATORS_GID})), True),
        (Peer(uid=1000, groups=frozenset({1000, 991})), False),
    ],
    ids=["root", "the daemon's own user", "an operator", "one who may look"],
)
def test_who_may_act(peer: Peer, may_act: bool) -> None:
    operators = Operators(group="docsyncd-operators", gid=OPERATORS_GID, daemon_uid=991)
    assert operators.include(peer) is may_act


def test_a_group_that_does_not_exist_has_no_members_and_says_so() -> None:
    operators = Operators.named("no-such-group-here")
    assert not operators.include(Peer(uid=1000 if os.geteuid() != 1000 else 1001, groups=frozenset({1000})))
    assert "did not exist when docsyncd started" in operators.advice


SOMEBODY_ELSE = """
import grp, os, sys, anyio
from contextlib import aclosing
from pathlib import Path
from docsyncd.serve.control_client import ControlError, call

async def main(path, command, uid, groups):
    os.setgroups(groups)
    os.setgid(uid)
    os.setuid(uid)
    try:
        async with aclosing(call(Path(path), command, {})) as lines:
            print([line async for line in lines][-1])
    except ControlError as error:
        print(error, error.fix)

anyio.run(main, sys.argv[1], sys.argv[2], int(sys.argv[3]), [int(group) for group in sys.argv[4:]])
"""


async def as_somebody_else(path: Path, command: str, *groups: int) -> str:
    """What a process of another user, in these groups, gets to read."""
    arguments = [sys.executable, "-c", SOMEBODY_ELSE, str(path), command, str(STRANGER), *map(str, groups)]
    done = await anyio.run_process(arguments, stderr=subprocess.STDOUT)
    return done.stdout.decode()


@as_root
async def test_everybody_who_can_connect_may_look(path: Path) -> None:
    async with serving(path):
        path.chmod(0o666)
        assert "'waiting': 3" in await as_somebody_else(path, "status")


@as_root
async def test_acting_is_for_operators_and_the_refusal_says_how_to_become_one(path: Path) -> None:
    log = LogCapture()
    async with serving(path, log=log):
        path.chmod(0o666)
        refused = await as_somebody_else(path, "sync")
        assert f"User id {STRANGER} may look, and sync acts." in refused
        assert "usermod -aG docsyncd-operators" in refused
        assert "synced" in await as_somebody_else(path, "sync", OPERATORS_GID)
    assert [(entry["event"], entry["uid"]) for entry in log.entries] == [
        ("control.refused", STRANGER),
        ("control.command", STRANGER),
    ]


@as_root
async def test_who_may_not_connect_is_told_which_group_may(path: Path) -> None:
    async with serving(path):
        os.chown(path, 0, 0)
        assert f"You may not connect to {path}; the members of the group root may." in await as_somebody_else(
            path, "status"
        )
