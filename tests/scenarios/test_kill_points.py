"""kill -9 after every single request that the daemon sends, one kill per world: each world converges all the same."""

from __future__ import annotations

import io
import os
import signal
from collections import Counter
from pathlib import Path

import anyio
import pytest
from aiohttp import web
from PIL import Image

from docsyncd.tasks import in_parallel
from docsyncd.testing.emulation import Fault, verb_of
from tests.scenarios.office import Office, office

KillPoint = tuple[str, str, int]
"""Remote, verb and which of its occurrences in one world's life."""

AT_ONCE = 4
"""Worlds that live at the same time: two cores, and a daemon waits half of its time."""

EVERY_READ = os.environ.get("KILL_POINTS") == "all"
"""A read that repeats an earlier one leads to no new place in the code; `make chaos` kills after each of them all the same."""


class Watch:
    """Counts the daemon's requests to both remotes, kills it after the chosen one, and looks for gaps in between."""

    def __init__(self, firm: Office, kill_at: KillPoint | None) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()
        self.killed = False
        self.gaps: list[str] = []
        self._firm = firm
        self._kill_at = kill_at
        self._was_ready: set[str] = set()
        for remote, emulator in (("espocrm", firm.espocrm), ("xai", firm.xai)):
            emulator.faults.add(Fault(match=_is_the_daemons, times=None, after=self._after(remote)))

    def _after(self, remote: str):  # type: ignore[no-untyped-def]
        async def after(request: web.Request) -> None:
            verb = verb_of(request)
            self.seen[remote, verb] += 1
            self._look_for_gaps(verb)
            if (remote, verb, self.seen[remote, verb]) == self._kill_at and not self.killed:
                self.killed = True
                os.kill(self._firm.daemon.pid, signal.SIGKILL)
                await anyio.sleep(0.05)  # it reads nothing any more

        return after

    def _look_for_gaps(self, verb: str) -> None:
        """Once a living document was searchable, some version of it must stay so."""
        for document in self._firm.documents:
            ready = any(holding.ready for holding in self._firm.xai.stage.holdings(document))
            if ready:
                self._was_ready.add(document)
            elif document in self._was_ready:
                self.gaps.append(f"{document} was in no collection after {verb}")


def _is_the_daemons(request: web.Request) -> bool:
    """People log in with a password; the daemon has keys. Webhooks are registered by an operator before it runs."""
    people = request.headers.get("Authorization", "").startswith("Basic")
    return not people and not (request.method == "POST" and request.path.endswith("/Webhook"))


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (60, 80), (200, 30, 30)).save(buffer, "PDF")
    return buffer.getvalue()


async def live_through(folder: Path, kill_at: KillPoint | None) -> Watch:
    """A document's whole life: filed, changed, deleted; beside one that stays."""
    folder.mkdir()
    async with office(folder, start=False, poll_every=3600.0) as firm:
        watch = Watch(firm, kill_at)
        await firm.start()
        content = picture()
        stays = await firm.file("Vollmacht Müller.pdf", content)
        document = await firm.file("Klage.txt", b"Es wird beantragt, die Klage abzuweisen.")
        await firm.until(firm.is_in_step, what=f"both to be indexed ({kill_at})")
        await firm.replace(document, "Klage.txt", b"Es wird beantragt, der Klage stattzugeben.")
        await firm.until(firm.is_in_step, what=f"the new version ({kill_at})")
        await firm.delete(document)
        await firm.until(firm.is_in_step, what=f"the deletion ({kill_at})")
        await firm.until(lambda: firm.espocrm.stage.standing(stays).preview is not None, what="the preview")
        await _sweep_too(firm, watch, kill_at)
        assert watch.gaps == []
        return watch


async def _sweep_too(firm: Office, watch: Watch, kill_at: KillPoint | None) -> None:
    """The sweeps of the start run beside the rest: an undisturbed life holds them, and a kill may wait for one."""
    if kill_at is None:
        await firm.until(lambda: ("xai", "GET /v1/files") in watch.seen, what="the sweep of orphans")
    elif not watch.killed:
        with anyio.move_on_after(10):
            await firm.until(lambda: watch.killed)
        await firm.until(firm.is_in_step, what=f"the kill at the end ({kill_at})")


async def live_all(folder: Path, points: list[KillPoint]) -> list[Watch]:
    """One world for each point, a few at a time."""
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def one(numbered: tuple[int, KillPoint]) -> Watch:
        number, point = numbered
        async with limit:
            return await live_through(folder / str(number), point)

    return await in_parallel(one, enumerate(points))


@pytest.mark.timeout(480)
async def test_a_kill_after_any_request_loses_doubles_and_leaves_nothing(tmp_path: Path) -> None:
    """Kill points come from a life without a kill, and from every life that went another way because of one."""
    known = Counter((await live_through(tmp_path / "undisturbed", None)).seen)
    share = set(_points(known))
    verbs = set(known)
    hit: set[KillPoint] = set()
    while todo := sorted(share - hit):
        folder = tmp_path / str(len(hit))
        folder.mkdir()
        lives = await live_all(folder, todo)
        killed = {point for point, life in zip(todo, lives, strict=True) if life.killed}
        # A later occurrence need not come in a life that goes another way; the first of the undisturbed one's must.
        missed = {point for point in set(todo) - killed if point[2] == 1 and point[:2] in known}
        assert not missed, f"never reached: {missed}"
        hit.update(todo)
        new = {verb for life in lives for verb in life.seen} - verbs
        verbs |= new
        share |= {(*verb, 1) for verb in new}
    for remote, verb, number in sorted(hit):
        print(f"killed after {remote:8} {verb} #{number}")
    assert verbs - set(known) <= {point[:2] for point in hit}, "a life knew a request that no kill followed"


def _points(known: Counter[tuple[str, str]]) -> list[KillPoint]:
    """Every occurrence of what changes something, and of a read the first one, or every one by `make chaos`."""
    return [
        (remote, verb, number + 1)
        for (remote, verb), count in sorted(known.items())
        for number in range(count if EVERY_READ or not verb.startswith("GET ") else 1)
    ]
