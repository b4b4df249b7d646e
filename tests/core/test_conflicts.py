"""Who keeps the name."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from docsyncd.core.conflict_policy import Conflict
from docsyncd.core.conflicts import HOLD, MOST_SKEW, NEWER, POLICIES, RECORD, REPLICA, stamp, winner_of
from docsyncd.core.model import RelativePath, Side
from tests.core.case_world import NOW, document, file

EARLIER = NOW - timedelta(hours=1)


def _conflict(record: datetime | None, replica: datetime | None) -> Conflict:
    return Conflict(
        path=RelativePath("Klage.docx"),
        record=document("Klage.docx", "A", modified_at=record),
        replica=file("Klage.docx", "B", modified_at=replica),
    )


@pytest.mark.parametrize(
    ("record", "replica", "winner"),
    [
        (NOW, EARLIER, Side.RECORD),
        (EARLIER, NOW, Side.REPLICA),
        (NOW, NOW, Side.REPLICA),
        (None, NOW, Side.REPLICA),
        (NOW, None, Side.REPLICA),
        (None, None, Side.REPLICA),
    ],
)
def test_the_newer_wins_and_windows_if_nobody_can_tell(
    record: datetime | None, replica: datetime | None, winner: Side
) -> None:
    assert winner_of(_conflict(record, replica), NEWER, skew=None, outdated=None) is winner


@pytest.mark.parametrize("skew", [MOST_SKEW, -MOST_SKEW])
def test_stamps_count_up_to_two_minutes_of_skew(skew: timedelta) -> None:
    conflict = _conflict(NOW, EARLIER)
    assert winner_of(conflict, NEWER, skew=skew, outdated=None) is Side.RECORD
    assert winner_of(conflict, NEWER, skew=2 * skew, outdated=None) is Side.REPLICA


def test_the_other_policies_do_not_look_at_clocks() -> None:
    conflict = _conflict(EARLIER, NOW)
    for skew in (None, timedelta(days=1)):
        assert winner_of(conflict, RECORD, skew=skew, outdated=None) is Side.RECORD
        assert winner_of(conflict, REPLICA, skew=skew, outdated=None) is Side.REPLICA
        assert winner_of(conflict, HOLD, skew=skew, outdated=None) is None


@pytest.mark.parametrize("policy", [NEWER, RECORD, REPLICA])
def test_an_older_version_never_wins(policy: object) -> None:
    conflict = _conflict(NOW, NOW)
    assert winner_of(conflict, policy, skew=None, outdated=Side.RECORD) is Side.REPLICA  # type: ignore[arg-type]
    assert winner_of(conflict, policy, skew=None, outdated=Side.REPLICA) is Side.RECORD  # type: ignore[arg-type]


def test_who_holds_conflicts_holds_older_versions_too() -> None:
    assert winner_of(_conflict(NOW, NOW), HOLD, skew=None, outdated=Side.RECORD) is None


def test_policies_are_known_by_the_names_of_the_configuration() -> None:
    assert list(POLICIES) == ["newer", "record", "replica", "hold"]


def test_a_stamp_is_quoted_to_the_second() -> None:
    assert stamp(NOW) == "2026-11-21 14:05:00"
    assert stamp(None) == "no stamp"
