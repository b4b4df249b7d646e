"""The house rules that a reader of the code may rely on, read off the syntax trees of every module."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final, Protocol

import pytest

from docsyncd import ports

ROOT: Final = Path(__file__).parents[1]
HOST: Final = ROOT / "docsyncd"
PLUGINS: Final = ROOT / "plugins"
GUARD: Final = HOST / "engine" / "guarded_write.py"

PORTS: Final = {
    name: kind
    for name, kind in vars(ports).items()
    if inspect.isclass(kind) and Protocol in kind.__bases__ and kind.__module__ == ports.__name__
}

READING: Final = {
    "Catalog": {
        *("document", "memberships", "open", "changed_since", "ids", "links", "case_file"),
        *("holder", "holders", "holder_documents"),
    },
    "Index": {"refusal", "placements", "find", "file", "status", "files", "members", "find_collections"},
    "Replica": {"scan", "read"},
    "Journal": {"entries", "archived"},
    "Feed": {"intake"},
}
"""What changes nothing at a remote. Any other method of a port does, also one that is added tomorrow."""

MUTATING: Final = {
    name
    for port, kind in PORTS.items()
    for name in vars(kind)
    if not name.startswith("_") and inspect.isfunction(getattr(kind, name)) and name not in READING[port]
}

EVERYDAY: Final = {"append", "remove", "write"}
"""Lists and files have these, too: they are believed unless the thing is seen to be a port."""


def modules(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in sorted(folder.rglob("*.py"))]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _named(node: ast.expr | None) -> set[str]:
    """Every name in an annotation, also in one that is a string."""
    if node is None:
        return set()
    found: set[str] = set()
    for part in ast.walk(node):
        match part:
            case ast.Name():
                found.add(part.id)
            case ast.Attribute():
                found.add(part.attr)
            case ast.Constant(value=str() as text):
                found |= set(re.findall(r"\w+", text))
    return found


def _last(node: ast.expr) -> str | None:
    """`catalog` of `self.flow.catalog`; the function's name of a call."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return node.attr
        case ast.Call() | ast.Await() | ast.Subscript():
            return _last(node.func if isinstance(node, ast.Call) else node.value)
    return None


class Kinds:
    """Which types a name or an attribute of this name may have, by the annotations and assignments that we see."""

    def __init__(self, trees: list[ast.Module]) -> None:
        self._found: dict[str, set[str]] = defaultdict(set)
        self._assigned: list[tuple[str, str]] = []
        for module in trees:
            for node in ast.walk(module):
                self._look(node)
        for _ in range(4):
            for name, source in self._assigned:
                self._found[name] |= self._found[source]

    def _look(self, node: ast.AST) -> None:
        match node:
            case ast.arg():
                self._found[node.arg] |= _named(node.annotation)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._found[node.name] |= _named(node.returns)
            case ast.ClassDef():
                self._found[node.name].add(node.name)
            case ast.AnnAssign():
                if name := _last(node.target):
                    self._found[name] |= _named(node.annotation)
            case ast.Assign():
                for target in node.targets:
                    self._assign(target, node.value)
            case ast.NamedExpr():
                self._assign(node.target, node.value)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for one, other in zip(target.elts, value.elts, strict=True):
                self._assign(one, other)
            return
        name, source = _last(target), _last(value)
        if name and source:
            self._assigned.append((name, source))

    def of(self, node: ast.expr) -> set[str]:
        name = _last(node)
        return set() if name is None else self._found.get(name, set())


def unguarded(module: ast.Module, kinds: Kinds, *, near_ports: bool) -> Iterator[str]:
    """Every use of a mutating method of a port, called or handed on; near ports also one of a thing of unknown type."""
    uses = [node for node in ast.walk(module) if isinstance(node, ast.Attribute) and node.attr in MUTATING]
    for node in sorted(uses, key=lambda node: node.lineno):
        if isinstance(node.ctx, ast.Load):
            of = kinds.of(node.value)
            if of & set(PORTS) or (near_ports and not of and node.attr not in EVERYDAY):
                yield f"line {node.lineno}: {ast.unparse(node)}"


NEAR_PORTS: Final = ("engine", "generation.py", "daemon.py", "commands.py", "worker.py", "scheduler.py")


def test_only_the_guarded_write_changes_anything_at_a_remote() -> None:
    host = [path for path in modules(HOST) if HOST / "testing" not in path.parents]
    # The core knows no port; its `replica` is one side's file.
    kinds = Kinds([tree(path) for path in host if HOST / "core" not in path.parents])
    found = {
        str(path.relative_to(ROOT)): uses
        for path in host
        if path != GUARD
        and (uses := list(unguarded(tree(path), kinds, near_ports=path.relative_to(HOST).parts[0] in NEAR_PORTS)))
    }
    assert found == {}
    guarded = [use.rpartition(".")[2] for use in unguarded(tree(GUARD), kinds, near_ports=True)]
    assert {"upload", "place", "withdraw", "forget", "save", "attach_preview"} <= set(guarded)


