"""Two daemons share one Redis: every document is handled, by one of them, one at a time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from aiohttp import web

from docsyncd.demo_daemon import DaemonProcess, free_port, write_toml
from docsyncd.testing.emulation import Fault
from tests.scenarios.office import NEVER, office
from tests.scenarios.test_outages import redis_server

DOCUMENTS = 60


async def test_two_daemons_on_one_queue_handle_each_document_once_at_a_time(tmp_path: Path) -> None:
    async with (
        redis_server(tmp_path) as redis,
        office(
            tmp_path, webhook_period=None, poll_every=NEVER, tables={"queue": {"url": redis.url, "lease": 60.0}}
        ) as firm,
    ):
        other = tmp_path / "other"
        other.mkdir()
        tables: dict[str, dict[str, Any]] = {
            "daemon": {"state_dir": str(other / "state"), "log_format": "json", "name": "other"},
            "queue": {"url": redis.url, "lease": 60.0},
            "index": {"first_look": 0.1, "poll_every": NEVER},
        }
        config = write_toml(other, f"127.0.0.1:{free_port()}", firm.tables, tables)
        async with DaemonProcess(config, other, {}) as second:
            await firm.swept()
            downloads = _Downloads()
            firm.espocrm.faults.add(
                Fault(match=_is_a_download, times=None, before=downloads.begin, after=downloads.end, delay=0.02)
            )
            documents = [firm.put(f"Anlage K{number}.txt", b"Anlage %d" % number) for number in range(DOCUMENTS)]
            assert await firm.post("create", [{"id": document} for document in documents]) == 200
            await firm.until(firm.is_in_step)
            await firm.rest()
            assert firm.xai.world.uploads == DOCUMENTS
            assert set(downloads.counted.values()) == {1}
            assert downloads.overlapping == []
            for daemon in (firm.daemon, second):
                assert (await daemon.ask("status"))["finished"].get("indexed", 0) > 0


class _Downloads:
    """How often each content was fetched, and what was fetched twice at a time."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self.overlapping: list[str] = []
        self._under_way: set[str] = set()

    async def begin(self, request: web.Request) -> None:
        self.counted[request.path] += 1
        if request.path in self._under_way:
            self.overlapping.append(request.path)
        self._under_way.add(request.path)

    async def end(self, request: web.Request) -> None:
        self._under_way.discard(request.path)


def _is_a_download(request: web.Request) -> bool:
    return request.method == "GET" and "/Attachment/file/" in request.path
