"""What a decision is made of. A plan is data: it can be shown, stored, compared and carried out by somebody else.

Does not decide and does not act. There is no change that deletes on Windows (V8), and none that writes without naming what it
replaces (V13): neither can be expressed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal, assert_never

from docsyncd.core.ancestor import Ancestor, CaseMemory, ItemId
from docsyncd.core.identity import Item
from docsyncd.core.membership import Finding, Registration
from docsyncd.core.model import ABSENT, Absent, ContentHash, Drift, FileState, RelativePath, Side


class Action(StrEnum):
    """What is to be done about an item, before it is known to what exactly."""

    NOTHING = "nothing"
    ADOPT = "adopt"
    RENAME = "rename"
    CREATE_RECORD = "create the document"
    CREATE_REPLICA = "create the Windows file"
    UPDATE_RECORD = "update the document"
    UPDATE_REPLICA = "update the Windows file"
    KEEP_BOTH = "keep both, one as a copy"
    TWO_NAMES = "keep both, under two names"
    SUPPRESS = "remember that the document was deleted"
    CANDIDATE = "wait until the file is surely gone"
    REMOVE_RECORD = "delete the document"
    FORGET = "forget"
    WAIT = "look again"
    REPORT = "report"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Bring `content` from one side to another place: to the other side, or (a conflict copy) to a second document.

    :param origin: the side that `source` is on.
    :param source: what must still be there when the effect is committed: file id, revision and content.
    :param path: the name it gets; of a document that exists, the name it has.
    :param expect: what is replaced, and nothing else may be; its content goes into the version store first.
    :param record_only: a conflict copy, which belongs to no Windows file.
    """

    origin: Side
    target: Side
    content: ContentHash
    source: FileState
    path: RelativePath
    expect: FileState | Literal[Absent.ABSENT]
    record_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Delete the document, where EspoCRM can restore it, after its content went into the version store."""

    item: ItemId
    expect: FileState


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt:
    """Commit this ancestor. Nothing is transferred."""

    ancestor: Ancestor


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Drop the ancestor: both sides agree that there is nothing."""

    item: ItemId


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepBoth:
    """Two copies, in this order and never in the other: `then` starts after `keep` is committed.

    :param operation: equal for the same copy of the same text: `keep` is made once for each.
    """

    operation: str
    keep: Copy
    then: Copy


Change = Copy | Remove | Adopt | Forget | KeepBoth


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What waits for a person. An approval is bound to `fingerprint`: to the contents on all sides, and lapses when one moves."""

    valve: str
    reason: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What happens to one item and why. `row` is the reference's (part 4); `item` holds the inputs.

    :param rename: the display name that the document gets, after everything else.
    """

    row: int
    item: Item
    record: Drift
    replica: Drift
    action: Action
    reason: str
    change: Change | None = None
    held: Held | None = None
    rename: RelativePath | None = None

    @property
    def has_effect(self) -> bool:
        """Does carrying it out touch a remote?"""
        return self.held is None and (self.rename is not None or isinstance(self.change, Copy | Remove | KeepBoth))

    @property
    def is_destructive(self) -> bool:
        """Does carrying it out replace or remove bytes?"""
        return self.held is None and any(True for _ in replaced(self.change))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that one look at a case file led to.

    :param first: ancestors of items that have to give way, because their old path is another item's now. They are committed
        together with every `Adopt` and `Forget`, in one transaction, before the first effect (row 29; two swapped names).
    :param halts: if there are any, nothing at all is carried out.
    :param memory: to be stored when the run has come to its end, not before.
    :param more: the rest comes in the next run (V21).
    """

    decisions: tuple[Decision, ...]
    halts: tuple[Held, ...]
    findings: tuple[Finding, ...]
    registrations: tuple[Registration, ...]
    memory: CaseMemory
    first: tuple[Ancestor, ...] = ()
    more: bool = False

    @property
    def steps(self) -> tuple[Decision, ...]:
        """What is to be carried out, in order."""
        if self.halts:
            return ()
        return tuple(d for d in self.decisions if d.held is None and (d.change is not None or d.rename is not None))

    @property
    def held(self) -> tuple[Held, ...]:
        return (*self.halts, *(d.held for d in self.decisions if d.held is not None))

    @property
    def digest(self) -> str:
        """Equal for equal plans: names the plan in the audit chain."""
        return hashlib.sha256(repr((self.decisions, self.halts)).encode("utf-8", "surrogatepass")).hexdigest()


def copies(change: Change | None) -> Iterator[Copy]:
    """The copies that a change consists of, in order."""
    match change:
        case Copy():
            yield change
        case KeepBoth():
            yield change.keep
            yield change.then
        case Remove() | Adopt() | Forget() | None:
            return
        case _:
            assert_never(change)


def replaced(change: Change | None) -> Iterator[tuple[Side, FileState]]:
    """What a change replaces or removes, and must therefore be in the version store first."""
    if isinstance(change, Remove):
        yield Side.RECORD, change.expect
    for copy in copies(change):
        if copy.expect is not ABSENT:
            yield copy.target, copy.expect


def agreed_after(
    item: Item, copy: Copy, written: FileState, new: ItemId, *, rename: RelativePath | None = None
) -> Ancestor:
    """The ancestor to commit once `written` was read back.

    :param rename: the decision's, which is carried out later.
    :param new: the id for an item that has none yet, or for the conflict copy.
    """
    if copy.record_only:
        return Ancestor(item=new, content=copy.content, record=written, replica=None)
    fresh = Ancestor(item=new, content=None, record=None, replica=None)
    record, replica = (written, copy.source) if copy.target is Side.RECORD else (copy.source, written)
    made = copy.target is Side.REPLICA and copy.expect is ABSENT
    agreed = (item.ancestor or fresh).agreeing(copy.content, record=record, replica=replica, ours=made)
    return replace(agreed, rename=rename)


SEED_NAMES: Final = {
    Action.NOTHING: "SKIP",
    Action.CREATE_RECORD: "CREATE",
    Action.CREATE_REPLICA: "UPLOAD_WINDOWS",
    Action.UPDATE_RECORD: "UPDATE_ESPO",
    Action.UPDATE_REPLICA: "UPLOAD_WINDOWS",
    Action.REMOVE_RECORD: "DELETE",
    Action.KEEP_BOTH: "CONFLICT",
    Action.TWO_NAMES: "CONFLICT",
    Action.ADOPT: "ADOPT",
    Action.RENAME: "RENAME",
    Action.SUPPRESS: "SUPPRESS",
    Action.CANDIDATE: "WAIT",
    Action.FORGET: "FORGET",
    Action.WAIT: "WAIT",
    Action.REPORT: "REPORT",
    Action.HOLD: "HOLD",
}
"""SEED-B's five names (and its CONFLICT), where its table has the row; ours for the rest."""


def in_seed_terms(decision: Decision) -> dict[str, str | bool | int]:
    """One decision as `docsyncd plan --json` shows it: SEED-B's SyncAction, and the path and row.

    `source` is whose content goes to the other side; of a conflict, the winner's.
    """
    transfers = list(copies(decision.change)) if decision.held is None else []
    source = "None" if not transfers else ("EspoCRM" if transfers[-1].target is Side.REPLICA else "Windows")
    held = decision.held
    return {
        "path": decision.item.name,
        "row": decision.row,
        "action": "HOLD" if held else SEED_NAMES[decision.action],
        "reason": f"{held.valve}: {held.reason}" if held else decision.reason,
        "source": source,
        "needs_upload": any(copy.target is Side.REPLICA for copy in transfers),
        "needs_download": any(copy.origin is Side.REPLICA for copy in transfers),
    }
