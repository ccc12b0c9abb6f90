"""column_types.py truth DIRECTORY | column_types.py READER DIRECTORY

DIRECTORY/manifest.json lists files of one column `x` each, with `id`, `format` and `path`, and the Arrow IPC
file `truth` of what was given. `truth` reads those and writes DIRECTORY/truth.json. A reader then reads every
file and prints one JSON object: for each id its `type`, whether that is the `same`, whether the `values` are
equal, or its `error`.
"""

import json
import os
import sys

import numpy as np
import pyarrow as pa

import canonical
import ending

NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def type_name(kind):
    """The name of a type without how it is held in memory."""
    is_ = pa.types
    if is_.is_dictionary(kind) or is_.is_run_end_encoded(kind):
        return type_name(kind.value_type)
    if isinstance(kind, pa.ExtensionType) or hasattr(kind, "storage_type"):
        return kind.extension_name.removeprefix("arrow.")
    if is_.is_string(kind) or is_.is_large_string(kind) or is_.is_string_view(kind):
        return "string"
    if is_.is_binary(kind) or is_.is_large_binary(kind) or is_.is_binary_view(kind):
        return "binary"
    if is_.is_fixed_size_binary(kind):
        return f"binary({kind.byte_width})"
    if is_.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    if is_.is_timestamp(kind):
        return f"timestamp[{kind.unit}, {kind.tz}]" if kind.tz else f"timestamp[{kind.unit}]"
    if is_.is_map(kind):
        return f"map<{type_name(kind.key_type)}, {type_name(kind.item_type)}>"
    if is_.is_struct(kind):
        fields = (kind.field(index) for index in range(kind.num_fields))
        return "struct<" + ", ".join(f"{f.name}: {type_name(f.type)}" for f in fields) + ">"
    if hasattr(kind, "value_type"):
        return f"list<{type_name(kind.value_type)}>"
    return canonical.NAMES.get(str(kind), str(kind))


def values(array):
    """The values as `canonical` has them, and with counts in place of times."""
    if isinstance(array, pa.ChunkedArray):
        parts = [values(chunk) for chunk in array.chunks]
        return [v for part in parts for v in part[0]], [v for part in parts for v in part[1]]
    kind = array.type
    is_ = pa.types
    if hasattr(kind, "storage_type"):
        return values(array.storage)
    if is_.is_dictionary(kind):
        return values(array.dictionary_decode())
    if is_.is_run_end_encoded(kind):
        of_runs = values(array.values)
        ends = array.run_ends.to_pylist()
        which = [next(i for i, end in enumerate(ends) if row + array.offset < end) for row in range(len(array))]
        return tuple([part[index] for index in which] for part in of_runs)
    valid = array.is_valid().to_pylist()
    if is_.is_struct(kind):
        children = [values(array.field(index)) for index in range(kind.num_fields)]
        names = [kind.field(index).name for index in range(kind.num_fields)]
        rows = lambda which: [
            ["struct", *([name, child[which][row]] for name, child in zip(names, children))]
            if valid[row] else None for row in range(len(array))
        ]
        return rows(0), rows(1)
    if is_.is_map(kind) or (hasattr(kind, "value_type") and not is_.is_fixed_size_binary(kind)):
        exact, counts = [], []
        for row in range(len(array)):
            if not valid[row]:
                exact.append(None)
                counts.append(None)
                continue
            inner = array[row].values
            word = "map" if is_.is_map(kind) else "list"
            got = values(inner) if inner is not None and len(inner) else ([], [])
            if word == "map":
                got = tuple([[name_value[1] for name_value in entry[1:]] for entry in part] for part in got)
            order = canonical.in_order if word == "map" else list
            exact.append([word, *order(got[0])])
            counts.append([word, *order(got[1])])
        return exact, counts
    if is_.is_temporal(kind) and not is_.is_interval(kind):
        width = pa.int32() if kind.bit_width == 32 else pa.int64()
        raw = array.view(width).to_pylist()
        if is_.is_date(kind):
            scale, word = (86400 * 10**9, "time") if is_.is_date32(kind) else (10**6, "time")
        else:
            scale = NANOSECONDS[kind.unit]
            word = "time" if is_.is_timestamp(kind) else "span"
        exact = [None if value is None else f"{word} {value * scale}" for value in raw]
        return exact, [None if value is None else canonical.number(value) for value in raw]
    plain = array.to_pylist()
    if is_.is_float32(kind):
        plain = [None if value is None else canonical.number(str(np.float32(value))) for value in plain]
        return plain, plain
    plain = [canonical.value(value) for value in plain]
    return plain, plain


