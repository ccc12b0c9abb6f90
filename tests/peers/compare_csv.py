"""compare_csv.py READER ROOT CSV [--rename KEY=COLUMN]... [--null TEXT]...

Reads the Hive-partitioned data set at ROOT with READER and checks that its rows are those of CSV
as a multiset, null for null, every column of both included. Keys are taken from the directories
(station_id holds the column origin, unless --rename says otherwise). A CSV value which is NA or
empty is null, unless --null says otherwise.

Values are compared as the data set's type has them: numbers by exact value, timestamps as
instants (one without a zone as UTC), strings by their text; partition keys always by their text.

Prints one JSON object: equal, csv_rows, dataset_rows, nulls (column to [CSV, data set]),
columns (name to type), missing_columns, extra_columns, missing_rows, extra_rows (how many) and
differences (up to ten of those rows).

Exit code: 0 equal, 1 the reader failed (its error is on standard error), 2 usage, 3 different.
"""

import argparse
import csv
import datetime
import json
import sys
from collections import Counter

import pyarrow as pa
import ending
import readers

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
NANOSECOND = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def number(text):
    """NaN equals nothing, itself included: as text it is a value like others, and not null."""
    try:
        return int(text)
    except ValueError:
        value = float(text)
        return "NaN" if value != value else value


def instant(text):
    """Nanoseconds since 1970 UTC."""
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return (moment - EPOCH) // datetime.timedelta(microseconds=1) * 1000


def from_csv(texts, parse, nulls):
    """Parsed values; what does not parse stays text, so that it differs and is shown."""
    values = []
    for text in texts:
        try:
            values.append(None if text is None or text in nulls else parse(text))
        except (ValueError, KeyError):
            values.append(f"unparsed {text}")
    return values


def from_dataset(column, is_key):
    """The values of a data set's column and the function that makes the like of a CSV's text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if is_key:
        # DataFusion gives the null segment as it is written.
        values = (None if value == readers.NULL_SEGMENT else value for value in column.to_pylist())
        return [value if value is None else str(value) for value in values], str
    if pa.types.is_timestamp(kind):
        scale = NANOSECOND[kind.unit]
        values = column.cast(pa.int64()).to_pylist()
        return [value if value is None else value * scale for value in values], instant
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return ["NaN" if value != value else value for value in column.to_pylist()], number
    if pa.types.is_date(kind):
        return column.to_pylist(), datetime.date.fromisoformat
    if pa.types.is_boolean(kind):
        return column.to_pylist(), {"true": True, "false": False}.__getitem__
    return [value if value is None else str(value) for value in column.to_pylist()], str


def compare(table, rows, header, keys, renamed, nulls):
    """The whole report."""
    source = {name: renamed.get(name, name) for name in table.column_names}
    shared = [name for name in table.column_names if source[name] in header]
    ours, theirs, null_counts = [], [], {}
    for name in shared:
        values, parse = from_dataset(table[name], name in keys)
        expected = from_csv((row[source[name]] for row in rows), parse, nulls)
        ours.append(values)
        theirs.append(expected)
        null_counts[name] = [expected.count(None), values.count(None)]
    found, wanted = Counter(zip(*ours)), Counter(zip(*theirs))
    missing, extra = wanted - found, found - wanted
    report = {
        "csv_rows": len(rows),
        "dataset_rows": table.num_rows,
        "nulls": null_counts,
        "columns": {field.name: str(field.type) for field in table.schema},
        "missing_columns": sorted(set(header) - set(source.values())),
        "extra_columns": sorted(set(source) - set(shared)),
        "missing_rows": missing.total(),
        "extra_rows": extra.total(),
    }
    faults = ("missing_columns", "extra_columns", "missing_rows", "extra_rows")
    same = len(rows) == table.num_rows and not any(report[fault] for fault in faults)
    shown = [("in the CSV only", row) for row in list(missing)[:5]]
    shown += [("in the data set only", row) for row in list(extra)[:5]]
    differences = [{"where": where, "row": dict(zip(shared, row))} for where, row in shown]
    return {"equal": same, **report, "differences": differences}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("reader", choices=readers.READERS)
    parser.add_argument("root")
    parser.add_argument("csv")
    parser.add_argument("--rename", metavar="KEY=COLUMN", action="append")
    parser.add_argument("--null", metavar="TEXT", action="append")
    given = parser.parse_args()
    renamed = dict(pair.split("=", 1) for pair in given.rename or ["station_id=origin"])
    nulls = set(given.null or ["NA", ""])
    with open(given.csv, newline="", encoding="utf-8-sig") as file:
        parsed = csv.DictReader(file)
        rows = list(parsed)
        header = parsed.fieldnames or []
    try:
        table = readers.read(given.reader, given.root)
        keys = readers.partition_keys(given.root)
        report = compare(table, rows, header, keys, renamed, nulls)
    except BaseException as error:  # A panic inside Polars is no Exception.
        sys.exit(f"{given.reader}: {type(error).__name__}: {error}")
    print(json.dumps(report, default=str))
    sys.exit(0 if report["equal"] else 3)


if __name__ == "__main__":
    ending.run(main)
