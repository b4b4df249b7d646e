"""Assertions of the contract suites explain themselves as those of a test module do."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("docsyncd.testing.contracts")
