"""Makes the demonstration's documents: `python tools/make_samples.py`. All of it is invented; the files are committed."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import docx
from PIL import Image, ImageDraw, ImageFilter
from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfgen.canvas import Canvas

FOLDER = Path(__file__).parent.parent / "docsyncd" / "samples"

PARAGRAPHS = (
    (
        "In dem Rechtsstreit Müller gegen Schulze wird beantragt, die Beklagte zu verurteilen, an den Kläger "
        "4.812,50 Euro nebst Zinsen zu zahlen."
    ),
    (
        "Der Kläger ist Eigentümer des Grundstücks in der Goethestraße 7. Die Beklagte errichtete im Frühjahr eine "
        "Mauer, die 40 cm über die Grenze ragt."
    ),
    "Die Beklagte wurde mit Schreiben vom 3. März zur Beseitigung aufgefordert. Eine Reaktion blieb aus.",
)


def _lines(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def letter(path: Path) -> None:
    canvas = Canvas(str(path), pagesize=A4, invariant=1)
    canvas.setFont("Helvetica-Bold", 20)
    canvas.drawString(70, 760, "Klageschrift")
    canvas.setFont("Helvetica", 11)
    height = 720
    for paragraph in PARAGRAPHS:
        for line in _lines(paragraph, 78):
            canvas.drawString(70, height, line)
            height -= 16
        height -= 12
    canvas.showPage()
    canvas.drawString(70, 760, "Seite 2")
    canvas.save()


def plan(path: Path) -> None:
    canvas = Canvas(str(path), pagesize=landscape(A4), invariant=1)
    canvas.setFont("Helvetica-Bold", 16)
    canvas.drawString(60, 540, "Lageplan Goethestraße 7")
    canvas.rect(120, 120, 300, 340)
    canvas.setFillColorRGB(0.8, 0.2, 0.2)
    canvas.rect(420, 120, 8, 340, fill=1)
    canvas.drawString(436, 300, "Mauer")
    canvas.save()


def memo(path: Path) -> None:
    document = docx.Document()
    document.add_heading("Vermerk zum Ortstermin", 1)
    for paragraph in PARAGRAPHS[1:]:
        document.add_paragraph(paragraph)
    document.save(str(path))


def photo(path: Path) -> None:
    picture = Image.new("RGB", (1600, 1200), (120, 160, 210))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 800, 1600, 1200), fill=(90, 140, 70))
    draw.rectangle((900, 420, 1040, 1000), fill=(150, 90, 70))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.filter(ImageFilter.GaussianBlur(2)).save(path, quality=80, exif=exif)


def sketch(path: Path) -> None:
    picture = Image.new("RGBA", (500, 350), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 60, 300, 290), outline=(20, 60, 160, 255), width=6)
    draw.line((250, 175, 460, 175), fill=(200, 40, 40, 255), width=6)
    picture.save(path, optimize=True)


def note(path: Path) -> None:
    path.write_text("Gesprächsnotiz\n\n" + "\n\n".join(PARAGRAPHS) + "\n", encoding="utf-8")


def mail(path: Path) -> None:
    message = EmailMessage()
    message["From"] = "Erika Müller <erika@example.org>"
    message["To"] = "Kanzlei Weiß <kanzlei@example.org>"
    message["Subject"] = "Mauer: Fotos vom Wochenende"
    message["Date"] = "Mon, 02 Mar 2026 09:14:00 +0100"
    message.set_content("Guten Tag,\n\nanbei die Fotos. Die Mauer steht noch immer.\n\nViele Grüße\nErika Müller\n")
    path.write_bytes(bytes(message))


def broken(source: Path, path: Path) -> None:
    path.write_bytes(source.read_bytes()[:600])


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    letter(FOLDER / "Klageschrift Müller.pdf")
    plan(FOLDER / "Lageplan „Grenze“; Anlage K1.pdf")
    memo(FOLDER / "Vermerk Ortstermin.docx")
    photo(FOLDER / "Foto Mauer.jpg")
    sketch(FOLDER / "Skizze.png")
    note(FOLDER / "Gesprächsnotiz.txt")
    mail(FOLDER / "Mail Erika Müller.eml")
    broken(FOLDER / "Klageschrift Müller.pdf", FOLDER / "beschädigtes Gutachten.pdf")


if __name__ == "__main__":
    main()
