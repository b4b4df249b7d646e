"""Previewers that misbehave, for the worker to run."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

from PIL import Image


def hang(path: Path, box: tuple[int, int]) -> Image.Image:
    """Leaves a file in the temp folder, starts a child that outlasts everybody and never returns."""
    Path(tempfile.gettempdir(), "left.tmp").write_bytes(path.read_bytes())
    subprocess.Popen(["sleep", lullaby(box)])
    time.sleep(3600)
    raise AssertionError("nobody ended me")


def lullaby(box: tuple[int, int]) -> str:
    """An argument of `sleep` by which a test finds its own child again."""
    return f"3600.{box[0]}{box[1]}"


def hog(path: Path, box: tuple[int, int]) -> Image.Image:
    return Image.frombytes("L", (1, 1), bytes(2 * 1024**3)[:1])


def spin(path: Path, box: tuple[int, int]) -> Image.Image:
    while True:
        pass


def die(path: Path, box: tuple[int, int]) -> Image.Image:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("I am dead")


def lie(path: Path, box: tuple[int, int]) -> Image.Image:
    """Says on every pipe that there is a picture, and sends something else."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - descriptors, not files
        try:
            if stat.S_ISFIFO(os.fstat(int(name)).st_mode):
                os.write(int(name), b'{"reason": ""}\n<script>alert(1)</script>')
        except OSError:
            continue
    os._exit(0)


def flood(path: Path, box: tuple[int, int]) -> Image.Image:
    """Never stops talking."""
    (pipe,) = (n for n in range(3, 20) if os.path.exists(f"/proc/self/fd/{n}") and stat.S_ISFIFO(os.fstat(n).st_mode))  # noqa: PTH110
    while True:
        os.write(pipe, b"x" * 65536)


def chatter(path: Path, box: tuple[int, int]) -> Image.Image:
    """Prints what belongs nowhere, and returns more than the box, with a hole in it."""
    print("drawing ...")
    return Image.new("RGBA", (3000, 1500), (0, 0, 0, 0))


def good(path: Path, box: tuple[int, int]) -> Image.Image:
    return Image.new("RGB", box, "blue")


def broken(path: Path, box: tuple[int, int]) -> Image.Image:
    raise LookupError("no sheet\nin this\x1b[31m drawing " + "x" * 1000)


def look_around(path: Path, box: tuple[int, int]) -> Image.Image:
    """Tells what it sees of the environment."""
    raise LookupError(" ".join(sorted(os.environ)))


def reach_out(path: Path, box: tuple[int, int]) -> Image.Image:
    """Tries the network and the file system; says what went through."""
    done = []
    for address in [("127.0.0.1", int(path.read_text()))]:
        try:
            socket.create_connection(address, timeout=2).close()
            done.append("network")
        except OSError:
            continue
    for place in ("/usr/docsyncd-was-here", f"{Path(__file__).parent}/docsyncd-was-here"):
        try:
            Path(place).write_text("x")
            done.append("write")
        except OSError:
            continue
    if Path("/etc/passwd").exists():
        done.append("passwd")
    raise LookupError(f"went through: {' '.join(done) or 'nothing'}; processes: {len(_processes())}")


def _processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
