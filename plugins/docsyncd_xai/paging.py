"""Walks a listing to its end, or says that it cannot.

What ends a listing differs by page, host and documentation (xai.md, 1.4 and 2.2), and a token that leads to the same page for ever
was seen. So a page is judged by this table, in this order:

=========================================  =========================================
empty                                      complete
begins like an earlier page                complete if it is short, else incomplete
without a token                            complete
short, where a short page is the end       complete
its token was followed before              complete if it is short, else incomplete
otherwise                                  follow its token
=========================================  =========================================

Incomplete raises `ProtocolViolation`: nobody may take a part for the whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, TypeVar

from docsyncd.api import ProtocolViolation

Entry = TypeVar("Entry")

LIMIT: Final = 100
"""Entries per page: the most that xAI gives."""

MAX_PAGES: Final = 10_000
"""A million entries: ten times what xAI stores for one team (xai.md, 2.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Entry]):
    """One page. `first` is the id of its first entry, empty if there is none."""

    entries: Sequence[Entry]
    first: str
    token: str | None


class Verdict(Enum):
    """MORE: follow the token. LAST: this page ends it. REPEATED: ended before this page. INCOMPLETE: it cannot be finished."""

    MORE = "more"
    LAST = "last"
    REPEATED = "repeated"
    INCOMPLETE = "incomplete"


def judge(page: Page[Entry], firsts: set[str], tokens: set[str], *, short_ends: bool) -> Verdict:
    """The table above. `firsts` and `tokens` are those of the pages before."""
    short = len(page.entries) < LIMIT
    if page.first in firsts:
        return Verdict.REPEATED if short else Verdict.INCOMPLETE
    if not page.entries or not page.token or (short and short_ends):
        return Verdict.LAST
    if page.token in tokens:
        return Verdict.LAST if short else Verdict.INCOMPLETE
    return Verdict.MORE


async def walk(
    fetch: Callable[[str | None], Awaitable[Page[Entry]]],
    *,
    what: str,
    remote: str,
    short_ends: bool,
    most: int = MAX_PAGES,
) -> AsyncIterator[Entry]:
    """Every entry, page by page, of at most `most` pages. It was complete if it ends without an error."""
    firsts: set[str] = set()
    tokens: set[str] = set()
    token: str | None = None
    for _ in range(most):
        page = await fetch(token)
        verdict = judge(page, firsts, tokens, short_ends=short_ends)
        if verdict is Verdict.REPEATED:
            return
        if verdict is Verdict.INCOMPLETE:
            raise ProtocolViolation(f"the list of {what} repeats itself and cannot be read to its end", remote=remote)
        for entry in page.entries:
            yield entry
        if verdict is Verdict.LAST:
            return
        firsts.add(page.first)
        token = page.token
        tokens.add(token or "")
    raise ProtocolViolation(f"the list of {what} does not end after {most} pages", remote=remote)
