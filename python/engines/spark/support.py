"""Sessions for tests, and what a data set holds: for readers that scan meanwhile, and afterwards."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import duckdb
import polars as pl
import pyarrow.dataset as ds
from pyspark.sql import DataFrame, SparkSession

HERE = Path(__file__).parent
Rows = Callable[..., DataFrame]


def settings(**more: str) -> dict[str, str]:
    """Settings of a session for tests."""
    common = {
        "spark.ui.enabled": "false",
        # Sessions are short here: compiling much of them is not worth while.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": "3",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.timeType.enabled": "true",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "50",
    }
    return common | more


def session(master: str, **more: str) -> SparkSession:
    """A session whose workers have this Python and these modules."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    paths = [os.fspath(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    builder = SparkSession.builder.master(master)  # type: ignore[attr-defined]
    for name, value in settings(**more).items():
        builder = builder.config(name, value)
    spark: SparkSession = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark


def ids(root: Path) -> list[int]:
    """The ids of all rows that a reader sees, in order."""
    if not any(root.rglob("*.parquet")):
        return []
    found: list[int] = ds.dataset(root, partitioning="hive").to_table()["id"].to_pylist()
    return sorted(found)


def nothing_left(root: Path) -> bool:
    """Whether nothing of a dead or failed writer is left after a recovery, nor waits."""
    aa.recover(root)
    again = aa.recover(root)
    left = [again.finished, again.aborted, again.removed, again.alive, again.staged, again.failed]
    area = root.parent / f".{root.name}.atomic"
    kept = {entry.name for entry in area.iterdir()} if area.exists() else set()
    return not any(left) and aa.staged(root) == [] and kept <= {"writes", "lock"}


class Readers(threading.Thread):
    """Readers that scan a data set over and over, and remember what they saw."""

    def __init__(self, root: Path, *, replaced: bool = False) -> None:
        """``replaced``: whether files may be gone that a reader has listed, as an overwrite removes them."""
        super().__init__()
        self.root = root
        self.replaced = replaced
        self.seen: set[int] = set()
        self.faults: list[str] = []
        self.done = threading.Event()

    def run(self) -> None:
        scans: list[Callable[[], Any]] = [self._pyarrow, self._polars, self._duckdb]
        # Not all the time: others need the machine, too.
        while not self.done.wait(0.1):
            for scan in scans:
                if not any(self.root.glob("**/*.parquet")):
                    continue
                try:
                    self.seen.update(scan())
                except Exception as error:
                    if not (self.replaced and "No such file" in str(error)):
                        self.faults.append(f"{scan.__name__}: {error}")

    def _pyarrow(self) -> list[int]:
        found: list[int] = ds.dataset(self.root, partitioning="hive").to_table()["id"].to_pylist()
        return found

    def _polars(self) -> list[int]:
        lake = pl.scan_parquet(self.root / "**/*.parquet", hive_partitioning=True)
        return lake.select("id").collect()["id"].to_list()

    def _duckdb(self) -> list[int]:
        query = f"select id from read_parquet('{self.root}/**/*.parquet', hive_partitioning = true)"
        return [row[0] for row in duckdb.connect().execute(query).fetchall()]

    def __enter__(self) -> Readers:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join()
