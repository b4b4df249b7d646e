"""What the first draft got wrong (reference/advoware-windows-sync.md, 4.7): directed, because chance finds it rarely.

It looked for paths before file ids, ignored open intents, and let two items own one thing.
"""

from __future__ import annotations

from docsyncd.core.ancestor import clashes
from docsyncd.core.snapshot import Level, Settings
from tests.core.simulator import luck, people
from tests.core.simulator.life import Config, Life


def _life(items: int, level: Level = Level.EXTENDED) -> Life:
    """A case file in step."""
    life = Life(Config(seed=1, level=level, settings=Settings(), items=items, texts=0, forgetful=False, agreed=True))
    life.begin()
    life.world.now += luck.HOUR
    return life


def _documents(life: Life) -> dict[str, str]:
    return {document.name: document.text for document in life.world.living()}


def _files(life: Life) -> dict[str, str]:
    return {file.path: file.text for file in life.world.files.values()}


def test_an_item_follows_its_file_id_past_a_file_that_takes_its_path() -> None:
    life = _life(1)
    (file,), (document,) = life.world.files.values(), life.world.living()
    text = file.text
    people.rename_and_reuse(life, 0, 4, 0)
    life.world.entries[0].path = "Klage.docx"
    life.world.now += luck.HOUR
    life.finish_run()
    assert (document.name, document.text) == ("Maß.docx", text), "the document went with its file"
    assert sorted(_documents(life)) == ["Klage.docx", "Maß.docx"], "what took the path is a document of its own"
    life.quiet()
    life.settle()


def test_an_edit_after_a_crash_between_write_and_commit_is_no_conflict() -> None:
    life = _life(1)
    people.edit_document(life, 0, 0, 0)
    life.world.now += luck.HOUR
    while life.world.effects[-1].what != "write" or life.world.effects[-1].side != "replica":
        life.advance(1)
    assert life.memory.intents, "written, and not committed"
    life.stop()
    people.edit_file(life, 0, 0, 0)
    last = next(iter(_files(life).values()))
    life.quiet()
    life.settle()
    texts = set(_documents(life).values())
    assert last in texts
    assert all(text in texts for text in life.world.heads.values())


def test_a_copy_that_was_made_before_a_crash_is_not_made_twice() -> None:
    life = _life(1)
    people.edit_document(life, 0, 0, 0)
    people.edit_file(life, 0, 0, 0)
    life.world.now += luck.HOUR
    before = len(life.world.documents)
    while len(life.world.documents) == before:
        life.advance(1)
    life.stop()
    life.quiet()
    life.settle()
    assert len([name for name in _documents(life) if "(Konflikt" in name]) == 1


def test_two_items_never_own_one_file_though_names_are_swapped_and_crashes_come_between() -> None:
    for level in Level:
        for primitives in range(1, 25):
            life = _life(3, level)
            people.swap_names(life, 0, 1, 0)
            people.edit_file(life, 0, 0, 0)
            life.world.now += luck.HOUR
            life.advance(primitives)
            life.stop()
            assert not clashes(life.memory.ancestors.values())
            life.quiet()
            life.settle()
            assert _documents(life) == _files(life)
