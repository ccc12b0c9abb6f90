"""names.py READER KEYS VALUES

Reads two Hive-partitioned data sets with READER and prints one JSON object: "keys", the columns of that at
KEYS, and "values", for every number in the column `n` of that at VALUES the text of its key `k`.
"""

import json
import sys

import pyarrow as pa

import ending
import readers


def main():
    reader, keys, values = sys.argv[1:]
    names = readers.partition_keys(keys)
    types = {"k": pa.string()}
    # DataFusion is told the names of keys by its user: one that it cannot find has no values.
    told = {name: pa.string() for name in names} if reader == "datafusion" else None
    columns = readers.read(reader, keys, told)
    filled = [name for name in columns.column_names if columns[name].null_count == 0]
    table = readers.read(reader, values, types)
    texts = dict(zip(table["n"].to_pylist(), table["k"].to_pylist()))
    print(json.dumps({"keys": filled, "values": texts}))


if __name__ == "__main__":
    ending.run(main)
