"""The quirks of the emulated NTFS, one test each (docsyncd_watcher/emulator, "The disk")."""

from __future__ import annotations

import pytest

from docsyncd.testing.host import HandClock
from docsyncd_watcher.emulator import NOISE, Refused, World
from docsyncd_watcher.emulator.ntfs import Reason

AKTE = "12345"


@pytest.fixture
def world() -> World:
    return World(HandClock())


def test_names_are_compared_unit_by_unit_in_upper_case(world: World) -> None:
    world.save(AKTE, "Über Straße.txt", b"1")
    assert world.find(AKTE, "ÜBER sTRAßE.TXT") is not None
    assert world.find(AKTE, "ÜBER STRASSE.TXT") is None
    assert world.find(AKTE, "ÜBER STRAẞE.TXT") is None


def test_composed_and_decomposed_umlauts_are_two_files(world: World) -> None:
    world.save(AKTE, "Müller.txt", b"NFC")
    world.save(AKTE, "Mu\u0308ller.txt", b"NFD")
    assert len(world.names(AKTE)) == 2


def test_a_dotless_i_does_not_become_a_plain_one(world: World) -> None:
    world.save(AKTE, "\u0131.txt", b"")
    assert world.find(AKTE, "I.txt") is None


def test_half_a_character_is_a_name(world: World) -> None:
    world.save(AKTE, "\ud83d.txt", b"x")
    assert world.names(AKTE) == ["\ud83d.txt"]


@pytest.mark.parametrize(
    "name",
    [
        *(f"a{sign}b" for sign in '<>:"|?*\\\x07'),
        *("CON", "con.docx", "Lpt1.txt", "com¹.pdf", "nul .txt"),
        *("Klage.", "Klage ", "", "..", "x" * 256, "😀" * 128),
    ],
)
def test_win32_refuses_some_names(world: World, name: str) -> None:
    with pytest.raises(Refused, match="bad-name"):
        world.require_writable(AKTE, name)


@pytest.mark.parametrize("name", ["CONTRA.docx", "x" * 255, "😀" * 127, ".htaccess", "a.b.c", "COM.txt"])
def test_win32_takes_names_that_only_look_like_those(world: World, name: str) -> None:
    world.require_writable(AKTE, name)


@pytest.mark.parametrize("to", ["KLAGE.DOCX", "Antwort.docx", "Alt/Klage.docx"])
def test_a_file_keeps_its_id_while_it_is_renamed(world: World, to: str) -> None:
    before = world.save(AKTE, "Klage.docx", b"x")
    after = world.rename(AKTE, "Klage.docx", to)
    assert after.file_id == before.file_id
    assert after.usn > before.usn
    assert world.names(AKTE) == [to]


def test_a_name_that_is_taken_stops_a_rename(world: World) -> None:
    world.save(AKTE, "a.txt", b"")
    world.save(AKTE, "b.txt", b"")
    with pytest.raises(FileExistsError):
        world.rename(AKTE, "a.txt", "B.TXT")


def test_two_files_that_change_names_keep_their_ids(world: World) -> None:
    a, b = world.save(AKTE, "a.txt", b"a"), world.save(AKTE, "b.txt", b"b")
    world.swap(AKTE, "a.txt", "b.txt")
    assert (world.seen(AKTE, "b.txt").file_id, world.seen(AKTE, "a.txt").file_id) == (a.file_id, b.file_id)


def test_writing_into_a_file_keeps_its_id(world: World) -> None:
    before = world.save(AKTE, "Klage.docx", b"eins")
    assert world.save(AKTE, "Klage.docx", b"zwei").file_id == before.file_id


def test_a_save_in_word_changes_the_id(world: World) -> None:
    before = world.save(AKTE, "Klage.docx", b"eins")
    after = world.word_save(AKTE, "Klage.docx", b"zwei")
    assert after.file_id != before.file_id
    assert world.contents(AKTE) == {"Klage.docx": b"zwei"}
    assert {name for _, _, name in world.records()} >= {"Klage.docx"}
    assert any(name.startswith("~WRD") for _, _, name in world.records())
    assert any(name.startswith("~WRL") for _, _, name in world.records())


