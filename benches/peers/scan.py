"""Scans in a process of their own: `scan.py READER ROOT QUESTION`, where the question is JSON.

`duckdb`, `pyarrow` and `polars` read a data set; `input` reads an input, to know what the others have to find. One
line of JSON has the number of rows, the median time of scans after the first, and, but for pyarrow and Polars, a
digest that does not depend on their order: the sum of a hash of each row, partition columns among its values.

The question: `types`, each column's name and type for DuckDB; `keys`, those that are in the path; `wanted`,
if only some rows are asked for: a column, its value, and the columns to read; `rows` of an input.
"""

import json
import statistics
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "peers"))
import ending  # noqa: E402

# Scans that are timed, as many as begin within these seconds, and at most so many.
SECONDS = 0.7
MOST = 9
# Where the first takes as many seconds, it is the one that is timed.
LONG = 3.0


def glob(root: str, keys: list[str]) -> str:
    """The data files, and no log of a table format."""
    return "/".join([root, *(f"{key}=*" for key in keys), "*.parquet"])


def query(source: str, question: dict) -> str:
    types, where = question["types"], ""
    if wanted := question.get("wanted"):
        column, value, columns = wanted
        types = {name: types[name] for name in columns}
        literal = f"'{value}'" if isinstance(value, str) else value
        where = f" WHERE {column} = {literal}"
    values = ", ".join(f'"{name}"::{kind}' for name, kind in types.items())
    return f"SELECT count(*), sum(hash({values})) FROM {source}{where}"


def by_duckdb(root: str, question: dict):
    import duckdb

    keys = question["keys"]
    hive = ", ".join(f"{key}: {question['types'][key]}" for key in keys)
    hive = f", hive_partitioning = true, hive_types = {{{hive}}}" if keys else ""
    sql = query(f"read_parquet('{glob(root, keys)}'{hive})", question)
    # A database of its own for each scan: one remembers what it read.
    return lambda: duckdb.connect().execute(sql).fetchone()


def by_pyarrow(root: str, question: dict):
    import pyarrow as pa
    import pyarrow.dataset as ds

    types = {"VARCHAR": pa.string(), "INTEGER": pa.int32()}
    fields = [(key, types[question["types"][key]]) for key in question["keys"]]

    def scan():
        partitioning = ds.partitioning(pa.schema(fields), flavor="hive") if fields else None
        dataset = ds.dataset(root, format="parquet", partitioning=partitioning)
        columns, where = None, None
        if wanted := question.get("wanted"):
            columns, where = wanted[2], ds.field(wanted[0]) == wanted[1]
        return sum(batch.num_rows for batch in dataset.to_batches(columns=columns, filter=where)), None

    return scan


def by_polars(root: str, question: dict):
    import polars as pl

    types = {"VARCHAR": pl.String, "INTEGER": pl.Int32}
    keys = question["keys"]
    hive = {key: types[question["types"][key]] for key in keys}

    def scan():
        frame = pl.scan_parquet(glob(root, keys), hive_partitioning=bool(keys), hive_schema=hive or None)
        if wanted := question.get("wanted"):
            frame = frame.filter(pl.col(wanted[0]) == wanted[1]).select(wanted[2])
        return frame.collect().height, None

    return scan


def of_input(path: str, question: dict):
    import duckdb
    import pyarrow as pa

    def scan():
        connection = duckdb.connect()
        table = pa.ipc.open_file(pa.memory_map(path)).read_all().slice(0, question["rows"])
        connection.register("given", table)
        return connection.execute(query("given", question)).fetchone()

    return scan


def timed(scan) -> tuple:
    """What it gives, and the seconds that it took."""
    start = time.perf_counter()
    found = scan()
    return found, time.perf_counter() - start


def main() -> None:
    reader, root, question = sys.argv[1:]
    readers = {"duckdb": by_duckdb, "pyarrow": by_pyarrow, "polars": by_polars, "input": of_input}
    scan = readers[reader](root, json.loads(question))
    # The first scan starts threads and loads libraries.
    (rows, digest), first = timed(scan)
    taken = [first] if first > LONG else []
    while not taken or (sum(taken) < SECONDS and len(taken) < MOST):
        taken.append(timed(scan)[1])
    digest = str(digest) if digest is not None else None
    print(json.dumps({"rows": rows, "digest": digest, "seconds": statistics.median(taken)}))


ending.run(main)
