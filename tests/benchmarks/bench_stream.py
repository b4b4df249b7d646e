"""A large file down from one server, through three hashes, and up to another one, next to curl and the usual tools (P7).

Ours: the transport's stream, hashed and staged on disk, then the xAI connector's upload. The alternative: curl | tee into
md5sum, sha256sum and b3sum | curl, which keeps no copy. SIZE (default 256) in MiB, ROUNDS (default 3) in turn, the best of
each counts. Both servers are one aiohttp process. Needs the Debian packages curl and b3sum (without b3sum it takes
sha1sum).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from aiohttp import web

from docsyncd.clock import SystemClock
from docsyncd.engine.staging import Staging
from docsyncd.ports import Download
from docsyncd.transport import CHUNK, TransportSettings, open_transport
from docsyncd_xai.config import XaiConfig
from docsyncd_xai.files import Files
from docsyncd_xai.pace import Pace
from tests.benchmarks.measure import MIB, Row, Target, own_peak, report

SIZE = int(os.environ.get("SIZE", "256")) * MIB
ROUNDS = int(os.environ.get("ROUNDS", "3"))
THIRD = "b3sum" if shutil.which("b3sum") else "sha1sum"
NAMED = f"curl | tee md5sum sha256sum {THIRD} | curl"
PIPE = (
    "set -o pipefail; curl -sf {url}/content | tee >(md5sum >/dev/null) >(sha256sum >/dev/null) >({third} >/dev/null) "
    "| curl -sf -X POST -H 'Content-Type: application/octet-stream' -T - {url}/v1/files"
)


def application() -> web.Application:
    """Both sides: bytes that no cache of ours knows, and a store that counts."""
    chunks = [random.randbytes(CHUNK) for _ in range(16)]

    async def content(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(SIZE)})
        await response.prepare(request)
        for number in range(SIZE // CHUNK):
            await response.write(chunks[number % len(chunks)])
        return response

    async def store(request: web.Request) -> web.Response:
        received = 0
        async for chunk in request.content.iter_any():
            received += len(chunk)
        if received < SIZE:
            return web.json_response({"error": f"only {received} bytes came"}, status=400)
        return web.json_response({"id": "file_1", "filename": "content", "bytes": SIZE, "created_at": int(time.time())})

    app = web.Application()
    app.router.add_get("/content", content)
    app.router.add_post("/v1/files", store)
    return app


async def serve() -> None:
    runner = web.AppRunner(application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await anyio.to_thread.run_sync(sys.stdin.read)
    await runner.cleanup()


async def ours(url: str, folder: Path) -> None:
    """One file's way through docsyncd; prints its seconds and this process's peak memory."""
    staging = Staging(folder / "staging")
    staging.clear()
    config = XaiConfig.model_validate(
        {"api_key": {"file": "unread"}, "management_key": {"file": "unread"}, "files_url": url, "max_file_mb": 512}
    )
    async with open_transport(TransportSettings(remote="bench", base_url=url), SystemClock()) as transport:
        files = Files(transport, config, Pace(None))
        started = time.perf_counter()
        async with (
            transport.stream("/content") as (_, chunks),
            staging.stage(Download(name="Akte.pdf", size=SIZE, chunks=chunks), remote="bench") as staged,
        ):
            down = time.perf_counter() - started
            await files.upload(staged, "Akte.pdf")
        seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "down": down, "peak": own_peak()}))


@contextmanager
def server() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_stream", "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def measure(folder: Path) -> list[Row]:
    rates: list[float] = []
    down: list[float] = []
    peaks: list[int] = []
    piped: list[float] = []
    with server() as url:
        for _ in range(ROUNDS):
            command = [sys.executable, "-m", "tests.benchmarks.bench_stream", "ours", url, str(folder)]
            told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            rates.append(SIZE / told["seconds"] / MIB)
            down.append(SIZE / told["down"] / MIB)
            peaks.append(told["peak"])
            started = time.perf_counter()
            pipe = PIPE.format(url=url, third=THIRD)
            subprocess.run(["bash", "-c", pipe], check=True, stdout=subprocess.DEVNULL)
            piped.append(SIZE / (time.perf_counter() - started) / MIB)
    return [
        Row(
            what=f"{SIZE // MIB} MiB down, hashed and up",
            ours=max(rates),
            unit="MiB/s",
            alternative=max(piped),
            named=NAMED,
            target=Target(name="P7", at="least", limit=2.0, of="ratio"),
        ),
        Row(what="of which down, hashed, to disk", ours=max(down), unit="MiB/s"),
        Row(
            what="peak RSS of the process",
            ours=max(peaks) / MIB,
            unit="MiB",
            target=Target(name="P7", at="most", limit=100.0, of="ours"),
        ),
    ]


def main() -> None:
    match sys.argv[1:]:
        case ["serve"]:
            anyio.run(serve)
        case ["ours", url, folder]:
            anyio.run(ours, url, Path(folder))
        case _ if shutil.which("curl") is None:
            raise SystemExit("curl is missing: apt-get install curl b3sum")
        case _:
            with TemporaryDirectory() as made:
                report(f"streaming, best of {ROUNDS}", measure(Path(made)))


if __name__ == "__main__":
    main()
