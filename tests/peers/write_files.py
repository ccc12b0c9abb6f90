"""write_files.py DIRECTORY

Writes Parquet files with pyarrow, Polars, DuckDB, DataFusion and fastparquet, of every type that each of
them knows and with many of its options, below DIRECTORY. Prints how many there are by writer. What a
writer refuses is left out.
"""

import decimal
import json
import pathlib
import sys

import datafusion
import duckdb
import fastparquet
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

import ending

REPEATED = 50


def columns():
    """Three rows of every type, the second null."""
    decimals = [decimal.Decimal("1.2"), None, decimal.Decimal("3.4")]
    numbers, texts, octets = [1, None, 3], ["a", None, ""], [b"a", None, b""]
    units = ["s", "ms", "us", "ns"]
    kinds = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
    kinds = [getattr(pa, kind)() for kind in kinds + ["float32", "float64"]]
    kinds += [pa.timestamp(unit, zone) for unit in units for zone in [None, "Europe/Berlin"]]
    kinds += [pa.duration(unit) for unit in units]
    kinds += [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"), pa.date32()]
    all_of = {str(kind): pa.array(numbers, kind) for kind in kinds}
    all_of["float16"] = pa.array([np.float16(1), None, np.float16(3)], pa.float16())
    all_of["date64"] = pa.array([86400000, None, 0], pa.date64())
    all_of["bool"] = pa.array([True, None, False])
    all_of["null"] = pa.nulls(3)
    for kind in [pa.string(), pa.large_string(), pa.string_view()]:
        all_of[str(kind)] = pa.array(texts, kind)
    for kind in [pa.binary(), pa.large_binary(), pa.binary_view()]:
        all_of[str(kind)] = pa.array(octets, kind)
    all_of["fixed"] = pa.array([b"ab", None, b"cd"], pa.binary(2))
    for kind in [pa.decimal32(5, 1), pa.decimal64(12, 1), pa.decimal128(30, 1), pa.decimal256(60, 1)]:
        all_of[str(kind)] = pa.array(decimals, kind)
    for name, array in list(all_of.items()):
        try:
            all_of[f"dictionary of {name}"] = array.dictionary_encode()
        except pa.ArrowException:
            pass
    empty = pa.array([], pa.string())
    nothing = pa.array([None] * 3, pa.int8())
    all_of["empty dictionary"] = pa.DictionaryArray.from_arrays(nothing, empty)
    codes, values = pa.array([0, None, 1], pa.int8()), pa.array(["x", "y"])
    all_of["ordered"] = pa.DictionaryArray.from_arrays(codes, values, ordered=True)
    lists = [[1, None], None, []]
    for kind in [pa.list_(pa.int32()), pa.large_list(pa.int32()), pa.list_view(pa.int32())]:
        all_of[str(kind)] = pa.array(lists, kind)
    all_of["fixed list"] = pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int32(), 2))
    all_of["struct"] = pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": None}])
    all_of["map"] = pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int32()))
    all_of["list of structs"] = pa.array([[{"a": 1}], None, []])
    all_of["list of lists"] = pa.array([[[1]], None, [[]]])
    all_of["list of nulls"] = pa.array([[None], None, []])
    of_texts = pa.list_(pa.dictionary(pa.int32(), pa.string()))
    all_of["list of dictionaries"] = pa.array([["a"], None, []], of_texts)
    all_of["uuid"] = pa.array([b"a" * 16, None, b"b" * 16], pa.uuid())
    all_of["json"] = pa.array(["{}", None, "1"], pa.json_())
    return all_of


PYARROW = {
    "plain": {},
    "old": dict(version="1.0", data_page_version="2.0", use_dictionary=False, compression="gzip",
                write_page_index=True, row_group_size=7, write_page_checksum=True, store_schema=False),
    "int96": dict(use_deprecated_int96_timestamps=True, compression="lz4", data_page_size=1,
                  write_statistics=False),
    "bloom": dict(bloom_filter_options={"x": True}),
}
for encoding in ["BYTE_STREAM_SPLIT", "DELTA_BINARY_PACKED", "DELTA_BYTE_ARRAY",
                 "DELTA_LENGTH_BYTE_ARRAY", "RLE"]:
    PYARROW[encoding] = dict(use_dictionary=False, column_encoding={"x": encoding})


def with_duckdb(table, path, options=""):
    with duckdb.connect() as connection:
        connection.register("input_", table)
        connection.sql(f"COPY (SELECT * FROM input_) TO '{path}' (FORMAT parquet{options})")


def with_datafusion(table, path):
    datafusion.SessionContext().from_arrow(table).write_parquet(path)


def writes(table):
    """Name and function of every way to write one table."""
    for name, options in PYARROW.items():
        yield f"pyarrow-{name}", lambda path, options=options: pq.write_table(table, path, **options)
    frame = lambda: pl.from_arrow(table)
    yield "polars", lambda path: frame().write_parquet(path)
    yield "polars-brotli", lambda path: frame().write_parquet(
        path, compression="brotli", statistics="full", row_group_size=7, data_page_size=16)
    yield "polars-sink", lambda path: frame().lazy().sink_parquet(path, statistics=False)
    yield "duckdb", lambda path: with_duckdb(table, path)
    yield "duckdb-v2", lambda path: with_duckdb(table, path, ", parquet_version v2, compression zstd")
    yield "datafusion", lambda path: with_datafusion(table, path)


def frame_of_fastparquet():
    times = pd.to_datetime(["2020-01-01"] * 3)
    frame = pd.DataFrame({
        "number": [1, 2, 3], "small": np.array([1, 2, 3], "i1"), "float": [1.0, np.nan, 3.0],
        "flag": [True, False, True], "time": times, "zone": times.tz_localize("Europe/Berlin"),
        "delta": pd.to_timedelta([1, 2, 3], unit="s"), "category": pd.Categorical(["a", "b", "a"]),
        "flags": pd.Categorical([True, False, True]), "nullable": pd.array([1, None, 3], "Int64"),
        "maybe": pd.array([True, None, False], "boolean"),
    })
    frame["text"] = pd.Series(["a", None, "c"], dtype=object)
    return frame


FASTPARQUET = {"plain": {}, "int96": dict(times="int96"), "gzip": dict(compression="GZIP"),
               "groups": dict(row_group_offsets=[0, 1, 2]), "bare": dict(stats=False)}


def main():
    if len(sys.argv) != 2:
        sys.exit(2)
    root = pathlib.Path(sys.argv[1])
    counts = {}

    def attempt(name, kind, write):
        path = root / f"{name} {kind}.parquet".replace("[", "(").replace("]", ")").replace("/", " ")
        try:
            write(str(path))
            counts[name.split("-")[0]] = counts.get(name.split("-")[0], 0) + 1
        except BaseException:  # A panic of Rust is no Exception.
            path.unlink(missing_ok=True)

    for kind, column in columns().items():
        rows = pa.table({"x": column})
        nulls = pa.table({"x": pa.nulls(3, column.type)})
        for shape, table in [("some", pa.concat_tables([rows] * REPEATED)), ("none", rows.slice(0, 0)),
                             ("nulls", nulls)]:
            for name, write in writes(table):
                if shape == "some" or name in ("pyarrow-plain", "polars", "duckdb", "datafusion"):
                    attempt(name, f"{kind} {shape}", write)
    frame = frame_of_fastparquet()
    for name, options in FASTPARQUET.items():
        for kind in frame.columns:
            write = lambda path: fastparquet.write(path, frame[[kind]], **options)
            attempt(f"fastparquet-{name}", kind, write)
    print(json.dumps(counts))


if __name__ == "__main__":
    ending.run(main)
