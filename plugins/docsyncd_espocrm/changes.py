"""What changed since the last look, by `modifiedAt`: webhooks are lossy, this is what makes up for them.

Three kinds of records are polled: documents, and case files and collections, whose change may concern all their documents
(withdrawn consent must be seen within one poll). Deletions, restores and links are invisible here; the sweeps find those.

`modifiedAt` has a resolution of one second and is set before its transaction commits. Therefore each poll looks back a few
seconds behind the newest change that it has seen, and no clock but EspoCRM's own decides where it begins. What falls into
that overlap is reported twice, the second time at least one overlap later, when its second is surely over; then it is quiet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from docsyncd.api import Change, Changes, Clock, DocumentId

from .links import Layout, Links
from .memberships import linked_with
from .rest import Rest
from .wire import Wire, read_time, write_time

BEGINNING: Final = "1970-01-01 00:00:00"
"""Where a stream begins that the cursor does not know: everything is looked at once rather than something never."""
PARENTS_PER_PAGE: Final = 50
"""Changed case files or collections per page: their ids stand in one query, which must fit into 8 KiB of request line."""
REMEMBERED: Final = 1000
"""Records of the overlap that a cursor remembers; beyond that they are only reported more often."""
_SETTLED: Final = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One entity to poll. `parent` finds the documents of changed records; None: the records are the documents."""

    entity: str
    parent: str | None = None
    many: bool = False

    @property
    def key(self) -> str:
        return self.entity if self.parent is None else f"{self.entity}.{self.parent}"


@dataclass(slots=True, kw_only=True)
class Position:
    """How far one stream was read.

    :param at: the newest `modifiedAt` seen.
    :param after: the last record of an unfinished poll, as (`modifiedAt`, id).
    :param seen: by id, the `modifiedAt` last reported and when (our clock, seconds; 0: twice, so it is settled).
    """

    at: str = BEGINNING
    after: tuple[str, str] | None = None
    seen: dict[str, tuple[str, float]] = field(default_factory=dict)

    def should_report(self, record: str, stamp: str, *, now: float, overlap: float) -> bool:
        """Is this change new, or not yet reported a second time at least one overlap after the first?"""
        known = self.seen.get(record)
        if known is None or known[0] != stamp:
            self.seen[record] = (stamp, now)
            return True
        if known[1] == _SETTLED:
            return False
        if now - known[1] >= overlap:
            self.seen[record] = (stamp, _SETTLED)
        return True

    def begin(self, overlap: float) -> str:
        """The earliest `modifiedAt` that the next poll looks at."""
        moment = read_time(self.at)
        return self.at if moment is None or self.at == BEGINNING else write_time(moment - timedelta(seconds=overlap))

    def finish(self, overlap: float) -> None:
        """The poll is through: forget what the next one will not see again."""
        begin = self.begin(overlap)
        kept = {record: known for record, known in self.seen.items() if known[0] >= begin}
        self.seen = kept if len(kept) <= REMEMBERED else {}
        self.after = None


