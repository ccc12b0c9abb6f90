"""What the tests share."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "peers"))

WEATHER = Path(__file__).parents[2] / "testdata" / "weather.csv"

# How long an example takes says nothing on a machine that others use too.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A shell that starts the tests in the background has Ctrl-C ignored, and they with it; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def skip(reason: str) -> None:
    """Skips a test that cannot run here; where nothing may be skipped, fails it."""
    if os.environ.get("ATOMIC_ARROW_REQUIRE_ALL") == "1":
        pytest.fail(f"ATOMIC_ARROW_REQUIRE_ALL=1, and this was skipped: {reason}")
    pytest.skip(f"SKIPPED {reason}")


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A directory for data sets."""
    directory = tmp_path / "lake"
    directory.mkdir()
    return directory


@pytest.fixture
def files() -> Callable[[Path], list[str]]:
    """The files below a directory, hidden ones and staging areas included, but for mere locks."""

    def list_files(directory: Path) -> list[str]:
        paths = (path for path in directory.rglob("*") if path.is_file() and path.name != "lock")
        return sorted(str(path.relative_to(directory)) for path in paths)

    return list_files