CHEATING: Final = """
class Cheat:
    def __init__(self, flow: Flow, index: Index, write: GuardedWrite) -> None:
        self._index = index
        self.write = write
        self.steps: list[str] = []

    async def run(self, catalog: "Catalog | None", replica: Replica) -> None:
        await self._index.forget("f1")
        handle = self._index
        await handle.place("f1", "C1", {})
        tasks.start_soon(catalog.save, document)
        await replica.remove("7", "Klage.pdf")
        a, b = self._index, 1
        await a.withdraw("f1", "C1")
        await nobody_knows_what().upload(staged)
        self.steps.append("this is a list")
        await self.write.upload(staged)
        await self._index.status("f1", "C1")
        Path("x").write("this is a file")
"""


def test_the_test_of_the_guarded_write_sees_through_other_names() -> None:
    module = ast.parse(CHEATING)
    assert [use.partition(": ")[2] for use in unguarded(module, Kinds([module]), near_ports=True)] == [
        "self._index.forget",
        "handle.place",
        "catalog.save",
        "replica.remove",
        "a.withdraw",
        "nobody_knows_what().upload",
    ]


@pytest.mark.parametrize("port", PORTS)
def test_what_only_reads_is_said_of_methods_that_there_are(port: str) -> None:
    assert READING[port] <= set(vars(PORTS[port]))


UNPARENTED: Final = {
    "create_task",
    "ensure_future",
    "gather",
    "run_coroutine_threadsafe",
    "sleep",
    "wait_for",
    "shield",
}


def test_no_task_is_without_a_parent() -> None:
    found = []
    for path in modules(HOST, PLUGINS):
        for node in ast.walk(tree(path)):
            match node:
                case ast.Attribute(value=ast.Name(id="asyncio" | "loop"), attr=name) if name in UNPARENTED:
                    found.append(f"{path}:{node.lineno}: {name}")
                case ast.ImportFrom(module="asyncio", names=names):
                    found += [f"{path}:{node.lineno}: {n.name}" for n in names if n.name in UNPARENTED]
    assert found == []


def imports(path: Path) -> Iterator[str]:
    """The modules that a module imports, absolute; those that only a type checker reads are left out."""
    skipped = {
        inner
        for node in ast.walk(tree(path))
        if isinstance(node, ast.If) and _last(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree(path)):
        if node in skipped:
            continue
        match node:
            case ast.Import():
                yield from (name.name for name in node.names)
            case ast.ImportFrom(level=0, module=str() as module):
                yield from (f"{module}.{name.name}" for name in node.names)


def importers(folder: Path, *packages: str) -> Mapping[str, set[str]]:
    """Who imports one of these packages or a part of it, and what of it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in modules(folder):
        for name in imports(path):
            if any(name == package or name.startswith(f"{package}.") for package in packages):
                found[path.relative_to(ROOT).as_posix()].add(name)
    return found


IMPURE: Final = {
    *("asyncio", "concurrent", "ctypes", "fcntl", "http", "io", "logging", "multiprocessing", "os", "pathlib"),
    *("random", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "subprocess", "sys", "tempfile"),
    *("threading", "time", "urllib", "uuid"),
}


def test_the_core_is_pure() -> None:
    for path in modules(HOST / "core"):
        outside = {name.split(".")[0] for name in imports(path) if not name.startswith("docsyncd.core.")}
        assert outside <= set(sys.stdlib_module_names), f"{path} imports {outside}"
        assert not outside & IMPURE, f"{path} imports {outside & IMPURE}"
        clocks = [
            ast.unparse(node)
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Attribute)
            and node.attr in {"now", "utcnow", "today"}
            and _last(node.value) in {"datetime", "date"}
        ]
        assert clocks == [], f"{path} reads a clock"
        assert not any(isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in ast.walk(tree(path)))


def test_a_connector_imports_the_hosts_api_and_nothing_else_of_it() -> None:
    wrong = {
        path: names
        for path, found in importers(PLUGINS, "docsyncd").items()
        if (
            names := {
                name
                for name in found
                if not name.startswith("docsyncd.api")
                and not ("emulator" in path and name.startswith("docsyncd.testing."))
            }
        )
    }
    assert wrong == {}


def test_the_host_names_no_connector() -> None:
    assert importers(HOST, *(path.name for path in PLUGINS.iterdir() if path.is_dir())) == {}


def test_redis_is_spoken_to_in_one_package() -> None:
    assert all(path.startswith("docsyncd/work/") for path in importers(HOST, "redis"))
    assert importers(PLUGINS, "redis") == {}


def test_pluggy_is_asked_in_two_modules() -> None:
    assert set(importers(HOST, "pluggy")) == {"docsyncd/hookspecs.py", "docsyncd/registry.py"}
    assert importers(PLUGINS, "pluggy") == {}


PLAYS_REMOTES: Final = {"docsyncd/emulate.py", "docsyncd/demo.py", "docsyncd/demo_daemon.py"}


def test_what_runs_in_production_needs_nothing_of_the_tests() -> None:
    found = {path for path in importers(HOST, "docsyncd.testing") if not path.startswith("docsyncd/testing/")}
    assert found <= PLAYS_REMOTES
    assert importers(HOST, "pytest", "hypothesis", "tests").keys() <= {
        path.relative_to(ROOT).as_posix() for path in modules(HOST / "testing")
    }


def test_every_module_says_what_it_is_for() -> None:
    silent = [str(path.relative_to(ROOT)) for path in modules(HOST, PLUGINS) if ast.get_docstring(tree(path)) is None]
    assert silent == ["docsyncd/__main__.py"] or silent == []


def test_the_layers_of_the_architecture_hold() -> None:
    """The contracts in pyproject.toml."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
