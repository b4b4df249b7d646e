"""One history while it is lived: the world, the workers, and the checks that watch both.

Makes no history and ends none: `history` does.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from docsyncd.core.ancestor import Ancestor
from docsyncd.core.model import CaseFileStage
from docsyncd.core.paths import ntfs_key
from docsyncd.core.plan import Copy, Decision, Held, Plan
from docsyncd.core.snapshot import Level, Settings, Snapshot, Verdict
from tests.core.simulator import invariants as must
from tests.core.simulator import luck, people
from tests.core.simulator.daemon import Worker
from tests.core.simulator.memory import Flaws, Memory
from tests.core.simulator.world import EMPTY, Document, Effect, File, World, at

QUIET_RUNS: Final = 5
"""Runs in which everything must be in step once people are quiet (I3)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One happening and its dice."""

    happening: people.Happening
    a: int
    b: int
    c: int


@dataclass(frozen=True, slots=True)
class Config:
    """What stays the same during one history.

    :param texts: how many different texts people write; 0 for ever new ones. Few make equal hashes collide.
    :param forgetful: Redis may be lost; then no backup is restored, and texts are ever new (see the page on decisions: limits).
    """

    seed: int
    level: Level
    settings: Settings
    items: int
    texts: int
    forgetful: bool
    agreed: bool


@dataclass(slots=True)
class Life:
    """One history while it is lived."""

    config: Config
    flaws: Flaws = field(default_factory=Flaws)
    world: World = field(init=False)
    memory: Memory = field(default_factory=Memory)
    fence: int = 0
    fingerprint: str = ""
    workers: list[tuple[Worker, Iterator[str]]] = field(default_factory=list)
    held: dict[str, Held] = field(default_factory=dict)
    frozen: set[int] = field(default_factory=set)
    plans: int = 0
    last: tuple[Snapshot, Plan] | None = None
    shuffle: random.Random | None = None
    told: list[str] | None = None

    def __post_init__(self) -> None:
        self.world = World(level=self.config.level)

    # the beginning

    def begin(self) -> None:
        """A case file in step, or two folders that never met."""
        for number in range(self.config.items):
            name = people.WINDOWS_NAMES[number % len(people.WINDOWS_NAMES)]
            if self.config.agreed or number % 2:
                people.create_file(self, number, number, 1)
            else:
                people.create_document(self, number, number, 0)
            self.say(f'at first: "{name}"')
        if self.config.agreed:
            self.world.now += 25 * luck.HOUR
            self.finish_run()

    def say(self, line: str) -> None:
        if self.told is not None and line:
            self.told.append(f"{len(self.told) + 1:3}. {line}")

    # the middle

    def happen(self, step: Step) -> None:
        self.world.now += 40.0
        line = step.happening(self, step.a, step.b, step.c)
        self.say(line)

    def advance(self, primitives: int, *, oldest: bool = False) -> str:
        """The daemon goes on; between any two primitives everything must hold."""
        if not self.workers:
            self.new_worker()
        worker, run = self.workers[0 if oldest else -1]
        for done in range(primitives):
            try:
                line = next(run)
            except StopIteration:
                self.workers.remove((worker, run))
                return "the run ends" if done else "the run had ended"
            self.say(f"  daemon {worker.fence}: {line}")
            self.check()
        return ""

    def new_worker(self) -> None:
        self.fence += 1
        worker = Worker(self, self.fence)
        self.workers = [*self.workers[-1:], (worker, worker.run())]

    def stop(self) -> None:
        self.workers.clear()

    def finish_run(self) -> None:
        self.stop()
        self.new_worker()
        while self.workers:
            self.say(self.advance(10_000))

    def check(self) -> None:
        must.i1_no_text_is_lost(self.world)

    # what the daemon reports to the checks, and not to itself

    def settings(self) -> Settings:
        return replace(self.config.settings, fingerprint=self.fingerprint)

    def planned(self, snapshot: Snapshot, plan: Plan, fence: int) -> None:
        self.plans += 1
        self.last = (snapshot, plan)
        if any(finding.row in (48, 50) for finding in plan.findings):
            self.frozen.add(fence)
        self.held = {held.fingerprint: held for held in plan.held}
        if self.flaws.plan is Flaws().plan:
            must.i7_unknown_is_not_absent(snapshot, plan)
            must.i8_deletions_stay_in_the_budget(plan)
            if self.plans % 8 == 0:
                must.i16_the_plan_depends_on_the_snapshot_alone(snapshot, plan, random.Random(self.plans))

    def order(self, steps: Sequence[Decision]) -> Iterable[Decision]:
        return steps if self.shuffle is None else self.shuffle.sample(steps, len(steps))

    def effected(self, effect: Effect, planned: str | None) -> None:
        self.world.effects.append(effect)
        must.i2_what_was_replaced_is_kept(effect, self.memory)
        must.i6_only_what_was_planned_is_replaced(effect, planned)
        must.i14_nothing_in_a_frozen_case(effect, frozen=effect.fence in self.frozen)
        must.i17_a_stale_worker_does_nothing(effect, self.fence)
        must.i18_every_replacement_is_audited(effect, self.memory)
        if effect.what == "register":
            must.i4_no_entry_twice(self.world)

    def document_created(self, _: Document, copy: Copy) -> None:
        must.i13_what_was_deleted_stays_so(self.world, copy)

    def committed(self, ancestor: Ancestor) -> None:
        must.i11_nothing_is_owned_twice(self.world, self.memory)
        if ancestor.record is not None and ancestor.replica is not None and not ancestor.suppressed:
            file, document = self.world.at_path(ancestor.replica.path), self.world.document(ancestor.record.file_id)
            if file is None and document is not None and document.text == ancestor.content:
                self.world.dropped(document.versions)
            if file is not None and document is not None and not document.deleted:
                self.world.joined(file, document)
                for one, other in ((file, document), (document, file)):
                    self.world.dropped(one.versions if one.text == ancestor.content != other.text else ())

    def can_look(self) -> bool:
        return not {"windows away", "espo away"} & set(self.world.faults)

    def looked_at_windows(self, usable: bool) -> None:
        if usable:
            self.give_up_what_vanished()

    def give_up_what_vanished(self) -> None:
        """Nothing tells a daemon without USNs that a file was not deleted."""
        self.world.dropped(self.world.vanished)
        self.world.vanished = frozenset()

    def forgive_the_world(self) -> None:
        """What the world has just taken away is nobody's fault."""
        whole = [f for f in self.world.files.values() if f.text != EMPTY]
        embodied = [f.versions for f in whole] + [d.versions for d in self.world.living()]
        there = frozenset[int]().union(*embodied)
        self.world.heads = {v: text for v, text in self.world.heads.items() if v in there}

    def deactivate(self) -> None:
        self.world.stage = CaseFileStage.REFUSED

    def bury(self, document: Document) -> None:
        for known in self.memory.ancestors.values():
            if known.record is None or known.replica is None or known.record.file_id != f"d{document.id:03}":
                continue
            file = self.world.at_path(known.replica.path)
            if file is None or file.text != known.content or self.world.faults:
                continue
            if self.world.level is Level.BASIC or known.replica.file_id == str(file.id):
                self.world.buried[file.id] = file.text

    def is_moved_copy(self, deleted: File) -> bool:
        """Copied and then deleted is moved: the copy that no item owns goes on as what was deleted."""
        copies = [f for f in self.world.files.values() if f.text == deleted.text]
        owner = self.memory.owner_of(deleted, self.world.level) if self.is_an_items(deleted) else None
        free = [f for f in copies if self.memory.owner_of(f, self.world.level) in (None, owner)]
        for file in free[:1]:
            self.world.dropped(file.versions)
            file.versions = deleted.versions
        return bool(free)

    def appearing(self, path: str, text: str) -> frozenset[int]:
        """A new file's versions. Under the name of an item whose own file is gone, it goes on as that item's."""
        if self.passes_for_the_items(path, text):
            return frozenset()
        key, here = ntfs_key(path), {str(file_id) for file_id in self.world.files}
        for known in self.memory.ancestors.values():
            if known.key != key or known.replica is None or known.record is None or known.replica.file_id in here:
                continue
            document = self.world.document(known.record.file_id)
            if document is not None and document.text == known.content:
                self.world.dropped(document.versions)
        return self.world.written(text)

    def left_to_a_namesake(self, deleted: File) -> None:
        """An item's file is gone; what lies under its name with its agreed text is taken for it from now on."""
        for known in self.memory.ancestors.values():
            if known.replica is None or known.replica.file_id != str(deleted.id):
                continue
            namesake = self.world.at_path(known.replica.path)
            if namesake is not None and namesake.text == known.content:
                self.world.dropped(namesake.versions)

    def wrote(self, place: File | Document, text: str) -> frozenset[int]:
        """The versions after somebody wrote this there. Typed back to what was agreed is no edit to anybody who looks later."""
        versions = self.world.written(text, place)
        if isinstance(place, File) and place.text != text:
            self.world.dropped(place.shadow)
        known, other = self._item_of(place)
        if known is not None and known.content == text and place.text != text:
            if other is not None and other.text == text:
                other.versions = versions = versions | other.versions
            else:
                self.world.dropped(versions)
                self.world.edited |= versions
        return versions

    def _item_of(self, place: File | Document) -> tuple[Ancestor | None, File | Document | None]:
        """The item of a file or document, and its place on the other side."""
        if isinstance(place, File):
            known = self.memory.owner_of(place, self.world.level)
            return known, self.world.document(known.record.file_id) if known is not None and known.record else None
        name = f"d{place.id:03}"
        known = next((a for a in self.memory.ancestors.values() if a.record and a.record.file_id == name), None)
        return known, self.world.at_path(known.replica.path) if known is not None and known.replica else None

    def passes_for_the_items(self, path: str, text: str) -> bool:
        """Is there an item whose file this would be taken for: its name, its agreed text, and its own file is gone?"""
        key, here = ntfs_key(path), {str(file_id) for file_id in self.world.files}
        likely = [a.replica for a in self.memory.ancestors.values() if a.key == key and a.content == text]
        return any(known is not None and known.file_id not in here for known in likely)

    def is_an_items(self, file: File) -> bool:
        """Does an item know this very file (at level basic: its path)?"""
        owner = self.memory.owner_of(file, self.world.level)
        known = owner.replica.file_id if owner is not None and owner.replica is not None else ""
        return known in (None, str(file.id))

    def approve(self) -> int:
        if any(held.valve == "V11" for held in self.held.values()):
            for file in self.world.files.values():
                self.world.dropped(file.versions if file.text == EMPTY else ())
        until = at(self.world.now) + timedelta(days=14)
        self.memory.verdicts |= {mark: Verdict(approved=True, until=until) for mark in self.held}
        return len(self.held)

    # the end

    def quiet(self) -> None:
        """People go home, remotes are well, clocks are right, nothing is locked. Waiting times are skipped."""
        world = self.world
        self.stop()
        world.faults.clear()
        world.daemon_offset = world.windows_offset = 0.0
        world.stage, world.archived, world.store_ready, world.paused = CaseFileStage.ADMITTED, False, True, False
        world.files = {key: f for key, f in world.files.items() if not f.path.startswith("~$")}
        for file in world.files.values():
            file.locked = False
        world.now += 30 * 24 * luck.HOUR
        self.say("everybody goes home")

    def settle(self) -> None:
        """I3, I4 and I15: in step after a few runs, and then no effect at all."""
        for _ in range(QUIET_RUNS):
            was = self._remembered()
            self.world.now += 25 * luck.HOUR
            self.finish_run()
            if was == self._remembered():
                break
        before = len(self.world.effects)
        self.finish_run()
        must.demand("I4", len(self.world.effects) == before, f"effects on a quiet state: {self.world.effects[before:]}")
        if self.last is not None:
            must.i3_both_sides_agree(self.last[1], self.memory)
        must.i12_a_rename_keeps_the_document(self.world, self.memory)

    def _remembered(self) -> tuple[object, ...]:
        return self.memory.ancestors, self.memory.case, len(self.world.effects), len(self.memory.intents)

    def twin(self) -> Life:
        twin = Life(self.config, self.flaws)
        twin.world, twin.memory = self.world.copy(), self.memory.copy()
        twin.fence, twin.fingerprint = self.fence, self.fingerprint
        return twin
