"""Which Windows files belong to the case file, by the History; and what else the History says about files.

Reads no History, maps no drive letters (the connector does) and never says that a file is gone: an entry may be deleted while its
document is kept (reference/advoware-windows-sync.md, 1.5). Rows 38 to 44 and 47.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from docsyncd.core.ancestor import ItemId
from docsyncd.core.identity import Item
from docsyncd.core.model import JournalEntry, RelativePath
from docsyncd.core.paths import NtfsKey, ntfs_key


class Belonging(StrEnum):
    """What the History says about a file. UNKNOWN: it could not be asked, or says less than it must."""

    REGISTERED = "registered"
    UNREGISTERED = "unregistered"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something worth telling that changes no content. `row` is the reference's."""

    row: int
    subject: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One entry to be made in the History, once: look for `marker` first, then create (row 38)."""

    path: RelativePath
    marker: ItemId


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The History of one case file. `known` is False where it cannot be trusted; then it speaks about nothing."""

    known: bool
    entries: Mapping[NtfsKey, tuple[JournalEntry, ...]]

    def belonging(self, path: str) -> Belonging:
        if not self.known:
            return Belonging.UNKNOWN
        return Belonging.REGISTERED if ntfs_key(path) in self.entries else Belonging.UNREGISTERED

    def entry(self, path: str) -> JournalEntry | None:
        """Of several entries on one file, the one with the lowest number (row 43)."""
        return next(iter(self.entries.get(ntfs_key(path), ())), None)


def read_history(entries: Sequence[JournalEntry] | None) -> History:
    """The entries by file. None: the History did not answer, or is not believed (`safety.history_is_short`, row 47)."""
    if entries is None:
        return History(known=False, entries={})
    files: dict[NtfsKey, list[JournalEntry]] = defaultdict(list)
    for entry in sorted(entries, key=_number):
        if entry.path is not None:
            files[ntfs_key(entry.path)].append(entry)
    return History(known=True, entries={key: tuple(found) for key, found in files.items()})


def _number(entry: JournalEntry) -> tuple[bool, int, str]:
    return (not entry.number, entry.number or 0, entry.path or "")


def findings(history: History, items: Iterable[Item]) -> Iterator[Finding]:
    """Entries without a file (rows 40 and 41), several on one (row 43), files that lost theirs (row 39)."""
    seen = {ntfs_key(item.replica.path): item for item in items if item.replica is not None}
    known = {item.ancestor.key for item in items if item.ancestor is not None}
    for key, entries in history.entries.items():
        path = str(entries[0].path)
        if key not in seen:
            row = 41 if key in known else 40
            yield Finding(row=row, subject=path, reason="the History names a file that is not there")
        elif len(entries) > 1:
            numbers = ", ".join(str(entry.number) for entry in entries)
            yield Finding(row=43, subject=path, reason=f"several History entries name it: {numbers}; the lowest counts")
    for item in seen.values():
        if item.ancestor is not None and history.belonging(item.name) is Belonging.UNREGISTERED:
            reason = "uploaded, not in History" if item.ancestor.ours else "in step, but not in the History any more"
            yield Finding(row=38 if item.ancestor.ours else 39, subject=item.name, reason=reason)


def registrations(history: History, items: Iterable[Item]) -> Iterator[Registration]:
    """What we put on Windows and the History does not know yet (row 38); for `history_writes` only."""
    for item in items:
        ancestor = item.ancestor
        if item.replica is None or ancestor is None or not ancestor.ours:
            continue
        if history.belonging(item.replica.path) is Belonging.UNREGISTERED:
            yield Registration(path=item.replica.path, marker=ancestor.item)


def unmapped(entries: Iterable[JournalEntry]) -> int:
    """Entries without a file of ours: calls and notes (row 42), or files outside the mapped roots (row 44). Never fetched."""
    return sum(entry.path is None for entry in entries)
