"""Plugins are found, put in order, and refused with the name of whoever is to blame."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import textwrap
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from docsyncd import api, registry
from docsyncd.errors import PluginError
from docsyncd.hookspecs import Hooks
from docsyncd.testing.host import PlainHost
from tests.installed import installed, write_distribution

EXAMPLES = Path(__file__).parent / "data" / "examples"


def test_what_is_installed_is_found_without_a_word_of_configuration() -> None:
    found = registry.load()
    assert list(found.connectors) == sorted(found.connectors)
    assert {"espocrm", "xai"} <= set(found.connectors)
    assert found.broken == ()


def test_a_good_plugin_brings_connectors_previewers_and_policies() -> None:
    with installed("good"):
        found = registry.load()
    assert found.connectors["good"].offers == {"replica"}
    assert found.conflict_policies["ask"].name == "ask"
    previewer = found.previewer("image/x-good")
    assert previewer is not None
    assert previewer.name == "good"
    assert found.previewer("text/x-nobody-draws-this") is None


def test_order_is_by_name_whatever_the_order_on_disk() -> None:
    with installed("good", "first_previewer"):
        one_way = registry.load()
    with installed("first_previewer", "good"):
        other_way = registry.load()
    assert (
        list(one_way.connectors)
        == list(other_way.connectors)
        == ["advoware", "also-good", "espocrm", "good", "watcher", "xai"]
    )
    drawn = [found.previewer("image/x-good-and-first") for found in (one_way, other_way)]
    assert drawn[0] == drawn[1]
    assert drawn[0] is not None


def test_a_disabled_plugin_is_not_even_imported() -> None:
    with installed("good", "broken"):
        found = registry.load(disabled=["good", "broken"])
    assert "good" not in found.connectors
    assert found.broken == ()


def test_a_plugin_that_cannot_be_imported_is_said_and_done_without() -> None:
    with installed("broken"):
        found = registry.load()
    [broken] = found.broken
    assert str(broken) == (
        "plugin broken (docsyncd_broken, docsyncd_broken 1.0) cannot be imported: "
        "ImportError: libdwg.so.7: cannot open shared object file"
    )
    found.require(["espocrm", "xai"])


def test_a_configured_connector_whose_plugin_cannot_be_imported_stops_the_start() -> None:
    with installed("broken"):
        found = registry.load()
    with pytest.raises(PluginError, match=r"no connector dwg is available. plugin broken .* libdwg.so.7"):
        found.require(["espocrm", "dwg"])


def test_a_connector_that_no_plugin_brings_is_the_configurations_error_and_not_a_plugins() -> None:
    registry.load().require(["nobody-brings-this"])


REFUSED = {
    "misspelt": "plugin misspelt (docsyncd_misspelt, docsyncd_misspelt 1.0) implements an unknown hook: "
    "unknown hook 'docsyncd_conectors'",
    "asynchronous": "plugin asynchronous (docsyncd_asynchronous, docsyncd_asynchronous 1.0) "
    "declares docsyncd_connectors as async",
    "asynchronous_generator": "plugin asynchronous-generator "
    "(docsyncd_asynchronous_generator, docsyncd_asynchronous_generator 1.0) "
    "declares docsyncd_conflict_policies as async",
    "wrong_type": "plugin wrong-type (docsyncd_wrong_type, docsyncd_wrong_type 1.0) "
    "yields a str from docsyncd_connectors",
    "wrong_argument": "plugin wrong-argument (docsyncd_wrong_argument, docsyncd_wrong_argument 1.0) "
    "does not fit the hooks",
    "raising": "plugin raising (docsyncd_raising, docsyncd_raising 1.0) fails in docsyncd_connectors: "
    "ImportError: libdwg.so.7: cannot open shared object file",
    "not_iterable": "plugin not-iterable (docsyncd_not_iterable, docsyncd_not_iterable 1.0) "
    "fails in docsyncd_conflict_policies: TypeError: 'ConflictPolicy' object is not iterable",
}


@pytest.mark.parametrize("plugin", REFUSED)
def test_what_else_is_wrong_with_a_plugin_refuses_it_by_name(plugin: str) -> None:
    with installed(plugin), pytest.raises(PluginError) as refused:
        registry.load()
    assert REFUSED[plugin] in str(refused.value)


def test_a_misspelt_hook_is_told_the_names_that_there_are() -> None:
    with installed("misspelt"), pytest.raises(PluginError) as refused:
        registry.load()
    assert str(refused.value).endswith("Known are: docsyncd_conflict_policies, docsyncd_connectors, docsyncd_previewer")


def test_two_plugins_that_claim_one_name_are_both_named() -> None:
    with installed("rival"), pytest.raises(PluginError) as refused:
        registry.load()
    text = str(refused.value)
    assert '"xai" is claimed by plugin ' in text
    assert "rival (docsyncd_rival, docsyncd_rival 1.0)" in text
    assert "plugin xai (docsyncd_xai, docsyncd " in text


def test_two_entry_points_of_one_name_are_both_named() -> None:
    with installed("namesake"), pytest.raises(PluginError) as refused:
        registry.load()
    assert "(docsyncd_namesake, docsyncd_namesake 1.0)" in str(refused.value)
    assert "(docsyncd_xai, docsyncd " in str(refused.value)


def test_two_entry_points_of_one_module_are_one_too_many(tmp_path: Path) -> None:
    write_distribution(tmp_path / "twice", "twice", "one = docsyncd_xai\ntwo = docsyncd_xai")
    with installed("twice", root=tmp_path), pytest.raises(PluginError, match=r"plugin two .*docsyncd_xai, twice 1.0"):
        registry.load()


def test_an_entry_point_without_a_distribution_is_named_by_its_module() -> None:
    point = importlib.metadata.EntryPoint(name="loose", value="docsyncd_no_such_module", group="docsyncd")
    [broken] = registry.load([point]).broken
    assert broken.source == "docsyncd_no_such_module"


def example_of(hook: str) -> str:
    """The code block below **Example** in a hook's docstring."""
    documentation = inspect.getdoc(getattr(Hooks, hook))
    assert documentation is not None
    _, _, block = documentation.partition("**Example**\n")
    assert block, f"{hook} has no example"
    return textwrap.dedent(block)


