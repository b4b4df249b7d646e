"""What else happens: Advoware, administrators, outages, clocks, the change journal, backups, and our own misfortunes.

As in `people`, each takes three numbers and answers with a line for the story.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from docsyncd.core.model import CaseFileStage
from docsyncd.core.paths import is_nobodys, ntfs_key
from docsyncd.core.snapshot import Level
from tests.core.simulator.world import EMPTY, Entry

if TYPE_CHECKING:
    from tests.core.simulator.life import Life

HOUR = 3600.0


def add_entry(life: Life, a: int, _: int, __: int) -> str:
    world = life.world
    known = {ntfs_key(e.path) for e in world.entries}
    files = [f for f in world.files.values() if ntfs_key(f.path) not in known or a % 7 == 0]
    if not files:
        return ""
    path = files[a % len(files)].path
    world.entries.append(Entry(number=world.number(), path=path))
    return f'History: registers "{path}"'


def drop_entry(life: Life, a: int, _: int, __: int) -> str:
    if not life.world.entries:
        return ""
    entry = life.world.entries.pop(a % len(life.world.entries))
    return f'History: drops the entry of "{entry.path}", the file stays'


FAULTS = {
    "windows away": "Windows: the watcher is away",
    "windows partial": "Windows: listings break off",
    "windows empty": "Windows: listings are empty, with 200",
    "windows short": "Windows: listings lack files, and say nothing",
    "espo away": "EspoCRM: 500 for documents",
    "espo empty": "EspoCRM: the listing is empty, with 200",
    "espo short": "EspoCRM: the listing lacks a document",
    "history away": "History: the firm is offline",
    "history empty": "History: suddenly empty",
}


def fault(life: Life, a: int, b: int, _: int) -> str:
    """A fault begins, or all end."""
    name = list(FAULTS)[a % len(FAULTS)]
    if life.world.faults and b % 2:
        life.world.faults.clear()
        return "everything answers again"
    life.world.faults[name] = b + 1
    if "windows" in name:
        life.world.renamed.clear()
        life.world.buried.clear()
    return FAULTS[name]


def wait(life: Life, a: int, _: int, __: int) -> str:
    seconds = (30.0, 60.0, 90.0, 900.0, HOUR, 25 * HOUR)[a % 6]
    life.world.now += seconds
    return f"{seconds:.0f} s pass"


def clock_jumps(life: Life, a: int, b: int, _: int) -> str:
    offset = (-86400.0, -600.0, 0.0, 0.0, 600.0, 86400.0)[b % 6]
    if a % 2:
        life.world.daemon_offset = offset
        return f"our clock jumps to {offset:+.0f} s"
    life.world.windows_offset = offset
    return f"the clock of Windows jumps to {offset:+.0f} s"


def journal_reset(life: Life, _: int, b: int, __: int) -> str:
    world = life.world
    world.journal, world.next_usn = world.journal + 1, (0, 100, 100000)[b % 3]
    for file in world.files.values():
        file.usn = 0
    return "Windows: the change journal is deleted and begins anew"


def take_image(life: Life, _: int, __: int, ___: int) -> str:
    world = life.world
    world.image = ({key: replace(f) for key, f in world.files.items()}, world.journal, world.next_usn)
    return "an administrator takes an image of the file server"


def restore_image(life: Life, _: int, __: int, ___: int) -> str:
    """The disk as it was. What the daemon has never seen cannot be told from an edit, and what lay only there is lost."""
    world = life.world
    if world.image is None or life.config.forgetful:
        return ""
    before = world.files
    files, world.journal, world.next_usn = world.image
    world.files = {key: replace(f) for key, f in files.items()}
    for file in world.files.values():
        owner = life.memory.owner_of(file, world.level)
        seen = owner is not None and (file.text in owner.older or file.text == owner.content)
        was = before.get(file.id)
        paired = world.document(owner.record.file_id) if owner is not None and owner.record is not None else None
        hidden = [place.versions for place in (was, paired) if place is not None]
        if not seen and not is_nobodys(file.path):
            world.dropped(frozenset[int]().union(*hidden))
            file.versions = world.copied(file)
        elif paired is not None and paired.text == file.text:
            file.versions |= paired.versions
        else:
            file.shadow = frozenset[int]().union(*hidden)
    lost = [f.versions for key, f in before.items() if key not in world.files]
    world.vanished = world.vanished.union(*lost)
    if world.level is Level.BASIC:
        life.give_up_what_vanished()
    world.renamed.clear()
    world.buried.clear()
    life.forgive_the_world()
    return "the file server is restored from its image"


def archive(life: Life, a: int, _: int, __: int) -> str:
    world = life.world
    world.archived = not world.archived
    if not world.archived:
        world.stage = CaseFileStage.ADMITTED
    return "Advoware: the case file is filed away" if world.archived else "Advoware: the case file is re-opened"


def stage_unknown(life: Life, _: int, __: int, ___: int) -> str:
    unknown = life.world.stage is CaseFileStage.UNKNOWN
    life.world.stage = CaseFileStage.ADMITTED if unknown else CaseFileStage.UNKNOWN
    return f"EspoCRM: the status of the case file is {life.world.stage}"


def store_full(life: Life, _: int, __: int, ___: int) -> str:
    life.world.store_ready = not life.world.store_ready
    return "the version store has room again" if life.world.store_ready else "the version store is full"


def pause(life: Life, _: int, __: int, ___: int) -> str:
    life.world.paused = not life.world.paused
    return "a person pauses the case file" if life.world.paused else "a person lets it go on"


def settings_change(life: Life, _: int, __: int, ___: int) -> str:
    life.fingerprint += "+"
    return "an operator changes the mapping"


def memory_lost(life: Life, _: int, __: int, ___: int) -> str:
    if not life.config.forgetful:
        return ""
    life.stop()
    life.memory.lose()
    for file in life.world.files.values():
        life.world.dropped(file.versions if file.text == EMPTY else ())
    for document in life.world.living():
        if document.agreed is not None and (namesake := life.world.at_path(str(document.agreed.path))) is not None:
            mistaken = namesake.text == document.agreed.content and not namesake.versions & document.versions
            life.world.dropped(namesake.versions if mistaken else ())
    life.world.renamed.clear()
    life.world.buried.clear()
    return "Redis loses everything"


def approve(life: Life, _: int, __: int, ___: int) -> str:
    return f"a person approves {life.approve()} held things" if life.held else ""


def daemon_works(life: Life, a: int, _: int, __: int) -> str:
    return life.advance(1 + a % 12)


def daemon_finishes(life: Life, _: int, __: int, ___: int) -> str:
    return life.advance(10_000)


def daemon_crashes(life: Life, _: int, __: int, ___: int) -> str:
    if not life.workers:
        return ""
    life.stop()
    return "the daemon is killed"


def lease_lost(life: Life, a: int, _: int, __: int) -> str:
    """Another worker begins; the old one does not know, and goes on when the dice say so."""
    if not life.workers:
        return ""
    life.new_worker()
    return "the lease runs out, another worker begins"


def stale_worker(life: Life, a: int, _: int, __: int) -> str:
    return life.advance(1 + a % 12, oldest=True) if len(life.workers) > 1 else ""
