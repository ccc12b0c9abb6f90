"""Many small commits from Python: each appends one table to a data set, as a user of each writer does it.

Each is a function of the tables and of the keys that gives what writes all of them, one by one.
"""

import uuid

import pyarrow as pa

Tables = list[pa.Table]


def pyarrow_(tables: Tables, keys: list[str]):
    import pyarrow.dataset as ds

    partitioning = ds.partitioning(pa.schema([tables[0].schema.field(key) for key in keys]), flavor="hive")
    options = ds.ParquetFileFormat().make_write_options(compression="zstd", compression_level=3)

    def write(to: str) -> None:
        for table in tables:
            ds.write_dataset(
                table, to, format="parquet", partitioning=partitioning, file_options=options,
                # Without it an append replaces what an earlier one wrote under the same name.
                basename_template=f"{uuid.uuid4()}-{{i}}.parquet", existing_data_behavior="overwrite_or_ignore",
            )

    return write


def pandas(tables: Tables, keys: list[str]):
    frames = [table.to_pandas() for table in tables]

    def write(to: str) -> None:
        for frame in frames:
            frame.to_parquet(
                to, engine="pyarrow", index=False, partition_cols=keys, compression="zstd", compression_level=3
            )

    return write


def polars(tables: Tables, keys: list[str]):
    import polars as pl

    frames = [pl.from_arrow(table) for table in tables]

    # Its own names are the same each time, so a second write would replace the files of the first.
    def fresh(given) -> str:
        values = given.partition_keys.row(0, named=True)
        return "/".join([f"{key}={values[key]}" for key in keys] + [f"{uuid.uuid4()}.parquet"])

    def write(to: str) -> None:
        for frame in frames:
            target = pl.PartitionBy(to, key=keys, include_key=False, file_path_provider=fresh)
            frame.lazy().sink_parquet(target, compression="zstd", compression_level=3, mkdir=True)

    return write


def duckdb(tables: Tables, keys: list[str]):
    import duckdb as duck

    connection = duck.connect()
    options = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3"

    def write(to: str) -> None:
        for table in tables:
            connection.register("input", table)
            connection.execute(f"COPY input TO '{to}' ({options}, PARTITION_BY ({', '.join(keys)}), APPEND)")

    return write


def datafusion(tables: Tables, keys: list[str]):
    from datafusion import SessionContext

    context = SessionContext()
    options = "OPTIONS ('format.compression' 'zstd(3)')"
    by = f"PARTITIONED BY ({', '.join(keys)})"

    def write(to: str) -> None:
        for table in tables:
            context.register_record_batches("input", [table.to_batches()])
            context.sql(f"COPY input TO '{to}/' STORED AS PARQUET {by} {options}").collect()
            context.deregister_table("input")

    return write


def delta_rs(tables: Tables, keys: list[str]):
    from deltalake import DeltaTable, WriterProperties, write_deltalake

    properties = WriterProperties(compression="ZSTD", compression_level=3)

    def write(to: str) -> None:
        # Held open, so that not each commit reads the whole log.
        lake = DeltaTable.create(to, tables[0].schema, partition_by=keys)
        for table in tables:
            write_deltalake(lake, table, mode="append", writer_properties=properties)

    return write


def atomic_py(tables: Tables, keys: list[str]):
    import atomic_arrow

    def write(to: str) -> None:
        for table in tables:
            atomic_arrow.write_dataset(table, to, partition_by=keys, compression="zstd", compression_level=3)

    return write


COMMITS = {
    "pyarrow": pyarrow_,
    "polars": polars,
    "duckdb": duckdb,
    "datafusion": datafusion,
    "delta-rs": delta_rs,
    "pandas": pandas,
    "atomic-py": atomic_py,
}
