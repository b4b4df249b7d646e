"""One line of a document's log: what was decided, from which inputs, in which run. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from docsyncd.work.queue import Claim


def decision(
    now: datetime,
    claim: Claim,
    *,
    topic: str,
    outcome: str,
    reason: str,
    steps: Sequence[str],
    **inputs: str | None,
) -> str:
    """JSON for `Ledger.commit`, which `explain` shows."""
    facts = {
        "at": now.isoformat(),
        "trace": claim.trace,
        "topic": topic,
        "attempt": claim.attempt,
        "lane": claim.lane,
        "insisted": claim.insisted,
        "outcome": outcome,
        "reason": reason,
        "steps": list(steps),
        "inputs": inputs,
    }
    return json.dumps(facts, ensure_ascii=False)