class ChangeFeed:
    """One page of one stream per call; the cursor holds all that is remembered."""

    def __init__(
        self, rest: Rest, wire: Wire, links: Links, *, clock: Clock, overlap: float, watch_consent: bool
    ) -> None:
        self._rest = rest
        self._wire = wire
        self._links = links
        self._clock = clock
        self._overlap = overlap
        self._watch_consent = watch_consent

    async def since(self, cursor: str | None) -> Changes:
        """The next page. An unreadable cursor begins at the beginning: nothing is missed."""
        streams = self.streams(await self._links.layout())
        turn, positions = (0, await self._now(streams)) if cursor is None else _parse(cursor)
        turn = turn if turn < len(streams) else 0
        stream = streams[turn]
        position = positions.setdefault(stream.key, Position())
        records, more = await self._page(stream, position)
        now = self._clock.now().timestamp()
        due = [
            identifier
            for identifier, stamp in records
            if position.should_report(identifier, stamp, now=now, overlap=self._overlap)
        ]
        position.at = max([position.at, *(stamp for _identifier, stamp in records)])
        if more:
            position.after = (records[-1][1], records[-1][0])
        else:
            position.finish(self._overlap)
            turn += 1
        return Changes(
            items=await self._items(stream, due),
            cursor=_written(turn % len(streams), positions),
            more=more or turn < len(streams),
        )

    def streams(self, layout: Layout) -> Sequence[Stream]:
        """Documents first, then the records behind each link whose change may concern documents."""
        found = [Stream(entity=self._wire.profile.document.entity)]
        if layout.case_file is not None and self._watch_consent:
            link = layout.case_file
            found.append(Stream(entity=link.entity, parent=link.name, many=link.many))
        found += [Stream(entity=each.entity, parent=each.name, many=True) for each in layout.collections]
        return list(dict.fromkeys(found))

    async def _now(self, streams: Sequence[Stream]) -> dict[str, Position]:
        """Each stream at its newest record: "now" by the only clock that sets `modifiedAt`."""
        positions: dict[str, Position] = {}
        for stream in streams:
            newest = await self._rest.first(
                self._rest.path(stream.entity), select=["modifiedAt"], orderBy="modifiedAt", order="desc", maxSize=1
            )
            stamp = newest[0].get("modifiedAt") if newest else None
            positions[stream.key] = Position(at=stamp if isinstance(stamp, str) else BEGINNING)
        return positions

    async def _page(self, stream: Stream, position: Position) -> tuple[list[tuple[str, str]], bool]:
        """(id, `modifiedAt`) in that order of time; by key, since records move to the end while the pages are read."""
        where: list[Mapping[str, Any]] = []
        if position.after is None:
            where.append(_compared("greaterThanOrEquals", "modifiedAt", position.begin(self._overlap)))
        else:
            stamp, identifier = position.after
            later = [_compared("greaterThan", "modifiedAt", stamp), _compared("greaterThan", "id", identifier)]
            where.append(_compared("greaterThanOrEquals", "modifiedAt", stamp))
            where.append({"type": "or", "value": later})
        records, more = await self._rest.page(
            self._rest.path(stream.entity),
            select=["id", "modifiedAt"],
            where=where,
            orderBy="modifiedAt",
            order="asc",
            maxSize=self._rest.page_size if stream.parent is None else min(PARENTS_PER_PAGE, self._rest.page_size),
        )
        return [(self._wire.identifier(record), str(record.get("modifiedAt"))) for record in records], more

    async def _items(self, stream: Stream, due: Sequence[str]) -> tuple[Change, ...]:
        if stream.parent is None:
            return tuple(Change(document=DocumentId(identifier), deep=False) for identifier in due)
        if not due:
            return ()
        where = linked_with(stream.parent, due) if stream.many else _compared("in", f"{stream.parent}Id", list(due))
        documents = self._rest.walk(self._rest.path(self._wire.profile.document.entity), select=("id",), where=[where])
        return tuple([Change(document=DocumentId(self._wire.identifier(each)), deep=True) async for each in documents])


def _compared(how: str, attribute: str, value: Any) -> Mapping[str, Any]:
    return {"type": how, "attribute": attribute, "value": value}


def _written(turn: int, positions: Mapping[str, Position]) -> str:
    streams = {name: {"at": p.at, "after": p.after, "seen": p.seen} for name, p in positions.items()}
    return json.dumps({"turn": turn, "streams": streams}, separators=(",", ":"))


def _parse(cursor: str) -> tuple[int, dict[str, Position]]:
    try:
        raw = json.loads(cursor)
        positions = {
            str(name): Position(
                at=str(each["at"]),
                after=None if each["after"] is None else (str(each["after"][0]), str(each["after"][1])),
                seen={str(record): (str(known[0]), float(known[1])) for record, known in each["seen"].items()},
            )
            for name, each in raw["streams"].items()
        }
        return int(raw["turn"]), positions
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return 0, {}
