"""The three hooks. They are nouns: each declares, none acts, none is asynchronous.

A plugin is a module named by an entry point of group `docsyncd`:

    [project.entry-points.docsyncd]
    sharepoint = "docsyncd_sharepoint"
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from docsyncd.connector import Connector
    from docsyncd.core.conflict_policy import ConflictPolicy
    from docsyncd.preview.previewer import Previewer

PROJECT = "docsyncd"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """What a plugin may implement."""

    @hookspec
    def docsyncd_connectors(self) -> Iterable[Connector]:
        """Connectors that this plugin brings. Collected over all plugins; a name that two of them claim is refused.

        **Example**

            from docsyncd import api
            from .config import FolderConfig
            from .client import connect
            from .emulator import FolderEmulator

            @api.hookimpl
            def docsyncd_connectors():
                yield api.Connector(
                    name="folder",
                    config=FolderConfig,
                    offers=frozenset({"replica"}),
                    connect=connect,
                    emulator=FolderEmulator,
                )
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def docsyncd_previewer(self, media_type: str) -> Previewer | None:
        """Who draws the preview of this media type, or None to leave it to others. Plugins come before the built-in ones.

        **Example**

            from docsyncd import api

            @api.hookimpl
            def docsyncd_previewer(media_type):
                if media_type == "image/x-dwg":
                    return api.Previewer(name="dwg", render="docsyncd_dwg.render:first_sheet")
                return None
        """
        raise NotImplementedError

    @hookspec
    def docsyncd_conflict_policies(self) -> Iterable[ConflictPolicy]:
        """Policies that name a conflict's winner. Pure; the loser is kept whatever they say.

        **Example**

            from docsyncd import api

            def larger(conflict: api.Conflict) -> api.Side:
                record, replica = conflict.record, conflict.replica
                return api.Side.RECORD if (record.size or 0) > (replica.size or 0) else api.Side.REPLICA

            @api.hookimpl
            def docsyncd_conflict_policies():
                yield api.ConflictPolicy(name="larger", winner=larger)
        """
        raise NotImplementedError
