"""What a worker may do: resource limits that it puts on itself, and the system that it sees.

Documents are hostile. Limits always hold. With bubblewrap a worker also has no network, its own process ids and a read-only
system without anybody's documents: the one document comes as an open descriptor, the picture leaves through a pipe.
"""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MIB: Final = 1024 * 1024

SCRATCH_MIB: Final = 64
"""Largest file, and with bubblewrap the whole temp folder, in MiB. The built-in previewers write none."""

_OPEN_FILES: Final = 64

_PROBE_SECONDS: Final = 5.0

_SYSTEM: Final = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/var/cache/fontconfig",
)
"""Programs, libraries and fonts; nothing of /etc that says who is here, nothing of /home, /root, /run, /srv or /var/lib."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """:param seconds: CPU time of each process, whole seconds. :param memory_mib: address space of each, in MiB."""

    seconds: int
    memory_mib: int


def restrict(limits: Limits) -> None:
    """Limit this process and all that it starts. Cannot be undone."""
    for kind, value in (
        (resource.RLIMIT_AS, limits.memory_mib * _MIB),
        (resource.RLIMIT_CPU, limits.seconds),
        (resource.RLIMIT_FSIZE, SCRATCH_MIB * _MIB),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (limit, limit))


def die_with(control: socket.socket) -> None:
    """Let the kernel kill this process's whole group as soon as the other end of `control` is closed, however it is.

    PR_SET_PDEATHSIG would end this process only and leave a running `pdftoppm` behind (prctl(2): cleared for the child of
    a fork). Here the signal of an asynchronous descriptor, sent to the group (fcntl(2), F_SETOWN, F_SETSIG), is SIGKILL.
    Nothing more is ever sent through `control`. Inside bubblewrap the group's leader is outside and `getpgrp()` is 0:
    there --die-with-parent and the end of the process namespace do the same.
    """
    if group := os.getpgrp():
        fcntl.fcntl(control, fcntl.F_SETOWN, -group)
        fcntl.fcntl(control, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(control, fcntl.F_SETFL, fcntl.fcntl(control, fcntl.F_GETFL) | os.O_ASYNC)
        # Closed before we asked? Then no signal will come any more.
        if _is_closed(control):
            os.killpg(group, signal.SIGKILL)


def _is_closed(control: socket.socket) -> bool:
    try:
        return control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What is in force on this machine.

    :param bwrap: bubblewrap's path, or None where it is missing or does not work.
    :param description: one line for the start-up log and `doctor`.
    """

    bwrap: str | None
    description: str

    def command(self, argv: Sequence[str]) -> list[str]:
        """`argv`, confined."""
        return list(argv) if self.bwrap is None else [self.bwrap, *_sandbox(_python_folders()), *argv]


def confinement() -> Confinement:
    """Find out what this machine offers; tries bubblewrap once, since a unit's RestrictNamespaces= or a container may forbid it.

    Blocks for some milliseconds, at most five seconds.
    """
    limits = "limits on memory, CPU time and file size"
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return Confinement(
            bwrap=None, description=f"{limits} only: bubblewrap (bwrap) is not installed, the network is open"
        )
    usable = Confinement(bwrap=bwrap, description=f"{limits}; bubblewrap: no network, read-only system, own processes")
    try:
        tried = subprocess.run(  # noqa: S603 - a fixed command
            usable.command([sys.executable, "-ISc", ""]), capture_output=True, timeout=_PROBE_SECONDS, check=False
        )
        complaint = tried.stderr.decode("utf-8", "replace").strip() if tried.returncode else None
    except (OSError, subprocess.TimeoutExpired) as error:
        complaint = str(error)
    if complaint is None:
        return usable
    return Confinement(
        bwrap=None, description=f"{limits} only: bubblewrap does not work here ({complaint}), the network is open"
    )


def _sandbox(folders: Iterable[str]) -> list[str]:
    arguments = ["--unshare-all", "--die-with-parent", "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev"]
    arguments += ["--size", str(SCRATCH_MIB * _MIB), "--tmpfs", "/tmp"]  # noqa: S108 - the sandbox's own
    for name in _SYSTEM:
        if (path := Path(name)).is_symlink():
            arguments += ["--symlink", str(path.readlink()), name]
        else:
            arguments += ["--ro-bind-try", name, name]
    for name in folders:
        arguments += ["--ro-bind", name, name]
    return [*arguments, "--chdir", "/tmp"]  # noqa: S108


def _python_folders() -> list[str]:
    """Where this interpreter and all that it can import live, outermost first, without what lies inside another one."""
    chosen: list[Path] = [Path("/usr")]
    wanted = {sys.prefix, sys.base_prefix, *import_path()}
    for path in sorted((Path(name) for name in wanted), key=lambda p: len(p.parts)):
        if path.exists() and not any(path.is_relative_to(outer) for outer in chosen):
            chosen.append(path)
    return [str(path) for path in chosen[1:]]


def import_path() -> list[str]:
    """What the daemon can import, the worker can: absolute entries of `sys.path`, so that no current folder slips in."""
    return [name for name in sys.path if Path(name).is_absolute()]