def test_word_shows_that_it_has_a_document_open(world: World) -> None:
    world.save(AKTE, "Schriftsatz.docx", b"x")
    world.word_open(AKTE, "Schriftsatz.docx")
    assert world.names(AKTE) == ["Schriftsatz.docx", "~$hriftsatz.docx"]
    world.word_save(AKTE, "Schriftsatz.docx", b"y")
    with pytest.raises(Refused, match="locked"):
        world.require_writable(AKTE, "Schriftsatz.docx")
    world.word_close(AKTE, "Schriftsatz.docx")
    world.require_writable(AKTE, "Schriftsatz.docx")
    assert world.names(AKTE) == ["Schriftsatz.docx"]


def test_a_record_number_is_used_again_with_another_sequence(world: World) -> None:
    gone = world.save(AKTE, "a.txt", b"")
    world.delete(AKTE, "a.txt")
    fresh = world.save(AKTE, "b.txt", b"")
    assert fresh.file_id != gone.file_id
    assert fresh.file_id[4:] == gone.file_id[4:]


def test_a_whole_id_may_be_used_again(world: World) -> None:
    world.reuse_file_ids(True)
    gone = world.save(AKTE, "a.txt", b"")
    world.delete(AKTE, "a.txt")
    assert world.save(AKTE, "b.txt", b"").file_id == gone.file_id


def test_a_rename_writes_two_records_and_a_close(world: World) -> None:
    world.save(AKTE, "a.txt", b"")
    before = len(world.records())
    seen = world.rename(AKTE, "a.txt", "b.txt")
    assert [(reason, name) for _, reason, name in world.records()[before:]] == [
        ("rename-old", "a.txt"),
        ("rename-new", "b.txt"),
        ("close", "b.txt"),
    ]
    assert seen.usn == world.records()[-1][0]


@pytest.mark.parametrize("reason", NOISE)
def test_a_usn_moves_while_the_content_stays(world: World, reason: Reason) -> None:
    before = world.save(AKTE, "a.txt", b"x")
    after = world.stir(AKTE, "a.txt", reason)
    assert after.usn > before.usn
    assert (after.blake3, after.modified, after.file_id) == (before.blake3, before.modified, before.file_id)


def test_a_downloaded_file_gets_a_stream_and_no_other_content(world: World) -> None:
    before = world.save(AKTE, "a.pdf", b"x")
    after = world.mark_downloaded(AKTE, "a.pdf")
    assert after.usn > before.usn
    assert (after.size, after.blake3) == (before.size, before.blake3)


def test_deleting_the_journal_makes_every_usn_zero(world: World) -> None:
    world.save(AKTE, "a.txt", b"x")
    old = world.journal.id
    world.reset_journal()
    assert world.seen(AKTE, "a.txt").usn == 0
    assert world.journal.id != old
    assert world.journal.next_usn == 0
    world.save(AKTE, "b.txt", b"x")
    assert world.journal.next_usn > 0


def test_without_a_journal_no_usn_moves(world: World) -> None:
    world.delete_journal()
    assert world.save(AKTE, "a.txt", b"x").usn == 0
    assert not world.journal.active


def test_a_restamped_journal_goes_on_under_another_id(world: World) -> None:
    before = world.save(AKTE, "a.txt", b"x")
    old, end = world.journal.id, world.journal.next_usn
    world.restamp_journal()
    assert (world.journal.id != old, world.journal.next_usn) == (True, end)
    assert world.seen(AKTE, "a.txt").usn == before.usn


def test_a_wrapped_journal_has_lost_its_beginning(world: World) -> None:
    before = world.save(AKTE, "a.txt", b"x")
    world.wrap_journal()
    assert world.journal.first_usn == world.journal.next_usn
    assert world.seen(AKTE, "a.txt").usn == before.usn
    assert world.records() == []


def test_a_restored_image_has_the_same_journal_and_lower_usns(world: World) -> None:
    world.save(AKTE, "a.txt", b"gestern")
    image, journal = world.snapshot(), world.journal
    world.save(AKTE, "a.txt", b"heute")
    world.save(AKTE, "b.txt", b"heute")
    world.restore(image)
    assert world.contents(AKTE) == {"a.txt": b"gestern"}
    assert world.journal == journal
    world.save(AKTE, "c.txt", b"danach")
    assert world.contents(AKTE) == {"a.txt": b"gestern", "c.txt": b"danach"}


