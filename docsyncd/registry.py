"""Finds the plugins: a fresh plugin manager per configuration generation, and what it refuses.

pluggy is asked here, once per generation, and nowhere else. A plugin that fails to import is a warning unless a configured
connector is of its making; everything else that is wrong with one refuses the generation.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from docsyncd.connector import Connector
from docsyncd.core.conflict_policy import ConflictPolicy
from docsyncd.errors import PluginError
from docsyncd.hookspecs import PROJECT, Hooks
from docsyncd.preview.previewer import Previewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A plugin that could not be imported."""

    name: str
    source: str
    reason: str

    def __str__(self) -> str:
        return f"plugin {self.name} ({self.source}) cannot be imported: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What the installed plugins bring. `previewer` is pure and may be asked at any time."""

    connectors: Mapping[str, Connector]
    conflict_policies: Mapping[str, ConflictPolicy]
    previewer: Callable[[str], Previewer | None]
    broken: Sequence[Broken]

    def require(self, types: Collection[str]) -> None:
        """A configured connector whose plugin cannot be imported stops the start."""
        missing = set(types) - set(self.connectors)
        if missing and self.broken:
            reasons = "; ".join(str(broken) for broken in self.broken)
            raise PluginError(f"no connector {', '.join(sorted(missing))} is available. {reasons}")


def installed() -> Iterable[EntryPoint]:
    """The entry points of group `docsyncd`, in the order of their names."""
    return sorted(entry_points(group=PROJECT), key=lambda point: point.name)


def load(points: Iterable[EntryPoint] | None = None, *, disabled: Collection[str] = ()) -> Registry:
    """Load every plugin that is not disabled. `PluginError` names the plugin and where it comes from."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    sources: dict[str, str] = {}
    broken: list[Broken] = []
    for point in installed() if points is None else points:
        if point.name in disabled:
            continue
        source = f"{point.value}, {point.dist.name} {point.dist.version}" if point.dist else point.value
        try:
            module = point.load()
        except Exception as error:  # noqa: BLE001 - an import may fail in any way; it is reported, and refused if needed
            broken.append(Broken(name=point.name, source=source, reason=f"{type(error).__name__}: {error}"))
            continue
        _refuse_second(manager, module, point.name, source, sources)
        sources[point.name] = source
        try:
            manager.register(module, name=point.name)
        except pluggy.PluginValidationError as error:
            raise PluginError(f"{_named(point.name, sources)} does not fit the hooks: {error}") from error
    _refuse_misspelt_hooks(manager, sources)
    _refuse_coroutines(manager, sources)
    return Registry(
        connectors=_collected(manager, "docsyncd_connectors", Connector, sources),
        conflict_policies=_collected(manager, "docsyncd_conflict_policies", ConflictPolicy, sources),
        previewer=lambda media_type: manager.hook.docsyncd_previewer(media_type=media_type),
        broken=tuple(broken),
    )


def _named(name: str, sources: Mapping[str, str]) -> str:
    return f"plugin {name} ({sources[name]})"


def _refuse_second(
    manager: pluggy.PluginManager, module: object, name: str, source: str, sources: Mapping[str, str]
) -> None:
    """Two entry points of one name, or of one module: whose word would count?"""
    for known, plugin in manager.list_name_plugin():
        if known == name or plugin is module:
            raise PluginError(f"plugin {name} ({source}) is installed already, as {_named(known, sources)}")


def _refuse_misspelt_hooks(manager: pluggy.PluginManager, sources: Mapping[str, str]) -> None:
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        name = next(name for name, plugin in manager.list_name_plugin() if plugin is error.plugin)
        known = ", ".join(sorted(spec for spec in vars(Hooks) if spec.startswith(f"{PROJECT}_")))
        raise PluginError(f"{_named(name, sources)} implements an unknown hook: {error}. Known are: {known}") from error


def _refuse_coroutines(manager: pluggy.PluginManager, sources: Mapping[str, str]) -> None:
    for name, plugin in manager.list_name_plugin():
        for caller in manager.get_hookcallers(plugin) or ():
            for implementation in caller.get_hookimpls():
                function = implementation.function
                if implementation.plugin is plugin and (
                    inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
                ):
                    raise PluginError(
                        f"{_named(name, sources)} declares {caller.name} as async; a hook only declares, "
                        "the work belongs into the connector's `connect`"
                    )


def _collected(manager: pluggy.PluginManager, hook: str, kind: type[Any], sources: Mapping[str, str]) -> dict[str, Any]:
    """Every value that a hook yields, by name and sorted; a name that two plugins claim is refused, both named."""
    found: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        name = implementation.plugin_name
        for value in _declared(implementation, sources):
            if not isinstance(value, kind):
                raise PluginError(f"{_named(name, sources)} yields a {type(value).__name__} from {hook}")
            if value.name in found:
                raise PluginError(
                    f'"{value.name}" is claimed by {_named(owners[value.name], sources)} and by {_named(name, sources)}'
                )
            found[value.name] = value
            owners[value.name] = name
    return dict(sorted(found.items()))


def _declared(implementation: pluggy.HookImpl, sources: Mapping[str, str]) -> Sequence[object]:
    """What one plugin says. Its own failure to say it (a late import) is told with its name."""
    try:
        declared: Any = implementation.function()
        return tuple(declared or ())
    except Exception as error:
        plugin = _named(implementation.plugin_name, sources)
        hook = implementation.function.__name__
        raise PluginError(f"{plugin} fails in {hook}: {type(error).__name__}: {error}") from error
