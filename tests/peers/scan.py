"""scan.py READER ROOT [--schema-of CSV] [--rename KEY=COLUMN]...

Reads the Hive-partitioned data set at ROOT as a user of READER would and prints one JSON object:
rows, columns (name to type) and partitions (segments to rows). With --schema-of the types of the
keys are declared to the reader: those which the columns of CSV have, where a number with a
leading zero is a string.

Exit code: 0 read, 1 the reader failed (its error is on standard error), 2 usage.
"""

import argparse
import json
import sys

import ending
import readers


def partitions(table, keys):
    """Rows for each combination of the keys' values, as segments."""
    if not keys:
        return {}
    columns = [table[key].to_pylist() for key in keys]
    counts = {}
    for values in zip(*columns):
        shown = (readers.NULL_SEGMENT if value is None else value for value in values)
        path = "/".join(f"{key}={value}" for key, value in zip(keys, shown))
        counts[path] = counts.get(path, 0) + 1
    return dict(sorted(counts.items()))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("reader", choices=readers.READERS)
    parser.add_argument("root")
    parser.add_argument("--schema-of", metavar="CSV")
    parser.add_argument("--rename", metavar="KEY=COLUMN", action="append", default=[])
    given = parser.parse_args()
    renamed = dict(pair.split("=", 1) for pair in given.rename)
    try:
        types = given.schema_of and readers.key_types(given.root, given.schema_of, renamed)
        table = readers.read(given.reader, given.root, types)
        counts = partitions(table, list(readers.partition_keys(given.root)))
    except BaseException as error:  # A panic inside Polars is no Exception.
        sys.exit(f"{given.reader}: {type(error).__name__}: {error}")
    columns = {field.name: str(field.type) for field in table.schema}
    print(json.dumps({"rows": table.num_rows, "columns": columns, "partitions": counts}))


if __name__ == "__main__":
    ending.run(main)
