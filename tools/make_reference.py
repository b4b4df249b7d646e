"""Writes docs/reference/configuration.md from the models that read the configuration: python tools/make_reference.py

A key's text is the docstring below it, so that the error messages, the reference and the code say the same.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docsyncd import registry
from docsyncd.config import Settings
from docsyncd.secrets import Secret

TARGET = Path(__file__).parents[1] / "docs" / "reference" / "configuration.md"

HEAD = """\
<!-- Written by tools/make_reference.py from docsyncd/config.py and the connectors' config.py. Do not edit. -->

# Configuration

One TOML file, `/etc/docsyncd/docsyncd.toml` unless `--config` or `$DOCSYNCD_CONFIG` names another.
[etc/docsyncd.toml](../../etc/docsyncd.toml) is a complete example, in which every key has its default.

* An unknown key is an error that names the nearest known one. `docsyncd check-config` says everything that is wrong at once,
  asks no remote, and needs no secret to be there.
* A reload (`docsyncd reload`, or SIGHUP) takes over everything but {fixed}; those need a restart, and the reload is refused.
* Every time is in seconds.

## Secrets

The file never holds a secret. A key of type *secret* says where to find one:

| Written as | Read from |
|---|---|
{secrets}

White space around a secret is cut off. It is read when it is used, and no log, error or answer shows it.
"""

SOURCE = re.compile(r"\s*\((?:reference[:/] ?)?[a-z-]+\.md[^)]*\)")
"""Where a fact comes from: notes of the developers, which are no part of the documentation."""

WORDS: Mapping[Any, str] = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", Path: "path"}


def documentation(model: type[BaseModel]) -> dict[str, str]:
    """The docstring below each attribute of a model, in one line."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    if not isinstance(tree, ast.ClassDef):
        raise TypeError(f"{model} is no class")
    found: dict[str, str] = {}
    for statement, below in zip(tree.body, tree.body[1:], strict=False):
        match statement, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as words)):
                found[name] = re.sub(r"\s+", " ", SOURCE.sub("", words)).strip()
    return found


def kind(annotation: Any) -> str:
    """A type in words."""
    if get_origin(annotation) is Annotated:
        return kind(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(kind(each) for each in get_args(annotation) if each is not NoneType)
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(f"`{value}`" for value in annotation)
    if get_origin(annotation) is tuple:
        return f"list of {kind(get_args(annotation)[0])}s"
    if annotation is Secret:
        return "secret"
    if get_origin(annotation) is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return "table"
    return WORDS[annotation]


def bounds(field: FieldInfo) -> str:
    """The limits of a number, in words."""
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    annotated = [each for part in _parts(field.annotation) for each in getattr(part, "metadata", ())]
    found = [
        f"{text} {value:,g}" if isinstance(value, float) else f"{text} {value:,}"
        for constraint in (*field.metadata, *annotated)
        for name, text in words.items()
        if isinstance(value := getattr(constraint, name, None), int | float)
    ]
    return "".join(f", {each}" for each in found)


def _parts(annotation: Any) -> Iterator[Any]:
    for part in get_args(annotation):
        if isinstance(part, FieldInfo):
            yield part
        yield from _parts(part)


def default(field: FieldInfo) -> str:
    """The default as TOML writes it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)}`"


def table(model: type[BaseModel]) -> Iterator[str]:
    """One row for each key of a model."""
    words = documentation(model)
    yield "| Key | Type | Default | Meaning |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        if not words.get(name):
            raise ValueError(f"{model.__name__}.{name} has no docstring")
        text = words[name].replace("|", "\\|")
        yield f"| `{name}` | {kind(field.annotation)}{bounds(field)} | {default(field)} | {text} |"


def models_below(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel], bool]]:
    """The tables inside a table, with their key, and whether there may be several."""
    for name, field in model.model_fields.items():
        inside = [field.annotation, *get_args(field.annotation)]
        for each in inside:
            if isinstance(each, type) and issubclass(each, BaseModel) and each is not Secret:
                yield name, each, get_origin(field.annotation) is tuple


def section(heading: str, model: type[BaseModel], path: str) -> Iterator[str]:
    """A table and the tables inside it."""
    yield f"\n## `{heading}`\n"
    introduction = (model.__doc__ or "").strip()
    if introduction:
        yield re.sub(r"\s+", " ", introduction) + "\n"
    yield from table(model)
    for name, inside, several in models_below(model):
        below = f"{path}.{name}"
        yield from section(f"[[{below}]]" if several else f"[{below}]", inside, below)


def reference() -> str:
    """The whole page."""
    from docsyncd.daemon import FIXED

    fixed = ", ".join(f"`{key}`" if "." in key else f"`[{key}]`" for key in FIXED)
    secrets = "\n".join(f'| `{{ {name} = "…" }}` | {words} |' for name, words in documentation(Secret).items())
    lines = [HEAD.format(fixed=" and ".join(fixed.rsplit(", ", 1)), secrets=secrets).rstrip()]
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            lines += section(f"[{name}]", field.annotation, name)
    lines.append(f"\n## `[connectors.NAME]`\n\n{documentation(Settings)['connectors']}")
    lines.append("\nThe keys of each `type` follow.")
    for connector in registry.load().connectors.values():
        lines += section(f"[connectors.{connector.name}]", connector.config, f"connectors.{connector.name}")
        lines += [
            f"\nWhere it does not set `{own}`, it takes the value of `{key}`."
            for own, key in connector.inherits.items()
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
    sys.stdout.write(f"wrote {TARGET}\n")
