"""When a listing is at its end, and when nobody may say that it is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from docsyncd.api import ProtocolViolation
from docsyncd_xai.paging import LIMIT, Page, Verdict, judge, walk

FULL = tuple(range(LIMIT))
SHORT = (1, 2)
NEXT = "next"


def page(entries: Sequence[int], first: str = "new", token: str | None = NEXT) -> Page[int]:
    return Page(entries=entries, first=first if entries else "", token=token)


@pytest.mark.parametrize(
    ("given", "short_ends", "verdict"),
    [
        pytest.param(page(()), True, Verdict.LAST, id="empty"),
        pytest.param(page(()), False, Verdict.LAST, id="empty, although there is a token"),
        pytest.param(page(SHORT, "seen"), True, Verdict.REPEATED, id="repeated and short"),
        pytest.param(page(FULL, "seen"), True, Verdict.INCOMPLETE, id="repeated and full"),
        pytest.param(page(FULL, "seen", None), False, Verdict.INCOMPLETE, id="repeated and full, without a token"),
        pytest.param(page(FULL, token=None), True, Verdict.LAST, id="no token"),
        pytest.param(page(SHORT), True, Verdict.LAST, id="short, and that is the end"),
        pytest.param(page(SHORT), False, Verdict.MORE, id="short, but only a missing token is the end"),
        pytest.param(page(FULL, token="followed"), True, Verdict.INCOMPLETE, id="followed before, full"),
        pytest.param(page(SHORT, token="followed"), False, Verdict.LAST, id="followed before, short"),
        pytest.param(page(FULL), True, Verdict.MORE, id="full, with a new token"),
    ],
)
def test_a_page_is_judged_by_the_table(given: Page[int], short_ends: bool, verdict: Verdict) -> None:
    assert judge(given, {"seen"}, {"followed"}, short_ends=short_ends) is verdict


async def test_a_listing_without_an_end_is_given_up() -> None:
    asked: list[str | None] = []

    async def fetch(token: str | None) -> Page[int]:
        asked.append(token)
        return page(FULL, first=f"first {len(asked)}", token=f"token {len(asked)}")

    with pytest.raises(ProtocolViolation, match="does not end after 3 pages"):
        _ = [entry async for entry in walk(fetch, what="files", remote="xai", short_ends=True, most=3)]
    assert asked == [None, "token 1", "token 2"]
