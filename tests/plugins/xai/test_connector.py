"""How the connector presents itself to the host, and its table in the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from docsyncd import registry
from docsyncd.config import bind, read_settings
from docsyncd.testing.emulation import Fault, on
from docsyncd_xai.config import XaiConfig
from docsyncd_xai.emulator import XaiEmulator
from tests.plugins.xai.emulated import emulated

KEYS: dict[str, Any] = {"api_key": {"env": "XAI_API_KEY"}, "management_key": {"env": "XAI_MANAGEMENT_KEY"}}


def test_it_is_found_by_its_entry_point() -> None:
    connector = registry.load().connectors["xai"]
    assert connector.offers == {"index"}
    assert isinstance(connector.emulator(), XaiEmulator)


def test_the_host_s_limit_is_the_connector_s_default(tmp_path: Path) -> None:
    path = tmp_path / "docsyncd.toml"
    path.write_text(
        """
        [index]
        max_file_mb = 10
        [connectors.espocrm]
        type = "espocrm"
        url = "https://crm.example"
        api_key = { env = "ESPOCRM_API_KEY" }
        [connectors.xai]
        type = "xai"
        api_key = { env = "XAI_API_KEY" }
        management_key = { env = "XAI_MANAGEMENT_KEY" }
        """,
        encoding="utf-8",
    )
    config = bind(read_settings(path), registry.load().connectors, path).connections["xai"].config
    assert isinstance(config, XaiConfig)
    assert config.max_bytes == 10_000_000


def test_addresses_lose_their_trailing_slash() -> None:
    assert XaiConfig(**KEYS, files_url="https://proxy.example/xai/").files_url == "https://proxy.example/xai"


@pytest.mark.parametrize(
    "wrong",
    [
        {"files_url": "api.x.ai"},
        {"also_accept": {".eml": "message/rfc822"}},
        {"rate": 0},
        {"api_key": "xai-in-the-clear"},
        {"management_key": {"env": "A", "file": "/b"}},
        {"max_file_mb": 0},
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        XaiConfig(**{**KEYS, **wrong})


async def test_a_status_of_the_future_is_logged_once() -> None:
    async with emulated() as xai:
        collection, file = xai.collection(), xai.file()
        body = {"file_metadata": {"file_id": file, "name": "a"}, "status": "DOCUMENT_STATUS_DREAMING"}
        answer = Fault(match=on("GET", "/documents/"), times=None, status=200, body=json.dumps(body).encode())
        xai.emulator.faults.add(answer)
        with capture_logs() as logs:
            for _ in range(3):
                assert (await xai.index.status(file, collection)).state == "pending"
        assert [entry["status"] for entry in logs] == ["DREAMING"]
