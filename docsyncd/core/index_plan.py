"""Which step brings the index in line with a document next.

Does not read, upload or wait; does not know a remote. The engine shows it a `View`, carries the answered step out, updates
the view and asks again, so that a crash at any point is just another view. Design: index-sync.md, "One document".

The order is the promise: the new content is uploaded, placed and READY in a collection before the old one leaves it, so that no
collection is ever without the document. Only what is no longer allowed leaves at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from docsyncd.core.model import (
    AttachmentId,
    CollectionId,
    CollectionStage,
    ContentHash,
    Digests,
    Document,
    DocumentStatus,
    IndexFileId,
    IndexStatus,
    Membership,
    Placement,
    PlacementState,
)


class PreviewNeed(StrEnum):
    """SETTLED: drawn for this content, or known to be impossible. OFF: nobody wants one. WANTED: to be drawn."""

    SETTLED = "settled"
    OFF = "off"
    WANTED = "wanted"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that the next step depends on.

    :param document: the record as last read or written.
    :param memberships: its links to collections, with the consent as read in this run.
    :param content: hashes of the bytes behind `document.file`, or None while nobody has read them.
    :param staged: the bytes lie on the local disk.
    :param refusal: why the index cannot take this content at all, or None.
    :param current: our file of the index that holds exactly this content, if there is one.
    :param files: every file of the index that is this document's, with the content it holds (None: unknown).
    :param placements: where those files are, as the index said in this run; ABSENT ones are left out.
    :param elsewhere: the same for collections that are not ours to touch (`IndexScope`): they count, and never change.
    :param gone: collections that the index no longer has.
    :param preview: whether one has to be drawn, and `picture` the attachment that shows this content.
    :param insisted: an operator asked for this run: what the index failed is tried again.
    :param problem: what to tell the people who read the record, if `failed_placements` or `gone_but_wanted` is not empty.
    """

    document: Document
    memberships: tuple[Membership, ...]
    content: Digests | None
    staged: bool
    refusal: str | None
    current: IndexFileId | None
    files: Mapping[IndexFileId, ContentHash | None]
    placements: tuple[Placement, ...]
    gone: frozenset[CollectionId]
    preview: PreviewNeed
    picture: AttachmentId | None
    insisted: bool
    elsewhere: tuple[Placement, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Bring the bytes to the local disk and hash them; draw the preview while at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """Say in the record that indexing has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Store the staged bytes in the index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Make the file a member of the collection."""

    file: IndexFileId
    collection: CollectionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Await:
    """Look again later: the index still works on these collections."""

    collections: tuple[CollectionId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """End a membership. `reason` is a word for the ledger: `unwanted`, `replaced` or `retried`."""

    file: IndexFileId
    collection: CollectionId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Delete a file that is placed nowhere."""

    file: IndexFileId


@dataclass(frozen=True, slots=True, kw_only=True)
class Save:
    """Write the outcome into the record, only what differs."""

    status: DocumentStatus | None
    index_status: IndexStatus | None
    values: Mapping[str, str | tuple[str, ...] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Nothing to do: the record and the index agree. `summary` is a word: `indexed`, `unsupported`, `failed`, `unplaced`."""

    summary: str


Step = Fetch | Announce | Upload | Place | Await | Withdraw | Forget | Save | Settled


def is_wanted(membership: Membership) -> bool:
    """Active, created and consented to. Nothing else lets a document leave the house."""
    return membership.collection is not None and membership.stage is CollectionStage.ACTIVE and membership.consent


def is_left_alone(membership: Membership) -> bool:
    """Paused, deactivated or of unknown stage: neither filled nor emptied (but consent withdrawn empties it)."""
    return membership.collection is not None and membership.stage is not CollectionStage.ACTIVE and membership.consent


def wanted(view: View) -> tuple[CollectionId, ...]:
    """The collections that must hold the document, sorted; none if it has no file or the index cannot take it."""
    if view.document.file is None or view.refusal is not None:
        return ()
    found = {m.collection for m in view.memberships if m.collection is not None and is_wanted(m)}
    return tuple(sorted(found - view.gone))


def left_alone(view: View) -> frozenset[CollectionId]:
    """The collections that keep what they have."""
    return frozenset(m.collection for m in view.memberships if m.collection is not None and is_left_alone(m))


def gone_but_wanted(view: View) -> tuple[CollectionId, ...]:
    """Collections that should hold the document and no longer exist: their mapping halts, nothing is re-created."""
    found = {m.collection for m in view.memberships if m.collection is not None and is_wanted(m)}
    return tuple(sorted(found & view.gone))


def next_step(view: View) -> Step:
    """The next step, or `Settled`. Each rule stands alone; their order is what the module's docstring promises."""
    for rule in RULES:
        step = rule(view)
        if step is not None:
            return step
    return Settled(summary=summary(view))


def removal_step(placements: tuple[Placement, ...], files: Mapping[IndexFileId, ContentHash | None]) -> Step:
    """The next step for a document that the catalog has deleted: out of every collection, then out of the index."""
    for placement in placements:
        return Withdraw(file=placement.file, collection=placement.collection, reason="deleted")
    for file in sorted(files):
        return Forget(file=file)
    return Settled(summary="deleted")


def _withdraw_what_is_not_allowed(view: View) -> Step | None:
    allowed = {*wanted(view), *left_alone(view), *view.gone}
    for placement in view.placements:
        if placement.collection not in allowed:
            return Withdraw(file=placement.file, collection=placement.collection, reason="unwanted")
    return None


def _fetch_what_is_unknown(view: View) -> Step | None:
    if view.document.file is None or view.staged:
        return None
    unsent = bool(wanted(view)) and (view.content is None or view.current is None)
    undrawn = view.preview is PreviewNeed.WANTED
    return Fetch() if unsent or undrawn else None


def _announce_before_the_first_effect(view: View) -> Step | None:
    if not wanted(view) or view.document.index_status is IndexStatus.SYNCING:
        return None
    return Announce() if view.current is None or _missing(view) else None


def _upload_new_content(view: View) -> Step | None:
    return Upload() if wanted(view) and view.current is None else None


def _retry_what_the_index_failed(view: View) -> Step | None:
    if not view.insisted:
        return None
    for placement in failed_placements(view):
        return Withdraw(file=placement.file, collection=placement.collection, reason="retried")
    return None


def _place_where_it_is_missing(view: View) -> Step | None:
    if view.current is None:
        return None
    for collection in _missing(view):
        return Place(file=view.current, collection=collection)
    return None


def _await_the_index(view: View) -> Step | None:
    pending = tuple(
        p.collection for p in view.placements if p.file == view.current and p.state is PlacementState.PENDING
    )
    return Await(collections=pending) if pending else None


def _withdraw_what_was_replaced(view: View) -> Step | None:
    ready = {p.collection for p in view.placements if p.file == view.current and p.state is PlacementState.READY}
    for placement in view.placements:
        if placement.file != view.current and placement.collection in ready:
            return Withdraw(file=placement.file, collection=placement.collection, reason="replaced")
    return None


def _forget_what_is_placed_nowhere(view: View) -> Step | None:
    if gone_but_wanted(view):
        return None
    placed = {p.file for p in (*view.placements, *view.elsewhere)}
    needed = {view.current} if wanted(view) else set()
    for file in sorted(view.files):
        if file not in placed and file not in needed:
            return Forget(file=file)
    return None


def _save_what_differs(view: View) -> Step | None:
    target = _target(view)
    status = None if target.status in (None, view.document.status) else target.status
    index_status = None if target.index_status in (None, view.document.index_status) else target.index_status
    values = {name: value for name, value in target.values.items() if _differs(view, name, value)}
    if status is None and index_status is None and not values:
        return None
    return Save(status=status, index_status=index_status, values=values)


RULES = (
    _withdraw_what_is_not_allowed,
    _fetch_what_is_unknown,
    _announce_before_the_first_effect,
    _upload_new_content,
    _retry_what_the_index_failed,
    _place_where_it_is_missing,
    _await_the_index,
    _withdraw_what_was_replaced,
    _forget_what_is_placed_nowhere,
    _save_what_differs,
)
"""In this order: the first rule that has a step decides."""


def _missing(view: View) -> tuple[CollectionId, ...]:
    """Wanted collections without the current content."""
    held = {p.collection for p in view.placements if p.file == view.current}
    return tuple(c for c in wanted(view) if c not in held)


def failed_placements(view: View) -> tuple[Placement, ...]:
    """Where the index gave up on the current content, with its reasons."""
    return tuple(p for p in view.placements if p.file == view.current and p.state is PlacementState.FAILED)


def summary(view: View) -> str:
    if view.refusal is not None and any(is_wanted(m) for m in view.memberships):
        return "unsupported"
    if failed_placements(view) or gone_but_wanted(view):
        return "failed"
    return "indexed" if wanted(view) else "unplaced"


def _target(view: View) -> Save:
    """What the record should say. Attribute names are those of `Document`."""
    common: dict[str, str | tuple[str, ...] | None] = {}
    if view.content is not None:
        common |= {"md5": view.content.md5, "sha256": view.content.sha256}
    if view.picture is not None:
        common["preview"] = view.picture
    placed = {
        "index_file": view.current,
        "collections": tuple(
            sorted({p.collection for p in (*view.placements, *view.elsewhere) if p.file == view.current})
        ),
        "indexed_hash": view.content.blake3 if view.content is not None else None,
    }
    nowhere: dict[str, str | tuple[str, ...] | None] = {"index_file": None, "collections": (), "indexed_hash": None}
    match summary(view):
        case "indexed":
            return Save(
                status=DocumentStatus.SYNCED,
                index_status=IndexStatus.SYNCED,
                values={**common, **placed, "index_error": None},
            )
        case "failed":
            return Save(
                status=DocumentStatus.FAILED,
                index_status=IndexStatus.FAILED,
                values={**common, "index_error": view.problem},
            )
        case "unsupported":
            return Save(
                status=DocumentStatus.FAILED,
                index_status=IndexStatus.UNSUPPORTED,
                values={**common, **nowhere, "index_error": view.refusal},
            )
    if view.elsewhere or any(p.collection in left_alone(view) for p in view.placements):
        # What is left alone says what it said; but nobody works on it, and an interrupted run left `syncing`.
        interrupted = view.document.index_status is IndexStatus.SYNCING
        return Save(status=None, index_status=IndexStatus.NONE if interrupted else None, values=common)
    claims_success = view.document.status in (DocumentStatus.SYNCED, DocumentStatus.FAILED)
    return Save(
        status=DocumentStatus.NONE if claims_success else None,
        index_status=IndexStatus.NONE,
        values={**common, **nowhere, "index_error": None},
    )


def _differs(view: View, name: str, value: str | tuple[str, ...] | None) -> bool:
    held = getattr(view.document, name)
    if name == "indexed_hash" and view.content is not None and value is not None:
        return not view.content.names(held)
    if name == "collections":
        return set(held) != set(value or ())
    return bool(held != value)
