"""The daemon's side: which document is drawn when, by how many processes, and what becomes of a failure.

A preview that fails is an answer with a reason, never an error: it costs one icon and not the sync. Pillow is never
imported here.
"""

from __future__ import annotations

import math
import os
import shutil
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from docsyncd.preview.builtin import BUILT_IN, PROGRAMS
from docsyncd.preview.confine import Confinement, Limits, confinement
from docsyncd.preview.detect import EMPTY, UNKNOWN, media_type, sample
from docsyncd.preview.process import WorkerProcess
from docsyncd.preview.protocol import Drawing, NotBelieved, Request, unpack_reply
from docsyncd.preview.scratch import sweep

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from docsyncd.core.model import ContentHash
    from docsyncd.preview.previewer import Previewer
    from docsyncd.preview.settings import PreviewSettings

Choose = Callable[[str], "Previewer | None"]
"""Media type to a plugin's previewer, or None to leave it to the built-in ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What came of it.

    :param picture: a WebP file, `width` x `height` pixels; None if there is none.
    :param media_type: what the content is, detected from its bytes.
    :param reason: why there is no picture, in words; empty if there is one.
    """

    picture: bytes | None
    width: int
    height: int
    media_type: str
    reason: str


@dataclass(slots=True)
class _Flight:
    """One content that is being drawn, for all who ask for it meanwhile."""

    landed: anyio.Event = field(default_factory=anyio.Event)
    preview: Preview | None = None


class PreviewPool:
    """Draws previews in throw-away processes, `settings.parallel` at a time, one more warm and waiting."""

    def __init__(
        self, settings: PreviewSettings, log: FilteringBoundLogger, choose: Choose, confined: Confinement
    ) -> None:
        self.confinement = confined
        self._settings = settings
        self._log = log
        self._choose = choose
        self._slots = anyio.Semaphore(settings.parallel)
        self._flights: dict[ContentHash, _Flight] = {}
        self._spare: WorkerProcess | None = None

    async def render(self, path: Path, *, content: ContentHash) -> Preview:
        """The preview of the staged file at `path`, whose bytes hash to `content`.

        The same content asked for at the same time is drawn once. If the one who draws is cancelled, the next takes over.
        """
        if not self._settings.enabled:
            return _none(UNKNOWN, "previews are off (previews.enabled)")
        while flight := self._flights.get(content):
            await flight.landed.wait()
            if flight.preview is not None:
                return flight.preview
        flight = self._flights[content] = _Flight()
        try:
            async with self._slots:
                flight.preview = await self._open_and_draw(path)
            return flight.preview
        finally:
            del self._flights[content]
            flight.landed.set()

    async def _open_and_draw(self, path: Path) -> Preview:
        try:
            document, kind = await anyio.to_thread.run_sync(_open, path)
        except OSError as error:
            return _none(UNKNOWN, f"cannot be read: {error.strerror or error}")
        try:
            if kind == EMPTY:
                return _none(kind, "the file is empty")
            previewer = self._choose(kind) or BUILT_IN.get(kind)
            if previewer is None:
                return _none(kind, f"no preview for this kind of file yet: {kind}")
            if missing := missing_programs(previewer):
                return _none(kind, f"previews of {kind} are off: {missing} is not installed (poppler-utils)")
            return await self._draw(previewer, document, kind)
        finally:
            os.close(document)

    async def _draw(self, previewer: Previewer, document: int, kind: str) -> Preview:
        settings = self._settings
        request = Request(render=previewer.render, box=settings.box, pixels=settings.pixels, quality=settings.quality)
        reply: bytes | None = None
        try:
            worker = await self._hand_over(request, document)
        except OSError as error:
            return _none(kind, f"no process to draw with: {error}")
        try:
            with anyio.move_on_after(settings.seconds):
                reply = await worker.answer()
        finally:
            status = await worker.end()
        if reply is None:
            return _none(kind, f"took longer than {settings.seconds:g} s")
        if not reply:
            return _none(kind, f"its process ended without an answer (status {status})")
        try:
            drawn = unpack_reply(reply, settings.box)
        except NotBelieved as doubt:
            return _none(kind, f"its process's answer was not believed: {doubt}")
        return _preview(drawn, kind)

    async def _hand_over(self, request: Request, document: int) -> WorkerProcess:
        """A worker that has the document. A spare that died while it waited costs nothing but a start.

        :raises OSError: not even a fresh process took it.
        """
        if (spare := self._spare) is not None:
            self._spare = None
            try:
                spare.give(request, document)
            except OSError:
                await spare.end()
            else:
                self.start_ahead()
                return spare
        fresh = self._start()
        try:
            fresh.give(request, document)
        except OSError:
            await fresh.end()
            raise
        self.start_ahead()
        return fresh

    def start_ahead(self) -> None:
        """Have one warm process waiting."""
        if self._spare is None:
            try:
                self._spare = self._start()
            except OSError as error:
                self._log.warning("previews.no_spare", error=str(error))

    def _start(self) -> WorkerProcess:
        settings = self._settings
        limits = Limits(seconds=math.ceil(settings.seconds), memory_mib=settings.memory_mib)
        return WorkerProcess(self.confinement, limits)

    async def close(self) -> None:
        """End the waiting process. Those that draw end with the tasks that asked."""
        if (spare := self._spare) is not None:
            self._spare = None
            await spare.end()


@asynccontextmanager
async def open_previews(
    settings: PreviewSettings, log: FilteringBoundLogger, choose: Choose = lambda _: None
) -> AsyncIterator[PreviewPool]:
    """A pool for the daemon's life; says once which confinement is in force and which previews are off.

    :param choose: plugins' previewers by media type; asked before the built-in ones.
    """
    confined = await anyio.to_thread.run_sync(confinement)
    pool = PreviewPool(settings, log, choose, confined)
    if settings.enabled:
        log.info("previews.ready", confinement=confined.description, parallel=settings.parallel)
        for kind, previewer in BUILT_IN.items():
            if missing := missing_programs(previewer):
                log.warning("previews.kind_off", media_type=kind, missing=missing)
        for resisting in await anyio.to_thread.run_sync(sweep):
            log.warning("previews.left_behind", folder=resisting)
        pool.start_ahead()
    else:
        log.info("previews.off")
    try:
        yield pool
    finally:
        await pool.close()


def missing_programs(previewer: Previewer) -> str:
    """The programs that this previewer needs and this machine lacks, in words; empty if it has all."""
    return ", ".join(program for program in PROGRAMS.get(previewer, ()) if shutil.which(program) is None)


def _open(path: Path) -> tuple[int, str]:
    """An open document and its media type.

    :raises OSError: it cannot be read, or is no regular file.
    """
    document = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(document).st_mode):
            raise OSError("not a regular file")
        return document, media_type(sample(document))
    except BaseException:
        os.close(document)
        raise


def _preview(drawn: Drawing | str, kind: str) -> Preview:
    if isinstance(drawn, str):
        return _none(kind, drawn)
    return Preview(picture=drawn.picture, width=drawn.width, height=drawn.height, media_type=kind, reason="")


def _none(kind: str, reason: str) -> Preview:
    return Preview(picture=None, width=0, height=0, media_type=kind, reason=reason)
