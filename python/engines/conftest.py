"""What the tests of all engines share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from common import DOCS, WHOLE, printed, whole

__all__ = ["DOCS", "WHOLE", "printed", "whole"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a data set that is not there yet."""
    return tmp_path / "lake" / "weather"


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    """A server that speaks the protocol of S3, with the bucket ``lake``: see ``tests/store_server.py``."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    import store_server

    with store_server.serve_or_skip() as server:
        yield server
