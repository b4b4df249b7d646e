"""Both sides changed one item: who keeps its place. The loser is kept twice, whoever wins; no policy can change that.

Does not compare contents or write copies. Policies are pure and replaceable by hook (`docsyncd_conflict_policies`);
here are the four that come with docsyncd. Design: case-file-sync.md, decision 4.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from docsyncd.core.conflict_policy import Conflict, ConflictPolicy
from docsyncd.core.model import Side

MOST_SKEW: Final = timedelta(seconds=120)
"""Clocks further apart than this say nothing about who was later (V15)."""


def newer(conflict: Conflict) -> Side | None:
    """The later stamp (SEED-B). Equal, missing or unreadable: Windows, where Advoware's History points to."""
    record, replica = conflict.record.modified_at, conflict.replica.modified_at
    later = record is not None and replica is not None and record > replica
    return Side.RECORD if later else Side.REPLICA


NEWER: Final = ConflictPolicy(name="newer", winner=newer)
RECORD: Final = ConflictPolicy(name="record", winner=lambda _: Side.RECORD)
REPLICA: Final = ConflictPolicy(name="replica", winner=lambda _: Side.REPLICA)
HOLD: Final = ConflictPolicy(name="hold", winner=lambda _: None)

POLICIES: Final = {policy.name: policy for policy in (NEWER, RECORD, REPLICA, HOLD)}
"""By the name that `[case_files] conflict` gives."""


def winner_of(
    conflict: Conflict, policy: ConflictPolicy, *, skew: timedelta | None, outdated: Side | None
) -> Side | None:
    """Whose content keeps the place; None: a person decides.

    :param skew: how far Windows' clock is off; None if nobody knows. Stamps of clocks too far apart do not count under `newer`.
    :param outdated: the side that shows an older known version; it never wins (V10), whatever the policy says.
    """
    if outdated is not None and policy.winner(conflict) is not None:
        return Side.REPLICA if outdated is Side.RECORD else Side.RECORD
    if policy.name == NEWER.name and skew is not None and abs(skew) > MOST_SKEW:
        return Side.REPLICA
    return policy.winner(conflict)


def stamp(when: datetime | None) -> str:
    """How a decision quotes a stamp."""
    return "no stamp" if when is None else f"{when:%Y-%m-%d %H:%M:%S}"
