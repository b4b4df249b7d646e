"""Which events the code logs: read from its syntax, so that nothing has to be provoked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from tests.docs.pages import ROOT

_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def _is_logger(value: ast.expr) -> bool:
    """`log.info`, `self._log.info`, `structlog.get_logger().info`."""
    match value:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_") in ("log", "logger")
        case ast.Call(func=ast.Attribute(attr="get_logger")):
            return True
    return False


def _texts(argument: ast.expr) -> Iterator[str]:
    match argument:
        case ast.Constant(value=str() as text):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one)
            yield from _texts(other)
        case _:
            raise AssertionError(f"an event that cannot be read from the code: {ast.unparse(argument)}")


@cache
def logged_events() -> frozenset[str]:
    """The first argument of every call of a logger."""
    found: set[str] = set()
    for folder in ("docsyncd", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(func=ast.Attribute(value=value, attr=level), args=[event, *_]):
                        if level in _LEVELS and _is_logger(value):
                            found.update(_texts(event))
    return frozenset(found)
