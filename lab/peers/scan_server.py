"""A process that reads data sets with every reader, a request a line.

A request is the JSON list [READER, WAY, ROOT], where WAY is `directory` or `glob`; the answer is
{"versions": {VERSION: ROWS}} or {"error": TEXT}. The usual way of each reader is the one of the
tests; the other is here.
"""

import glob
import json
import os
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/peers"))

import pyarrow as pa  # noqa: E402
import readers  # noqa: E402


def pattern(root):
    return os.path.join(root, "**", "*.parquet")


def glob_pyarrow(root):
    import pyarrow.dataset as ds

    files = sorted(glob.glob(pattern(root), recursive=True))
    return ds.dataset(files, format="parquet", partitioning="hive").to_table()


def glob_pandas(root):
    import pandas

    files = sorted(glob.glob(pattern(root), recursive=True))
    return pa.Table.from_pandas(pandas.read_parquet(files, partitioning="hive"))


def glob_polars(root):
    import polars

    return polars.scan_parquet(pattern(root), hive_partitioning=True).collect().to_arrow()


def directory_duckdb(root):
    import duckdb

    where = "'" + root.replace("'", "''") + "'"
    with duckdb.connect() as connection:
        query = f"SELECT * FROM read_parquet({where}, hive_partitioning = true)"
        return connection.sql(query).to_arrow_table()


def glob_datafusion(root):
    from datafusion import SessionContext

    keys = [(key, pa.string()) for key in readers.partition_keys(root)]
    frame = SessionContext().read_parquet(pattern(root), table_partition_cols=keys)
    return frame.to_arrow_table()


def session():
    """Spark, on this machine alone and quiet."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.bindAddress", "127.0.0.1")
    builder = builder.config("spark.driver.host", "127.0.0.1")
    made = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    made.sparkContext.setLogLevel("OFF")
    return made


def directory_spark(root):
    return session().read.parquet(root).groupBy("version").count()


def glob_spark(root):
    files = os.path.join(root, "*", "*.parquet")
    return session().read.option("basePath", root).parquet(files).groupBy("version").count()


def directory_delta(root):
    from deltalake import DeltaTable

    import pyarrow.dataset as ds

    return ds.dataset(DeltaTable(root).file_uris(), format="parquet").to_table()


WAYS = {
    ("pyarrow", "glob"): glob_pyarrow,
    ("pandas", "glob"): glob_pandas,
    ("polars", "glob"): glob_polars,
    ("duckdb", "directory"): directory_duckdb,
    ("duckdb", "glob"): lambda root: readers.read("duckdb", root),
    ("datafusion", "glob"): glob_datafusion,
    ("spark", "directory"): directory_spark,
    ("spark", "glob"): glob_spark,
    ("delta-rs", "directory"): directory_delta,
}


def scan(reader, way, root):
    """The rows of each version that a reader finds."""
    read = WAYS.get((reader, way)) or (lambda root: readers.read(reader, root))
    table = read(root)
    if reader == "spark":
        return {row["version"]: row["count"] for row in table.collect()}
    if "version" not in table.column_names and table.num_rows == 0:
        return {}
    return Counter(table.column("version").to_pylist())


def main():
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            answer = {"versions": scan(*json.loads(line))}
        except BaseException as error:  # A panic inside Polars is no Exception.
            answer = {"error": f"{type(error).__name__}: {error}"[:400]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
