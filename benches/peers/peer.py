"""One write from Python, in a process of its own: `peer.py WRITER INPUT DESTINATION [KEY…]`, and options.

The input is in memory as Arrow, or as the writer has it, before the clock starts. Everybody writes zstd at
level 3, with defaults otherwise. One line of JSON says what it took. The destination of pyarrow, Polars and delta-rs may
be a URL of S3, which is reached as the environment says.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import pyarrow as pa
import store
from commits import COMMITS

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "peers"))
import ending  # noqa: E402


def memory(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) << 10
    return 0


def pyarrow_(table: pa.Table, keys: list[str], limit: int | None):
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    if not keys:
        return lambda to: pq.write_table(table, one_file(to), compression="zstd", compression_level=3)
    partitioning = ds.partitioning(pa.schema([table.schema.field(key) for key in keys]), flavor="hive")
    options = ds.ParquetFileFormat().make_write_options(compression="zstd", compression_level=3)
    return lambda to: ds.write_dataset(
        table, **store.of_pyarrow(to), format="parquet", partitioning=partitioning, file_options=options,
        max_partitions=1 << 20,
    )


def pandas(table: pa.Table, keys: list[str], limit: int | None):
    frame = table.to_pandas()
    options = {"engine": "pyarrow", "index": False, "compression": "zstd", "compression_level": 3}
    if not keys:
        return lambda to: frame.to_parquet(one_file(to), **options)
    return lambda to: frame.to_parquet(to, partition_cols=keys, max_partitions=1 << 20, **options)


def polars(table: pa.Table, keys: list[str], limit: int | None):
    import polars as pl

    frame = pl.from_arrow(table, rechunk=False).lazy()
    options = {"compression": "zstd", "compression_level": 3, "mkdir": True}
    if not keys:
        return lambda to: frame.sink_parquet(one_file(to), **options)
    return lambda to: frame.sink_parquet(
        pl.PartitionBy(to, key=keys, include_key=False), storage_options=store.options(to), **options
    )


def duckdb(table: pa.Table, keys: list[str], limit: int | None):
    import duckdb as duck

    connection = duck.connect()
    connection.register("input", table)
    options = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3"
    if not keys:
        return lambda to: connection.execute(f"COPY input TO '{one_file(to)}' ({options})")
    by = f"PARTITION_BY ({', '.join(keys)})"
    return lambda to: connection.execute(f"COPY input TO '{to}' ({options}, {by})")


def datafusion(table: pa.Table, keys: list[str], limit: int | None):
    from datafusion import SessionContext

    context = SessionContext()
    context.register_record_batches("input", [table.to_batches()])
    options = "OPTIONS ('format.compression' 'zstd(3)')"
    if not keys:
        return lambda to: context.sql(f"COPY input TO '{one_file(to)}' STORED AS PARQUET {options}").collect()
    by = f"PARTITIONED BY ({', '.join(keys)})"
    return lambda to: context.sql(f"COPY input TO '{to}/' STORED AS PARQUET {by} {options}").collect()


def delta_rs(table: pa.Table, keys: list[str], limit: int | None):
    from deltalake import WriterProperties, write_deltalake

    properties = WriterProperties(compression="ZSTD", compression_level=3)
    return lambda to: write_deltalake(
        to, table, partition_by=keys or None, writer_properties=properties, storage_options=store.options(to)
    )


def atomic_py(table: pa.Table, keys: list[str], limit: int | None):
    import atomic_arrow

    options = {"compression": "zstd", "compression_level": 3}
    if keys:
        options["partition_by"] = keys
    if limit:
        options["memory_limit"] = limit
    return lambda to: atomic_arrow.write_dataset(table, to, **options)


def one_file(to: str) -> str:
    Path(to).mkdir(parents=True)
    return f"{to}/part-0.parquet"


WRITERS = {
    "pyarrow": pyarrow_,
    "polars": polars,
    "duckdb": duckdb,
    "datafusion": datafusion,
    "delta-rs": delta_rs,
    "pandas": pandas,
    "atomic-py": atomic_py,
}


def first_rows(path: str, rows: int | None) -> pa.Table:
    """In memory, batch by batch as they are in the file."""
    batches = []
    with pa.OSFile(path) as file:
        reader = pa.ipc.open_file(file)
        for number in range(reader.num_record_batches):
            batches.append(reader.get_batch(number) if rows is None else reader.get_batch(number).slice(0, rows))
            rows = None if rows is None else rows - batches[-1].num_rows
            if rows == 0:
                break
        return pa.Table.from_batches(batches, reader.schema)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("writer", choices=WRITERS)
    parser.add_argument("input")
    parser.add_argument("to")
    parser.add_argument("keys", nargs="*")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--commits", action="store_true", help="each batch of the input is one")
    parser.add_argument("--memory-limit", type=int, help="of ours alone")
    given = parser.parse_args()
    table = first_rows(given.input, given.rows)
    if given.commits:
        tables = [pa.Table.from_batches([batch]) for batch in table.to_batches()]
        write = COMMITS[given.writer](tables, given.keys)
    else:
        write = WRITERS[given.writer](table, given.keys, given.memory_limit)
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    used = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    write(given.to)
    seconds = time.perf_counter() - start
    now = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "seconds": seconds,
        "user": now.ru_utime - used.ru_utime,
        "sys": now.ru_stime - used.ru_stime,
        "before": before,
        "peak": memory("VmHWM"),
    }
    print(json.dumps(figures))


ending.run(main)
