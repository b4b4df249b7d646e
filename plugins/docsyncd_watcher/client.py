"""The port `Replica` on a watcher of either level, and the declaration of the feed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Literal

from docsyncd.api import (
    Absent,
    CaseFileNumber,
    Clock,
    Download,
    Feed,
    FileState,
    Finding,
    Host,
    Ports,
    Rejected,
    RelativePath,
    Scan,
    Staged,
    TransportSettings,
)
from docsyncd_watcher.check import check
from docsyncd_watcher.config import WatcherConfig
from docsyncd_watcher.extended import ExtendedLevel
from docsyncd_watcher.level import Discovery
from docsyncd_watcher.lines import Lines
from docsyncd_watcher.refusals import HEALTH, classify, explain


class WatcherReplica:
    """`docsyncd.ports.Replica`. Its methods' meaning and errors stand there; what each level does in `basic` and `extended`."""

    def __init__(self, lines: Lines, clock: Clock) -> None:
        self._lines = lines
        self._clock = clock
        self._discovery = Discovery(lines, clock)

    async def scan(self, case_file: CaseFileNumber) -> Scan:
        return await (await self._discovery.level()).scan(case_file)

    @asynccontextmanager
    async def read(self, case_file: CaseFileNumber, file: FileState) -> AsyncIterator[Download]:
        level = await self._discovery.level()
        async with level.read(case_file, file) as download:
            yield download

    async def write(
        self,
        case_file: CaseFileNumber,
        path: RelativePath,
        staged: Staged,
        *,
        expect: FileState | Literal[Absent.ABSENT],
        operation: str,
        fence: int,
    ) -> FileState:
        level = await self._discovery.level()
        return await level.write(case_file, path, staged, expect=expect, operation=operation, fence=fence)

    async def remove(self, case_file: CaseFileNumber, *, expect: FileState, operation: str, fence: int) -> None:
        """Windows is never deleted from; neither protocol has a verb for it (case-file-sync.md, decision 5)."""
        del case_file, expect, operation, fence
        raise Rejected("windows-is-never-deleted-from", remote=self._lines.remote)

    async def instance(self) -> str:
        """As the watcher says itself, or the configured name of a watcher that cannot."""
        level = await self._discovery.level()
        config = self._lines.config
        return level.instance if isinstance(level, ExtendedLevel) else config.instance or config.url

    async def check(self) -> Sequence[Finding]:
        return await check(self._lines, self._discovery, self._clock)


@asynccontextmanager
async def connect(name: str, config: WatcherConfig, host: Host) -> AsyncIterator[Ports]:
    """Open both lines to the watcher. `ConfigError` if the token cannot be read."""
    settings = _settings(name, config)
    async with host.transport(settings) as files, host.transport(settings) as questions:
        replica = WatcherReplica(Lines(files=files, questions=questions, config=config), host.clock)
        yield Ports(
            transports=(files, questions),
            replica=replica,
            feed=Feed(source=config.pending_set),
            check=replica.check,
            instance=replica.instance,
        )


def _settings(name: str, config: WatcherConfig) -> TransportSettings:
    return TransportSettings(
        remote=name,
        base_url=config.url,
        headers={"Authorization": f"Bearer {config.token.reveal(key=f'connectors.{name}.token')}"},
        health=HEALTH,
        healthy=frozenset({400, 404, 405, 501}),
        classify=partial(classify, remote=name),
        explain=explain,
        parallel=config.parallel,
        attempts=config.attempts,
        connect_timeout=config.connect_timeout,
        read_timeout=config.read_timeout,
    )
