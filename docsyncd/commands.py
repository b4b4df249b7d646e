"""What people ask the running daemon: each command is one async generator over the control socket.

Everything here is told as plain values; `cli` turns them into tables. Commands that act are marked so.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.abc import ObjectReceiveStream

from docsyncd import __version__
from docsyncd.advice import Standing, advise, state_of
from docsyncd.core.model import DocumentId, Lane, Notice, WorkKey, document_key
from docsyncd.engine.intake import DOCUMENT
from docsyncd.errors import ConfigError, QueueUnavailable
from docsyncd.serve.control import Command
from docsyncd.work.queue import Entry, KeyState, Offer
from docsyncd.worker import Finished, Step

if TYPE_CHECKING:
    from docsyncd.daemon import Daemon

Answer = AsyncIterator[Mapping[str, Any]]

TICK: Final = 0.25
"""Seconds between two looks at a key that no run of ours tells anything of, for `sync --wait`."""

INSISTED_WITHIN: Final = 60.0
"""Seconds that a key waits between its offer and the operator's word, which follows at once; long only if Redis goes away."""

GOOD_ENDINGS: Final = frozenset({"indexed", "unplaced", "deleted", "observed", "out of scope", "unsupported"})

GIVEN_BACK: Final = frozenset({"again", "released", "remote_away", "queue_away", "lease_lost"})
"""Endings after which the key is still due: nobody's fault, or another worker's turn."""


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
        document = _document(arguments)
        recall = await self._daemon.foundation.ledger.recall(document)
        decisions = [json.loads(line) for line in await self._daemon.foundation.ledger.decisions(document)]
        memory = recall.memory
        seen = await self._standing(document, memory.summary or _last_outcome(decisions))
        yield {
            "result": {
                "document": document,
                "queue": _entry(seen.entry) if seen.entry else None,
                "summary": state_of(seen),
                "reason": memory.reason,
                "files": {file: stored.model_dump(mode="json") for file, stored in memory.files.items()},
                "collections": list(memory.wanted),
                "preview": memory.drawn.model_dump(mode="json") if memory.drawn else None,
                "decisions": decisions,
                "advice": advise(seen),
            }
        }

    async def sync(self, arguments: Mapping[str, Any]) -> Answer:
        """Make a document due, looking at everything behind it; with `wait`, tell the steps until its run has ended."""
        document = _document(arguments)
        key = document_key(document)
        notice = Notice(key=key, topic="operator", deep=True)
        was_known = (await self._daemon.foundation.ledger.recall(document)).known
        async with self._daemon.watching(key) as events:
            await self._daemon.foundation.intake.offer([notice], lane=Lane.INTERACTIVE)
            if not arguments.get("wait"):
                yield {"result": {"key": key, "state": "queued"}}
                return
            told = ""
            while True:
                words, ended = await self._next(document, events)
                if ended is not None:
                    yield {"result": await self._ending(document, ended, was_known=was_known)}
                    return
                if words and words != told:
                    told = words
                    yield {"progress": words}

    async def _next(
        self, document: DocumentId, events: ObjectReceiveStream[Step | Finished]
    ) -> tuple[str, Finished | None]:
        """What to tell now, and the end if it has come."""
        with anyio.move_on_after(TICK):
            match await events.receive():
                case Step() as step:
                    return step.words, None
                case Finished(word="again") as look:
                    return look.detail, None
                case Finished() as finished if finished.word not in GIVEN_BACK:
                    return "", finished
        if self._daemon.workers is not None and document_key(document) in self._daemon.workers.running:
            return "", None
        seen = await self._standing(document, "")
        return await self._between(seen)

    async def _between(self, seen: Standing) -> tuple[str, Finished | None]:
        """No run of this daemon is under way: it waits, or another daemon has done it."""
        if seen.entry is None:
            memory = (await self._daemon.foundation.ledger.recall(seen.document)).memory
            return "", Finished(word=memory.summary or "deleted", detail=memory.reason)
        if seen.entry.state is KeyState.PARKED:
            return "", Finished(word="parked", detail=seen.entry.error or "")
        if any(seen.away.values()):
            return "", Finished(word="credentials_refused", detail=seen.entry.error or "")
        return (advise(seen) if seen.paused or seen.away else ""), None

    async def _ending(self, document: DocumentId, ended: Finished, *, was_known: bool) -> Mapping[str, Any]:
        """The answer of `sync --wait`. Gone, and never known: most likely a wrong id."""
        result: dict[str, Any] = {"key": document_key(document), "ok": ended.word in GOOD_ENDINGS}
        if ended.word == "deleted" and not was_known:
            catalog = self._daemon.current.config.settings.index.catalog if self._daemon.current else "the catalog"
            told = f"{catalog} has no document {document}, and docsyncd never knew one"
            advice = "Check the id: it stands at the end of the document's address in EspoCRM."
            return {**result, "ok": False, "word": "unknown", "detail": told, "advice": advice}
        result |= {"word": ended.word, "detail": ended.detail}
        if not result["ok"] or ended.word in ("observed", "unplaced", "unsupported"):
            result["advice"] = advise(await self._standing(document, ended.word))
        return result

    async def retry(self, arguments: Mapping[str, Any]) -> Answer:
        """Try a key again now, or every parked one; valves that hold it let it pass once."""
        if arguments.get("all"):
            yield {"result": {"retried": await self._daemon.queue.retry_all()}}
            return
        key = WorkKey(_argument(arguments, "key"))
        key = key if ":" in key else document_key(DocumentId(key))
        if not await self._daemon.queue.retry(key):
            await self._make_due(key)
            await self._daemon.queue.retry(key)
        yield {"result": {"retried": 1}}

    async def _make_due(self, key: WorkKey) -> None:
        """A document that the index failed waits nowhere; offered with a delay, it is still there to be insisted on."""
        recall = await self._daemon.foundation.ledger.recall(DocumentId(key.removeprefix(DOCUMENT)))
        if not key.startswith(DOCUMENT) or not recall.known:
            raise ConfigError(
                f"docsyncd knows no key {key}.",
                fix="`docsyncd errors` lists the keys; a document is looked at by: docsyncd sync ID",
            )
        offer = Offer(key=key, lane=Lane.INTERACTIVE, group=recall.memory.group, delay=INSISTED_WITHIN)
        await self._daemon.queue.add([offer])

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

    async def _standing(self, document: DocumentId, summary: str) -> Standing:
        """Where it stands in the queue, and what stands in its way."""
        generation = self._daemon.current
        breakers = [transport.breaker for transport in generation.needed] if generation else []
        return Standing(
            document=document,
            entry=await self._daemon.queue.show(document_key(document)),
            summary=summary,
            away={breaker.remote: breaker.refused_credentials for breaker in breakers if breaker.reason is not None},
            paused=(await self._daemon.queue.counts()).paused,
        )


def _last_outcome(decisions: Sequence[Mapping[str, Any]]) -> str:
    """A document that is gone has no memory, but what was decided last."""
    return "deleted" if decisions and decisions[0]["outcome"] == "deleted" else ""


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


def _document(arguments: Mapping[str, Any]) -> DocumentId:
    """People also paste the key, `doc:` and the id."""
    return DocumentId(_argument(arguments, "document").removeprefix(DOCUMENT))


def _argument(arguments: Mapping[str, Any], name: str) -> str:
    value = str(arguments.get(name, "")).strip()
    if not value:
        raise ConfigError(f"the command needs a {name}.", fix="See: docsyncd --help")
    return value
