"""What all tests share: the asyncio backend, which is what the daemon runs on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def log_as_installed() -> Iterator[None]:
    """What one test sets of structlog (level, renderer) is not the next one's: many share a process."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
