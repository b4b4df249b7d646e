"""What the previews look like: real documents through the real worker, judged by the WebP."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from blake3 import blake3
from PIL import Image

from docsyncd.core.model import ContentHash
from docsyncd.preview.pool import Preview, PreviewPool
from tests.preview import documents
from tests.preview.documents import BLUE, RED, WHITE

A4 = (595.28, 841.89)
MM = 72 / 25.4


def content_of(path: Path) -> ContentHash:
    return ContentHash(blake3(path.read_bytes()).hexdigest())


async def render(previews: PreviewPool, path: Path) -> Preview:
    return await previews.render(path, content=content_of(path))


async def drawn(previews: PreviewPool, path: Path) -> Image.Image:
    """The preview's picture; checks what holds for all of them."""
    preview = await render(previews, path)
    assert preview.reason == ""
    assert preview.picture is not None
    picture = Image.open(BytesIO(preview.picture))
    assert picture.format == "WEBP"
    assert picture.size == (preview.width, preview.height)
    assert not {"exif", "icc_profile", "xmp"} & picture.info.keys()
    return picture.convert("RGB")


def looks_like(picture: Image.Image, at: tuple[float, float], colour: tuple[int, int, int], by: int = 25) -> bool:
    """Is the point at these fractions of width and height nearly of this colour?"""
    pixel = picture.getpixel((int(at[0] * (picture.width - 1)), int(at[1] * (picture.height - 1))))
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= by for a, b in zip(pixel, colour, strict=True))


@pytest.mark.parametrize(
    ("page", "size"),
    [
        (A4, (566, 800)),
        (A4[::-1], (600, 424)),
        ((841 * MM, 1189 * MM), (566, 800)),
        ((14_400, 14_400), (600, 600)),
        ((85 * MM, 55 * MM), (600, 388)),
        ((20, 1000), (16, 800)),
    ],
    ids=["portrait", "landscape", "A0", "14400pt", "card", "strip"],
)
async def test_a_pdf_shows_its_first_page_in_the_box(
    previews: PreviewPool, tmp_path: Path, page: tuple[float, float], size: tuple[int, int]
) -> None:
    picture = await drawn(previews, documents.pdf(tmp_path / "a.pdf", page))
    assert all(abs(a - b) <= 1 for a, b in zip(picture.size, size, strict=True))
    assert picture.width <= 600
    assert picture.height <= 800
    assert looks_like(picture, (0.5, 0.2), RED)
    assert looks_like(picture, (0.9, 0.8), WHITE)


async def test_a_pdf_shows_no_more_than_its_reader_would(previews: PreviewPool, tmp_path: Path) -> None:
    picture = await drawn(previews, documents.cropped_pdf(tmp_path / "a.pdf"))
    assert picture.width == 600
    assert picture.height in (400, 401)
    assert looks_like(picture, (0.5, 0.1), WHITE)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", [(4000, 1000), (1000, 4000)], ids=["wide", "tall"])
async def test_a_photograph_stands_upright_and_fills_the_box(
    previews: PreviewPool, tmp_path: Path, orientation: int, shape: tuple[int, int]
) -> None:
    picture = await drawn(previews, documents.turned_jpeg(tmp_path / "a.jpg", shape, orientation))
    upright = shape if orientation < 5 else shape[::-1]
    assert picture.size == ((600, 150) if upright[0] > upright[1] else (200, 800))
    # Where the left, red half goes: Exif 2.32, 4.6.4, tag 0x0112.
    red = {1: (0, 0.5), 2: (1, 0.5), 3: (1, 0.5), 4: (0, 0.5), 5: (0.5, 0), 6: (0.5, 0), 7: (0.5, 1), 8: (0.5, 1)}[
        orientation
    ]
    assert looks_like(picture, red, RED, 40)
    assert looks_like(picture, (1 - red[0], 1 - red[1]), BLUE, 40)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
async def test_what_is_transparent_becomes_white(previews: PreviewPool, tmp_path: Path, mode: str) -> None:
    documents.glass((900, 900)).convert(mode).save(tmp_path / "a.png")
    picture = await drawn(previews, tmp_path / "a.png")
    assert picture.size == (600, 600)
    assert looks_like(picture, (0, 0), WHITE)
    assert not looks_like(picture, (0.5, 0.5), WHITE)


async def test_an_animation_shows_its_first_frame(previews: PreviewPool, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (300, 200), colour) for colour in (RED, BLUE, WHITE)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    picture = await drawn(previews, tmp_path / "a.gif")
    assert picture.size == (300, 200)
    assert looks_like(picture, (0.5, 0.5), RED)


