"""One worker process, seen from the daemon: start, give, answer, end.

Held by `Popen` and a process descriptor instead of asyncio's own processes: those are reaped behind our back, and then a
process group's number may belong to somebody else when it is killed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict

import anyio
import anyio.to_thread

from docsyncd.preview.confine import Confinement, Limits, import_path
from docsyncd.preview.protocol import REPLY_BYTES, Request
from docsyncd.preview.scratch import Scratch

_CHUNK = 64 * 1024


class WorkerProcess:
    """Draws one document, then is ended. `end` must be called, whatever happened before."""

    def __init__(self, confinement: Confinement, limits: Limits) -> None:
        """Start it; it warms up by itself.

        :raises OSError: the system does not give us a process or a temp folder.
        """
        # bubblewrap brings a temp folder of its own, which vanishes with it.
        self._scratch = Scratch() if confinement.bwrap is None else None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    confinement.command(
                        # -S: no `site`, whose work is in the import path already; -P: no current folder.
                        [sys.executable, "-sSP", "-m", "docsyncd.preview.worker", json.dumps(asdict(limits))]
                    ),
                    stdin=theirs.fileno(),
                    stdout=subprocess.PIPE,
                    start_new_session=True,
                    cwd=None if self._scratch is None else self._scratch.path,
                    env=_environment(self._scratch),
                )
            except OSError:
                ours.close()
                self._tidy()
                raise
        self._control = ours
        self._control.setblocking(False)
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        self._answer = self._process.stdout.fileno()
        os.set_blocking(self._answer, False)
        self._exited = os.pidfd_open(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def give(self, request: Request, document: int) -> None:
        """Hand over the request and the open document.

        :raises ConnectionError: the process is dead already.
        """
        if os.waitid(os.P_PIDFD, self._exited, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            raise ConnectionResetError("the process has ended")
        socket.send_fds(self._control, [request.pack()], [document])

    async def answer(self) -> bytes:
        """All that it says until it closes its end, or the first bytes beyond `REPLY_BYTES`."""
        reply = bytearray()
        while len(reply) <= REPLY_BYTES:
            await anyio.wait_readable(self._answer)
            if not (chunk := os.read(self._answer, _CHUNK)):
                break
            reply += chunk
        return bytes(reply)

    async def end(self) -> int:
        """Kill it and all that it started, leave nothing. Returns its exit status as `Popen.returncode` does."""
        with anyio.CancelScope(shield=True):
            os.killpg(self._process.pid, signal.SIGKILL)  # not reaped yet: the number is still its own
            await anyio.wait_readable(self._exited)
            status = self._process.wait()
            os.close(self._exited)
            self._control.close()
            if self._process.stdout is not None:
                self._process.stdout.close()
            await anyio.to_thread.run_sync(self._tidy)
        return status

    def _tidy(self) -> None:
        if self._scratch is not None:
            self._scratch.remove()


def _environment(scratch: Scratch | None) -> dict[str, str]:
    """Nothing of the daemon's own environment but where programs and modules are: credentials may be in it."""
    home = "/tmp" if scratch is None else str(scratch.path)  # noqa: S108 - bubblewrap's own
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join(import_path()),
        "LANG": "C.UTF-8",
        "HOME": home,
        "TMPDIR": home,
    }
