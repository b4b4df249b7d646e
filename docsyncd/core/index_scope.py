"""Which collections and which documents this daemon answers for; everything else is somebody else's and stays as it is.

Pure: knows the configuration's two settings (`[index] collections` and `scope`) and asks nobody. Design: index-sync.md, 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from docsyncd.core.index_plan import View
from docsyncd.core.model import CollectionId, Membership


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexScope:
    """What is ours to touch.

    :param only: the collections that may be filled, emptied, created or deleted; empty means all.
    :param linked: leave documents alone that no link leads from to one of them: no preview, no hash, no status.
    """

    only: frozenset[CollectionId] = frozenset()
    linked: bool = False

    def admits(self, collection: CollectionId | None) -> bool:
        """May it be touched? None, a collection that is still to be created, only where no list limits them."""
        return not self.only or collection in self.only

    def covers(self, memberships: Iterable[Membership]) -> bool:
        """May a document with these links be worked on at all?"""
        return not self.linked or any(self.admits(membership.collection) for membership in memberships)

    def holds(self, placed: Iterable[CollectionId]) -> bool:
        """Must a document be tidied up that has files, of which some were put into these collections?

        One whose files were put nowhere is ours, too: we broke off.
        """
        known = tuple(placed)
        return not known or any(self.admits(collection) for collection in known)

    def cut(self, view: View) -> View:
        """The view without what is not ours: links are left out, placements go to `elsewhere`."""
        ours = tuple(placement for placement in view.placements if self.admits(placement.collection))
        others = tuple(placement for placement in view.placements if not self.admits(placement.collection))
        return replace(
            view,
            memberships=tuple(each for each in view.memberships if self.admits(each.collection)),
            placements=ours,
            elsewhere=(*view.elsewhere, *others),
        )
