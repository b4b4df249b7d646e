"""What people do: at Windows and in EspoCRM. (`luck` has the rest.)

Each happening takes three numbers and finds its objects by them, modulo what is there: so any part of a history is a history.
It answers with a line for the story, or "" if there was nothing to do it to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from docsyncd.core.paths import is_nobodys, ntfs_key
from docsyncd.core.snapshot import Level
from tests.core.simulator.world import EMPTY, Document, Entry, File

if TYPE_CHECKING:
    from tests.core.simulator.life import Life

Happening = Callable[["Life", int, int, int], str]

WINDOWS_NAMES = ("Klage.docx", "klage.docx", "M\u00fcller.docx", "Mu\u0308ller.docx", "Maß.docx", "MAẞ.docx")
RECORD_NAMES = (*WINDOWS_NAMES, "CON.docx", "Brief?.docx", "Akte. ", "Klage.docx")


def _file(life: Life, number: int) -> File | None:
    files = [f for f in life.world.files.values() if not is_nobodys(f.path) and not f.locked]
    return files[number % len(files)] if files else None


def _document(life: Life, number: int) -> Document | None:
    found = list(life.world.living())
    return found[number % len(found)] if found else None


def _text(life: Life, number: int) -> str:
    if life.config.texts:
        return "ABCDEFGH"[number % life.config.texts]
    return f"T{life.world.number()}"


def _touched(life: Life, file: File) -> None:
    """What was buried or only renamed is so no longer."""
    life.world.buried.pop(file.id, None)


def edit_file(life: Life, a: int, b: int, _: int) -> str:
    file = _file(life, a)
    if file is None:
        return ""
    text = _text(life, b)
    _touched(life, file)
    life.world.change_file(file, text, life.wrote(file, text))
    return f'Windows: edits "{file.path}": {text}'


def word_saves(life: Life, a: int, b: int, c: int) -> str:
    """A new file under the old name; the old one stays as a temporary file, or goes."""
    world, file = life.world, _file(life, a)
    if file is None:
        return ""
    text = _text(life, b)
    path, versions = file.path, life.wrote(file, text)
    world.renamed.pop(file.id, None)
    _touched(life, file)
    if c % 3 == 0:
        file.path, file.usn = f"~wrl{file.id:04}.tmp", world.usn()
    else:
        del world.files[file.id]
    world.put_file(path, text, versions)
    return f'Windows: Word saves "{path}": {text}' + (", its temporary file stays" if c % 3 == 0 else "")


def create_file(life: Life, a: int, b: int, c: int) -> str:
    path = WINDOWS_NAMES[a % len(WINDOWS_NAMES)]
    world = life.world
    if ntfs_key(path) in world.taken():
        return ""
    text = _text(life, b)
    world.put_file(path, text, life.appearing(path, text))
    if c % 4:
        _register(life, path)
    return f'Windows: creates "{path}": {text}' + ("" if c % 4 else ", not in the History")


def copy_file(life: Life, a: int, b: int, c: int) -> str:
    world, file = life.world, _file(life, a)
    path = WINDOWS_NAMES[b % len(WINDOWS_NAMES)]
    if file is None or ntfs_key(path) in world.taken():
        return ""
    world.put_file(path, file.text, life.appearing(path, file.text))
    if c % 2:
        _register(life, path)
    return f'Windows: copies "{file.path}" to "{path}"'


def delete_file(life: Life, a: int, _: int, c: int) -> str:
    world, file = life.world, _file(life, a)
    if file is None:
        return ""
    del world.files[file.id]
    if not life.is_moved_copy(file):
        world.deleted(file)
        life.left_to_a_namesake(file)
    world.buried.pop(file.id, None)
    if c % 3:
        key = ntfs_key(file.path)
        world.entries = [e for e in world.entries if ntfs_key(e.path) != key]
    return f'Windows: deletes "{file.path}"' + (" with its History entry" if c % 3 else "")


def rename_file(life: Life, a: int, b: int, c: int) -> str:
    world, file = life.world, _file(life, a)
    path = WINDOWS_NAMES[b % len(WINDOWS_NAMES)]
    if file is None or world.at_path(path) not in (None, file) or path == file.path:
        return ""
    _moved(life, file, path, entry=bool(c % 2))
    return f'Windows: renames to "{path}" (id {file.id})'


def swap_names(life: Life, a: int, b: int, _: int) -> str:
    one, two = _file(life, a), _file(life, b)
    if one is None or two is None or one is two:
        return ""
    old, new = one.path, two.path
    _moved(life, one, f"{old}.swap", entry=False)
    _moved(life, two, old, entry=False)
    _moved(life, one, new, entry=False)
    return f'Windows: swaps "{old}" and "{new}"'


def rename_and_reuse(life: Life, a: int, b: int, c: int) -> str:
    file = _file(life, a)
    path = "" if file is None else file.path
    if not rename_file(life, a, b, c) or path == WINDOWS_NAMES[b % len(WINDOWS_NAMES)]:
        return ""
    world = life.world
    if ntfs_key(path) in world.taken():
        return "Windows: renames in case only"
    text = _text(life, c)
    world.put_file(path, text, life.appearing(path, text))
    return f'Windows: renames "{path}" away and writes another there: {text}'


def _moved(life: Life, file: File, path: str, *, entry: bool) -> None:
    world = life.world
    before = life.memory.owner_of(file, world.level) if life.is_an_items(file) else None
    old, file.path, file.usn = file.path, path, world.usn()
    unrecognised = file.text == EMPTY and (world.level is Level.BASIC or life.config.forgetful)
    at_home = before is not None and before.key == ntfs_key(path)
    mistaken = life.passes_for_the_items(path, file.text) and not at_home
    if unrecognised or (mistaken and (before is None or world.level is Level.BASIC)):
        world.dropped(file.versions)
    owner = life.memory.owner_of(file, world.level)
    listed = not any("windows" in fault for fault in world.faults)
    if owner is not None and owner.record is not None and owner.replica is not None and listed:
        document = world.document(owner.record.file_id)
        if owner.replica.file_id == str(file.id) and document is not None and not document.deleted:
            world.renamed[file.id] = f"d{document.id:03}"
    if world.level is Level.BASIC:
        world.buried.pop(file.id, None)
    if entry:
        for e in world.entries:
            if ntfs_key(e.path) == ntfs_key(old):
                e.path = path


def touch_file(life: Life, a: int, _: int, __: int) -> str:
    file = _file(life, a)
    if file is None:
        return ""
    file.usn = life.world.usn()
    return f'Windows: a virus scanner touches "{file.path}"'


def lock_file(life: Life, a: int, _: int, __: int) -> str:
    files = list(life.world.files.values())
    if not files:
        return ""
    file = files[a % len(files)]
    file.locked = not file.locked
    return f'Windows: "{file.path}" is {"locked" if file.locked else "free again"}'


def owner_file(life: Life, a: int, _: int, __: int) -> str:
    world, file = life.world, _file(life, a)
    if file is None:
        return ""
    path = f"~${file.path[2:]}"
    there = world.at_path(path)
    if there is None:
        world.put_file(path, "owner", frozenset())
        return f'Windows: Word opens "{file.path}"'
    del world.files[there.id]
    return f'Windows: Word closes "{file.path}"'


def empty_file(life: Life, a: int, _: int, __: int) -> str:
    """A crash leaves nothing of it: nobody meant that, so what was only here is lost to the world."""
    world, file = life.world, _file(life, a)
    if file is None:
        return ""
    by_path = world.level is Level.BASIC and not life.passes_for_the_items(file.path, file.text)
    if by_path or not life.is_an_items(file):
        world.dropped(file.versions)
    world.change_file(file, EMPTY, file.versions)
    world.buried.pop(file.id, None)
    life.forgive_the_world()
    return f'Windows: a crash empties "{file.path}"'


def edit_document(life: Life, a: int, b: int, _: int) -> str:
    document = _document(life, a)
    if document is None:
        return ""
    text = _text(life, b)
    life.world.change_document(document, text, life.wrote(document, text))
    return f'EspoCRM: edits d{document.id:03} "{document.name}": {text}'


def create_document(life: Life, a: int, b: int, _: int) -> str:
    name, text = RECORD_NAMES[a % len(RECORD_NAMES)], _text(life, b)
    made = life.world.put_document(name, text, life.world.written(text))
    return f'EspoCRM: creates d{made.id:03} "{name}": {text}'


def duplicate_document(life: Life, a: int, _: int, __: int) -> str:
    document = _document(life, a)
    if document is None:
        return ""
    made = life.world.put_document(document.name, document.text, life.world.copied(document))
    made.agreed = document.agreed
    return f'EspoCRM: duplicates d{document.id:03} as d{made.id:03} "{made.name}"'


def delete_document(life: Life, a: int, _: int, __: int) -> str:
    world, document = life.world, _document(life, a)
    if document is None:
        return ""
    world.deleted(document)
    document.deleted = True
    world.renamed = {f: d for f, d in world.renamed.items() if d != f"d{document.id:03}"}
    life.bury(document)
    return f'EspoCRM: deletes d{document.id:03} "{document.name}"'


def undelete_document(life: Life, a: int, _: int, __: int) -> str:
    gone = [d for d in life.world.documents.values() if d.deleted]
    if not gone:
        return ""
    document = gone[a % len(gone)]
    document.deleted = False
    life.world.restored(document)
    return f'EspoCRM: restores d{document.id:03} "{document.name}": {document.text}'


def rename_document(life: Life, a: int, b: int, _: int) -> str:
    document = _document(life, a)
    if document is None:
        return ""
    document.name = RECORD_NAMES[b % len(RECORD_NAMES)]
    return f'EspoCRM: renames d{document.id:03} to "{document.name}"'


def _register(life: Life, path: str) -> None:
    life.world.entries.append(Entry(number=life.world.number(), path=path))
