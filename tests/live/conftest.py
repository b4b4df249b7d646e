"""A live run: which remotes are real, and what its stories share. The variables are explained in README.md beside this file."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.live import environment
from tests.live.environment import Environment, Misconfigured
from tests.live.remotes import EspoRemote, World, XaiRemote, espocrm_remote, xai_remote

Say = Callable[[str], None]
"""Tells whoever watches the run, at once and whatever pytest captures."""

CONTRACT_WORLDS: tuple[World, ...] = ("seed", "vmh-2026-03-23")
FLOW_WORLDS: tuple[World, ...] = ("seed", "vmh-2026-03-23", "prepared")

pytest.register_assert_rewrite("docsyncd.testing.contracts")


def pytest_report_header() -> list[str]:
    try:
        return environment.read(os.environ).described()
    except Misconfigured:
        return []  # said below, where it ends the run


def pytest_collection_finish(session: pytest.Session) -> None:
    """A run of live stories with variables that do not fit together ends before its first request."""
    if any(item.get_closest_marker("live") for item in session.items):
        try:
            environment.read(os.environ)
        except Misconfigured as wrong:
            raise pytest.UsageError(str(wrong)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which EspoCRM a story plays in: the real one if there is one, else every one that the emulator can be."""
    if "espocrm_world_name" not in metafunc.fixturenames:
        return
    try:
        real = environment.read(os.environ).espocrm is not None
    except Misconfigured:
        real = False
    played = FLOW_WORLDS if "flow" in metafunc.function.__module__ else CONTRACT_WORLDS
    metafunc.parametrize("espocrm_world_name", ("real",) if real else played)


@pytest.fixture(scope="session")
def live() -> Environment:
    return environment.read(os.environ)


@pytest.fixture
async def espocrm(espocrm_world_name: World, live: Environment, tmp_path: Path) -> AsyncIterator[EspoRemote]:
    async with espocrm_remote(espocrm_world_name, live.espocrm, tmp_path) as remote:
        yield remote


@pytest.fixture
async def xai(live: Environment, tmp_path: Path) -> AsyncIterator[XaiRemote]:
    async with xai_remote(live.xai, tmp_path) as remote:
        yield remote


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Say:
    """One line, with the seconds since the story began."""
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    assert capture is not None
    assert reporter is not None
    began = time.monotonic()

    def line(text: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.write_line(f"  {time.monotonic() - began:6.1f} s  {text}")

    return line
