"""The engine, primitive by primitive, as docsyncd/core/reconcile.py demands it of engine/sync_case_file.py.

A run is a generator. Between any two of its yields people may act, the process may die, or another worker may take over.
`Flaws` switches single duties off, for the mutants.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from docsyncd.core.ancestor import Ancestor, ItemId, clashes, new_item
from docsyncd.core.identity import Item, hash_still_holds, shortcuts_hold
from docsyncd.core.model import ABSENT, Agreed, FileState, JournalEntry, RelativePath, Scan, Side, Volume
from docsyncd.core.paths import ntfs_key
from docsyncd.core.plan import Adopt, Copy, Decision, Forget, KeepBoth, Plan, Remove, agreed_after, replaced
from docsyncd.core.snapshot import Snapshot
from tests.core.simulator.memory import Intent, Memory
from tests.core.simulator.world import Document, Effect, Entry, File, World, at

if TYPE_CHECKING:
    from tests.core.simulator.life import Life


class Stopped(Exception):
    """A condition failed: the work on this item ends."""


class LeaseOver(Exception):
    """Another worker has the case file."""


class Worker:
    """One worker with one lease."""

    def __init__(self, life: Life, fence: int) -> None:
        self.life = life
        self.world: World = life.world
        self.memory: Memory = life.memory
        self.flaws = life.flaws
        self.fence = fence
        self.digest = ""
        self.wrote: Volume | None = None

    # one run

    def run(self) -> Iterator[str]:
        try:
            yield from self._run()
        except LeaseOver:
            return

    def _run(self) -> Iterator[str]:
        yield from self._recover()
        snapshot = yield from self._look()
        plan = self.flaws.plan(snapshot)
        self.digest = plan.digest if plan.steps else ""
        self.life.planned(snapshot, plan, self.fence)
        yield f"plans {len(plan.steps)} steps"
        if plan.steps:
            yield from self._remember(plan)
        for decision in self.life.order(plan.steps):
            yield from self._carry_out(decision)
        for registration in plan.registrations if not plan.halts else ():
            yield from self._register(registration.path, registration.marker)
        if plan.halts:
            return
        self._lease()
        if any(f.row == 48 for f in plan.findings) and self.world.archived:
            self.life.deactivate()
        self.memory.case = plan.memory if self.wrote is None else plan.memory.seeing(self.wrote)
        if snapshot.replica.complete:
            self.world.vanished = frozenset()

    def _lease(self) -> None:
        if self.fence != self.life.fence:
            raise LeaseOver

    # observing

    def _look(self) -> Generator[str, None, Snapshot]:
        world, faults = self.world, self.world.faults
        records = sorted((d.state() for d in world.living()), key=lambda s: s.file_id or "")
        if "espo empty" in faults:
            records = []
        if "espo short" in faults and records:
            records.pop(faults["espo short"] % len(records))
        record = Scan(files=tuple(records), complete="espo away" not in faults)
        archived = None if "history away" in faults else world.archived
        yield "lists EspoCRM"
        replica = self._list_windows()
        yield "lists Windows"
        entries: tuple[JournalEntry, ...] | None = tuple(e.state() for e in world.entries)
        if "history empty" in faults:
            entries = ()
        if "history away" in faults:
            entries = None
        yield "reads the History"
        listed = {state.file_id for state in records}
        known = [a.record.file_id for a in self.memory.ancestors.values() if a.record is not None]
        asked = [i for i in known if i is not None and i not in listed and "espo away" not in faults]
        gone = frozenset(i for i in asked if (document := world.document(i)) is not None and document.deleted)
        return Snapshot(
            now=at(world.now + world.daemon_offset),
            level=world.level,
            stage=world.stage,
            record=record,
            replica=replica,
            journal=entries,
            ancestors=tuple(self.memory.ancestors.values()),
            memory=self.memory.case,
            settings=self.life.settings(),
            gone=gone,
            instances=("us",),
            archived=archived,
            skew=at(world.windows_offset) - at(world.daemon_offset),
            store_ready=world.store_ready,
            paused=world.paused,
            verdicts=dict(self.memory.verdicts),
        )

    def _list_windows(self) -> Scan:
        world, faults = self.world, self.world.faults
        volume = world.volume()
        usable = shortcuts_hold(self.memory.case.volume, volume)
        self.life.looked_at_windows(usable)
        known = {
            a.replica.file_id: a.replica for a in self.memory.ancestors.values() if a.replica is not None and usable
        }
        files = []
        for file in sorted(world.files.values(), key=lambda f: f.path):
            state = file.state(world.level, read=True)
            then = known.get(state.file_id)
            if then is not None and hash_still_holds(then, state):
                state = replace(state, content=then.content)
            files.append(state)
        if "windows empty" in faults:
            files = []
        if "windows short" in faults and files:
            files.pop(faults["windows short"] % len(files))
        if "windows partial" in faults:
            files = files[: len(files) // 2]
        complete = not {"windows away", "windows partial"} & set(faults)
        return Scan(files=tuple(files), complete=complete, volume=volume)

    # acting

    def _remember(self, plan: Plan) -> Iterator[str]:
        """Whatever needs no effect, in one transaction."""
        adopted = [d.change.ancestor for d in plan.steps if isinstance(d.change, Adopt)]
        forgotten = [d.change.item for d in plan.steps if isinstance(d.change, Forget)]
        try:
            self._commit(*plan.first, *adopted, without=forgotten)
        except Stopped as reason:
            yield f"remembers nothing: {reason}"
            return
        if adopted or forgotten or plan.first:
            yield f"remembers {', '.join(a.item for a in (*plan.first, *adopted))}; forgets {', '.join(forgotten)}"

    def _carry_out(self, decision: Decision) -> Iterator[str]:
        change = decision.change
        try:
            match change:
                case Adopt():
                    yield from self._bookkeeping(change.ancestor)
                case Remove():
                    yield from self._remove(change)
                case Copy():
                    yield from self._copy(decision, change)
                case KeepBoth():
                    parts = (change.then, change.keep) if self.flaws.then_first else (change.keep, change.then)
                    for part in parts:
                        yield from self._copy(decision, part)
            if decision.rename is not None and decision.item.record is not None:
                yield from self._rename(decision.item.record, decision.rename)
        except Stopped as reason:
            yield f"stops at {decision.item.name}: {reason}"

    def _copy(self, decision: Decision, copy: Copy) -> Iterator[str]:
        item, rename = decision.item, decision.rename
        source = self._source(copy)
        versions = source.versions
        yield f"reads {copy.content} from {copy.source.path}"
        if copy.expect is not ABSENT:
            self._store(copy.target, copy.expect)
            yield "keeps what will be replaced"
        taken = set(self.memory.ancestors) | self.memory.issued
        new = new_item(copy.source.file_id or copy.source.path, taken) if item.ancestor is None else item.ancestor.item
        if copy.record_only:
            new = new_item(f"copy-{copy.content}", taken)
        operation = f"{copy.target}:{copy.path}:{copy.content}"
        self._lease()
        self.memory.issued.add(new)
        self.memory.audit.append(("intent", operation, self.digest))
        if not self.flaws.no_intents:
            self.memory.intents[operation] = Intent(copy=copy, item=item, new=new, rename=rename)
        yield "writes the intent"
        try:
            self._source(copy)
            written = self._write(copy, versions)
            yield f"writes {copy.content} to {copy.target} {copy.path}"
            self._commit(agreed_after(self._latest(item), copy, written, new, rename=rename))
            if copy.target is Side.REPLICA and (volume := self.world.volume()) is not None:
                self.wrote = replace(volume, next_usn=int(written.revision))
                self.memory.case = self.memory.case.seeing(self.wrote)
        except Stopped:
            self.memory.intents.pop(operation, None)
            raise
        self.memory.intents.pop(operation, None)
        yield "commits"
        yield from self._bookkeeping(self.memory.ancestors[new])

    def _latest(self, item: Item) -> Item:
        """The item with its ancestor as it is stored now."""
        if item.ancestor is None:
            return item
        return replace(item, ancestor=self.memory.ancestors.get(item.ancestor.item, item.ancestor))

    def _source(self, copy: Copy) -> File | Document:
        """Still there, with the content that was planned."""
        found: File | Document | None
        if copy.origin is Side.REPLICA:
            found = self.world.at_path(copy.source.path)
            away = "windows away" in self.world.faults or (isinstance(found, File) and found.locked)
        else:
            found = self.world.document(copy.source.file_id)
            away = "espo away" in self.world.faults or (isinstance(found, Document) and found.deleted)
        if found is None or away:
            raise Stopped("the source is gone")
        if found.text != copy.content:
            raise Stopped("the source has changed")
        if isinstance(found, Document) and str(found.attachment) != copy.source.revision:
            raise Stopped("the source was replaced")
        if isinstance(found, File) and copy.source.file_id not in (None, str(found.id)):
            raise Stopped("the source is another file")
        return found

    def _store(self, side: Side, expect: FileState) -> None:
        """Read what is to be replaced, and keep it."""
        if self.flaws.no_pre_image:
            return
        found = self.world.at_path(expect.path) if side is Side.REPLICA else self.world.document(expect.file_id)
        if found is None or (found.text != expect.content and not self.flaws.unconditional):
            raise Stopped("what was to be replaced has changed")
        self.memory.store.add(found.text)

    def _write(self, copy: Copy, versions: frozenset[int]) -> FileState:
        self._lease()
        if copy.target is Side.REPLICA:
            return self._write_file(copy, versions)
        return self._write_document(copy, versions)

    def _write_file(self, copy: Copy, versions: frozenset[int]) -> FileState:
        world = self.world
        if "windows away" in world.faults:
            raise Stopped("Windows is away")
        there = world.at_path(copy.path)
        if there is not None and there.locked:
            raise Stopped("the file is locked")
        if copy.expect is ABSENT:
            if there is not None and not self.flaws.unconditional:
                raise Stopped("a file has appeared")
        elif there is None or (not self._is_expected(there, copy.expect) and not self.flaws.unconditional):
            raise Stopped("the file has changed")
        before = None if there is None else there.text
        if there is None:
            there = world.put_file(copy.path, copy.content, versions)
        else:
            replaced_text, replaced_versions = there.text, there.versions
            world.change_file(there, copy.content, versions)
            world.survives(replaced_text, replaced_versions)
            if world.counter % 2:
                world.replace_file(there)
        self._did("write", copy, before)
        return there.state(world.level, read=True)

    @staticmethod
    def _is_expected(there: File, expect: FileState) -> bool:
        """The content, and at level extended the file, too: two files may hold one text."""
        return there.text == expect.content and expect.file_id in (None, str(there.id))

    def _write_document(self, copy: Copy, versions: frozenset[int]) -> FileState:
        world = self.world
        if "espo away" in world.faults:
            raise Stopped("EspoCRM is away")
        if copy.expect is ABSENT:
            document, before = world.put_document(copy.path, copy.content, versions), None
            self.life.document_created(document, copy)
        else:
            found = world.document(copy.expect.file_id)
            if found is None or found.deleted:
                raise Stopped("the document is gone")
            if str(found.attachment) != copy.expect.revision and not self.flaws.unconditional:
                raise Stopped("the document has changed")
            document, before, replaced_versions = found, found.text, found.versions
            world.change_document(document, copy.content, versions)
            world.survives(before, replaced_versions)
        self._did("write", copy, before)
        return replace(document.state(), agreed=None)

    def _did(self, what: str, copy: Copy, before: str | None) -> None:
        planned = None if copy.expect is ABSENT else copy.expect.content
        effect = Effect(what, copy.target, copy.path, before, copy.content, self.fence)
        self.life.effected(effect, planned)

    def _remove(self, change: Remove) -> Iterator[str]:
        for side, state in replaced(change):
            self._store(side, state)
        yield "keeps what will be deleted"
        self._lease()
        self.memory.audit.append(("intent", f"remove:{change.item}", self.digest))
        yield "writes the intent"
        self._lease()
        document = self.world.document(change.expect.file_id)
        if document is None or document.deleted or "espo away" in self.world.faults:
            raise Stopped("the document is gone")
        if str(document.attachment) != change.expect.revision and not self.flaws.unconditional:
            raise Stopped("the document has changed")
        document.deleted = True
        effect = Effect("remove", Side.RECORD, document.name, document.text, None, self.fence)
        self.life.effected(effect, change.expect.content)
        yield f"deletes {change.expect.file_id}"
        self._commit_gone(change.item)
        yield f"forgets {change.item}"

    def _rename(self, state: FileState, name: RelativePath) -> Iterator[str]:
        self._lease()
        document = self.world.document(state.file_id)
        if document is None or document.deleted or document.name != state.path or "espo away" in self.world.faults:
            return
        document.name = name
        self.life.effected(Effect("rename", Side.RECORD, name, None, None, self.fence), None)
        yield f'renames d{document.id:03} to "{name}"'
        owner = next(
            (a for a in self.memory.ancestors.values() if a.record and a.record.file_id == state.file_id), None
        )
        if owner is not None and owner.record is not None:
            self._commit(replace(owner, record=replace(owner.record, path=name), rename=None))

    def _bookkeeping(self, ancestor: Ancestor) -> Iterator[str]:
        """syncHash and syncPath, last of all."""
        if ancestor.record is None or ancestor.replica is None or ancestor.content is None or ancestor.suppressed:
            return
        document = self.world.document(ancestor.record.file_id)
        agreed = Agreed(content=ancestor.content, path=ancestor.replica.path)
        if document is None or document.deleted or document.agreed == agreed or "espo away" in self.world.faults:
            return
        self._lease()
        document.agreed = agreed
        self.life.effected(Effect("books", Side.RECORD, document.name, None, None, self.fence), None)
        yield f"writes the books of d{document.id:03}"

    def _register(self, path: RelativePath, marker: ItemId) -> Iterator[str]:
        world = self.world
        if "history away" in world.faults or any(e.marker == marker for e in world.entries):
            return
        self._lease()
        world.entries.append(Entry(number=world.number(), path=path, marker=marker))
        self.life.effected(Effect("register", "history", path, None, None, self.fence), None)
        yield f'registers "{path}"'

    # remembering

    def _commit(self, *ancestors: Ancestor, without: Iterable[ItemId] = ()) -> None:
        """All or none; refused if two items would own one thing."""
        self._lease()
        stored = {item: a for item, a in self.memory.ancestors.items() if item not in set(without)}
        stored |= {a.item: a for a in ancestors}
        if found := clashes(stored.values()):
            raise Stopped(f"two items would own {found[0]}")
        self.memory.ancestors = stored
        for ancestor in ancestors:
            self.life.committed(ancestor)

    def _commit_gone(self, item: ItemId) -> None:
        self._lease()
        self.memory.ancestors.pop(item, None)

    def _recover(self) -> Iterator[str]:
        """The destination of each open intent is looked at before anything else."""
        for operation, intent in list(self.memory.intents.items()):
            if not self.life.can_look():
                return
            self._lease()
            outcome = "not done"
            if (written := self._found(intent)) is not None:
                try:
                    latest = self._latest(intent.item)
                    self._commit(agreed_after(latest, intent.copy, written, intent.new, rename=intent.rename))
                    outcome = "done"
                except Stopped as reason:
                    outcome = f"done, but {reason}"
            self.memory.intents.pop(operation, None)
            yield f"looks after the intent {operation}: {outcome}"

    def _found(self, intent: Intent) -> FileState | None:
        copy, world = intent.copy, self.world
        if copy.target is Side.REPLICA:
            file = world.at_path(copy.path)
            if file is None or file.locked or file.text != copy.content:
                return None
            state = file.state(world.level, read=True)
            return None if self._owned_by_another(state, intent) else state
        if copy.expect is not ABSENT:
            document = world.document(copy.expect.file_id)
            fits = document is not None and not document.deleted and document.text == copy.content
            return replace(document.state(), agreed=None) if document is not None and fits else None
        owned = {a.record.file_id for a in self.memory.ancestors.values() if a.record is not None}
        for document in world.living():
            state = replace(document.state(), agreed=None)
            if state.path == copy.path and document.text == copy.content and state.file_id not in owned:
                return state
        return None

    def _owned_by_another(self, state: FileState, intent: Intent) -> bool:
        own = intent.item.ancestor.item if intent.item.ancestor is not None else intent.new
        key = ntfs_key(state.path)
        return any(a.key == key and a.item != own for a in self.memory.ancestors.values())
