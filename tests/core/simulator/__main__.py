"""`python -m tests.core.simulator`: SEED and HISTORIES from the environment, the seeds from SEED on. Exit code 1 if one fails.

A failure is shrunk and told as a story; the last line is the summary.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.core.simulator.history import dice_config, fails, shrink, story
from tests.core.simulator.mutants import MUTANTS

TOLD = 3
"""Violations that are told as a story; the others are counted, and their seeds named."""

CHUNK = 250


def failing(seeds: range, mutant: str | None = None) -> list[int]:
    """The seeds whose histories violate an invariant."""
    flaws = MUTANTS[mutant] if mutant else None
    return [seed for seed in seeds if fails(*dice_config(seed), flaws) is not None]


def main() -> int:
    first, histories = int(os.environ.get("SEED", "1")), int(os.environ.get("HISTORIES", "100000"))
    mutant = os.environ.get("MUTANT")
    chunks = [range(s, min(s + CHUNK, first + histories)) for s in range(first, first + histories, CHUNK)]
    began = time.monotonic()
    found: list[int] = []
    with ProcessPoolExecutor(max_workers=2) as pool:
        for done, seeds in enumerate(pool.map(partial(failing, mutant=mutant), chunks), 1):
            found += seeds
            if done % 40 == 0:
                print(f"{done * CHUNK} histories, {len(found)} violations", flush=True)
    seconds = time.monotonic() - began
    for seed in found[:TOLD]:
        flaws = MUTANTS[mutant] if mutant else None
        print(story(*shrink(*dice_config(seed), flaws), flaws), end="\n\n")
    if found:
        print("failing seeds:", *found[:50])
    print(f"seed {first}, {histories} histories, {histories / seconds:.0f} per second, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
