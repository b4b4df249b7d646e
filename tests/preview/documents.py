"""Real documents of many kinds, made on the spot."""

from __future__ import annotations

import struct
import zipfile
import zlib
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

RED, BLUE, WHITE = (220, 20, 20), (20, 20, 220), (255, 255, 255)
ORIENTATION = 0x0112


def pdf(path: Path, size: tuple[float, float], *, password: str | None = None) -> Path:
    """One page, its upper half red, with a line of text."""
    canvas = Canvas(str(path), pagesize=size, encrypt=StandardEncryption(password) if password else None)
    width, height = size
    canvas.setFillColorRGB(*(value / 255 for value in RED))
    canvas.rect(0, height / 2, width, height / 2, stroke=0, fill=1)
    canvas.setFillColorRGB(0, 0, 0)
    canvas.drawString(40, 40, "Klageerwiderung")
    canvas.save()
    return path


def cropped_pdf(path: Path) -> Path:
    """A page whose red upper half lies outside of its crop box: no reader shows it."""
    canvas = Canvas(str(path), pagesize=(600, 800), cropBox=(0, 0, 600, 400))
    canvas.setFillColorRGB(*(value / 255 for value in RED))
    canvas.rect(0, 400, 600, 400, stroke=0, fill=1)
    canvas.save()
    return path


def halves(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """Left half red, right half blue."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, size[0], size[1]))
    return picture.convert(mode)


def turned_jpeg(path: Path, size: tuple[int, int], orientation: int) -> Path:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[0x010E] = "Aktenzeichen 12/26"
    halves(size).save(path, "JPEG", exif=exif, quality=95)
    return path


def glass(size: tuple[int, int]) -> Image.Image:
    """A red disc on nothing."""
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((size[0] // 4, size[1] // 4, 3 * size[0] // 4, 3 * size[1] // 4), fill=(*RED, 255))
    return picture


def bomb(path: Path, side: int) -> Path:
    """A PNG of `side` x `side` pixels in black, which takes some kilobytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(1)
    row = bytes(1 + (side + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    return path


def zip_with(*names: str, first: tuple[str, bytes] | None = None) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        if first:
            archive.writestr(zipfile.ZipInfo(first[0]), first[1])
        for name in names:
            archive.writestr(name, "<x/>" * 50)
    return out.getvalue()


def ole_with(stream: str) -> bytes:
    """The header of an OLE file and its directory with one stream ([MS-CFB] 2.2, 2.6.1), the directory in sector 2."""
    header = bytearray(512)
    header[:8] = bytes.fromhex("d0cf11e0a1b11ae1")
    struct.pack_into("<H", header, 0x1E, 9)
    struct.pack_into("<I", header, 0x30, 2)

    def entry(name: str) -> bytes:
        text = name.encode("utf-16-le")
        return text.ljust(64, b"\0") + struct.pack("<H", len(text) + 2) + bytes(62)

    return bytes(header) + bytes(1024) + entry("Root Entry") + entry(stream) + bytes(256)


def mail() -> bytes:
    message = EmailMessage()
    message["From"] = "Kanzlei Müller <kanzlei@example.org>"
    message["To"] = "gericht@example.org"
    message["Subject"] = "Fristverlängerung"
    message.set_content("Sehr geehrte Damen und Herren")
    return message.as_bytes()
