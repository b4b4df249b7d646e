"""Words for people: a record's error field in German, which lawyers read in EspoCRM; a step in English, for operators."""

from __future__ import annotations

from collections.abc import Iterable

from docsyncd.core import index_plan as plan
from docsyncd.core.model import CollectionId, Membership, Placement
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


def unplaced(view: plan.View) -> str:
    """Why it is wanted in no collection: what each of its links lacks."""
    if view.document.file is None:
        return "it has no file"
    return "; ".join(f"{link.holder}: {_lack(link)}" for link in view.memberships) or "no link leads to a collection"


def _lack(link: Membership) -> str:
    if not link.consent:
        return "there is no consent"
    return "it has no collection yet" if link.collection is None else f"its collection is {link.stage}"


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


def intention(view: plan.View, step: plan.Step) -> str:
    """What mode `live` would do: the step itself, or where the first steps of an indexing lead to."""
    collections = ", ".join(plan.wanted(view))
    match step:
        case plan.Fetch() | plan.Announce() | plan.Upload() if view.current is None and collections:
            return f"would upload it and place it in {collections}"
        case plan.Fetch() | plan.Announce() if plan.wanted(view):
            return f"would bring it in step in {collections}"
        case plan.Fetch():
            return "would draw its preview"
        case plan.Save():
            return f"would write into the record that it is {plan.summary(view)}"
    return f"would {words(step)}"
