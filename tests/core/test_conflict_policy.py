"""A conflict policy names a winner, or leaves it to a person."""

from __future__ import annotations

from docsyncd.core.conflict_policy import Conflict, ConflictPolicy
from docsyncd.core.model import FileState, RelativePath, Revision, Side


def _state(size: int | None) -> FileState:
    return FileState(
        path=RelativePath("Klage.pdf"),
        revision=Revision("1"),
        size=size,
        modified_at=None,
        content=None,
        file_id=None,
    )


def test_a_policy_names_a_winner_or_nobody() -> None:
    def larger(conflict: Conflict) -> Side | None:
        record, replica = conflict.record.size, conflict.replica.size
        if record is None or replica is None:
            return None
        return Side.RECORD if record > replica else Side.REPLICA

    policy = ConflictPolicy(name="larger", winner=larger)
    path = RelativePath("Klage.pdf")
    assert policy.winner(Conflict(path=path, record=_state(2), replica=_state(1))) is Side.RECORD
    assert policy.winner(Conflict(path=path, record=_state(1), replica=_state(2))) is Side.REPLICA
    assert policy.winner(Conflict(path=path, record=_state(None), replica=_state(2))) is None
