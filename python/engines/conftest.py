"""What the tests of all engines share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

WHOLE = os.environ.get("ATOMIC_ARROW_WHOLE") == "1"

whole = pytest.mark.skipif(not WHOLE, reason="takes long; ATOMIC_ARROW_WHOLE=1 runs it")
"""Marks a test that is not run for every change."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a data set that is not there yet."""
    return tmp_path / "lake" / "weather"
