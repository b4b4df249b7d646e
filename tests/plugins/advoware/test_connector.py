"""How the connector presents itself to the host, and its table in the configuration."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from docsyncd import registry
from docsyncd.api import ConfigError, Secret
from docsyncd.config import bind, read_settings
from docsyncd.testing.host import PlainHost
from docsyncd_advoware.client import connect
from docsyncd_advoware.config import AdvowareConfig
from docsyncd_advoware.emulator import AdvowareEmulator
from tests.plugins.advoware.emulated import emulated

ACCOUNT: dict[str, Any] = {
    "app_id": "a",
    "api_key": {"env": "ADVOWARE_TEST_KEY"},
    "kanzlei": "k",
    "database": "d",
    "user": "u",
    "password": {"env": "ADVOWARE_TEST_PASSWORD"},
}

TABLES = """
[connectors.espocrm]
type = "espocrm"
url = "https://crm.example"
api_key = { env = "ESPOCRM_API_KEY" }
[connectors.xai]
type = "xai"
api_key = { env = "XAI_API_KEY" }
management_key = { env = "XAI_MANAGEMENT_KEY" }
[connectors.advoware]
type = "advoware"
app_id = "a"
api_key = { credential = "advoware-api-key" }
kanzlei = "k"
database = "d"
user = "u"
password = { credential = "advoware-password" }
"""


def test_it_is_found_by_its_entry_point() -> None:
    connector = registry.load().connectors["advoware"]
    assert connector.offers == {"journal"}
    assert isinstance(connector.emulator(), AdvowareEmulator)


def test_a_configuration_with_it_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "docsyncd.toml"
    path.write_text(TABLES + '[connectors.advoware.files]\nrules = [{ root = "T:\\\\Akten\\\\{number}" }]\n', "utf-8")
    config = bind(read_settings(path), registry.load().connectors, path).connections["advoware"].config
    assert isinstance(config, AdvowareConfig)
    assert config.files.rules[0].root == "T:\\Akten\\{number}"


def test_a_wrong_key_is_named_with_its_table(tmp_path: Path) -> None:
    path = tmp_path / "docsyncd.toml"
    path.write_text(TABLES + "[connectors.advoware.fields]\nnummer = ['hnr']\n", "utf-8")
    with pytest.raises(ConfigError, match=r"connectors\.advoware\.fields\.nummer: unknown key\. Did you mean `number`"):
        bind(read_settings(path), registry.load().connectors, path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"discovery": {"base_url": "advo-net.net"}},
        {"dates": {"zone": "Europe/Buxtehude"}},
        {"errors": [{"pattern": "(", "means": "unknown"}]},
        {"errors": [{"status": 404}]},
        {"errors": [{"status": 404, "means": "away"}]},
        {"fields": {"number": []}},
        {"fields": {"required": ["nummer"]}},
        {"paths": {"akte": "Akten/{id}"}},
        {"writes": {"swagger": "abc"}},
        {"archived": {"operator": "greater"}},
        {"api_key": "in the clear"},
        {"user": ""},
        {"parallel": 0},
        {"rate": 0},
        {"files": {"rules": [{"root": ""}]}},
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AdvowareConfig.model_validate({**ACCOUNT, **wrong})


@pytest.mark.parametrize("key", ["no base64!", "abc"])
async def test_a_key_that_is_none_names_its_place_and_not_its_value(tmp_path: Path, key: str) -> None:
    (tmp_path / "key").write_text(key)
    (tmp_path / "password").write_text("p")
    config = AdvowareConfig.model_validate(
        {**ACCOUNT, "api_key": {"file": tmp_path / "key"}, "password": {"file": tmp_path / "password"}}
    )
    with pytest.raises(ConfigError, match=r"connectors\.kanzlei\.api_key") as refused:
        async with connect("kanzlei", config, PlainHost()):
            pass
    assert key not in str(refused.value)


async def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(base64.b64encode(b"key").decode())
    (tmp_path / "ca.pem").write_text("no certificate")
    secret = Secret(file=tmp_path / "key")
    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        config = AdvowareConfig.model_validate(
            {**ACCOUNT, "api_key": secret, "password": secret, "discovery": {"ca_file": path}}
        )
        with pytest.raises(ConfigError, match=r"connectors\.advoware\.discovery\.ca_file"):
            async with connect("advoware", config, PlainHost()):
                pass


async def test_connecting_asks_nobody() -> None:
    async with emulated() as advoware:
        assert advoware.emulator.requests.all() == ()


async def test_one_breaker_speaks_for_all_three_hosts() -> None:
    async with emulated() as advoware:
        assert len(advoware.ports.transports) == 1
