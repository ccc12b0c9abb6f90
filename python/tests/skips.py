"""Skipping what cannot run where the tests are run."""

from __future__ import annotations

import os

import pytest


def skip(reason: str) -> None:
    """Skips a test that cannot run here; where nothing may be skipped, fails it."""
    if os.environ.get("ATOMIC_ARROW_REQUIRE_ALL") == "1":
        pytest.fail(f"ATOMIC_ARROW_REQUIRE_ALL=1, and this was skipped: {reason}")
    pytest.skip(f"SKIPPED {reason}")
