"""The whole index flow, from a lawyer's upload to the end of consent, with the daemon as a process of its own."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from docsyncd.api import CollectionStage, DocumentId
from docsyncd.hashing import digest_bytes
from tests.live.environment import Environment
from tests.live.flow import Flow, Interrupted, interruptible, running_daemon, staged_flow
from tests.live.leftovers import leftovers, remove
from tests.live.remotes import EspoRemote, XaiRemote

pytestmark = [pytest.mark.live, pytest.mark.timeout(3 * 3600)]


async def test_a_document_lives_through_the_whole_flow_and_nothing_else_is_touched(
    espocrm: EspoRemote, xai: XaiRemote, live: Environment, tmp_path: Path, say: Callable[[str], None]
) -> None:
    tag = f"docsyncd-live-{secrets.token_hex(4)}"
    say(f"everything that this run makes carries {tag} in its name")
    say(f"profile {espocrm.account.profile} at {espocrm.account.url}")
    try:
        async with interruptible(), staged_flow(espocrm, xai, tag, tmp_path, say) as flow:
            await _play(flow, espocrm, xai, live)
            await flow.world.clean_up()
            await flow.xai.clean_up()
            await flow.until("nothing is left with the run's tag", flow.leftovers)
    except* Interrupted:
        pytest.exit(f"interrupted; what {tag} had made was removed", returncode=130)


class _Broken(Exception):
    """What goes wrong in the middle of a story."""


async def test_a_run_that_breaks_in_the_middle_leaves_nothing_behind(
    espocrm: EspoRemote, xai: XaiRemote, live: Environment, tmp_path: Path, say: Callable[[str], None]
) -> None:
    tag = f"docsyncd-live-{secrets.token_hex(4)}"
    broken = False
    try:
        async with staged_flow(espocrm, xai, tag, tmp_path, say) as flow:
            collection = await flow.xai.make_collection(f"docsyncd live run [{tag}]")
            holder = await flow.world.add_holder(collection, CollectionStage.ACTIVE, name=f"Sammlung {tag}")
            case_file, content = await _case_file(flow), pdf(tag)
            async with running_daemon(flow, espocrm, xai, live.listener, collection):
                document = await _file(flow, "Klage", content, case_file, holder=holder)
                what = "a document is indexed, to be left behind"
                await flow.until(what, lambda: flow.missing_of(document, digest_bytes(content), collection))
                assert len(await flow.leftovers()) >= 5  # document, case file, holder, file, collection
                raise _Broken
    except* _Broken:
        broken = True
    assert broken
    async with staged_flow(espocrm, xai, tag, tmp_path, say) as flow:
        await flow.until("nothing is left with the run's tag", flow.leftovers)


async def test_what_a_killed_run_left_is_found_by_its_tag_and_removed(
    espocrm: EspoRemote, xai: XaiRemote, tmp_path: Path, say: Callable[[str], None]
) -> None:
    tag, other = (f"docsyncd-live-{secrets.token_hex(4)}" for _ in range(2))
    async with staged_flow(espocrm, xai, tag, tmp_path, say) as flow:
        for name in (tag, other):
            collection = await flow.xai.make_collection(f"docsyncd live run [{name}]")
            holder = await flow.world.add_holder(collection, CollectionStage.ACTIVE, name=f"Sammlung {name}")
            await flow.world.add_document(f"Klage {name}.pdf", pdf(name), holder=holder)
        async with staged_flow(espocrm, xai, tag, tmp_path, say) as later:
            await remove(later.world, later.xai, tag, say)
        assert await flow.leftovers() == []
        assert len(await leftovers(flow.world, flow.xai, other, say)) >= 3


async def _play(flow: Flow, espocrm: EspoRemote, xai: XaiRemote, live: Environment) -> None:
    world = flow.world
    collection = await flow.xai.make_collection(f"docsyncd live run [{flow.tag}]")
    case_file = await _case_file(flow)
    holder = await world.add_holder(collection, CollectionStage.ACTIVE, name=f"Sammlung {flow.tag}")
    other = await flow.xai.make_collection(f"docsyncd live run, another [{flow.tag}]")
    elsewhere = await world.add_holder(other, CollectionStage.ACTIVE, name=f"Andere Sammlung {flow.tag}")
    bystanders = [
        await _file(flow, "Unbeteiligt", pdf("keine Sammlung"), case_file),
        await _file(flow, "Woanders", pdf("andere Sammlung"), case_file, holder=elsewhere),
    ]
    before = [await flow.claims(document) for document in bystanders]
    flow.say(f"case file, two collections and {len(bystanders)} documents that must stay as they are: made")

    async with running_daemon(flow, espocrm, xai, live.listener, collection) as webhooks:
        first, second = pdf(f"Klage {flow.tag}"), pdf(f"Klage {flow.tag}, zweite Fassung")
        claim = await _file(flow, "Klage Müller", first, case_file, holder=holder)
        await flow.until("the document is indexed", lambda: flow.missing_of(claim, digest_bytes(first), collection))
        if world.profile.document.preview:
            flow.say(f"its preview has {' x '.join(map(str, await flow.preview_of(claim)))} pixels")

        await world.replace_file(claim, f"Klage Müller neu {flow.tag}.pdf", second)
        await flow.until("the new version is indexed", lambda: flow.missing_of(claim, digest_bytes(second), collection))

        third = pdf(f"Anlage K1 {flow.tag}")
        exhibit = await _file(flow, "Anlage K1", third, case_file, holder=holder)
        await flow.until("a second one is indexed", lambda: flow.missing_of(exhibit, digest_bytes(third), collection))

        await world.delete_document(exhibit)
        await flow.until("the deleted one is gone from xAI", lambda: flow.traces_of(exhibit, collection))
        assert await flow.missing_of(claim, digest_bytes(second), collection) == []

        if world.asks_consent:
            await world.set_consent(case_file, given=False)
            await flow.until("without consent the first is gone, too", lambda: flow.traces_of(claim, collection))
        else:
            await world.unlink(claim, holder)
            await flow.until("without a link the first is gone, too", lambda: flow.traces_of(claim, collection))
        await flow.until("its record claims nothing any more", lambda: _claimed(flow, claim))

        await _tell_webhooks(flow, webhooks, must_come=not espocrm.real)
        assert [await flow.claims(document) for document in bystanders] == before
        assert await flow.xai.contents(other) == {}


async def _case_file(flow: Flow) -> str:
    case_file, _number = await flow.world.add_case_file(name=f"Akte {flow.tag}")
    if flow.world.asks_consent:
        await flow.world.set_consent(case_file, given=True)
    return case_file


async def _file(flow: Flow, name: str, content: bytes, case_file: str, *, holder: str | None = None) -> DocumentId:
    document = await flow.world.add_document(f"{name} {flow.tag}.pdf", content, case_file=case_file, holder=holder)
    flow.xai.documents.add(document)
    return document


async def _claimed(flow: Flow, document: DocumentId) -> list[str]:
    """What the record says of the index although nothing is there."""
    names, claims = flow.world.profile.document, await flow.claims(document)
    said = (names.index_file, names.collections, names.indexed_hash)
    return [f"record: {name} is {claims[name]!r}" for name in said if name and claims[name]]


async def _tell_webhooks(flow: Flow, webhooks: object, *, must_come: bool) -> None:
    """Whether EspoCRM's posts came through; in a real installation its job or a network may keep them, and polls do."""
    assert flow.daemon is not None
    requests = (await flow.daemon.ask("status"))["webhooks"]["requests"]
    good = sum(each["count"] for each in requests if each["outcome"] == "accepted")
    flow.say(f"webhooks that came: {requests or 'none'}")
    if webhooks and must_come:
        assert good > 0, requests


def pdf(text: str) -> bytes:
    """One page."""
    target = io.BytesIO()
    canvas = Canvas(target)
    canvas.setFont("Helvetica", 20)
    canvas.drawString(72, 720, text)
    canvas.showPage()
    canvas.save()
    return target.getvalue()
