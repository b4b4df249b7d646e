"""Pages that list things list all of them, and nothing else: log events, Redis keys, fields, errors."""

from __future__ import annotations

import ast
import re
from importlib import resources

from docsyncd import errors
from docsyncd_espocrm.profile import load_profile, profile_names
from tests.docs import pages
from tests.docs.logged import logged_events


def test_the_page_of_events_lists_every_event_that_the_code_logs() -> None:
    page = pages.read("docs/reference/events.md")
    listed = {cell.strip("`") for cell in pages.first_column(page)} - {"Event"}
    sentences = {event for event in logged_events() if " " in event}
    assert listed == logged_events() - sentences
    assert all(sentence in page for sentence in sentences)


def test_the_page_of_redis_keys_lists_every_key_that_the_code_writes() -> None:
    page = pages.read("docs/reference/redis-keys.md")
    cells = " ".join(pages.first_column(page))
    listed = set(re.findall(r"`([a-z]+)(?::[A-Z:]+)?`", cells))
    used: set[str] = set()
    for script in resources.files("docsyncd.work").joinpath("lua").iterdir():
        used |= set(re.findall(r"P \.\. '([a-z]+):?'", script.read_text(encoding="utf-8")))
    for module in ("ledger", "intervals", "redis_queue"):
        text = resources.files("docsyncd.work").joinpath(f"{module}.py").read_text(encoding="utf-8")
        used |= set(re.findall(r"\{(?:self\._)?prefix\}([a-z]+)", text))
    assert {"key", "doc", "intervals"} <= used
    assert listed == used


def test_the_page_of_fields_names_every_name_of_every_profile() -> None:
    page = pages.read("docs/reference/fields.md")
    for profile in profile_names():
        assert f"`{profile}`" in page
        names = load_profile(profile).model_dump()
        for table, values in names.items():
            for name, value in (values or {}).items():
                if name in ("status_values", "index_status_values", "stage_values", "admitted", "refused", "extra"):
                    assert f"`{name}`" in page or f"names.{table}.{name}" in page
                    continue
                assert f"`{name}`" in page, f"names.{table}.{name} is not explained"
                assert not value or f"`{value}`" in page, f"{profile}: {value}"
        for field in names["document"]["extra"].values():
            assert f"`{field}`" in page or field == "syncedHash"


def test_the_page_of_errors_lists_every_error_that_stops_work() -> None:
    tree = ast.parse(pages.read("docsyncd/worker.py"))
    table = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "ending_after")
    decided = {
        node.cls.id for node in ast.walk(table) if isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name)
    }
    listed = set(re.findall(r"`([A-Z]\w+)`", "\n".join(pages.first_column(pages.read("docs/explanation/errors.md")))))
    assert decided - {"OSError"} <= listed
    assert all(issubclass(getattr(errors, name), errors.DocsyncdError) for name in listed)


def test_the_page_of_errors_lists_every_valve() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (pages.ROOT / "docsyncd" / "engine").glob("*.py"))
    valves = set(re.findall(r'valve="([a-z-]+)"', source))
    section = pages.sections(pages.read("docs/explanation/errors.md"))["Valves"]
    assert valves == {cell.strip("`") for cell in pages.first_column(section)} - {"Valve"}
