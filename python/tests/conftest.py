"""What the tests share."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import store_server
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "peers"))

WEATHER = Path(__file__).parents[2] / "testdata" / "weather.csv"

# How long an example takes says nothing on a machine that others use too.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A shell that starts the tests in the background has Ctrl-C ignored, and they with it; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture(scope="session")
def server() -> Iterator[store_server.Server]:
    """A server that speaks the protocol of S3, with the bucket ``lake``."""
    with store_server.serve_or_skip() as server:
        yield server


@pytest.fixture
def root(request: pytest.FixtureRequest) -> str:
    """The URL of a data set of the test's own."""
    return f"s3://lake/{request.node.name}/weather"


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes away what the environment says of object stores."""
    for name in os.environ:
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_")):
            monkeypatch.delenv(name)
