"""What the commands print for people. `--json` prints the daemon's answer as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

LANES = ("interactive", "normal", "bulk")
STATES = ("ready", "active", "delayed", "parked")


def as_json(answer: Any) -> str:
    """One JSON document, readable umlauts, stable key order."""
    return json.dumps(answer, ensure_ascii=False, sort_keys=True, indent=2)


def status(answer: Mapping[str, Any]) -> RenderableType:
    """Queue, remotes and what is being worked on."""
    head = Text.assemble(
        ("docsyncd ", "bold"), answer["version"], f"  mode {answer['mode']}  since {_time(answer['started'])}"
    )
    parts: list[RenderableType] = [head, _queue(answer["queue"]), _remotes(answer["remotes"])]
    if answer["running"]:
        running = _table("being worked on", "key", "step", "seconds")
        for run in answer["running"]:
            running.add_row(run["key"], run["step"], str(run["seconds"]))
        parts.append(running)
    last = answer["webhooks"].get("last_good", {})
    heard = ", ".join(f"{topic} {_time(at)}" for topic, at in sorted(last.items())) or "none yet"
    parts.append(Text(f"last webhooks: {heard}"))
    finished = ", ".join(f"{word} {count}" for word, count in answer["finished"].items()) or "nothing yet"
    parts.append(Text(f"finished since the start: {finished}"))
    return Group(*parts)


def _queue(queue: Mapping[str, Any]) -> RenderableType:
    if "away" in queue:
        return Text(f"queue: {queue['away']}", style="bold red")
    table = _table("queue" + ("  (paused)" if queue["paused"] else ""), "lane", *STATES, "oldest waits")
    for lane in LANES:
        depth = queue["depth"].get(lane, {})
        oldest = queue["oldest"].get(lane)
        table.add_row(lane, *(str(depth.get(state, 0)) for state in STATES), f"{oldest:.0f} s" if oldest else "-")
    return table


def _remotes(remotes: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = _table("remotes", "name", "address", "state")
    for remote in remotes:
        state = (
            Text(f"away for {remote['seconds']} s: {remote['away']}", "red")
            if remote["away"]
            else Text("well", "green")
        )
        table.add_row(remote["name"], remote["address"], state)
    return table


def errors(answer: Mapping[str, Any]) -> RenderableType:
    """Parked and failing keys, with what helps."""
    if not answer["errors"]:
        return Text("No errors: nothing is parked and nothing is failing.", style="green")
    table = _table("errors", "key", "state", "attempts", "next", "error")
    for entry in answer["errors"]:
        due = entry["due"]
        when = "on retry" if entry["state"] == "parked" else _time(datetime.fromtimestamp(due, UTC).isoformat())
        table.add_row(entry["key"], entry["state"], str(entry["attempts"]), when, escape(entry["error"] or ""))
    return Group(table, Text("To try one again now: docsyncd retry KEY   (all parked ones: docsyncd retry --all)"))


def explain(answer: Mapping[str, Any]) -> RenderableType:
    """One document: where it stands, why, what was done, what helps."""
    parts: list[RenderableType] = [
        Text.assemble(("document ", "bold"), answer["document"], ("  " + answer["summary"], "bold cyan"))
    ]
    if answer["reason"]:
        parts.append(Text(f"reason: {answer['reason']}"))
    if answer["queue"]:
        entry = answer["queue"]
        held = f", held by {entry['worker']}" if entry["worker"] else ""
        parts.append(Text(f"queue: {entry['state']}, attempt {entry['attempts']}{held}. {entry['error'] or ''}"))
    parts.append(Text(f"collections: {', '.join(answer['collections']) or 'none'}"))
    parts.append(Text(f"files in the index: {', '.join(answer['files']) or 'none'}"))
    if answer["decisions"]:
        table = _table("last decisions", "at", "outcome", "steps", "reason")
        for decision in answer["decisions"]:
            steps = " → ".join(decision["steps"]) or "-"
            table.add_row(_time(decision["at"]), decision["outcome"], escape(steps), escape(decision["reason"]))
        parts.append(table)
    parts.append(Text.assemble(("what helps: ", "bold"), answer["advice"]))
    return Group(*parts)


def failure(console: Console, message: str, fix: str = "") -> None:
    """An error and the way out, on standard error."""
    console.print(Text.assemble(("error: ", "bold red"), message))
    if fix:
        console.print(Text.assemble(("  fix: ", "bold"), fix))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _time(iso: str) -> str:
    """Local time of this terminal, to the second."""
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M:%S")
