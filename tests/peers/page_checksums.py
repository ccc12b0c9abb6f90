"""page_checksums.py FILE START-END...

Reads the Parquet file with pyarrow, which is asked to check the checksums of pages, as it is and then
with one bit of each byte between START and END flipped in turn. Prints one JSON object: rows as it
is, how many bits were flipped, and the places of those that were read all the same.

Exit code: 0 done, 1 the file as it is was refused, 2 usage.
"""

import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq

import ending


def read(data):
    return pq.read_table(pa.BufferReader(bytes(data)), page_checksum_verification=True)


def main():
    if len(sys.argv) < 3:
        sys.exit(2)
    with open(sys.argv[1], "rb") as file:
        data = bytearray(file.read())
    try:
        rows = read(data).num_rows
    except (OSError, pa.ArrowException) as error:
        sys.exit(f"pyarrow: {type(error).__name__}: {error}")
    flipped, passed = 0, []
    for start, end in (map(int, range_.split("-")) for range_ in sys.argv[2:]):
        for at in range(start, end):
            bit = 1 << at % 8
            data[at] ^= bit
            try:
                read(data)
                passed.append(at)
            except (OSError, pa.ArrowException):
                pass
            data[at] ^= bit
            flipped += 1
    print(json.dumps({"rows": rows, "flipped": flipped, "passed": passed}))


if __name__ == "__main__":
    ending.run(main)
