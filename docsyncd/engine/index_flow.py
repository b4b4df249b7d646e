"""What every run of the index flow works with, put together once per configuration generation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from docsyncd.clock import Clock
from docsyncd.core.index_scope import IndexScope
from docsyncd.engine.guarded_write import GuardedWrite
from docsyncd.engine.intake import NoticeIntake
from docsyncd.engine.lease import Lease
from docsyncd.engine.staging import Staging
from docsyncd.ports import Catalog, Index
from docsyncd.preview.pool import PreviewPool
from docsyncd.work.audit import Audit
from docsyncd.work.ledger import Ledger

Report = Callable[[str], None]
"""Told each step in a few words, for `sync --wait` and `status`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """From `[index]`, `[previews]` and `[audit]`; times in seconds.

    :param catalog: the catalog's name in the configuration, for messages; `index` likewise.
    """

    catalog: str
    index: str
    live: bool
    scope: IndexScope
    previews: bool
    first_look: float
    give_up_after: float
    upload_settles: float
    collection_grace: float
    max_deletions_per_hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFlow:
    """The two remotes, what the daemon remembers, and where bytes lie meanwhile."""

    catalog: Catalog
    index: Index
    ledger: Ledger
    intake: NoticeIntake
    staging: Staging
    previews: PreviewPool
    audit: Audit
    clock: Clock
    settings: IndexSettings

    def write(self, lease: Lease) -> GuardedWrite:
        """The only way to change anything, under this lease."""
        return GuardedWrite(self.catalog, self.index, self.audit, lease)
