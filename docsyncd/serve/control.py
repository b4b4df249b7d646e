"""The control socket: people's commands for the running daemon.

One connection carries one command: a line of JSON `{"command": …, "arguments": {…}}` goes in, lines of JSON come out as the
command yields them. The last one is `{"result": …}` or `{"error": {"message": …, "fix": …}}`; the ones before are progress.
Closing the connection cancels the command. The file's mode says who may look; who may act is asked of the kernel.
"""

from __future__ import annotations

import asyncio
import json
from asyncio import IncompleteReadError, LimitOverrunError, StreamReader, StreamWriter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup
from structlog.typing import FilteringBoundLogger

from docsyncd.errors import DocsyncdError
from docsyncd.serve.peer import Operators, Peer, peer_of
from docsyncd.serve.socket_file import listening_on

MAX_REQUEST: Final = 64 * 1024
"""Bytes of a request line."""
REQUEST_TIMEOUT: Final = 10.0
"""Seconds for a request line to arrive; a client writes it at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Something that the daemon does when asked.

    :param name: what the client sends, such as `status`.
    :param acts: changes something, so it is for root, the daemon's own user and operators; else everybody who can connect.
    :param run: yields progress, then `{"result": …}` as the last; cancelled when the client goes. A `DocsyncdError` is told to
        the client with its `fix`, if it has one.
    """

    name: str
    acts: bool
    run: Callable[[Mapping[str, Any]], AsyncIterator[Mapping[str, Any]]]


@asynccontextmanager
async def control_socket(
    path: Path, commands: Sequence[Command], operators: Operators, log: FilteringBoundLogger
) -> AsyncIterator[None]:
    """Answer commands on `path` until the context ends, then remove it.

    `ConfigError` if the path is too long or taken (by another daemon, or by a file that is no socket). What a daemon that
    was killed left behind is replaced.
    """
    server = _Server({command.name: command for command in commands}, operators, log)
    async with listening_on(path) as listener, anyio.create_task_group() as tasks:
        # asyncio's streams, with our task group: anyio's own, over a unix socket, make asyncio log an error when a
        # cancellation meets a byte that is just coming (anyio 4.16, kin of agronholm/anyio#1267).
        def accept(reader: StreamReader, writer: StreamWriter) -> None:
            tasks.start_soon(server.converse, reader, writer)

        accepting = await asyncio.start_unix_server(accept, sock=listener, limit=MAX_REQUEST)
        try:
            yield
        finally:
            accepting.close()
            tasks.cancel_scope.cancel()


class _Refused(DocsyncdError):
    """The request cannot be run. `fix` is a sentence."""

    def __init__(self, message: str, fix: str) -> None:
        self.fix = fix
        super().__init__(message)


class _Server:
    def __init__(self, commands: Mapping[str, Command], operators: Operators, log: FilteringBoundLogger) -> None:
        self._commands = commands
        self._operators = operators
        self._log = log

    async def converse(self, reader: StreamReader, writer: StreamWriter) -> None:
        """One command, from its first line to its last."""
        peer = peer_of(writer.get_extra_info("socket"))
        with closing(writer):
            async with anyio.create_task_group() as tasks, aclosing(self._lines(reader, peer, tasks)) as lines:
                async for line in lines:
                    writer.write(line)
                    # Who is gone does not read; `_cancel_when_gone` ends the command.
                    with suppress(ConnectionError):
                        await writer.drain()
                tasks.cancel_scope.cancel()

    async def _lines(self, reader: StreamReader, peer: Peer, tasks: TaskGroup) -> AsyncGenerator[bytes]:
        """The whole answer. Every failure becomes its last line, so that it ends this conversation and nothing else."""
        try:
            command, arguments = self._understand(await _read_line(reader))
            self._require_allowed(command, peer)
            tasks.start_soon(_cancel_when_gone, reader, tasks.cancel_scope)
            async for line in command.run(arguments):
                yield _encode(line)
                if "result" in line:
                    return
            yield _encode({"result": None})
        except DocsyncdError as error:
            yield _encode({"error": {"message": error.problem, "fix": error.fix}})
        except Exception as error:  # noqa: BLE001 (a bug in one command must not end the daemon; it is logged)
            self._log.exception("control.failed")
            yield _encode(
                {"error": {"message": f"An error in docsyncd: {error!r}", "fix": "Its log has the traceback."}}
            )

    def _understand(self, line: bytes) -> tuple[Command, Mapping[str, Any]]:
        try:
            request = json.loads(line)
        except ValueError:
            request = None
        match request:
            case {"command": str(name), "arguments": dict(arguments)}:
                pass
            case _:
                raise _Refused(
                    "The request is not understood.",
                    'It is one line, such as {"command": "status", "arguments": {}}.',
                )
        command = self._commands.get(name)
        if command is None:
            known = ", ".join(sorted(self._commands))
            raise _Refused(f"This daemon has no command {name!r}.", f"It knows: {known}.")
        return command, arguments

    def _require_allowed(self, command: Command, peer: Peer) -> None:
        if not command.acts:
            return
        if not self._operators.include(peer):
            self._log.warning("control.refused", command=command.name, uid=peer.uid)
            raise _Refused(f"User id {peer.uid} may look, and {command.name} acts.", self._operators.advice)
        self._log.info("control.command", command=command.name, uid=peer.uid)


async def _read_line(reader: StreamReader) -> bytes:
    try:
        with anyio.fail_after(REQUEST_TIMEOUT):
            return await reader.readuntil(b"\n")
    except (TimeoutError, IncompleteReadError, LimitOverrunError, ConnectionError) as error:
        raise _Refused(
            "No request came.", f"Send one line of {MAX_REQUEST} bytes at most within {REQUEST_TIMEOUT:g} s."
        ) from error


async def _cancel_when_gone(reader: StreamReader, command: anyio.CancelScope) -> None:
    """The client says nothing more; the end of its stream means that nobody waits for the answer."""
    with suppress(ConnectionError):
        while await reader.read(MAX_REQUEST):
            pass
    command.cancel()


def _encode(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"
