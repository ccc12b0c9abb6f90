"""What a job of Spark takes that writes with the data source ``atomic``, beside Spark's own writer of Parquet.

    python benches/engines/spark.py [--rows 5000000] [--partitions 500] [--tasks 4] [--rounds 3] [--batch 10000]

Both write the same rows, cached in Spark's memory, with zstd at level 3, by turns in one session; what counts is the ratio
within a round. One is synced, verified and all or nothing. It needs a release build of the package, and what
``python/engines/spark`` has; ``ATOMIC_ARROW_BENCH_DIR`` names a directory on the file system to measure. ``--batch`` is how many
rows Spark hands over at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from turns import arguments, by_turns, weather


def main() -> None:
    asked = arguments(rows=5_000_000, partitions=500, tasks=4, rounds=3, batch=10_000)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "4g",
        "spark.sql.session.timeZone": "UTC",
        "spark.hadoop.parquet.compression.codec.zstd.level": "3",
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(asked.batch),
    }
    builder = SparkSession.builder.master("local[*]")  # type: ignore[attr-defined]
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    held = spark.createDataFrame(weather(asked.rows, asked.partitions))
    held = held.repartition(asked.tasks).persist()
    assert held.count() == asked.rows

    def by_spark(root: Path) -> None:
        writer = held.write.mode("append").option("compression", "zstd")
        writer.partitionBy("station").parquet(str(root))

    def by_atomic(root: Path) -> None:
        writer = held.write.format("atomic").mode("append").option("compression", "zstd(3)")
        writer.option("partition_by", "station").save(str(root))

    by_turns("Spark", by_spark, by_atomic, asked.rows, asked.rounds)
    spark.stop()


if __name__ == "__main__":
    main()
