"""value_reader.py READER HOW: gives back the partition values that a reader finds, and judges them.

Reads a JSON object a line from standard input, with kind, root and input (a Parquet file with the
columns v and n), and answers each with [KIND, VERDICT, DETAIL]. HOW is `as it is`, or `declared`
where the reader is told the type of the key. The verdicts, worst first: error · rows missing ·
other value · other type (the same value as another type) · equal.
"""

import datetime
import json
import os
import sys
from decimal import Decimal

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

VERDICTS = ("equal", "other type", "other value", "rows missing", "error")


def hive(kind):
    return ds.partitioning(pa.schema([("v", kind)]), flavor="hive") if kind else "hive"


def pyarrow(root, kind):
    return ds.dataset(root, format="parquet", partitioning=hive(kind)).to_table().to_pydict()


def pandas(root, kind):
    import pandas

    frame = pandas.read_parquet(root, partitioning=hive(kind))
    values = [None if pandas.isna(value) else value for value in frame["v"].tolist()]
    # A Timestamp is pandas' own datetime.
    plain = lambda value: value.to_pydatetime() if isinstance(value, pandas.Timestamp) else value
    return {"n": frame["n"].tolist(), "v": [plain(value) for value in values]}


def polars(root, kind):
    import polars

    schema = {"v": polars.from_arrow(pa.array([], kind)).dtype} if kind else None
    frame = polars.scan_parquet(root, hive_partitioning=True, hive_schema=schema).collect()
    return frame.to_dict(as_series=False)


def sql_type(kind):
    """The name that SQL has for a type."""
    names = {
        pa.string(): "VARCHAR",
        pa.int64(): "BIGINT",
        pa.uint64(): "UBIGINT",
        pa.bool_(): "BOOLEAN",
        pa.date32(): "DATE",
        pa.timestamp("us"): "TIMESTAMP",
        pa.timestamp("us", "UTC"): "TIMESTAMPTZ",
    }
    return names.get(kind) or f"DECIMAL({kind.precision}, {kind.scale})"


def quoted(name):
    return f"'{name}'" if "(" in name else name


def duckdb(root, kind):
    import duckdb

    more = f", hive_types = {{'v': {quoted(sql_type(kind))}}}" if kind else ""
    where = "'" + os.path.join(root, "**", "*.parquet") + "'"
    with duckdb.connect() as connection:
        connection.sql("SET TimeZone = 'UTC'")
        query = f"SELECT n, v FROM read_parquet({where}, hive_partitioning = true{more})"
        return connection.sql(query).to_arrow_table().to_pydict()


def datafusion(root, kind):
    from datafusion import SessionContext

    context = SessionContext()
    context.register_listing_table("dataset", root, table_partition_cols=[("v", kind or pa.string())])
    return context.sql("SELECT n, v FROM dataset").to_arrow_table().to_pydict()


def spark(root, kind):
    import scan_server

    session = scan_server.session()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    reader = session.read
    if kind:
        names = {"VARCHAR": "STRING", "UBIGINT": "DECIMAL(20, 0)", "TIMESTAMP": "TIMESTAMP_NTZ"}
        name = sql_type(kind).replace("TIMESTAMPTZ", "TIMESTAMP_LTZ")
        reader = reader.schema(f"n BIGINT, v {names.get(name, name)}")
    rows = reader.parquet(root).collect()
    return {"n": [row["n"] for row in rows], "v": [row["v"] for row in rows]}


def text(value):
    """A value as text, for comparing values of different types."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime):
        if value.tzinfo:
            value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return value.isoformat(" ").removesuffix(" 00:00:00")
    shown = str(value)
    for zone in ("Z", "+00:00"):
        shown = shown.removesuffix(zone)
    return shown


def same_text(wanted, found):
    if text(wanted) == text(found):
        return True
    if isinstance(wanted, datetime.date) and isinstance(found, str):
        try:
            return text(datetime.datetime.fromisoformat(found)) == text(wanted)
        except ValueError:
            return False
    # Numbers by their exact value: a float that rounds is another value.
    numbers = (int, float, Decimal)
    plain = isinstance(wanted, numbers) and not isinstance(wanted, bool)
    if plain and isinstance(found, numbers) and not isinstance(found, bool):
        return Decimal(found) == Decimal(wanted) or isinstance(found, float) and str(found) == str(float(wanted))\
            and isinstance(wanted, Decimal) and len(wanted.as_tuple().digits) < 16
    return False


def judge(wanted, found):
    if wanted is None or found is None:
        return "equal" if wanted is found else "other value"
    if type(wanted) is type(found) and wanted == found:
        return "equal"
    return "other type" if same_text(wanted, found) else "other value"


def compare(wanted, found):
    """The worst verdict, with the first value of which it is."""
    got = dict(zip(found["n"], found["v"]))
    worst, detail = "equal", ""
    for number, value in zip(wanted["n"], wanted["v"]):
        if number not in got:
            verdict, said = "rows missing", repr(value)
        else:
            verdict, said = judge(value, got[number]), f"{value!r} as {got[number]!r}"
            if verdict == "other type":
                said = f"{type(value).__name__} as {type(got[number]).__name__}"
        if VERDICTS.index(verdict) > VERDICTS.index(worst):
            worst, detail = verdict, said
    return worst, detail


def main():
    reader, how = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        table = pq.read_table(asked["input"])
        kind = table.schema.field("v").type if how == "declared" else None
        try:
            verdict, detail = compare(table.to_pydict(), globals()[reader](asked["root"], kind))
        except BaseException as error:  # A panic inside Polars is no Exception.
            said = f"{type(error).__name__}: {error}".replace(asked["root"], "ROOT")
            verdict, detail = "error", said.strip().splitlines()[0][:200]
        print(json.dumps([asked["kind"], verdict, detail]), file=answers, flush=True)


if __name__ == "__main__":
    main()
