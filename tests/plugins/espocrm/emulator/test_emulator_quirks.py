"""The list of quirks and the tests that show them name each other."""

from __future__ import annotations

import re
from pathlib import Path

from docsyncd_espocrm import emulator

QUIRK = re.compile(r"^\* .*\((?:.*; )?(test_\w+)\)$")


def test_every_quirk_names_a_test_that_exists() -> None:
    lines = [line for line in (emulator.__doc__ or "").splitlines() if line.startswith("* ")]
    named = [match[1] for line in lines if (match := QUIRK.match(line))]
    written = {
        name
        for file in Path(__file__).parent.glob("test_emulator_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", file.read_text("utf-8"), re.MULTILINE)
    }
    assert len(named) == len(lines) > 80
    assert set(named) <= written