def test_a_snapshot_is_not_changed_by_what_comes_after(world: World) -> None:
    world.save(AKTE, "a.txt", b"gestern")
    image = world.snapshot()
    world.restore(image)
    world.save(AKTE, "a.txt", b"heute")
    world.restore(image)
    assert world.content(AKTE, "a.txt") == b"gestern"


def test_files_restored_one_by_one_have_old_contents_and_times_under_new_usns() -> None:
    clock = HandClock()
    world = World(clock)
    old = world.save(AKTE, "a.txt", b"gestern")
    same = world.save(AKTE, "b.txt", b"immer")
    image = world.snapshot()
    clock.pass_by(3600)
    newer = world.save(AKTE, "a.txt", b"heute")
    world.save(AKTE, "c.txt", b"heute")
    assert world.restore_files(image) == 1
    back = world.seen(AKTE, "a.txt")
    assert (back.blake3, back.modified, back.file_id) == (old.blake3, old.modified, old.file_id)
    assert back.usn > newer.usn
    assert world.seen(AKTE, "b.txt").usn == same.usn
    assert world.names(AKTE) == ["a.txt", "b.txt", "c.txt"]


def test_another_volume_has_other_ids_and_the_same_files(world: World) -> None:
    before = world.save(AKTE, "Alt/a.txt", b"x")
    serial = world.serial
    world.replace_volume()
    after = world.seen(AKTE, "Alt/a.txt")
    assert world.serial != serial
    assert after.file_id != before.file_id
    assert (after.blake3, after.modified) == (before.blake3, before.modified)


def test_who_writes_lets_read_and_who_locks_lets_nobody(world: World) -> None:
    world.save(AKTE, "a.txt", b"x")
    world.lock(AKTE, "a.txt", "writing")
    world.require_readable(AKTE, "a.txt")
    with pytest.raises(Refused, match="locked"):
        world.require_writable(AKTE, "a.txt")
    world.lock(AKTE, "a.txt")
    with pytest.raises(Refused, match="locked"):
        world.require_readable(AKTE, "a.txt")
    world.unlock(AKTE, "a.txt")
    world.require_writable(AKTE, "a.txt")


def test_what_the_acl_denies_is_listed_all_the_same(world: World) -> None:
    world.save(AKTE, "a.txt", b"x")
    world.deny(AKTE, "a.txt")
    assert world.names(AKTE) == ["a.txt"]
    with pytest.raises(Refused, match="denied"):
        world.require_readable(AKTE, "a.txt")
    world.allow(AKTE, "a.txt")
    world.require_readable(AKTE, "a.txt")


def test_replacing_keeps_the_name_takes_a_new_id_and_fills_the_quarantine(world: World) -> None:
    before = world.save(AKTE, "Klage.docx", b"alt")
    world.mark_downloaded(AKTE, "Klage.docx")
    spooled = world.spool()
    spooled.write_bytes(b"neu")
    digest, size = world.volume.keep(b"neu")
    after, reference = world.commit(AKTE, "KLAGE.DOCX", spooled, digest, size)
    assert after.path == "Klage.docx"
    assert after.file_id != before.file_id
    assert reference is not None
    assert world.quarantine[reference].read_bytes() == b"alt"
    assert world.contents(AKTE) == {"Klage.docx": b"neu"}
    assert world.streams(AKTE, "Klage.docx") == {"Zone.Identifier"}


def test_a_file_that_moves_to_another_case_file_keeps_its_id(world: World) -> None:
    before = world.save(AKTE, "a.txt", b"x")
    assert world.move(AKTE, "a.txt", "777", "a.txt").file_id == before.file_id
    assert (world.names(AKTE), world.names("777")) == ([], ["a.txt"])


def test_an_appended_file_keeps_its_id_and_a_copy_has_its_own(world: World) -> None:
    before = world.save(AKTE, "Mail.eml", b"eins")
    assert world.append(AKTE, "Mail.eml", b"zwei").file_id == before.file_id
    assert world.content(AKTE, "Mail.eml") == b"einszwei"
    copy = world.copy(AKTE, "Mail.eml", "Mail (2).eml")
    assert (copy.file_id != before.file_id, copy.blake3) == (True, world.blake3(AKTE, "Mail.eml"))
