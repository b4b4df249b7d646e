"""`make live` can be collected by anybody, and refuses variables that do not fit together before it sends anything."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.live import environment
from tests.live.environment import Misconfigured

ROOT = Path(__file__).parents[1]

ESPOCRM = {environment.ESPOCRM_URL: "https://crm.example/", environment.ESPOCRM_API_KEY: "key"}
XAI = {environment.XAI_API_KEY: "key", environment.XAI_MANAGEMENT_KEY: "other key"}
LISTENER = {environment.LISTENER: "http://docsyncd.example:8480", environment.BIND: "127.0.0.1:8480"}


def _collect(variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(environment.PREFIX)}
    command = [sys.executable, "-m", "pytest", "-m", "live", "--collect-only", "-p", "no:cacheprovider", "tests/live"]
    return subprocess.run(
        command, cwd=ROOT, env={**inherited, **variables}, capture_output=True, text=True, check=False
    )


def test_without_variables_every_world_is_played() -> None:
    done = _collect({})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "EspoCRM: played by its emulator" in done.stdout
    assert "xAI: played by its emulator" in done.stdout
    for world in ("seed", "vmh-2026-03-23", "prepared"):
        assert f"test_a_document_lives_through_the_whole_flow_and_nothing_else_is_touched[{world}]" in done.stdout
    assert "TestLiveCatalog" in done.stdout
    assert "TestLiveIndex" in done.stdout


def test_a_named_remote_is_the_only_world_of_its_stories() -> None:
    done = _collect(ESPOCRM)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "EspoCRM: REAL, https://crm.example, profile seed" in done.stdout
    assert "xAI: played by its emulator" in done.stdout
    assert "[real]" in done.stdout
    assert "[seed]" not in done.stdout


def test_a_half_set_remote_ends_the_run_and_names_what_is_missing() -> None:
    done = _collect({environment.ESPOCRM_URL: "https://crm.example"})
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    missing = f"{environment.ESPOCRM_URL} is set, but {environment.ESPOCRM_API_KEY} is missing."
    assert missing in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({environment.ESPOCRM_API_KEY: "key"}, f"{environment.ESPOCRM_URL} is missing"),
        ({**ESPOCRM, environment.ADMIN_USER: "admin"}, f"{environment.ADMIN_PASSWORD} is missing"),
        ({**ESPOCRM, environment.LISTENER: "http://docsyncd.example:8480"}, f"{environment.BIND} is missing"),
        (LISTENER, f"{environment.ESPOCRM_URL} is missing"),
        ({environment.XAI_API_KEY: "key"}, f"{environment.XAI_MANAGEMENT_KEY} is missing"),
        ({**XAI, environment.XAI_FILES_URL: "https://x.example"}, f"{environment.XAI_MANAGEMENT_URL} is missing"),
        ({environment.CONSENT_FIELD: ""}, f"{environment.ESPOCRM_URL} is missing"),
        ({"DOCSYNCD_LIVE_ESPOCRM_APIKEY": "key"}, f"Did you mean {environment.ESPOCRM_API_KEY}?"),
        ({**ESPOCRM, environment.NAMES: "/there/is/no/such/file.toml"}, "cannot be read"),
    ],
)
def test_variables_that_mean_nothing_alone_are_refused(given: Mapping[str, str], words: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        environment.read(given)
    assert words in str(refused.value)


def test_all_that_is_missing_is_said_at_once_and_no_secret_is() -> None:
    with pytest.raises(Misconfigured) as refused:
        environment.read({environment.XAI_API_KEY: "xai-secret", environment.ADMIN_PASSWORD: "geheim"})
    text = str(refused.value)
    assert environment.XAI_MANAGEMENT_KEY in text
    assert environment.ADMIN_USER in text
    assert "xai-secret" not in text
    assert "geheim" not in text


def test_an_empty_variable_is_not_set_but_for_the_consent_field() -> None:
    assert environment.read({environment.ESPOCRM_URL: " ", environment.ESPOCRM_API_KEY: ""}).espocrm is None
    account = environment.read({**ESPOCRM, environment.CONSENT_FIELD: ""}).espocrm
    assert account is not None
    assert account.consent_field == ""
    assert account.url == "https://crm.example"


def test_what_prepare_espocrm_printed_names_everything(tmp_path: Path) -> None:
    printed = tmp_path / "names.toml"
    printed.write_text(
        '[index]\nconsent_field = "cFreigabe"\n\n[connectors.espocrm]\nprofile = "seed"\n\n'
        '[connectors.espocrm.names.document]\nmd5 = "cMd5"\n',
        encoding="utf-8",
    )
    account = environment.read({**ESPOCRM, environment.NAMES: str(printed)}).espocrm
    assert account is not None
    assert account.names == {"document": {"md5": "cMd5"}}
    assert account.consent_field == "cFreigabe"


def test_no_secret_shows_where_an_account_is_printed() -> None:
    found = environment.read({**ESPOCRM, **XAI, environment.ADMIN_USER: "admin", environment.ADMIN_PASSWORD: "geheim"})
    for secret in ("'key'", "geheim", "other key"):
        assert secret not in f"{found!r} {found.described()}"
