"""Words for people: a record's error field in German, which lawyers read in EspoCRM; a step in English, for operators."""

from __future__ import annotations

from collections.abc import Iterable

from docsyncd.core import index_plan as plan
from docsyncd.core.model import CollectionId, Placement
from docsyncd.errors import CorruptContent, ProtocolViolation, Rejected, RemoteError, RequestFailed

_FAILURES: tuple[tuple[type[RemoteError], str], ...] = (
    (CorruptContent, "Die Datei kam beschädigt an und wird erneut geholt"),
    (ProtocolViolation, "Ein beteiligter Dienst hat unverständlich geantwortet"),
    (Rejected, "Ein beteiligter Dienst hat das Dokument abgelehnt"),
    (RequestFailed, "Eine Anfrage für dieses Dokument ist fehlgeschlagen und wird wiederholt"),
)


def failure(error: RemoteError) -> str:
    """A sentence, and the remote's own words after it."""
    sentence = next((words for kind, words in _FAILURES if isinstance(error, kind)), "Der Abgleich ist fehlgeschlagen")
    return f"{sentence}: {error}"[:2000]


def not_indexed(failed: Iterable[Placement], gone: Iterable[CollectionId]) -> str:
    """Why the index does not have it."""
    reasons = [f"Die Datei wurde nicht indiziert: {placement.error or 'ohne Begründung'}" for placement in failed]
    reasons += [f"Die Collection {collection} gibt es nicht mehr" for collection in gone]
    return "; ".join(reasons)[:2000]


def words(step: plan.Step) -> str:
    """A step for people: `place file_1 in collection_2`."""
    match step:
        case plan.Place():
            return f"place {step.file} in {step.collection}"
        case plan.Withdraw():
            return f"withdraw {step.file} from {step.collection} ({step.reason})"
        case plan.Forget():
            return f"forget {step.file}"
        case plan.Await():
            return f"wait for {', '.join(step.collections)}"
        case plan.Settled():
            return step.summary
    return type(step).__name__.lower()
