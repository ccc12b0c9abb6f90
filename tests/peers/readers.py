"""How a user of each peer reads a Hive-partitioned data set of Parquet files, in one place.

Every reader gives a pyarrow.Table whose columns are those of the files and the keys of the
directories. None is given a list of files: which files belong to the data set is the reader's
own judgement, for that is what the tests are about.
"""

import csv
import os
import re

import pyarrow as pa

NULL_SEGMENT = "__HIVE_DEFAULT_PARTITION__"
READERS = ("pyarrow", "pandas", "polars", "duckdb", "datafusion")
INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")


def partition_keys(root):
    """The keys of the directories below root and the raw values seen, in order of depth."""
    keys = {}
    for directory, names, _ in os.walk(root):
        names[:] = sorted(name for name in names if "=" in name)
        for name in names:
            key, value = name.split("=", 1)
            keys.setdefault(key, set()).add(value)
    return keys


def has_parquet_file(root):
    """Whether anything below root is named like a Parquet file."""
    return any(
        name.endswith(".parquet") for _, _, names in os.walk(root) for name in names
    )


def key_types(root, schema_of, renamed):
    """A type for each partition key: that of the CSV's column, else of the directories' values.

    An integer is what is written as one, without leading zeros; all else is a string.
    """
    columns = {}
    if schema_of:
        with open(schema_of, newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                for name, value in row.items():
                    columns.setdefault(name, set()).add(value)
    types = {}
    for key, seen in partition_keys(root).items():
        values = columns.get(renamed.get(key, key), seen) - {"", "NA", NULL_SEGMENT}
        integers = values and all(INTEGER.fullmatch(value) for value in values)
        types[key] = pa.int64() if integers else pa.string()
    return types


def read(reader, root, types=None):
    """Reads the whole data set with one reader; types are those to declare for the keys."""
    if reader not in READERS:
        raise ValueError(f"no such reader: {reader}; there are {', '.join(READERS)}")
    return globals()[f"_read_{reader}"](root, types)


def _hive(types):
    import pyarrow.dataset as ds

    return ds.partitioning(pa.schema(list(types.items())), flavor="hive") if types else "hive"


def _read_pyarrow(root, types):
    import pyarrow.dataset as ds

    return ds.dataset(root, format="parquet", partitioning=_hive(types)).to_table()


def _read_pandas(root, types):
    import pandas

    frame = pandas.read_parquet(root, dtype_backend="pyarrow", partitioning=_hive(types))
    return pa.Table.from_pandas(frame, preserve_index=False)


def _read_polars(root, types):
    import polars

    names = {pa.int64(): polars.Int64, pa.string(): polars.String}
    schema = {key: names[kind] for key, kind in types.items()} if types else None
    return polars.scan_parquet(root, hive_partitioning=True, hive_schema=schema).collect().to_arrow()


def _read_duckdb(root, types):
    import duckdb

    names = {pa.int64(): "BIGINT", pa.string(): "VARCHAR"}
    quote = lambda text: "'" + text.replace("'", "''") + "'"
    declared = ", ".join(f"{quote(key)}: {names[kind]}" for key, kind in (types or {}).items())
    hive_types = f", hive_types = {{{declared}}}" if declared else ""
    pattern = quote(os.path.join(root, "**", "*.parquet"))
    query = f"SELECT * FROM read_parquet({pattern}, hive_partitioning = true{hive_types})"
    with duckdb.connect() as connection:
        return connection.sql(query).to_arrow_table()


def _read_datafusion(root, types):
    from datafusion import SessionContext

    # DataFusion finds no keys by itself; without declared types they are strings, as its manual has them.
    keys = types or {key: pa.string() for key in partition_keys(root)}
    context = SessionContext()
    context.register_listing_table("dataset", root, table_partition_cols=list(keys.items()))
    return context.table("dataset").to_arrow_table()