Install = Callable[[str, str], AbstractContextManager[None]]


@pytest.fixture
def example(tmp_path: Path) -> Install:
    """Install a hook's example as the whole plugin that it is part of, with the modules that it imports."""

    def install(hook: str, package: str) -> AbstractContextManager[None]:
        folder = tmp_path / package / package
        if (EXAMPLES / package).is_dir():
            copytree(EXAMPLES / package, folder)
        else:
            folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(example_of(hook), encoding="utf-8")
        write_distribution(tmp_path / package, package, f"example = {package}")
        return installed(package, root=tmp_path)

    return install


async def test_the_example_of_a_connector_connects(example: Install, tmp_path: Path) -> None:
    with example("docsyncd_connectors", "docsyncd_folder"):
        connector = registry.load().connectors["folder"]
        assert connector.offers == {"replica"}
        config = connector.config.model_validate({"root": str(tmp_path)})
        async with connector.connect("folder", config, PlainHost()) as ports:
            assert ports.transports == ()
        assert connector.emulator().describe({}) == "0 hosts"


def test_the_example_of_a_previewer_names_a_function_that_draws(example: Install, tmp_path: Path) -> None:
    with example("docsyncd_previewer", "docsyncd_dwg"):
        found = registry.load()
        previewer = found.previewer("image/x-dwg")
        assert previewer is not None
        assert found.previewer("image/x-other") is None
        module, _, function = previewer.render.partition(":")
        staged = tmp_path / "content"
        staged.write_bytes(b"AC1032")
        assert getattr(importlib.import_module(module), function)(staged, (40, 30)).size == (40, 30)


def test_the_example_of_a_conflict_policy_names_a_winner(example: Install) -> None:
    with example("docsyncd_conflict_policies", "docsyncd_larger"):
        policy = registry.load().conflict_policies["larger"]
    small = api.FileState(
        path=api.RelativePath("Klage.pdf"),
        revision=api.Revision("1"),
        size=None,
        modified_at=None,
        content=None,
        file_id=None,
    )
    large = replace(small, size=2)
    assert policy.winner(api.Conflict(path=small.path, record=small, replica=large)) is api.Side.REPLICA
    assert policy.winner(api.Conflict(path=small.path, record=large, replica=small)) is api.Side.RECORD


@pytest.mark.parametrize("hook", [name for name in vars(Hooks) if name.startswith("docsyncd_")])
def test_a_hook_itself_does_nothing(hook: str) -> None:
    arguments = [None] * (len(inspect.signature(getattr(Hooks, hook)).parameters) - 1)
    with pytest.raises(NotImplementedError):
        getattr(Hooks(), hook)(*arguments)
