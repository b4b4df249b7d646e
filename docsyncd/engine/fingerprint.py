"""Is there anything to do for a record at all? One read answers it: our own write coming back costs no more.

Pure. The fingerprint covers every field of the record that a decision depends on; what lies behind the record (links, consent)
is covered by the epoch, which polls and sweeps raise when they see a difference (`Ledger.disturb`). docs/adr/0004.
"""

from __future__ import annotations

import json
from hashlib import blake2b

from docsyncd.core.model import Document
from docsyncd.work.ledger import Recall


def fingerprint(document: Document) -> str:
    """Changes with every field that a decision depends on; dates and revisions are none. Taken of what the catalog shows."""
    document = document.shown or document
    facts: list[object] = [
        document.name,
        document.file and [document.file.attachment, document.file.name],
        document.case_file,
        document.status,
        document.index_status,
        document.index_file,
        sorted(document.collections),
        document.indexed_hash,
        document.index_error,
        document.md5,
        document.sha256,
        document.preview,
    ]
    return blake2b(json.dumps(facts, ensure_ascii=False).encode(), digest_size=16).hexdigest()


def is_settled(recall: Recall, document: Document) -> bool:
    """The last run left nothing to do, and nothing has changed since."""
    memory = recall.memory
    return memory.settled_epoch == recall.epoch and memory.settled == fingerprint(document)
