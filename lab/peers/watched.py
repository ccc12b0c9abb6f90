"""What a reader sees that polls a data set while it is replaced, or added to, and nothing crashes.

A scan is whole if it has every row of each version that it has any of, and, where versions replace
one another, one version. Fewer rows than one version has is a gap, two versions at once a mix.
"""

import shutil
import sys

import disk
from laboratory import root_of
from scans import USUAL
from writers import MODES, Failed


def classify(versions, error, appends):
    """What one scan saw; for appends, `appends` is the number of rows that must be there."""
    if error:
        # Where nothing matches its pattern, DuckDB says so as an error; others give no rows.
        if "no files found" in error.lower():
            return ["gap"]
        gone = "no such file" in error.lower()
        return ["error: something listed was gone" if gone else "error: other"]
    seen = []
    if appends:
        if sum(versions.values()) < appends:
            seen.append("gap")
        if sum(versions.values()) % disk.ROWS:
            seen.append("part of a write")
        return seen or ["whole"]
    if sum(versions.values()) < disk.ROWS:
        seen.append("gap")
    if len(versions) > 1:
        seen.append("mix")
    return seen or ["whole"]


def watch(lab, steady, name, mode, reader, way, rounds):
    """Counts of what one reader sees during a number of writes."""
    room = lab.room()
    root = root_of(room)
    steady.write(1, root, mode)
    counts = {"scans": 0}
    details = {}
    for done in range(1, rounds + 1):
        steady.begin(2 + done % 2, root, mode)
        over = False
        while not over:
            versions, error = lab.scans.ask(reader, way, root)
            over = steady.process.done()
            counts["scans"] += 1
            for seen in classify(versions, error, disk.ROWS * done if mode == "append" else 0):
                counts[seen] = counts.get(seen, 0) + 1
                if error:
                    details.setdefault(seen, error[:160].replace(str(room), ""))
        failure = steady.process.outcome()
        if failure:
            raise Failed(failure)
    shutil.rmtree(room)
    return counts, details


def measure(lab):
    """One row for each writer, mode and reader."""
    rounds = 1 if lab.quick else 2
    rows = []
    for name, modes in MODES.items():
        steady = lab.steady(name)
        for mode in modes:
            for reader, way in USUAL:
                # The readers of plain directories do not know which files the log has removed.
                if name == "delta-rs" and mode != "append":
                    reader, way = "delta-rs", "directory"
                counts, details = watch(lab, steady, name, mode, reader, way, rounds)
                row = {"writer": name, "mode": mode, "reader": reader}
                rows.append({**row, "counts": counts, "details": details})
                if reader == "delta-rs":
                    break
        print(f"watched {name}", file=sys.stderr)
    return {"rows": rows}
