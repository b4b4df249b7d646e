"""What helps a document now: from where it stands to one sentence for an administrator. Asks nobody and decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from docsyncd.core.model import DocumentId, document_key
from docsyncd.work.queue import Entry, KeyState


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One document as the daemon knows it.

    :param entry: its key in the queue; None if nothing is due.
    :param summary: how its last run ended, "" if none has.
    :param away: the remotes that are away; True for one that refuses our key.
    :param paused: an operator has said `pause`.
    """

    document: DocumentId
    entry: Entry | None
    summary: str
    away: Mapping[str, bool]
    paused: bool


def state_of(seen: Standing) -> str:
    """One word or two: what is due counts for more than how the last run ended."""
    if seen.entry is None:
        return seen.summary or "never seen"
    if seen.entry.state is KeyState.PARKED:
        return "parked"
    return "failing" if seen.entry.attempts and seen.entry.state is KeyState.DELAYED else "under way"


def advise(seen: Standing) -> str:
    """The one thing that helps."""
    return next(sentence for rule in RULES if (sentence := rule(seen)) is not None)


def _parked(seen: Standing) -> str | None:
    if seen.entry is None or seen.entry.state is not KeyState.PARKED:
        return None
    return f"Mend what the error names, then: docsyncd retry {seen.entry.key}"


def _key_refused(seen: Standing) -> str | None:
    refusing = [name for name, refused in seen.away.items() if refused]
    if seen.entry is None or not refusing:
        return None
    return f"{' and '.join(refusing)} refuses the key. Correct it, then: docsyncd reload"


def _away(seen: Standing) -> str | None:
    if seen.entry is None or not seen.away:
        return None
    return f"It goes on by itself when {' and '.join(seen.away)} can be reached again. See: docsyncd status"


def _active(seen: Standing) -> str | None:
    if seen.entry is None or seen.entry.state is not KeyState.ACTIVE:
        return None
    return f"It is being worked on. To see what becomes of it: docsyncd sync {seen.document} --wait"


def _paused(seen: Standing) -> str | None:
    return "Work is paused. To go on: docsyncd resume" if seen.entry is not None and seen.paused else None


def _backing_off(seen: Standing) -> str | None:
    if seen.entry is None or seen.entry.state is not KeyState.DELAYED or not seen.entry.attempts:
        return None
    return f"It is tried again by itself. To try now: docsyncd retry {seen.entry.key}"


def _waiting(seen: Standing) -> str | None:
    return "Nothing has to be done: it is in the queue, and its turn comes by itself." if seen.entry else None


_BY_SUMMARY = {
    "observed": 'The index flow only observes. To let it work: set [index] mode = "live", then: docsyncd reload',
    "unplaced": "To have it indexed: link it in EspoCRM to a case file with consent and an active collection.",
    "unsupported": "The index cannot take this file. Store it in EspoCRM in another format, or leave it as it is.",
    "out of scope": "Nothing leads to a collection that this daemon may fill. See [index] collections and scope.",
    "deleted": "Nothing is left to do: it is gone from the catalog, and from the index.",
    "failed": "Mend what the reason names, then: docsyncd retry {key}",
    "": "docsyncd has not looked at it yet. To look now: docsyncd sync {document} --wait",
}


def _settled(seen: Standing) -> str:
    sentence = _BY_SUMMARY.get(
        seen.summary, "Nothing is left to do. To look at all of it again: docsyncd sync {document}"
    )
    return sentence.format(key=document_key(seen.document), document=seen.document)


RULES: tuple[Callable[[Standing], str | None], ...] = (
    _parked,
    _key_refused,
    _away,
    _active,
    _paused,
    _backing_off,
    _waiting,
    _settled,
)
"""In this order: the first that has a sentence decides."""
