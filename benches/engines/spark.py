"""What a job of Spark takes that writes with the data source ``atomic``, beside Spark's own writer of Parquet.

    python benches/engines/spark.py [--rows 5000000] [--partitions 500] [--tasks 4] [--rounds 3] [--batch 10000]

Both write the same rows, cached in Spark's memory, with zstd at level 3, by turns in one session; what counts is the ratio
within a round. One is synced, verified and all or nothing. It needs a release build of the package, ``pyspark`` and
``pyarrow``; ``ATOMIC_ARROW_BENCH_DIR`` names a directory on the file system to measure.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import atomic_arrow as aa
import pyarrow.dataset as ds
from pyspark.sql import DataFrame, SparkSession

COLUMNS = {
    "id": "id",
    "station": "concat('S', pmod(hash(id), {partitions}))",
    "time_hour": "timestamp_seconds(1357016400 + id * 7)",
    "temp": "round(pmod(hash(id, 1), 6000) / 100 - 20, 2)",
    "humid": "pmod(hash(id, 2), 10000) / 100",
    "wind_dir": "cast(pmod(hash(id, 3), 36) * 10 as int)",
    "precip": "if(pmod(id, 7) = 0, pmod(hash(id, 4), 100) / 100, null)",
    "note": "if(pmod(id, 3) = 0, concat('observed by ', pmod(hash(id, 5), 1000)), null)",
}


def rows_of(spark: SparkSession, rows: int, partitions: int, tasks: int) -> DataFrame:
    """The rows, in memory, those of each partition spread over all tasks."""
    columns = [
        f"{value.format(partitions=partitions)} as {name}" for name, value in COLUMNS.items()
    ]
    df = spark.range(rows, numPartitions=tasks).selectExpr(*columns).persist()
    assert df.count() == rows
    return df


def by_spark(df: DataFrame, root: Path) -> None:
    df.write.mode("append").option("compression", "zstd").partitionBy("station").parquet(str(root))


def by_atomic(df: DataFrame, root: Path) -> None:
    writer = df.write.format("atomic").mode("append").option("compression", "zstd(3)")
    writer.option("partition_by", "station").save(str(root))


def taken(write: Callable[[DataFrame, Path], None], df: DataFrame, rows: int) -> float:
    """Seconds of a write to a new root, whose rows are counted afterwards."""
    place = os.environ.get("ATOMIC_ARROW_BENCH_DIR")
    directory = Path(tempfile.mkdtemp(dir=place))
    # What an earlier write left for the disk to do is not this one's.
    os.sync()
    begin = time.perf_counter()
    write(df, directory / "lake")
    seconds = time.perf_counter() - begin
    assert ds.dataset(directory / "lake", partitioning="hive").count_rows() == rows
    if write is by_atomic:
        metrics = aa.spark.last_receipt(directory / "lake").metrics
        print(f"  {metrics}")
    shutil.rmtree(directory)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--partitions", type=int, default=500)
    parser.add_argument("--tasks", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=10_000, help="rows of an Arrow batch")
    asked = parser.parse_args()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[*]")  # type: ignore[attr-defined]
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "4g",
        "spark.sql.session.timeZone": "UTC",
        "spark.io.compression.zstd.level": "3",
        "spark.hadoop.parquet.compression.codec.zstd.level": "3",
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(asked.batch),
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    df = rows_of(spark, asked.rows, asked.partitions, asked.tasks)
    few = df.limit(10_000)
    for write in (by_spark, by_atomic):
        taken(write, few, 10_000)
    ratios = []
    for number in range(asked.rounds):
        order = [by_spark, by_atomic] if number % 2 else [by_atomic, by_spark]
        seconds = {write: taken(write, df, asked.rows) for write in order}
        ratios.append(seconds[by_atomic] / seconds[by_spark])
        print(f"{seconds[by_atomic]:.2f} s, Spark {seconds[by_spark]:.2f} s: {ratios[-1]:.2f}")
    low, high = min(ratios), max(ratios)
    print(f"median {statistics.median(ratios):.2f} of Spark's time ({low:.2f} to {high:.2f})")
    spark.stop()


if __name__ == "__main__":
    main()
