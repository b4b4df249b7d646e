"""Small case files for the tests of the decision: contents are letters, hashes their repetition. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from docsyncd.core.ancestor import Ancestor, CaseMemory, ItemId, Missing
from docsyncd.core.model import (
    CaseFileStage,
    ContentHash,
    FileState,
    JournalEntry,
    RelativePath,
    Revision,
    Scan,
    Volume,
)
from docsyncd.core.snapshot import Level, Settings, Snapshot

NOW: Final = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
"""The moment of every plan in these tests."""

LONG_AGO: Final = NOW - timedelta(days=3)
VOLUME: Final = Volume(serial="disk", journal="first", next_usn=1000)


def content(letter: str | None) -> ContentHash | None:
    """A letter's hash; "?" is unreadable, "" never hashed."""
    return None if letter in (None, "", "?") else ContentHash((letter or "") * 64)


def document(name: str, letter: str | None, number: int = 1, **changes: Any) -> FileState:
    usual = FileState(
        path=RelativePath(name),
        revision=Revision(f"attachment-{letter}"),
        size=1000,
        modified_at=LONG_AGO,
        content=content(letter),
        file_id=f"document-{number}",
    )
    return replace(usual, **changes)


def file(name: str, letter: str | None, number: int = 1, **changes: Any) -> FileState:
    usual = FileState(
        path=RelativePath(name),
        revision=Revision(f"usn-{letter}"),
        size=1000,
        modified_at=LONG_AGO,
        content=content(letter),
        file_id=f"file-{number}",
    )
    return replace(usual, **changes)


def ancestor(name: str, letter: str | None, number: int = 1, **changes: Any) -> Ancestor:
    usual = Ancestor(
        item=ItemId(f"item-{number}"),
        content=content(letter),
        record=document(name, letter, number),
        replica=file(name, letter, number),
    )
    return replace(usual, **changes)


def entry(path: str | None, number: int | None = 1) -> JournalEntry:
    return JournalEntry(number=number, path=RelativePath(path) if path else None, kind=None, text=None, date=None)


def memory(**changes: Any) -> CaseMemory:
    usual = CaseMemory(settled=True, instances=("us",), volume=VOLUME, archived=False)
    return replace(usual, **changes)


def snapshot(
    records: Iterable[FileState] = (),
    replicas: Iterable[FileState] = (),
    ancestors: Iterable[Ancestor] = (),
    history: Iterable[str] | None = None,
    **changes: Any,
) -> Snapshot:
    """A settled case file of level extended. Documents of ancestors that are not listed were asked for, and are gone."""
    records, replicas, ancestors = tuple(records), tuple(replicas), tuple(ancestors)
    listed = {state.file_id for state in records}
    known = {a.record.file_id for a in ancestors if a.record is not None and a.record.file_id is not None}
    names = [state.path for state in replicas] if history is None else list(history)
    usual = Snapshot(
        now=NOW,
        level=Level.EXTENDED,
        stage=CaseFileStage.ADMITTED,
        record=Scan(files=records, complete=True),
        replica=Scan(files=replicas, complete=True, volume=VOLUME),
        journal=tuple(entry(name, number) for number, name in enumerate(names, 1)),
        ancestors=ancestors,
        memory=memory(),
        settings=Settings(),
        gone=frozenset(d for d in known if d not in listed),
        instances=("us",),
        archived=False,
    )
    return replace(usual, **changes)


def missing(hours: float, *, suspect: bool = False) -> Missing:
    return Missing(since=NOW - timedelta(hours=hours), suspect=suspect)
