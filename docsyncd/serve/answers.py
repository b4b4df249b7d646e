"""What the webhook listener may say, as a table. No I/O, no request in sight.

EspoCRM retries 401, 404 and 503 (four attempts, ten minutes apart), drops the event at once on 400 409 413 422 429 501
502 504, and deletes the webhook itself on 410 (reference/espocrm.md, 1.3). So there are four statuses, and no way to
write a fifth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal


class Outcome(StrEnum):
    """What became of one request."""

    ACCEPTED = "accepted"
    UNDECODABLE = "undecodable"
    REFUSED = "refused"
    NOT_FOUND = "not-found"
    NOT_READY = "not-ready"
    OVERLOADED = "overloaded"
    TOO_LARGE = "too-large"
    SLOW = "slow"
    BROKEN = "broken"
    QUEUE_AWAY = "queue-away"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How an outcome is told.

    :param reason: for the person who reads the sender's log.
    :param poll: the sender's word is lost or unreadable, so the records are asked at once instead of at the next poll.
    :param close: the connection ends with this answer, because the rest of the request is not read.
    """

    status: Literal[200, 401, 404, 503]
    reason: str
    poll: bool = False
    close: bool = False


ANSWERS: Final[Mapping[Outcome, Answer]] = {
    Outcome.ACCEPTED: Answer(status=200, reason="The ids are in the queue."),
    Outcome.UNDECODABLE: Answer(
        status=200, reason="Well signed, but not a list of records; the records are polled instead.", poll=True
    ),
    Outcome.REFUSED: Answer(status=401, reason="The signature is missing, or not by a secret that is configured here."),
    Outcome.NOT_FOUND: Answer(status=404, reason="No webhook is configured for this path and method.", close=True),
    Outcome.NOT_READY: Answer(status=503, reason="docsyncd is starting or stopping.", close=True),
    Outcome.OVERLOADED: Answer(status=503, reason="Too many requests at once.", close=True),
    Outcome.TOO_LARGE: Answer(
        status=503, reason="The body is above the limit; the records are polled instead.", poll=True, close=True
    ),
    Outcome.SLOW: Answer(status=503, reason="The body did not arrive in time.", close=True),
    Outcome.BROKEN: Answer(status=503, reason="This is not an HTTP request that can be read.", close=True),
    Outcome.QUEUE_AWAY: Answer(status=503, reason="The queue did not confirm in time."),
    Outcome.FAILED: Answer(status=503, reason="An error in docsyncd; its log has the traceback.", close=True),
}
"""Every outcome has its answer (index-sync.md, Triggers)."""
