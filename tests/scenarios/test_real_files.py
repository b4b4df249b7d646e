"""`docsyncd demo` over a folder of somebody's real files: every one indexed, or visibly not, and none lost or double."""

from __future__ import annotations

import io
import json
import sys
import unicodedata
from pathlib import Path

import anyio
import pytest
from docx import Document as WordDocument
from PIL import Image

from docsyncd.hashing import digest_bytes

MB = 1_000_000


@pytest.mark.timeout(300)
async def test_a_folder_of_real_files_ends_indexed_or_visibly_unsupported(tmp_path: Path) -> None:
    files = _files()
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    command = [sys.executable, "-m", "docsyncd", "demo", "--json", "--documents", str(tmp_path)]
    done = await anyio.run_process(command, check=False)
    summary = json.loads(done.stdout)
    items = summary["items"]
    amiss = [item for item in items if item["status"] not in ("indexed", "unsupported", "deleted")]
    assert amiss == []
    assert done.returncode == 0
    assert sorted(item["name"] for item in items) == sorted(Path(name).name for name in files)
    assert summary["deleted"] == 1
    indexed = [item for item in items if item["status"] == "indexed"]
    assert len({item["xai_file_id"] for item in indexed}) == len(indexed)
    changed = [item for item in indexed if item["blake3"] not in {digest_bytes(each).blake3 for each in files.values()}]
    assert len(changed) == 1  # the one that the demonstration gives a new version
    unsupported = {item["name"]: item["error"] for item in items if item["status"] == "unsupported"}
    assert {"leer.pdf", "zu groß.pdf", "Foto.jpg", "Mail.eml", "Zeilen\numbruch.txt"} <= unsupported.keys()
    assert all(unsupported.values())
    assert summary["peak_rss_mib"] < 150


def _files() -> dict[str, bytes]:
    """By path below the folder."""
    name = "Äußerung Müller"
    return {
        "Klage.pdf": _picture("PDF"),
        "Vermerk.docx": _word(),
        "Foto.jpg": _picture("JPEG"),
        "Skizze.png": _picture("PNG"),
        "Mail.eml": b"From: a@example.org\r\nSubject: =?utf-8?q?M=C3=BCller?=\r\n\r\nText\r\n",
        "leer.pdf": b"",
        "zu groß.pdf": _picture("PDF") + b"\0" * 60 * MB,
        "groß.pdf": _picture("PDF") + b"\0" * 40 * MB,
        f"{unicodedata.normalize('NFC', name)}.txt": b"composed",
        f"{unicodedata.normalize('NFD', name)}.txt": b"decomposed",
        "Zitat \"so\"; 'Anlage' K1.txt": b"quotes and semicolons",
        "Zeilen\numbruch.txt": b"a line break",
        "a<b> & 100% #1.txt": b"signs",
        "x" * 236 + ".txt": b"a long name",
        "Zwilling A.txt": b"twice the same",
        "Zwilling B.txt": b"twice the same",
        "Unterordner/Anlage.txt": b"below",
    }


def _picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (60, 80), (200, 30, 30)).save(buffer, kind)
    return buffer.getvalue()


def _word() -> bytes:
    document, buffer = WordDocument(), io.BytesIO()
    document.add_paragraph("Vermerk über den Ortstermin")
    document.save(buffer)
    return buffer.getvalue()
