"""What a run may take as known that only looks whether the index is done: the links and consent that its forerunner asked for.

Pure. As after a settled run (`fingerprint`), the record's own fields and the epoch say whether anything may have changed. It
serves for looking, and for writing down what was found: before any other step links and consent are asked anew.
"""

from __future__ import annotations

from docsyncd.core import index_plan as plan
from docsyncd.core.model import Document, Membership
from docsyncd.engine.fingerprint import fingerprint
from docsyncd.work.ledger import Recall, Waiting


class AskAnew(Exception):
    """More than a look is needed."""


def note(document: Document, memberships: tuple[Membership, ...], *, epoch: int) -> Waiting:
    """For the next look. `memberships` as the catalog gave them, whatever the configuration admits of them."""
    return Waiting(record=fingerprint(document), epoch=epoch, memberships=memberships)


def known_memberships(recall: Recall, document: Document) -> tuple[Membership, ...] | None:
    """What was asked before, unless the record or what lies behind it may have changed since."""
    waiting = recall.memory.waiting
    if waiting is None or waiting.epoch != recall.epoch or waiting.record != fingerprint(document):
        return None
    return waiting.memberships


def is_mere_look(step: plan.Step) -> bool:
    """Does it leave the index as it is?"""
    return isinstance(step, plan.Await | plan.Save | plan.Settled)
