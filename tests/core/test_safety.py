"""The valves: where they close."""

from __future__ import annotations

import pytest

from docsyncd.core.safety import too_many_removals


@pytest.mark.parametrize(
    ("removals", "of", "closes"),
    [
        (20, 20, False),
        (21, 21, True),
        (21, 209, True),
        (21, 210, False),
        (100, 1000, False),
        (101, 1000, True),
        (0, 0, False),
    ],
)
def test_more_than_twenty_and_more_than_a_tenth_is_too_many(removals: int, of: int, *, closes: bool) -> None:
    assert too_many_removals(removals, of=of) is closes
