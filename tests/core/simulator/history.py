"""A history: made from a seed, lived through, shrunk, told.

A step is a happening and three numbers; the daemon's own progress is a step, too. So the interleaving is part of the history, and
any part of a history is a history: that is what makes shrinking work.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from docsyncd.core.conflicts import POLICIES
from docsyncd.core.snapshot import Deletions, Level, Settings
from tests.core.simulator import invariants as must
from tests.core.simulator import luck, people
from tests.core.simulator.life import Config, Life, Step
from tests.core.simulator.memory import Flaws

HAPPENINGS: Final[tuple[tuple[int, people.Happening], ...]] = (
    (9, people.edit_file),
    (4, people.word_saves),
    (5, people.create_file),
    (2, people.copy_file),
    (4, people.delete_file),
    (5, people.rename_file),
    (2, people.swap_names),
    (2, people.rename_and_reuse),
    (2, people.touch_file),
    (2, people.lock_file),
    (2, people.owner_file),
    (1, people.empty_file),
    (9, people.edit_document),
    (5, people.create_document),
    (1, people.duplicate_document),
    (4, people.delete_document),
    (1, people.undelete_document),
    (2, people.rename_document),
    (2, luck.add_entry),
    (2, luck.drop_entry),
    (4, luck.fault),
    (8, luck.wait),
    (1, luck.clock_jumps),
    (1, luck.journal_reset),
    (1, luck.take_image),
    (2, luck.restore_image),
    (1, luck.archive),
    (1, luck.stage_unknown),
    (1, luck.store_full),
    (1, luck.pause),
    (1, luck.settings_change),
    (1, luck.memory_lost),
    (3, luck.approve),
    (16, luck.daemon_works),
    (14, luck.daemon_finishes),
    (4, luck.daemon_crashes),
    (2, luck.lease_lost),
    (4, luck.stale_worker),
)
_WEIGHTS: Final = [weight for weight, _ in HAPPENINGS]
_KINDS: Final = [happening for _, happening in HAPPENINGS]


def dice_config(seed: int) -> tuple[Config, tuple[Step, ...]]:
    """The history of a seed."""
    dice = random.Random(seed)
    forgetful = dice.random() < 0.25
    config = Config(
        seed=seed,
        level=dice.choice((Level.BASIC, Level.EXTENDED)),
        settings=Settings(
            conflict=POLICIES[dice.choice(("newer", "newer", "newer", "record", "replica", "hold"))],
            deletions=dice.choice((Deletions.TRASH, Deletions.TRASH, Deletions.HOLD)),
            history_writes=dice.random() < 0.5,
        ),
        items=dice.choice((1, 2, 2, 3, 3, 4, 6)),
        texts=0 if forgetful else dice.choice((0, 0, 3, 5, 8)),
        forgetful=forgetful,
        agreed=dice.random() < 0.8,
    )
    count = dice.randrange(8, 28)
    kinds = dice.choices(_KINDS, _WEIGHTS, k=count)
    return config, tuple(Step(kind, dice.randrange(64), dice.randrange(64), dice.randrange(64)) for kind in kinds)


def live(config: Config, steps: Sequence[Step], flaws: Flaws | None = None, told: list[str] | None = None) -> None:
    """A whole history. Raises `Violation`."""
    life = Life(config, flaws or Flaws(), told=told)
    life.begin()
    for step in steps:
        life.happen(step)
    life.quiet()
    twins = _twins(life) if flaws is None and config.seed % 5 == 0 else ()
    life.settle()
    for name, twin in twins:
        twin.settle()
        if not life.held and not twin.held:
            same = must.pictures(twin.world) == must.pictures(life.world)
            must.demand(name, same, f"{must.pictures(life.world)} became {must.pictures(twin.world)}")


def _twins(life: Life) -> tuple[tuple[str, Life], ...]:
    """The same world with other USNs and clocks (I9), and with another order of steps (I10)."""
    dice = random.Random(life.config.seed)
    other, shuffled = life.twin(), life.twin()
    shuffled.shuffle = dice
    scheme = dice.randrange(4)
    other.world.journal += scheme % 2
    other.world.next_usn = (0, 5, 10_000, dice.randrange(1000))[scheme]
    for file in other.world.files.values():
        file.usn = (7, dice.randrange(1000), file.usn + 5000, 0)[scheme]
    if life.config.settings.conflict.name != "newer":
        other.world.daemon_offset = dice.randrange(-5000, 5000)
        for file in other.world.files.values():
            file.mtime += dice.randrange(-100_000, 100_000)
    return ("I9", other), ("I10", shuffled)


def fails(config: Config, steps: Sequence[Step], flaws: Flaws | None = None) -> str | None:
    """The violation that a history ends with, or None."""
    try:
        live(config, steps, flaws)
    except must.Violation as violation:
        return str(violation)
    return None


def shrink(config: Config, steps: Sequence[Step], flaws: Flaws | None = None) -> tuple[Config, tuple[Step, ...]]:
    """The shortest history that we find with a violation of the same invariant."""
    found = fails(config, steps, flaws)
    if found is None:
        raise ValueError("nothing to shrink: this history is well")
    name = found.partition(":")[0]

    def still(config: Config, steps: Sequence[Step]) -> bool:
        return (fails(config, steps, flaws) or "").partition(":")[0] == name

    smallest = tuple(steps)
    length = max(1, len(smallest) // 2)
    while length:
        start = 0
        while start < len(smallest):
            shorter = smallest[:start] + smallest[start + length :]
            if still(config, shorter):
                smallest = shorter
            else:
                start += length
        length //= 2
    while config.items > 1 and still(replace(config, items=config.items - 1), smallest):
        config = replace(config, items=config.items - 1)
    return config, smallest


def story(config: Config, steps: Sequence[Step], flaws: Flaws | None = None) -> str:
    """What happened, line by line, and how it ended."""
    told: list[str] = []
    settings = config.settings
    head = (
        f"seed {config.seed}: watcher {config.level}, conflict {settings.conflict.name}, deletions {settings.deletions}"
    )
    try:
        live(config, steps, flaws, told)
    except must.Violation as violation:
        return "\n".join((head, *told, f"  => {violation}"))
    return "\n".join((head, *told, "  => all is well"))
