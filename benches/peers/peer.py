"""One write of one peer, in a process of its own: `peer.py NAME INPUT DESTINATION [KEY]`.

The input is in memory as Arrow, or as the peer has it, before the clock starts. Every peer writes zstd at
level 3, with its own defaults otherwise. One line of JSON says what it took.
"""

import json
import resource
import sys
import time
from pathlib import Path

import pyarrow as pa


def memory(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) << 10
    return 0


def pyarrow_(table: pa.Table, key: str | None):
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    if key is None:
        return lambda to: pq.write_table(table, one_file(to), compression="zstd", compression_level=3)
    partitioning = ds.partitioning(pa.schema([table.schema.field(key)]), flavor="hive")
    options = ds.ParquetFileFormat().make_write_options(compression="zstd", compression_level=3)
    return lambda to: ds.write_dataset(
        table, to, format="parquet", partitioning=partitioning, file_options=options,
        max_partitions=1 << 20,
    )


def polars(table: pa.Table, key: str | None):
    import polars as pl

    frame = pl.from_arrow(table, rechunk=False).lazy()
    options = {"compression": "zstd", "compression_level": 3, "mkdir": True}
    if key is None:
        return lambda to: frame.sink_parquet(one_file(to), **options)
    return lambda to: frame.sink_parquet(pl.PartitionBy(to, key=key, include_key=False), **options)


def duckdb(table: pa.Table, key: str | None):
    import duckdb as duck

    connection = duck.connect()
    connection.register("input", table)
    options = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3"
    if key is None:
        return lambda to: connection.execute(f"COPY input TO '{one_file(to)}' ({options})")
    return lambda to: connection.execute(f"COPY input TO '{to}' ({options}, PARTITION_BY ({key}))")


def datafusion(table: pa.Table, key: str | None):
    from datafusion import SessionContext

    context = SessionContext()
    context.register_record_batches("input", [table.to_batches()])
    options = "OPTIONS ('format.compression' 'zstd(3)')"
    if key is None:
        return lambda to: context.sql(f"COPY input TO '{one_file(to)}' STORED AS PARQUET {options}").collect()
    by = f"PARTITIONED BY ({key})"
    return lambda to: context.sql(f"COPY input TO '{to}/' STORED AS PARQUET {by} {options}").collect()


def one_file(to: str) -> str:
    Path(to).mkdir(parents=True)
    return f"{to}/part-0.parquet"


PEERS = {"pyarrow": pyarrow_, "polars": polars, "duckdb": duckdb, "datafusion": datafusion}


def main() -> None:
    name, source, to, *key = sys.argv[1:]
    table = pa.ipc.open_file(pa.BufferReader(Path(source).read_bytes())).read_all()
    write = PEERS[name](table, key[0] if key else None)
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    used = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    write(to)
    seconds = time.perf_counter() - start
    now = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "user": now.ru_utime - used.ru_utime,
                "sys": now.ru_stime - used.ru_stime,
                "before": before,
                "peak": memory("VmHWM"),
            }
        )
    )


main()
