"""What people ask the running daemon: each command is one async generator over the control socket.

Everything here is told as plain values; `cli` turns them into tables. Commands that act are marked so.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import anyio

from docsyncd import __version__
from docsyncd.core.model import DocumentId, Lane, Notice, WorkKey, document_key
from docsyncd.errors import ConfigError, QueueUnavailable
from docsyncd.serve.control import Command
from docsyncd.work.queue import Entry, KeyState

if TYPE_CHECKING:
    from docsyncd.daemon import Daemon

Answer = AsyncIterator[Mapping[str, Any]]

TICK: Final = 0.25
"""Seconds between two progress lines of `sync --wait`."""

GOOD_ENDINGS: Final = frozenset({"indexed", "unplaced", "deleted", "observed", "unsupported"})


def commands(daemon: Daemon) -> Sequence[Command]:
    """Every command, bound to this daemon."""
    asked = _Asked(daemon)
    return (
        Command(name="status", acts=False, run=asked.status),
        Command(name="errors", acts=False, run=asked.errors),
        Command(name="explain", acts=False, run=asked.explain),
        Command(name="sync", acts=True, run=asked.sync),
        Command(name="retry", acts=True, run=asked.retry),
        Command(name="pause", acts=True, run=asked.pause),
        Command(name="resume", acts=True, run=asked.resume),
        Command(name="reload", acts=True, run=asked.reload),
    )


class _Asked:
    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def status(self, arguments: Mapping[str, Any]) -> Answer:
        """Queue, remotes, runs under way, webhooks and counts since the start."""
        del arguments
        daemon = self._daemon
        yield {
            "result": {
                "version": __version__,
                "started": daemon.started.isoformat(),
                "mode": daemon.current.config.settings.index.mode if daemon.current else "starting",
                "queue": await self._queue(),
                "remotes": self._remotes(),
                "running": self._running(),
                "webhooks": self._webhooks(),
                "finished": dict(sorted(daemon.counts.items())),
            }
        }

    async def errors(self, arguments: Mapping[str, Any]) -> Answer:
        """Parked keys and keys in back-off, with their errors."""
        limit = int(arguments.get("limit", 100))
        parked = await self._daemon.queue.list(KeyState.PARKED, limit=limit)
        delayed = [e for e in await self._daemon.queue.list(KeyState.DELAYED, limit=limit) if e.attempts and e.error]
        yield {"result": {"errors": [_entry(entry) for entry in (*parked, *delayed)]}}

    async def explain(self, arguments: Mapping[str, Any]) -> Answer:
        """Why a document is as it is: what the queue, the memory and the last decisions say, and what helps."""
        document = DocumentId(_argument(arguments, "document"))
        entry = await self._daemon.queue.show(document_key(document))
        recall = await self._daemon.foundation.ledger.recall(document)
        decisions = [json.loads(line) for line in await self._daemon.foundation.ledger.decisions(document)]
        memory = recall.memory
        yield {
            "result": {
                "document": document,
                "queue": _entry(entry) if entry else None,
                "summary": memory.summary or ("never seen" if not recall.known else "under way"),
                "reason": memory.reason,
                "files": {file: stored.model_dump(mode="json") for file, stored in memory.files.items()},
                "collections": list(memory.wanted),
                "preview": memory.drawn.model_dump(mode="json") if memory.drawn else None,
                "decisions": decisions,
                "advice": self._advice(document, entry, memory.summary, known=recall.known),
            }
        }

    async def sync(self, arguments: Mapping[str, Any]) -> Answer:
        """Make a document due, looking at everything behind it; with `wait`, tell the steps until its run has ended."""
        document = DocumentId(_argument(arguments, "document"))
        key = document_key(document)
        notice = Notice(key=key, topic="operator", deep=True)
        async with self._daemon.watching(key) as runs:
            await self._daemon.foundation.intake.offer([notice], lane=Lane.INTERACTIVE)
            if not arguments.get("wait"):
                yield {"result": {"key": key, "state": "queued"}}
                return
            step = ""
            while True:
                finished: Mapping[str, str] | None = None
                with anyio.move_on_after(TICK):
                    run = await runs.receive()
                    finished = {"word": run.word, "detail": run.detail}
                running = self._daemon.workers.running.get(key) if self._daemon.workers else None
                if running is not None and running.step != step:
                    step = running.step
                    yield {"progress": step}
                if finished is None and running is None:
                    finished = await self._ended_elsewhere(key)
                if finished is not None and finished["word"] not in ("again", "released", "remote_away"):
                    yield {"result": {"key": key, "ok": finished["word"] in GOOD_ENDINGS, **finished}}
                    return

    async def _ended_elsewhere(self, key: WorkKey) -> Mapping[str, str] | None:
        """Another daemon may have done it: the queue does not know the key any more, or has parked it."""
        entry = await self._daemon.queue.show(key)
        if entry is None:
            memory = (await self._daemon.foundation.ledger.recall(DocumentId(key.removeprefix("doc:")))).memory
            return {"word": memory.summary or "deleted", "detail": memory.reason}
        if entry.state is KeyState.PARKED:
            return {"word": "parked", "detail": entry.error or ""}
        return None

    async def retry(self, arguments: Mapping[str, Any]) -> Answer:
        """Try a key again now, or every parked one; valves that hold it let it pass once."""
        if arguments.get("all"):
            yield {"result": {"retried": await self._daemon.queue.retry_all()}}
            return
        key = WorkKey(_argument(arguments, "key"))
        if not await self._daemon.queue.retry(key):
            raise ConfigError(
                f"the queue does not know {key}.", fix=f"Make it due: docsyncd sync {key.removeprefix('doc:')}"
            )
        yield {"result": {"retried": 1}}

    async def pause(self, arguments: Mapping[str, Any]) -> Answer:
        """Claim nothing until `resume`, in every daemon of the group; webhooks are still taken."""
        del arguments
        await self._daemon.queue.pause(True)
        yield {"result": {"paused": True}}

    async def resume(self, arguments: Mapping[str, Any]) -> Answer:
        """End a pause."""
        del arguments
        await self._daemon.queue.pause(False)
        yield {"result": {"paused": False}}

    async def reload(self, arguments: Mapping[str, Any]) -> Answer:
        """Read the configuration anew; on any error the old one stays."""
        del arguments
        yield {"result": {"message": await self._daemon.reload()}}

    async def _queue(self) -> Mapping[str, Any]:
        try:
            counts = await self._daemon.queue.counts()
        except QueueUnavailable as away:
            return {"away": str(away)}
        return {
            "paused": counts.paused,
            "depth": {lane: dict(states) for lane, states in counts.depth.items()},
            "oldest": dict(counts.oldest),
        }

    def _remotes(self) -> Sequence[Mapping[str, Any]]:
        generation = self._daemon.current
        return [
            {
                "name": transport.remote,
                "address": transport.settings.base_url,
                "away": str(transport.breaker.reason) if transport.breaker.reason else None,
                "seconds": round(transport.breaker.open_seconds),
            }
            for transport in (generation.transports if generation else ())
        ]

    def _running(self) -> Sequence[Mapping[str, Any]]:
        daemon = self._daemon
        now = daemon.clock.monotonic()
        return [
            {"key": key, "step": run.step, "seconds": round(now - run.started, 1)}
            for key, run in (daemon.workers.running.items() if daemon.workers else ())
        ]

    def _webhooks(self) -> Mapping[str, Any]:
        if self._daemon.counters is None:
            return {}
        stats = self._daemon.counters.stats()
        return {
            "last_good": {topic: at.isoformat() for topic, at in stats.last_good.items()},
            "requests": [
                {"topic": topic, "outcome": outcome, "count": count}
                for (topic, outcome), count in sorted(stats.requests.items())
            ],
        }

    def _advice(self, document: DocumentId, entry: Entry | None, summary: str, *, known: bool) -> str:
        """The one thing that helps now."""
        away = [remote for remote in self._remotes() if remote["away"]]
        if away:
            names = ", ".join(str(remote["name"]) for remote in away)
            return f"{names} is away; work goes on by itself when it answers again. See: docsyncd status"
        if entry is not None and entry.state is KeyState.PARKED:
            return f"Mend the cause that the error names, then: docsyncd retry {entry.key}"
        if entry is not None and entry.state is not KeyState.PARKED:
            return "It is in the queue; nothing needs to be done."
        if summary == "observed":
            return 'The index flow only observes. To let it work, set [index] mode = "live" and: docsyncd reload'
        if summary == "unplaced":
            return "No active collection with consent is linked to it. Link one in EspoCRM, or set the consent field."
        if not known:
            return f"docsyncd has not looked at it yet. To look now: docsyncd sync {document}"
        return f"Nothing is left to do. To look at everything again: docsyncd sync {document}"


def _entry(entry: Entry) -> Mapping[str, Any]:
    return {
        "key": entry.key,
        "state": entry.state,
        "lane": entry.lane,
        "attempts": entry.attempts,
        "since": entry.since,
        "due": entry.due,
        "error": entry.error,
        "worker": entry.worker,
    }


def _argument(arguments: Mapping[str, Any], name: str) -> str:
    value = str(arguments.get(name, "")).strip()
    if not value:
        raise ConfigError(f"the command needs a {name}.", fix="See: docsyncd --help")
    return value
