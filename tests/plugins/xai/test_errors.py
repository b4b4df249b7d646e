"""What a failure of one of the hosts means for the worker."""

from __future__ import annotations

from typing import Literal

import pytest

from docsyncd.api import ConfigError, CredentialsRefused, IndexFileId, Rejected, RequestFailed, Secret, Unavailable
from docsyncd.testing.contracts.index import staged
from docsyncd.testing.emulation import Fault, on
from docsyncd.testing.host import PlainHost
from docsyncd_xai.client import connect
from docsyncd_xai.config import XaiConfig
from docsyncd_xai.emulator import Behaviour, FieldDefinition
from tests.plugins.xai.emulated import DOCUMENT, NAME, TAG, emulated


async def test_a_wrong_api_key_stops_everything_and_parks_nothing() -> None:
    async with emulated(api_key="wrong") as xai, staged("Klage") as content:
        with pytest.raises(CredentialsRefused, match="refuses api_key: Incorrect API key provided"):
            await xai.index.upload(content, NAME)
        with pytest.raises(CredentialsRefused, match="not asked"):
            await xai.index.find(TAG, since=None)
        files, management = xai.ports.transports
        assert files.breaker.refused_credentials
        assert management.breaker.reason is None
        assert len(xai.emulator.requests.all()) == 1


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_wrong_management_key_is_known_by_any_of_its_answers(status: int) -> None:
    async with emulated(Behaviour(wrong_management_key=status), management_key="wrong") as xai:
        with pytest.raises(CredentialsRefused, match="refuses management_key"):
            await xai.index.placements(DOCUMENT, [xai.collection()])


@pytest.mark.parametrize("shape", ["grpc", "flat", "nested", "text"])
async def test_the_status_decides_whatever_the_body_looks_like(
    shape: Literal["grpc", "flat", "nested", "text"],
) -> None:
    async with emulated(Behaviour(management_errors=shape, undefined_fields="refuse")) as xai:
        collection, file = xai.collection(), xai.file()
        assert (await xai.index.status(file, collection)).file == file
        await xai.index.withdraw(file, collection)
        xai.emulator.world.collections[collection].definitions["x"] = FieldDefinition(key="x", required=True)
        with pytest.raises(Rejected, match="field x is required"):
            await xai.index.place(file, collection, {})


async def test_a_429_pauses_everything_for_as_long_as_it_says() -> None:
    async with emulated() as xai:
        xai.emulator.faults.add(Fault(match=on("GET", "/v1/files"), status=429, headers={"Retry-After": "30"}))
        with pytest.raises(Unavailable) as away:
            await xai.index.find(TAG, since=None)
        assert away.value.retry_after == 30
        with pytest.raises(Unavailable, match="not asked"):
            await xai.index.file(IndexFileId("file_1"))
        assert 29 < xai.ports.transports[0].breaker.probe_delay() <= 30
        assert len(xai.emulator.requests.all()) == 1


async def test_a_passing_overload_is_ridden_out() -> None:
    async with emulated() as xai:
        xai.emulator.faults.add(Fault(match=on("GET", "/v1/files"), status=503, body=b"<html>upstream</html>"))
        assert await xai.index.find(TAG, since=None) == ()
        assert xai.ports.transports[0].breaker.reason is None


async def test_a_500_for_one_file_while_xai_is_well_is_that_file_s_own() -> None:
    async with emulated() as xai:
        xai.emulator.faults.add(Fault(match=on("GET", "/v1/files/file_1"), times=None, status=500))
        with pytest.raises(RequestFailed):
            await xai.index.file(IndexFileId("file_1"))
        assert xai.ports.transports[0].breaker.reason is None


async def test_a_document_that_the_edge_dislikes_stops_nobody_else() -> None:
    async with emulated() as xai, staged("Klage") as content:
        blocked = b"\n<!DOCTYPE html><title>Attention Required! | Cloudflare</title>"
        xai.emulator.faults.add(Fault(match=on("POST", "/v1/files"), status=403, body=blocked))
        with pytest.raises(RequestFailed, match="edge: Attention Required"):
            await xai.index.upload(content, NAME)
        assert xai.ports.transports[0].breaker.reason is None
        await xai.index.upload(content, NAME)


async def test_an_edge_that_dislikes_us_altogether_is_an_outage() -> None:
    async with emulated() as xai:
        xai.emulator.faults.add(Fault(match=on("*"), times=None, status=403, body=b"<html>blocked</html>"))
        with pytest.raises(Unavailable):
            await xai.index.find(TAG, since=None)
        assert not xai.ports.transports[0].breaker.refused_credentials


async def test_each_host_is_probed_by_its_own_health_call() -> None:
    async with emulated() as xai:
        for transport in xai.ports.transports:
            await transport.health()
        asked = [(request.role, request.path, request.query) for request in xai.emulator.requests.all()]
        assert asked == [("files_url", "/v1/api-key", ""), ("management_url", "/v1/collections", "limit=1")]


async def test_a_rate_is_kept_over_both_hosts() -> None:
    async with emulated(rate=20) as xai:
        collection, file = xai.collection(), xai.file()
        clock = xai.emulator.world.clock
        begin = clock.monotonic()
        for _ in range(3):
            await xai.index.file(file)
            await xai.index.status(file, collection)
        assert clock.monotonic() - begin >= 5 / 20


async def test_a_missing_key_is_a_matter_of_configuration() -> None:
    secret = Secret(env="DOCSYNCD_TEST_THAT_NOBODY_SETS")
    with pytest.raises(ConfigError, match="DOCSYNCD_TEST_THAT_NOBODY_SETS"):
        async with connect("xai", XaiConfig(api_key=secret, management_key=secret), PlainHost()):
            pass
