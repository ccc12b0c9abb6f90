"""A cluster of one node with two cores for all tests, which tells nobody of its use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
import ray


def pytest_configure(config: pytest.Config) -> None:
    """Lets Ray warn of itself."""
    for kind in ("DeprecationWarning", "FutureWarning", "UserWarning", "ResourceWarning"):
        config.addinivalue_line("filterwarnings", rf"ignore::{kind}:ray\b")


@pytest.fixture(scope="session", autouse=True)
def cluster() -> Iterator[str]:
    """The address of the cluster."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # What the workers import: the modules of the tests too.
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    context = ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield context.address_info["gcs_address"]
    ray.shutdown()
