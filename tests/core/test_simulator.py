"""The simulator finds nothing in the daemon, and everything in the mutants. (`make simulate` runs a hundred thousand.)"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.core.simulator.__main__ import failing
from tests.core.simulator.history import dice_config, fails, shrink, story
from tests.core.simulator.mutants import MUTANTS

HISTORIES = 2000
"""Enough to find every mutant twice over, in less than 20 s on two cores."""

ENOUGH = 20_000
"""Within so many histories each mutant must be found out (case-file-sync.md, "Prove it")."""


def test_thousands_of_histories_violate_no_invariant() -> None:
    chunks = [range(seed, seed + 100) for seed in range(1, HISTORIES + 1, 100)]
    with ProcessPoolExecutor(max_workers=2) as pool:
        found = [seed for seeds in pool.map(failing, chunks) for seed in seeds]
    assert not found, "\n\n".join(story(*shrink(*dice_config(seed))) for seed in found[:2])


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_found_out(mutant: str) -> None:
    assert any(fails(*dice_config(seed), MUTANTS[mutant]) for seed in range(ENOUGH))


def test_a_failure_shrinks_to_a_story_that_fails_alike() -> None:
    flaws = MUTANTS["newest wins, the loser is dropped"]
    seed = next(seed for seed in range(ENOUGH) if fails(*dice_config(seed), flaws))
    config, steps = dice_config(seed)
    smaller, fewer = shrink(config, steps, flaws)
    told = story(smaller, fewer, flaws)
    assert len(fewer) < len(steps)
    assert told.splitlines()[-1].startswith("  => I1: ")
    assert f"seed {seed}: " in told
    assert fails(smaller, fewer) is None, "without the flaw the same story ends well"


def test_a_history_that_ends_well_cannot_be_shrunk() -> None:
    with pytest.raises(ValueError, match="nothing to shrink"):
        shrink(*dice_config(1))


def test_a_seed_is_one_history() -> None:
    for seed in range(30):
        assert story(*dice_config(seed)) == story(*dice_config(seed))
