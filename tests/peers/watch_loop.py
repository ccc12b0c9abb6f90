"""watch_loop.py READER ROOT UNTIL KIND ROWS

Reads the whole Hive-partitioned data set at ROOT again and again, as a user of READER would, and
looks at what it holds. UNTIL is a number of seconds or the path of a file: the loop ends with one
more scan once the time is over or the file exists. KIND is

commits    Files come and never go. A row names its commit; a commit has ROWS rows in a partition.
           A scan has all rows of a commit in a partition or none, and none that an earlier scan had
           is missing. A scan that fails, or finds anything else, ends the loop.
versions   Partitions are replaced. A row with a number names its version; a partition has ROWS rows
           of one version. Rows without a number come besides. A scan in which a file that had been
           listed was not there any more when it was opened is counted and done again, and so is one
           that found a partition without all rows of a version. A scan that fails otherwise, or
           finds two versions in a partition, ends the loop.

Prints a JSON line for each scan: {"scan": N, "rows": N, "found": KIND OF END, "detail": TEXT}, where
found is whole, missing (not there when opened), gap, mix, torn, lost or failed.

Exit code: 0 no scan ended the loop, 1 one did, 2 usage.
"""

import json
import sys

import pyarrow as pa
import pyarrow.compute as pc
import ending
import readers
from scan_loop import told_to_end

MISSING = ("no such file or directory", "not found", "no files found")


def failure(error):
    """What a reader's own error is counted as."""
    text = f"{type(error).__name__}: {error}"
    gone = any(words in text.lower() for words in MISSING)
    return "missing" if gone else "failed", text[:500]


def commits(table, rows, seen):
    """Looks at a scan of commits; seen is what earlier ones had, and grows."""
    groups = table.select(["station_id", "commit"]).group_by(["station_id", "commit"])
    counted = groups.aggregate([([], "count_all")]).to_pylist()
    found = {}
    for group in counted:
        found[(str(group["station_id"]), group["commit"])] = group["count_all"]
    torn = {key: count for key, count in found.items() if count != rows}
    if torn:
        return "torn", str(torn)
    lost = seen - found.keys()
    seen |= found.keys()
    return ("lost", str(lost)) if lost else ("whole", "")


def versions(table, rows, seen):
    """Looks at a scan of versions; seen is every partition of earlier ones, and grows."""
    numbered = table.filter(pc.is_valid(table["number"]))
    found = {}
    columns = (numbered[name].to_pylist() for name in ("station_id", "version", "number"))
    for station, version, number in zip(*columns):
        found.setdefault(str(station), []).append((version, number))
    seen |= found.keys()
    for station, pairs in found.items():
        if len({version for version, _ in pairs}) > 1:
            return "mix", f"{station}: {sorted(pairs)}"
    for station in sorted(seen):
        pairs = found.get(station, [])
        if len(pairs) != rows or len(set(pairs)) != rows:
            return "gap", f"{station}: {sorted(pairs)}"
    return "whole", ""


KINDS = {"commits": (commits, {"whole"}), "versions": (versions, {"whole", "missing", "gap"})}


def main():
    if len(sys.argv) != 6 or sys.argv[1] not in readers.READERS or sys.argv[4] not in KINDS:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    reader, root, until, kind, rows = sys.argv[1:]
    look, endured = KINDS[kind]
    over = told_to_end(until)
    seen = set()
    scan = 0
    found = "whole"
    last = False
    # The last scan is one that nothing disturbs.
    while not last or found in ("missing", "gap"):
        # What persists when nothing happens any more is no passing disturbance.
        if last and found != "whole":
            endured = {"whole"}
        last = over()
        scan += 1
        table = pa.table({})
        try:
            table = readers.read(reader, root)
        except BaseException as error:  # A panic inside Polars is no Exception.
            found, detail = failure(error)
        else:
            found, detail = look(table, int(rows), seen)
        line = {"scan": scan, "rows": table.num_rows, "found": found, "detail": detail}
        print(json.dumps(line), flush=True)
        if found not in endured:
            sys.exit(f"{reader}: scan {scan}: {found}: {detail}")


if __name__ == "__main__":
    ending.run(main)
