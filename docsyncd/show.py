"""What the commands print for people. `--json` prints the daemon's answer as it is.

One style for all: a heading, plain tables without lines between the rows, labelled facts whose long values wrap under
themselves. Nothing depends on colour; what goes into a pipe or a journal is not cut and not wrapped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from docsyncd.errors import DocsyncdError

LANES = ("interactive", "normal", "bulk")
STATES = ("ready", "active", "delayed", "parked")

UNWRAPPED = 4000
"""Columns of what is no terminal: a line of a journal or of `grep` is one line, however long."""

GOOD = frozenset({"indexed", "deleted", "unplaced", "collection created", "collection deleted", "nothing to keep"})
BAD = frozenset({"failed", "parked", "held", "bug", "credentials_refused", "unknown"})


def console(*, stderr: bool = False) -> Console:
    """Where people read: as wide as their terminal, or not wrapped at all. COLUMNS decides in both cases."""
    found = Console(stderr=stderr, highlight=False, emoji=False, markup=False)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = UNWRAPPED
    return found


def as_json(answer: Any) -> str:
    """One JSON document, readable umlauts, stable key order."""
    return json.dumps(answer, ensure_ascii=False, sort_keys=True, indent=2)


def status(answer: Mapping[str, Any]) -> RenderableType:
    """Queue, remotes and what is being worked on."""
    observing = " (nothing is written anywhere)" if answer["mode"] == "observe" else ""
    facts = [("mode", Text(answer["mode"] + observing)), ("running since", Text(_time(answer["started"])))]
    last = answer["webhooks"].get("last_good", {})
    heard = [f"{topic} {_time(at)}" for topic, at in sorted(last.items())]
    facts.append(("last webhooks", Text("\n".join(heard) or "none since the start")))
    finished = Text(", ").join(Text.assemble(f"{n} ", word(name)) for name, n in answer["finished"].items())
    facts.append(("finished", finished or Text("nothing since the start")))
    parts: list[RenderableType] = [Text.assemble(("docsyncd ", "bold"), answer["version"]), Labelled(facts), Text()]
    parts += [_queue(answer["queue"]), Text(), _remotes(answer["remotes"])]
    if answer["running"]:
        running = table("Being worked on", "key", "seconds", "step")
        for run in answer["running"]:
            running.add_row(run["key"], f"{run['seconds']:.0f}", run["step"])
        parts += [Text(), running]
    return Group(*parts)


def _queue(queue: Mapping[str, Any]) -> RenderableType:
    if "away" in queue:
        return Text.assemble(("Queue  ", "bold"), (queue["away"], "red"))
    found = table("Queue", "lane", *STATES, "oldest waits")
    for column in found.columns[1:]:
        column.justify = "right"
    for lane in LANES:
        depth = queue["depth"].get(lane, {})
        oldest = queue["oldest"].get(lane)
        found.add_row(lane, *(_count(depth, state) for state in STATES), _span(oldest) if oldest is not None else "-")
    if not queue["paused"]:
        return found
    return Group(found, Text.assemble(("paused: ", "bold yellow"), "nothing new is begun. To go on: docsyncd resume"))


def _count(depth: Mapping[str, int], state: str) -> Text:
    count = depth.get(state, 0)
    return Text(str(count), "bold red" if state == "parked" and count else "")


def _remotes(remotes: Sequence[Mapping[str, Any]]) -> RenderableType:
    found = table("Remotes", "name", "address", "state")
    for remote in remotes:
        away = Text(f"away for {_span(remote['seconds'])}: {remote['away']}", "red")
        found.add_row(remote["name"], remote["address"], away if remote["away"] else Text("well", "green"))
    return found


def errors(answer: Mapping[str, Any]) -> RenderableType:
    """Parked and failing keys, each with its reason and what helps."""
    found = answer["errors"]
    if not found:
        return Text("No errors: nothing is parked and nothing is failing.", "green")
    parts: list[RenderableType] = []
    for entry in found:
        parts += [Text(entry["key"], "bold"), Labelled(_trouble(entry)), Text()]
    parked = sum(entry["state"] == "parked" for entry in found)
    head = f"{parked} parked, {len(found) - parked} failing."
    if len(found) > 1:
        head += " All parked ones at once: docsyncd retry --all"
    return Group(*parts, Text(head))


def _trouble(entry: Mapping[str, Any]) -> list[tuple[str, Text]]:
    parked = entry["state"] == "parked"
    state = Text(f"{entry['state']} since {_clock(entry['since'])}", "red" if parked else "yellow")
    if entry["attempts"]:
        state.append(f", failed {times(entry['attempts'])}")
    due = f"by itself at {_clock(entry['due'])}; now: " if entry["due"] else ""
    return [
        ("state", state),
        ("error", Text(entry["error"] or "-")),
        ("next try", Text(f"{due}docsyncd retry {entry['key']}")),
    ]


def explain(answer: Mapping[str, Any]) -> RenderableType:
    """One document: where it stands, why, what was done, what helps."""
    facts = [("state", word(answer["summary"]))]
    if answer["reason"]:
        facts.append(("reason", Text(answer["reason"])))
    if answer["queue"]:
        facts.append(("queue", Text(_waiting(answer["queue"]))))
        if answer["queue"]["error"]:
            facts.append(("", Text(answer["queue"]["error"])))
    facts += [
        ("collections", Text("\n".join(answer["collections"]) or "none")),
        ("files at the index", Text("\n".join(answer["files"]) or "none")),
        ("preview", Text(_preview(answer["preview"]))),
    ]
    parts: list[RenderableType] = [Text.assemble(("Document ", "bold"), (answer["document"], "bold")), Labelled(facts)]
    if answer["decisions"]:
        parts += [Text(), _decisions(answer["decisions"])]
    return Group(*parts, Text(), Labelled([("what helps", Text(answer["advice"], "bold"))]))


def _waiting(entry: Mapping[str, Any]) -> str:
    words = str(entry["state"])
    words += f", by {entry['worker']}" if entry["worker"] else ""
    words += f", next look at {_clock(entry['due'])}" if entry["due"] and entry["state"] != "ready" else ""
    words += f", failed {times(entry['attempts'])}" if entry["attempts"] else ""
    return words


def _preview(drawn: Mapping[str, Any] | None) -> str:
    if drawn is None:
        return "none yet"
    return "in the record" if drawn["picture"] else f"none: {drawn['reason'] or 'without a reason'}"


def _decisions(decisions: Iterable[Mapping[str, Any]]) -> RenderableType:
    found = table("Last decisions, the newest first", "at", "outcome", "steps and reason")
    for decision in decisions:
        details = Text("\n").join(
            Text(line, style)
            for line, style in (
                (" → ".join(decision["steps"]), ""),
                (decision["reason"], ""),
                (f"trace {decision['trace']}", "dim"),
            )
            if line
        )
        found.add_row(_time(decision["at"]), word(decision["outcome"]), details)
    return found


def sync(answer: Mapping[str, Any]) -> RenderableType:
    """How the run ended, or that it is waiting."""
    if "word" not in answer:
        return Text(
            f"{answer['key']} is in the queue. To see what becomes of it: docsyncd explain {answer['key'].removeprefix('doc:')}"
        )
    line = Text.assemble(f"{answer['key']}: ", word(answer["word"]))
    facts = [(label, Text(answer[key])) for label, key in (("", "detail"), ("what helps", "advice")) if answer.get(key)]
    return Group(line, Labelled(facts)) if facts else line


def retried(answer: Mapping[str, Any]) -> RenderableType:
    """What `retry` did."""
    count = answer["retried"]
    if not count:
        return Text("Nothing is parked, so there is nothing to try again.")
    return Text(
        f"{count} {'key is' if count == 1 else 'keys are'} tried again now. To see what becomes of it: docsyncd errors"
    )


def paused(answer: Mapping[str, Any]) -> RenderableType:
    """What `pause` or `resume` did."""
    if answer["paused"]:
        return Text("Paused: nothing new is begun; webhooks are still taken. To go on: docsyncd resume")
    return Text("Not paused: work goes on.")


def reloaded(answer: Mapping[str, Any]) -> RenderableType:
    """What `reload` did."""
    return Text(f"Reloaded: {answer['message']}.", "green")


def step(words: str) -> RenderableType:
    """One line of progress."""
    return Labelled([("·", Text(words))], gap=1)


def check_config(answer: Mapping[str, Any]) -> RenderableType:
    """Each error with its fix, or what `run` will still need."""
    if not answer["ok"]:
        errors = (
            Text.assemble((error["key"], "bold"), error["message"].removeprefix(error["key"]))
            for error in answer["errors"]
        )
        head = Text(f"{answer['path']} cannot be used:", "bold red")
        return Group(head, Labelled([("", error) for error in errors]))
    missing = [
        Text(f"run will need {secret['key']}: {secret['source']} is not there yet", "yellow")
        for secret in answer["secrets"]
        if not secret["present"]
    ]
    head = Text(f"{answer['path']} is sound. The index flow is in mode {answer['mode']}.", "green")
    return Group(head, Labelled([("", secret) for secret in missing]))


def failure(console: Console, error: DocsyncdError) -> None:
    """An error and the way out, on standard error."""
    console.print(Labelled([("error:", Text(error.problem))], style="bold red", indent=0, gap=1))
    if error.fix:
        console.print(Labelled([("fix:", Text(error.fix))], style="bold", gap=1))


def word(name: str) -> Text:
    """How something ended or stands, in its colour."""
    return Text(name, "green" if name in GOOD else "bold red" if name in BAD else "yellow")


def table(title: str, *columns: str) -> Table:
    """The one kind of table, without lines."""
    made = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


class Labelled:
    """Facts behind their labels; a long one wraps under itself. (A grid would pad every line with spaces.)"""

    def __init__(self, facts: Iterable[tuple[str, Text]], *, style: str = "dim", indent: int = 2, gap: int = 2) -> None:
        self._facts = list(facts)
        self._style = style
        self._indent = indent
        self._gap = gap

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max((len(label) for label, _ in self._facts), default=0)
        gap = self._gap if width else 0
        left = self._indent + width + gap
        for label, value in self._facts:
            head = Text.assemble(" " * self._indent, (label.ljust(width), self._style), " " * gap)
            for line in value.wrap(console, max(options.max_width - left, 20), overflow="fold"):
                line.rstrip()
                yield head + line
                head = Text(" " * left)


def times(count: int) -> str:
    """`never`, `once`, `3 times`."""
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def _span(seconds: float) -> str:
    """`42 s`, `3 min`, `5 h`, `2 d`."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _clock(stamp: float) -> str:
    """Seconds since 1970 as local time."""
    return _time(datetime.fromtimestamp(stamp, UTC).isoformat())


def _time(iso: str) -> str:
    """Local time of this terminal, to the second."""
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M:%S")
