"""scan_loop.py READER ROOT UNTIL

Reads the whole Hive-partitioned data set at ROOT again and again, as a user of READER would,
and prints a JSON line for each scan: {"scan": N, "rows": N}. UNTIL is a number of seconds or the
path of a file: the loop ends with one more scan once the time is over or the file exists.

A root which is absent or holds no Parquet file yet has no rows: that is no error.

Exit code: 0 every scan succeeded, 1 the reader failed (its error is on standard error), 2 usage.
"""

import json
import os
import sys
import time

import readers
import ending


def told_to_end(until):
    """A function that says whether the loop is to end."""
    parent = os.getppid()
    try:
        deadline = time.monotonic() + float(until)
        over = lambda: time.monotonic() >= deadline
    except ValueError:
        over = lambda: os.path.exists(until)
    # A killed test must not leave a scan running for ever.
    return lambda: over() or os.getppid() != parent


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in readers.READERS:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    reader, root, until = sys.argv[1:]
    over = told_to_end(until)
    scan = 0
    last = False
    while not last:
        last = over()
        scan += 1
        rows = 0
        if readers.has_parquet_file(root):
            try:
                rows = readers.read(reader, root).num_rows
            except BaseException as error:  # A panic inside Polars is no Exception.
                sys.exit(f"{reader}: scan {scan}: {type(error).__name__}: {error}")
        else:
            time.sleep(0.01)
        print(json.dumps({"scan": scan, "rows": rows}), flush=True)


if __name__ == "__main__":
    ending.run(main)
