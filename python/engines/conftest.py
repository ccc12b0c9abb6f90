"""What the tests of all engines share."""

from __future__ import annotations

from pathlib import Path

import pytest
from common import DOCS, WHOLE, printed, whole

__all__ = ["DOCS", "WHOLE", "printed", "whole"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a data set that is not there yet."""
    return tmp_path / "lake" / "weather"
