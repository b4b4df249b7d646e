"""`docsyncd check-config`, as a person or a deployment script runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.installed import PLUGINS

SOUND = """
[connectors.espocrm]
type = "espocrm"
url = "http://127.0.0.1:1/espocrm"
api_key = { env = "DOCSYNCD_TEST_ESPO_KEY" }

[connectors.xai]
type = "xai"
api_key = { credential = "xai-key" }
management_key = { file = "%s" }
"""

SECRET = "k9-throw-away-secret"


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "docsyncd.toml"
    path.write_text(SOUND % (tmp_path / "management-key"), encoding="utf-8")
    return path


def check(
    *arguments: str | Path, plugins: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LC_ALL")}
    path = os.pathsep.join(str(PLUGINS / name) for name in plugins)
    return subprocess.run(
        [sys.executable, "-m", "docsyncd", "check-config", *map(str, arguments)],
        env={**clean, "COLUMNS": "300", "PYTHONPATH": path, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)


def test_a_sound_file_needs_no_secret_to_be_there(toml: Path) -> None:
    done = check("--config", toml)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines == [
        f"{toml} is sound. The index flow is in mode observe.",
        "  run will need connectors.espocrm.api_key: environment variable DOCSYNCD_TEST_ESPO_KEY is not there yet",
        "  run will need connectors.xai.api_key: credential xai-key is not there yet",
        f"  run will need connectors.xai.management_key: file {toml.parent}/management-key is not there yet",
    ]


def test_secrets_that_are_there_are_not_mentioned_and_never_shown(toml: Path, tmp_path: Path) -> None:
    (tmp_path / "management-key").write_text(SECRET, encoding="utf-8")
    (tmp_path / "xai-key").write_text(SECRET, encoding="utf-8")
    environment = {"DOCSYNCD_TEST_ESPO_KEY": SECRET, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    done = check("--config", toml, environment=environment)
    assert done.returncode == 0
    assert "run will need" not in done.stdout
    as_json = check("--config", toml, "--json", environment=environment)
    assert answer(as_json)["ok"] is True
    assert {secret["key"]: secret["present"] for secret in answer(as_json)["secrets"]} == {
        "connectors.espocrm.api_key": True,
        "connectors.xai.api_key": True,
        "connectors.xai.management_key": True,
    }
    assert SECRET not in done.stdout + done.stderr + as_json.stdout + as_json.stderr


def test_secrets_in_tables_lists_and_the_hosts_own_are_found(toml: Path) -> None:
    good = """
[queue]
password = { env = "A1" }

[connectors.good]
type = "good"
url = "http://127.0.0.1:1"
keys = [{ env = "B1" }]
named_keys = { old = { env = "C1" } }
"""
    toml.write_text(toml.read_text(encoding="utf-8") + good, encoding="utf-8")
    done = check("--config", toml, "--json", plugins=("good",))
    assert {secret["key"] for secret in answer(done)["secrets"]} >= {
        "queue.password",
        "connectors.good.keys.0",
        "connectors.good.named_keys.old",
    }


def test_what_is_wrong_is_said_with_its_key_and_the_fix(toml: Path) -> None:
    toml.write_text(toml.read_text(encoding="utf-8").replace("url =", "adress ="), encoding="utf-8")
    done = check("--config", toml)
    assert done.returncode == 1
    assert f"{toml} cannot be used:" in done.stdout
    assert "connectors.espocrm.url: this key is required and not set." in done.stdout
    assert "connectors.espocrm.adress: unknown key." in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_what_is_wrong_can_be_read_by_a_program(toml: Path) -> None:
    toml.write_text("[daemon]\nwokers = 4\nlog_level = 'loud'\n", encoding="utf-8")
    done = check("--config", toml, "--json")
    assert done.returncode == 1
    told = answer(done)
    assert (told["ok"], told["path"]) == (False, str(toml))
    errors = {error["key"]: error["message"] for error in told["errors"]}
    assert errors["daemon.wokers"] == "daemon.wokers: unknown key. Did you mean `workers`?"
    assert set(errors) == {"daemon.wokers", "daemon.log_level"}


def test_a_file_that_is_not_there_is_one_error(tmp_path: Path) -> None:
    done = check("--config", tmp_path / "nowhere.toml")
    assert done.returncode == 1
    assert "nowhere.toml cannot be read: No such file or directory. Name it with --config." in done.stdout


def test_the_file_can_be_named_by_the_environment(toml: Path) -> None:
    assert check(environment={"DOCSYNCD_CONFIG": str(toml)}).returncode == 0


def test_a_plugin_that_is_refused_refuses_the_configuration(toml: Path) -> None:
    done = check("--config", toml, "--json", plugins=("misspelt",))
    assert done.returncode == 1
    [error] = answer(done)["errors"]
    assert error["key"] == "plugins"
    assert "docsyncd_misspelt 1.0) implements an unknown hook" in error["message"]


def test_a_broken_plugin_that_nothing_needs_is_a_warning(toml: Path) -> None:
    done = check("--config", toml, "--json", plugins=("broken",))
    assert done.returncode == 0
    assert answer(done)["ok"] is True
    assert "docsyncd_broken 1.0" in done.stderr


def test_a_broken_plugin_that_a_connection_needs_refuses_the_configuration(toml: Path) -> None:
    toml.write_text(toml.read_text(encoding="utf-8") + '[connectors.dwg]\ntype = "dwg"\n', encoding="utf-8")
    done = check("--config", toml, plugins=("broken",))
    assert done.returncode == 1
    assert "no connector dwg is available" in done.stdout
    assert "libdwg.so.7" in done.stdout
