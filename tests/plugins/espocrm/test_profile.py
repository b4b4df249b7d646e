"""Profiles are data, and every name in them can be replaced."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from docsyncd.api import ConfigError
from docsyncd_espocrm.config import EspoConfig
from docsyncd_espocrm.profile import load_profile, profile_names


def config(**table: Any) -> EspoConfig:
    return EspoConfig.model_validate({"url": "https://crm.example/", "api_key": {"env": "UNSET"}} | table)


def test_both_installations_are_shipped() -> None:
    assert profile_names() == ("seed", "vmh-2026-03-23")
    assert load_profile("seed").document.entity == "Document"
    assert load_profile("vmh-2026-03-23").document.entity == "CDokumente"


def test_a_configuration_is_checked_without_its_secrets() -> None:
    assert config().api_url == "https://crm.example/api/v1"


def test_one_name_can_be_replaced_and_another_switched_off() -> None:
    names = config(names={"document": {"md5": "cMd5", "sha256": ""}}).resolved.document
    assert (names.md5, names.sha256, names.index_file) == ("cMd5", "", "xaiFileId")


def test_a_list_of_values_is_replaced_as_a_whole() -> None:
    changed = config(names={"document": {"index_status_values": {"unsupported": ["unsupported"]}}}).resolved
    assert list(changed.document.index_status_values.values())[-1] == ("", "no_sync")
    assert ("unsupported",) in changed.document.index_status_values.values()


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ({"profile": "nobody"}, "vmh-2026-03-23"),
        ({"names": {"document": {"md5": "../md5"}}}, "names.document.md5"),
        ({"names": {"document": {"colour": "x"}}}, "names.document.colour"),
        ({"names": {"document": {"entity": ""}}}, "names.document.entity"),
        ({"url": "crm.example"}, "url"),
        ({"url": "https://crm.example/?x=1"}, "url"),
        ({"parallel": 11}, "parallel"),
        ({"webhooks": {"create": "/a", "update": "/a"}}, "different paths"),
        ({"consent_field": "ai Freigabe"}, "consent_field"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_wrong_key_is_named(table: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word.replace(".", r"\.")):
        config(**table)


def test_a_missing_profile_names_those_that_there_are() -> None:
    with pytest.raises(ConfigError) as refused:
        load_profile("nobody")
    assert "seed" in refused.value.fix
