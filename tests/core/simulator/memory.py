"""What survives a crash of the daemon, and which duties a mutant neglects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from docsyncd.core.ancestor import Ancestor, CaseMemory, ItemId
from docsyncd.core.identity import Item
from docsyncd.core.model import RelativePath
from docsyncd.core.paths import ntfs_key
from docsyncd.core.plan import Copy, Plan
from docsyncd.core.reconcile import reconcile
from docsyncd.core.snapshot import Level, Snapshot, Verdict
from tests.core.simulator.world import File


@dataclass(frozen=True, slots=True)
class Flaws:
    """What a mutant does wrong."""

    plan: Callable[[Snapshot], Plan] = reconcile
    unconditional: bool = False
    no_pre_image: bool = False
    then_first: bool = False
    no_intents: bool = False


@dataclass(slots=True)
class Intent:
    """An effect that may or may not have happened."""

    copy: Copy
    item: Item
    new: ItemId
    rename: RelativePath | None


@dataclass(slots=True)
class Memory:
    """What survives a crash: Redis, the version store, the audit chain."""

    ancestors: dict[ItemId, Ancestor] = field(default_factory=dict)
    case: CaseMemory = field(default_factory=CaseMemory)
    intents: dict[str, Intent] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    store: set[str] = field(default_factory=set)
    audit: list[tuple[str, str, str | None]] = field(default_factory=list)
    issued: set[ItemId] = field(default_factory=set)

    def copy(self) -> Memory:
        return Memory(
            dict(self.ancestors),
            self.case,
            dict(self.intents),
            dict(self.verdicts),
            set(self.store),
            list(self.audit),
            set(self.issued),
        )

    def lose(self) -> None:
        """FLUSHALL: the version store and the audit chain are files, and stay."""
        self.ancestors, self.case, self.intents, self.verdicts = {}, CaseMemory(), {}, {}

    def owner_of(self, file: File, level: Level) -> Ancestor | None:
        """The item of a file, as the daemon would know it."""
        key = ntfs_key(file.path)
        placed = [a for a in self.ancestors.values() if a.replica is not None]
        if level is Level.EXTENDED:
            by_id = next((a for a in placed if a.replica and a.replica.file_id == str(file.id)), None)
            if by_id is not None:
                return by_id
        return next((a for a in placed if a.key == key), None)