def with_pyarrow(format, path):
    if format == "parquet":
        import pyarrow.dataset as ds

        return ds.dataset(path, format="parquet").to_table()
    if format == "ipc":
        return pa.ipc.open_file(path).read_all()
    if format == "csv":
        import pyarrow.csv

        return pyarrow.csv.read_csv(path)
    import pyarrow.json

    return pyarrow.json.read_json(path)


def with_pandas(format, path):
    import pandas as pd

    backend = {"dtype_backend": "pyarrow"}
    read = {
        "parquet": lambda: pd.read_parquet(path, **backend),
        "ipc": lambda: pd.read_feather(path, **backend),
        "csv": lambda: pd.read_csv(path, **backend),
        "ndjson": lambda: pd.read_json(path, lines=True, **backend),
    }
    return pa.Table.from_pandas(read[format](), preserve_index=False)


def with_polars(format, path):
    import polars as pl

    read = {
        "parquet": lambda: pl.read_parquet(path),
        "ipc": lambda: pl.read_ipc(path),
        "csv": lambda: pl.read_csv(path, try_parse_dates=True),
        "ndjson": lambda: pl.read_ndjson(path),
    }
    return read[format]().to_arrow()


def with_duckdb(format, path):
    import duckdb

    function = {"parquet": "read_parquet", "csv": "read_csv", "ndjson": "read_json"}[format]
    with duckdb.connect() as connection:
        connection.sql("SET TimeZone = 'UTC'")
        return connection.sql(f"SELECT * FROM {function}('{path}')").to_arrow_table()


def with_datafusion(format, path):
    from datafusion import SessionContext

    context = SessionContext()
    read = {
        "parquet": lambda: context.read_parquet(path),
        "ipc": lambda: context.sql(
            f"CREATE EXTERNAL TABLE t STORED AS ARROW LOCATION '{path}'") and context.table("t"),
        "csv": lambda: context.read_csv(path),
        "ndjson": lambda: context.read_json(path, file_extension=".ndjson"),
    }
    return read[format]().to_arrow_table()


READ = {
    "pyarrow": with_pyarrow,
    "pandas": with_pandas,
    "polars": with_polars,
    "duckdb": with_duckdb,
    "datafusion": with_datafusion,
}


def main():
    reader, directory = sys.argv[1:]
    with open(os.path.join(directory, "manifest.json")) as file:
        manifest = json.load(file)
    truth_path = os.path.join(directory, "truth.json")
    if reader == "truth":
        truth = {}
        for entry in manifest:
            try:
                column = pa.ipc.open_file(entry["truth"]).read_all()["x"]
                exact, counts = values(column)
                truth[entry["id"]] = {"type": type_name(column.type), "exact": exact, "counts": counts}
            except (pa.ArrowException, KeyError, TypeError) as error:
                truth[entry["id"]] = {"unknown": str(error)}
        with open(truth_path, "w") as file:
            json.dump(truth, file)
        return
    with open(truth_path) as file:
        truth = json.load(file)
    found = {}
    for entry in manifest:
        given = truth[entry["id"]]
        if reader == "duckdb" and entry["format"] == "ipc":
            continue
        try:
            column = READ[reader](entry["format"], entry["path"])["x"]
            found[entry["id"]] = canonical.compare(given, type_name(column.type), *values(column))
        except BaseException as error:  # A panic inside Polars is no Exception.
            found[entry["id"]] = {"error": f"{type(error).__name__}: {error}"[:200]}
    print(json.dumps(found))


if __name__ == "__main__":
    ending.run(main)
