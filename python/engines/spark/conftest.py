"""What the tests with Spark share: one session, rows, and faults."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from support import Rows, session


def pytest_configure(config: pytest.Config) -> None:
    # Spark leaves its sockets to the end of the process.
    config.addinivalue_line("filterwarnings", "ignore::ResourceWarning")
    config.addinivalue_line("filterwarnings", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="session")
def faults_of_session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory in which all processes of Spark look for faults."""
    directory = tmp_path_factory.mktemp("faults")
    os.environ["ATOMIC_ARROW_FAULTS"] = os.fspath(directory)
    return directory


@pytest.fixture(scope="session")
def spark(
    faults_of_session: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkSession]:
    """The session that all tests share: two threads, four attempts of each task."""
    from faults import SourceWithFaults

    warehouse = os.fspath(tmp_path_factory.mktemp("warehouse"))
    spark = session("local[2,4]", **{"spark.sql.warehouse.dir": warehouse})
    spark.dataSource.register(SourceWithFaults)
    yield spark
    spark.stop()


@pytest.fixture
def faults(faults_of_session: Path) -> Iterator[Callable[[str, str], None]]:
    """Asks for a fault at a point."""

    def ask(point: str, fault: str) -> None:
        (faults_of_session / point).write_text(fault)

    yield ask
    for left in faults_of_session.iterdir():
        left.unlink()


@pytest.fixture
def rows(spark: SparkSession) -> Rows:
    """Makes rows with an ``id`` from one number to before another, in three partitions."""

    def make(start: int, end: int) -> DataFrame:
        numbers = spark.range(start, end, numPartitions=3)
        return numbers.selectExpr("id", "concat('S', id % 4) as station")

    return make
