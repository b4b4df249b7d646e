"""What still carries a run's tag at either remote; as a program, it removes what a run left behind that was killed.

    python -m tests.live.leftovers docsyncd-live-0a1b2c3d

Takes the same variables as the run did, and touches nothing but what has exactly this tag in its name.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio

from docsyncd.api import CollectionId, DocumentId, index_tag
from tests.live import environment
from tests.live.environment import Misconfigured
from tests.live.espocrm_api import Refused
from tests.live.espocrm_world import EspoWorld, connected_world
from tests.live.remotes import espocrm_remote, xai_remote
from tests.live.xai_world import LiveXai, xai_world

TAG = re.compile(r"docsyncd-live-[0-9a-f]{8}")


async def in_espocrm(world: EspoWorld, tag: str, say: Callable[[str], None]) -> list[tuple[str, str]]:
    """Entity and id of each record."""
    named = [{"type": "contains", "attribute": "name", "value": tag}]
    names = world.profile
    found: list[tuple[str, str]] = []
    for entity in (names.case_file.entity, world.holder_link.entity, names.document.entity, "Attachment"):
        try:
            found += [(entity, str(each["id"])) for each in await world.people.every(entity, named, "name")]
        except Refused as refused:
            if entity != "Attachment" or refused.status != 403:
                raise
            say("attachments were not searched: only an administrator may list them")
    return found + [("Webhook", str(hook["id"])) for hook in await _webhooks(world) if tag in str(hook.get("url"))]


async def in_xai(xai: LiveXai, tag: str) -> tuple[Sequence[str], Sequence[CollectionId]]:
    """Names of files, and collections."""
    return await xai.files_named(tag), await xai.index.find_collections(f"[{tag}]")


async def leftovers(world: EspoWorld, xai: LiveXai, tag: str, say: Callable[[str], None]) -> list[str]:
    """All of it, in words."""
    files, collections = await in_xai(xai, tag)
    return [
        *(f"{entity}/{identifier}" for entity, identifier in await in_espocrm(world, tag, say)),
        *(f"xAI file {name}" for name in files),
        *(f"xAI collection {collection}" for collection in collections),
    ]


async def remove(world: EspoWorld, xai: LiveXai, tag: str, say: Callable[[str], None]) -> None:
    """Take it over as if this run had made it, and clean up."""
    for entity, identifier in await in_espocrm(world, tag, say):
        if entity == "Webhook":
            await world.docsyncd.ask("DELETE", f"Webhook/{identifier}")
        else:
            world.adopt(entity, identifier)
    files, collections = await in_xai(xai, tag)
    tags = [read for name in files if (read := index_tag.read(name)) is not None]
    xai.documents |= {DocumentId(each.document) for each in tags}
    xai.collections |= set(collections)
    await world.clean_up()
    await xai.clean_up()


async def _webhooks(world: EspoWorld) -> Sequence[Mapping[str, Any]]:
    """The API user's; none where its role lacks the scope."""
    try:
        return await world.docsyncd.every("Webhook", (), "event", "url")
    except Refused as refused:
        if refused.status != 403:
            raise
        return []


async def main(arguments: list[str]) -> None:
    if len(arguments) != 1 or TAG.fullmatch(arguments[0]) is None:
        raise SystemExit("usage: python -m tests.live.leftovers docsyncd-live-0a1b2c3d")
    try:
        live = environment.read(os.environ)
    except Misconfigured as wrong:
        raise SystemExit(str(wrong)) from None
    if live.espocrm is None:
        raise SystemExit(f"{environment.ESPOCRM_URL} is not set: where nothing is real, nothing is left behind.")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        espocrm = await stack.enter_async_context(espocrm_remote("real", live.espocrm, folder))
        xai = await stack.enter_async_context(xai_world(await stack.enter_async_context(xai_remote(live.xai, folder))))
        world = await stack.enter_async_context(connected_world(espocrm))
        for found in await leftovers(world, xai, arguments[0], print):
            print(f"removing {found}")
        await remove(world, xai, arguments[0], print)
        left = await leftovers(world, xai, arguments[0], print)
    print("\n".join(f"still there: {each}" for each in left) or "nothing is left")


if __name__ == "__main__":
    anyio.run(main, sys.argv[1:])
