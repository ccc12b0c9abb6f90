"""keys.py READER DIRECTORY

Reads each data set that DIRECTORY/manifest.json names ({id, root, key}) as a user of READER would, without declared types, and
prints one JSON object: for each id the type of the key and, by the column v, the text of its value in each row, or the error.
"""

import json
import sys
from pathlib import Path

import pyarrow as pa

import readers


def text(value):
    """A value as a user would spell it; None for null."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def seen(reader, root, key):
    """What the reader sees of a key."""
    table = readers.read(reader, root)
    column = table[key]
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    # Instants of nanoseconds have no value in Python.
    nanoseconds = pa.types.is_timestamp(kind) and kind.unit == "ns"
    values = column.cast(pa.string()) if nanoseconds else column
    values = zip(table["v"].to_pylist(), values.to_pylist())
    return {"type": str(kind), "texts": {str(row): text(value) for row, value in values}}


def main():
    reader, directory = sys.argv[1], Path(sys.argv[2])
    found = {}
    for entry in json.loads((directory / "manifest.json").read_text()):
        try:
            found[entry["id"]] = seen(reader, entry["root"], entry["key"])
        except Exception as error:  # Whatever a reader throws.
            found[entry["id"]] = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