async def test_a_tiff_of_many_pages_shows_the_first(previews: PreviewPool, tmp_path: Path) -> None:
    pages = [documents.halves((1654, 2339)), Image.new("RGB", (1654, 2339), WHITE)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    picture = await drawn(previews, tmp_path / "a.tif")
    assert picture.size == (566, 800)
    assert looks_like(picture, (0.1, 0.5), RED)


async def test_a_fax_keeps_its_thin_lines(previews: PreviewPool, tmp_path: Path) -> None:
    """A black-and-white scan is averaged to grey. Picking single pixels instead would lose whole lines."""
    scan = Image.new("1", (4960, 7016), 1)
    for y in range(0, 7016, 40):
        scan.paste(0, (0, y, 4960, y + 4))
    scan.save(tmp_path / "a.tif", compression="group4")
    picture = (await drawn(previews, tmp_path / "a.tif")).convert("L")
    low, _ = picture.getextrema()
    assert isinstance(low, int)
    assert low > 100
    assert picture.size == (566, 800)


@pytest.mark.parametrize("orientation", [6, 8])
async def test_a_turned_tiff_stands_upright(previews: PreviewPool, tmp_path: Path, orientation: int) -> None:
    documents.halves((1000, 500)).save(tmp_path / "a.tif", tiffinfo={documents.ORIENTATION: orientation})
    picture = await drawn(previews, tmp_path / "a.tif")
    assert picture.size == (400, 800)
    assert looks_like(picture, (0.5, 0 if orientation == 6 else 1), RED)


@pytest.mark.parametrize(
    ("name", "mode", "by"),
    [("a.jpg", "CMYK", 60), ("a.bmp", "RGB", 25), ("a.webp", "RGB", 25), ("a.avif", "RGB", 25), ("a.png", "P", 60)],
)
async def test_each_kind_of_picture_keeps_its_colours(
    previews: PreviewPool, tmp_path: Path, name: str, mode: str, by: int
) -> None:
    documents.halves((1200, 800), mode).save(tmp_path / name)
    picture = await drawn(previews, tmp_path / name)
    assert picture.size == (600, 400)
    assert looks_like(picture, (0.1, 0.5), RED, by)
    assert looks_like(picture, (0.9, 0.5), BLUE, by)


@pytest.mark.parametrize(("name", "mode"), [("a.png", "I;16"), ("a.tif", "I;16"), ("a.tif", "I;16B")])
async def test_sixteen_bits_of_grey_stay_grey(previews: PreviewPool, tmp_path: Path, name: str, mode: str) -> None:
    Image.new(mode, (1000, 1000), 0x8000).save(tmp_path / name)
    picture = await drawn(previews, tmp_path / name)
    assert picture.size == (600, 600)
    assert looks_like(picture, (0.5, 0.5), (128, 128, 128))


async def test_a_small_picture_is_not_enlarged(previews: PreviewPool, tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), RED).save(tmp_path / "a.png")
    assert (await drawn(previews, tmp_path / "a.png")).size == (1, 1)


async def test_the_largest_picture_that_is_let_in_fits_the_memory(previews: PreviewPool, tmp_path: Path) -> None:
    """49 megapixels with transparency: Pillow holds it twice while it shrinks."""
    documents.glass((7000, 7000)).save(tmp_path / "a.png", compress_level=1)
    picture = await drawn(previews, tmp_path / "a.png")
    assert looks_like(picture, (0.5, 0.5), RED)


@pytest.mark.parametrize("name", ["zwei\nZeilen\t.pdf", "ä" * 120 + ".pdf", "-r 200 --help.pdf", "$(touch x);'\".pdf"])
async def test_a_name_is_only_a_name(previews: PreviewPool, tmp_path: Path, name: str) -> None:
    assert (await drawn(previews, documents.pdf(tmp_path / name, A4))).size == (566, 800)


async def test_a_bomb_is_refused_by_its_pixels(previews: PreviewPool, tmp_path: Path) -> None:
    for side in (30_000, 8_000):
        preview = await render(previews, documents.bomb(tmp_path / f"{side}.png", side))
        assert (preview.picture, preview.reason) == (None, "too many pixels: more than 50,000,000")


async def test_an_encrypted_pdf_says_so(previews: PreviewPool, tmp_path: Path) -> None:
    preview = await render(previews, documents.pdf(tmp_path / "a.pdf", A4, password="geheim"))
    assert (preview.media_type, preview.reason) == ("application/pdf", "encrypted PDF: needs a password")


async def test_a_broken_document_says_so(previews: PreviewPool, tmp_path: Path) -> None:
    whole = documents.pdf(tmp_path / "a.pdf", A4).read_bytes()
    (tmp_path / "header.pdf").write_bytes(whole[:300])
    (tmp_path / "noise.pdf").write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 40)
    documents.halves((2000, 2000)).save(tmp_path / "a.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:4000])
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 100)
    for name, beginning in (
        ("header.pdf", "broken PDF: "),
        ("noise.pdf", "broken PDF: "),
        ("cut.jpg", "broken image: "),
        ("cut.png", "broken image: "),
    ):
        preview = await render(previews, tmp_path / name)
        assert preview.picture is None
        assert preview.reason.startswith(beginning), (name, preview.reason)


async def test_other_kinds_wait_for_their_previewer(previews: PreviewPool, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(documents.mail())
    preview = await render(previews, tmp_path / "a.eml")
    assert preview == Preview(
        picture=None,
        width=0,
        height=0,
        media_type="message/rfc822",
        reason="no preview for this kind of file yet: message/rfc822",
    )


async def test_an_empty_file_says_so(previews: PreviewPool, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"")
    assert (await render(previews, tmp_path / "a.pdf")).reason == "the file is empty"
