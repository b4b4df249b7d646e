"""Which document and which file are which item.

Does not compare contents to find changes, and decides nothing: it only says what belongs together. A document is its id.
A Windows file is, in this order (reference/advoware-windows-sync.md, 2.2): its file id, wherever it lies now; its path; a content
that exactly one unclaimed file and exactly one missing item have. A watcher of level basic gives no file ids: the first
step then finds nothing, and the other two are all there is (rows 27 and 28). A content is enough to follow a file, not to replace
it: an item whose document was edited meanwhile is not looked for by content.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from docsyncd.core.ancestor import Ancestor, ItemId
from docsyncd.core.model import ContentHash, FileState, Volume
from docsyncd.core.paths import NtfsKey, is_conflict_copy, is_nobodys, ntfs_key, windows_path


class Found(StrEnum):
    """How the Windows file of an item was recognised."""

    FILE_ID = "file id"
    PATH = "path"
    HASH = "hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What belongs together. No ancestor: new. No record, no replica: that side was not seen.

    :param found: how the file was recognised; None without an ancestor or without a file.
    :param ambiguous: the file is gone, but its content lies about elsewhere, more than once or for more than one item (row 28).
    :param rebuilt: the ancestor was read from the record's own fields and is not committed.
    """

    ancestor: Ancestor | None
    record: FileState | None
    replica: FileState | None
    found: Found | None = None
    ambiguous: bool = False
    rebuilt: bool = False

    @property
    def known_record(self) -> FileState | None:
        """The document when both sides last agreed."""
        return None if self.ancestor is None else self.ancestor.record

    @property
    def known_replica(self) -> FileState | None:
        """The Windows file when both sides last agreed."""
        return None if self.ancestor is None else self.ancestor.replica

    @property
    def name(self) -> str:
        """What people call it: the Windows path, else the document's name."""
        states = (self.replica, self.record, self.known_replica, self.known_record)
        return next((state.path for state in states if state is not None), "")


def identify(
    ancestors: Iterable[Ancestor],
    records: Iterable[FileState],
    replicas: Iterable[FileState],
    *,
    rebuilt: frozenset[ItemId] = frozenset(),
) -> tuple[Item, ...]:
    """Every ancestor, document and file, each in exactly one item; known items first, all in a fixed order."""
    known = sorted(ancestors, key=lambda a: a.item)
    documents = {state.file_id: state for state in sorted(records, key=lambda s: (s.file_id or "", s.path))}
    unclaimed = {ntfs_key(state.path): state for state in sorted(replicas, key=lambda s: s.path)}
    claims = _claims(known, unclaimed)
    edited = {a.item for a in known if a.record and documents.get(a.record.file_id, a.record).content != a.content}
    ambiguous = _by_hash([a for a in known if a.item not in edited], claims, unclaimed)
    items = [
        Item(
            ancestor=ancestor,
            record=documents.pop(ancestor.record.file_id, None) if ancestor.record else None,
            replica=claims[ancestor.item][0] if ancestor.item in claims else None,
            found=claims[ancestor.item][1] if ancestor.item in claims else None,
            ambiguous=ancestor.item in ambiguous,
            rebuilt=ancestor.item in rebuilt,
        )
        for ancestor in known
    ]
    items += _pairs(list(documents.values()), unclaimed)
    items += [Item(ancestor=None, record=None, replica=file) for file in unclaimed.values()]
    return tuple(items)


def _pairs(documents: list[FileState], unclaimed: dict[NtfsKey, FileState]) -> Iterator[Item]:
    """New documents with the new file of their name; where several documents have one name, an equal content comes first."""

    def key_of(document: FileState) -> NtfsKey | None:
        path = windows_path(document.path)
        return ntfs_key(path) if path else None

    def differs(document: FileState) -> bool:
        file = unclaimed.get(key_of(document) or NtfsKey(""))
        return file is None or file.content is None or file.content != document.content

    for document in sorted(documents, key=differs):
        file = unclaimed.pop(key_of(document) or NtfsKey(""), None)
        yield Item(ancestor=None, record=document, replica=file)


Claims = dict[ItemId, tuple[FileState, Found]]


def _claims(known: list[Ancestor], unclaimed: dict[NtfsKey, FileState]) -> Claims:
    """File ids first, paths second. An id under a nobody's name (Word saves) counts only if the path is empty."""
    by_id: dict[str | None, NtfsKey] = {s.file_id: key for key, s in unclaimed.items() if s.file_id is not None}
    claims: Claims = {}

    def claim(ancestor: Ancestor, key: NtfsKey | None, found: Found, *, temporary: bool) -> None:
        if ancestor.item in claims or key not in unclaimed:
            return
        if temporary or not is_nobodys(key) or key == ancestor.key:
            claims[ancestor.item] = (unclaimed.pop(key), found)

    placed = [(ancestor, ancestor.replica) for ancestor in known if ancestor.replica is not None]
    for ancestor, state in placed:
        claim(ancestor, by_id.get(state.file_id), Found.FILE_ID, temporary=False)
    for ancestor, _ in sorted(placed, key=lambda p: p[0].missing is not None):
        claim(ancestor, ancestor.key, Found.PATH, temporary=True)
    for ancestor, state in placed:
        claim(ancestor, by_id.get(state.file_id), Found.FILE_ID, temporary=True)
    return claims


def _by_hash(known: list[Ancestor], claims: Claims, unclaimed: dict[NtfsKey, FileState]) -> frozenset[ItemId]:
    """Claims what is one to one, and returns the items whose content was found, but not one to one."""
    missing: dict[ContentHash, list[Ancestor]] = defaultdict(list)
    for ancestor in known:
        if ancestor.item not in claims and ancestor.replica is not None and ancestor.content is not None:
            missing[ancestor.content].append(ancestor)
    present: dict[ContentHash, list[NtfsKey]] = defaultdict(list)
    for key, state in unclaimed.items():
        if state.content in missing and not is_nobodys(key):
            present[state.content].append(key)
    ambiguous: set[ItemId] = set()
    for content, keys in present.items():
        if len(keys) == 1 and len(missing[content]) == 1:
            claims[missing[content][0].item] = (unclaimed.pop(keys[0]), Found.HASH)
        else:
            ambiguous.update(ancestor.item for ancestor in missing[content])
    return frozenset(ambiguous)


def is_copy_of_a_conflict(item: Item) -> bool:
    """A document under the name of a conflict copy that no Windows file belongs to: it stays a record only."""
    return item.record is not None and item.replica is None and is_conflict_copy(item.record.path)


def shortcuts_hold(then: Volume | None, now: Volume | None) -> bool:
    """May any hash of the last run be used again? Not after another volume or journal, nor if the journal went back (row 51)."""
    if then is None or now is None:
        return False
    return (then.serial, then.journal) == (now.serial, now.journal) and now.next_usn >= then.next_usn


def hash_still_holds(then: FileState, now: FileState) -> bool:
    """With `shortcuts_hold`: may the hash of this very file be used again? Only if all that could move stood still (decision 3)."""
    return (
        now.file_id is not None
        and (then.file_id, then.revision, then.size, then.modified_at)
        == (now.file_id, now.revision, now.size, now.modified_at)
        and then.content is not None
    )
