"""The watcher over a real folder: `docsyncd emulate watcher --root DIR`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docsyncd import emulate
from docsyncd.errors import ConfigError
from docsyncd_watcher.emulator import Folder, Refused, WatcherEmulator
from docsyncd_watcher.emulator.folder import QUARANTINE
from tests.plugins.watcher.asking import asking
from tests.plugins.watcher.connected import AKTE, hash_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / AKTE / "Alt").mkdir(parents=True)
    (tmp_path / AKTE / "Klage.docx").write_bytes(b"eins")
    (tmp_path / AKTE / "Alt" / "Müller.txt").write_bytes(b"zwei")
    return tmp_path


async def test_its_sub_folders_are_case_files(root: Path) -> None:
    async with asking(WatcherEmulator(root=root)) as at:
        body = await at.listing()
        found = {file["path"]: file["blake3Hash"] for file in body["files"]}
        assert found == {"Klage.docx": hash_of(b"eins"), "Alt/Müller.txt": hash_of(b"zwei"), "Alt": None}
        assert (await at.get("ALT/MÜLLER.TXT")).body == b"zwei"


async def test_a_write_lands_in_the_folder_and_the_old_content_in_the_quarantine(root: Path) -> None:
    async with asking(WatcherEmulator(root=root)) as at:
        written = await at.put("KLAGE.docx", b"neu", X_Fence="1", If_Match=f'"{hash_of(b"eins")}"')
        assert (root / AKTE / "Klage.docx").read_bytes() == b"neu"
        assert (root / QUARANTINE / written.json["quarantine"]).read_bytes() == b"eins"
        assert written.json["file"]["linkCount"] == 1
        await at.put("Neu/b.txt", b"b", X_Fence="1", If_None_Match="*")
        assert (root / AKTE / "Neu" / "b.txt").read_bytes() == b"b"
        assert {path.name for path in (root / QUARANTINE).iterdir()} == {written.json["quarantine"]}


def test_a_usn_moves_with_each_difference_that_is_noticed(root: Path) -> None:
    folder = Folder(root)

    def usn() -> int:
        found = folder.find(AKTE, "Klage.docx")
        assert found is not None
        return found.usn

    first = usn()
    assert usn() == first
    os.utime(root / AKTE / "Klage.docx", (1, 1))
    assert usn() > first


def test_after_a_restart_it_is_the_same_watcher_with_another_journal(root: Path) -> None:
    one, other = WatcherEmulator(root=root), WatcherEmulator(root=root)
    assert one.host.instance == other.host.instance
    assert one.disk.serial == other.disk.serial
    assert one.disk.journal.id != other.disk.journal.id


def test_nothing_leads_out_of_the_folder(root: Path) -> None:
    (root / "secret.txt").write_text("x", encoding="utf-8")
    (root / AKTE / "link").symlink_to(root / "secret.txt")
    folder = Folder(root)
    assert folder.find(AKTE, "../secret.txt") is None
    assert folder.listing("..") == []
    assert folder.listing(QUARANTINE) == []
    with pytest.raises(Refused, match="denied"):
        folder.require_writable(AKTE, "link")
    (seen,) = [seen for seen in folder.listing(AKTE) if seen.path == "link"]
    assert seen.attributes & 0x400
    assert seen.blake3 == ""


async def test_what_cannot_be_served_is_refused_with_a_way_out(root: Path) -> None:
    said: list[str] = []
    for name, folder, words in (
        ("watcher", root / "nowhere", "cannot be served"),
        ("watcher", root / AKTE / "Klage.docx", "cannot be served"),
        ("xai", root, "has no files"),
    ):
        with pytest.raises(ConfigError, match=words):
            await emulate.run(name, 0, folder, print_=said.append)
    assert said == []


def test_the_command_serves_a_folder(root: Path) -> None:
    command = [str(Path(sys.executable).parent / "docsyncd"), "emulate", "watcher", "--root", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        lines = [served.stdout.readline() for _ in range(3)]
        served.terminate()
    assert str(root) in lines[1]
    assert "curl" in lines[2]
