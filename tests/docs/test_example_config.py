"""etc/docsyncd.toml shows every key, with its default; what is commented out there can be written as it stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard, get_args

import pytest
from pydantic import BaseModel

from docsyncd import registry
from docsyncd.check import check_config
from docsyncd.config import Settings
from docsyncd.secrets import Secret

EXAMPLE = Path(__file__).parents[2] / "etc" / "docsyncd.toml"

Models = Mapping[str, type[BaseModel]]


@pytest.fixture(scope="module")
def models() -> Models:
    """Each table's model, by the table's dotted name."""
    found = {name: field.annotation for name, field in Settings.model_fields.items() if name != "connectors"}
    for connector in registry.load().connectors.values():
        found |= dict(_tables(f"connectors.{connector.name}", connector.config))
    return {name: model for name, model in found.items() if isinstance(model, type)}


def _tables(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        if _is_table(field.annotation):
            yield from _tables(f"{path}.{name}", field.annotation)


def _is_table(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation is not Secret


def _assignments(*, commented: bool) -> Iterator[tuple[str, str, Any]]:
    """Every `key = value` of the example as (table, key, value): those in force, or those behind a `# `."""
    table, lines = "", EXAMPLE.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if heading := re.fullmatch(r"(?:# )?\[([a-z.]+)\]", line):
            table = heading[1]
        if match := re.fullmatch(r"(# )?([a-z_]+) = (.*)", line):
            text = match[3]
            for further in lines[number + 1 :] if text == "[" else ():
                text += "\n" + further.removeprefix("# ")
                if further.removeprefix("# ") == "]":
                    break
            if bool(match[1]) is commented:
                yield table, match[2], tomllib.loads(f"value = {text}")["value"]


def _loaded(model: type[BaseModel], values: Mapping[str, Any]) -> BaseModel:
    """A table with these values; required keys that are not among them get something that fits."""
    fillers: dict[str, Any] = {
        name: {"env": "FILLER"} if Secret in (field.annotation, *get_args(field.annotation)) else "http://filler"
        for name, field in model.model_fields.items()
        if field.is_required()
    }
    return model.model_validate({**fillers, **values})


def test_the_example_can_be_used_as_it_is() -> None:
    answer = check_config(EXAMPLE)
    assert answer["ok"], answer["errors"]
    assert answer["mode"] == "observe"


def test_every_key_of_every_table_stands_in_the_example(models: Models) -> None:
    shown = {(table, key) for commented in (False, True) for table, key, _ in _assignments(commented=commented)}
    known = {
        (table, key)
        for table, model in models.items()
        for key, field in model.model_fields.items()
        if not _is_table(field.annotation)
    }
    types = {(table, "type") for table in models if re.fullmatch(r"connectors\.[a-z]+", table)}
    assert shown == known | types


def test_every_value_in_force_is_the_default(models: Models) -> None:
    for table, key, value in _assignments(commented=False):
        field = models[table].model_fields.get(key)
        if field is None or field.is_required():
            continue
        expected = field.get_default(call_default_factory=True, validated_data={})
        assert getattr(_loaded(models[table], {key: value}), key) == expected, f"[{table}] {key}"


def test_what_is_commented_out_is_accepted_as_it_stands(models: Models) -> None:
    for table, key, value in _assignments(commented=True):
        if key != "type":
            _loaded(models[table], {key: value})


def test_what_a_connector_takes_over_from_the_host_is_not_in_force(models: Models) -> None:
    """Else a change in [index] would be overruled further down, by a line that nobody wrote on purpose."""
    in_force = {(table, key) for table, key, _ in _assignments(commented=False)}
    for connector in registry.load().connectors.values():
        for own in connector.inherits:
            assert (f"connectors.{connector.name}", own) not in in_force


def test_the_environment_names_of_the_earlier_implementation_are_offered() -> None:
    names = {value["env"] for _, _, value in _assignments(commented=True) if isinstance(value, dict) and "env" in value}
    assert names == {"XAI_API_KEY", "XAI_MANAGEMENT_KEY", "ADVOWARE_WATCHER_AUTH_TOKEN"}


def test_no_secret_is_written_out() -> None:
    for table, key, value in (*_assignments(commented=False), *_assignments(commented=True)):
        if "secret" in key or "key" in key or "password" in key:
            assert isinstance(value, dict | list), f"[{table}] {key}"
