"""push_down.py READER FILES TRUTH

Filters the Parquet files in the directory FILES with READER, which passes over row groups and pages by what the files say
of them, and filters the same rows in memory, those of the Arrow file TRUTH. Both have a column `row`. Prints one JSON
object: how many predicates were tried, and those that found other rows in the files.

Exit code: 0 done, 1 the reader failed, 2 usage.
"""

import json
import operator
import sys

import pyarrow as pa

import ending

OPERATORS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
# Each column is compared with these of its values in their order, and with what is between two of them.
PLACES = (0.0, 0.01, 0.3, 0.5, 0.72, 0.99, 1.0)


def predicates(truth):
    """Column, operator and value; of nulls, no value."""
    for name in truth.column_names:
        # But for a NaN, which has no order.
        values = sorted(value for value in set(truth[name].drop_null().to_pylist()) if value == value)
        chosen = {values[round(place * (len(values) - 1))] for place in PLACES}
        for value in sorted(chosen):
            for sign in OPERATORS:
                yield name, sign, pa.scalar(value, truth.schema.field(name).type)
        if isinstance(values[0], str):
            for value in (values[len(values) // 2] + "!", "", "~~~"):
                yield name, "=", pa.scalar(value)
        yield name, "is null", None
        yield name, "is not null", None


def by_pyarrow(files, truth):
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    def predicate(name, sign, value):
        field = ds.field(name)
        if value is None:
            return field.is_null() if sign == "is null" else field.is_valid()
        return OPERATORS[sign](field, pc.scalar(value))

    dataset = ds.dataset(files, format="parquet")
    return (
        lambda *wanted: dataset.to_table(columns=["row"], filter=predicate(*wanted))["row"],
        lambda *wanted: truth.filter(predicate(*wanted))["row"],
    )


def by_polars(files, truth):
    import polars as pl

    def rows(frame, name, sign, value):
        column = pl.col(name)
        if value is None:
            wanted = column.is_null() if sign == "is null" else column.is_not_null()
        else:
            literal = pl.from_arrow(pa.array([value.as_py()], value.type)).item()
            wanted = OPERATORS[sign](column, pl.lit(literal, dtype=frame.collect_schema()[name]))
        return frame.filter(wanted).select("row").collect().to_arrow()["row"]

    kept = pl.from_arrow(truth)
    return (
        lambda *wanted: rows(pl.scan_parquet(f"{files}/*.parquet"), *wanted),
        lambda *wanted: rows(kept.lazy(), *wanted),
    )


def by_duckdb(files, truth):
    import duckdb

    connection = duckdb.connect()
    # A table of its own, so that nothing is passed over by Arrow.
    connection.register("given", truth)
    connection.execute("CREATE TABLE truth AS SELECT * FROM given")
    types = dict(connection.execute("SELECT column_name, column_type FROM (DESCRIBE truth)").fetchall())

    def rows(source, name, sign, value):
        literal = ""
        if value is not None:
            # A constant of the column's type, by which row groups are passed over.
            text = str(value.as_py()).replace("'", "''")
            literal = f" '{text}'::{types[name]}"
        found = connection.sql(f'SELECT "row" FROM {source} WHERE "{name}" {sign}{literal}')
        return found.to_arrow_table()["row"]

    return (
        lambda *wanted: rows(f"read_parquet('{files}/*.parquet')", *wanted),
        lambda *wanted: rows("truth", *wanted),
    )


def by_datafusion(files, truth):
    from datafusion import SessionConfig, SessionContext, col, lit

    config = SessionConfig().set("datafusion.execution.parquet.pushdown_filters", "true")
    context = SessionContext(config)
    context.register_parquet("files", files)
    context.register_record_batches("truth", [truth.to_batches()])

    def rows(table, name, sign, value):
        column = col(f'"{name}"')
        if value is None:
            wanted = column.is_null() if sign == "is null" else column.is_not_null()
        else:
            wanted = OPERATORS[sign](column, lit(value))
        return context.table(table).filter(wanted).select("row").to_arrow_table()["row"]

    return lambda *wanted: rows("files", *wanted), lambda *wanted: rows("truth", *wanted)


READERS = {"pyarrow": by_pyarrow, "polars": by_polars, "duckdb": by_duckdb, "datafusion": by_datafusion}


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in READERS:
        sys.exit(2)
    reader, files, path = sys.argv[1:]
    with pa.OSFile(path) as file:
        truth = pa.ipc.open_file(file).read_all()
    try:
        of_files, in_memory = READERS[reader](files, truth)
        tried, differ = 0, []
        for wanted in predicates(truth):
            tried += 1
            found = sorted(of_files(*wanted).to_pylist())
            expected = sorted(in_memory(*wanted).to_pylist())
            if found != expected:
                name, sign, value = wanted
                differ.append(f"{name} {sign} {value}: {len(found)} rows, and {len(expected)} in memory")
    except BaseException as error:  # A panic inside Polars is no Exception.
        sys.exit(f"{reader}: {type(error).__name__}: {error}")
    print(json.dumps({"tried": tried, "differ": differ}))


if __name__ == "__main__":
    ending.run(main)
