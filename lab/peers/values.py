"""Partition values from the command's input, through the directories' names, to every reader.

Each kind of value is a data set of its own, so that what a reader infers from one does not touch
another. Each reader is asked twice: as it is, and with the key's type declared. The input is
Parquet; that Arrow IPC and CSV give the same directories is checked beside.
"""

import csv
import datetime
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
from scans import has_spark
from writers import Ours

UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2026, 2, 3, 4, 5, 6)
TEXT = pa.string()
# The name, the type of the key, its values, and how the command's --schema names the type.
KINDS = [
    ("null", TEXT, [None, "x"], "string"),
    ("null among integers", pa.int64(), [None, 7], "int64"),
    ("leading zeros", TEXT, ["007", "010010"], "string"),
    ("like other numbers", TEXT, ["1e5", "0x10", "1_000", "+1", "-0", "1.50"], "string"),
    ("like NaN and infinity", TEXT, ["NaN", "inf"], "string"),
    ("like null", TEXT, ["null", "NULL", "None"], "string"),
    ("like booleans", TEXT, ["true", "False"], "string"),
    ("like dates", TEXT, ["2026-02-03", "2026-1-2"], "string"),
    ("percent", TEXT, ["50%", "%41", "a%2Fb", "%"], "string"),
    ("spaces", TEXT, ["a b", " a", "b ", " "], "string"),
    ("equals sign", TEXT, ["a=b", "=", "k=v=w"], "string"),
    ("slash", TEXT, ["a/b", "/", "../x"], "string"),
    ("backslash, colon, star", TEXT, ["a\\b", "a:b", "a*b", "a?b", "[a]", "{a}"], "string"),
    ("quotes", TEXT, ["it's", 'say "so"', "`a`"], "string"),
    ("plus, ampersand, hash", TEXT, ["a+b", "a&b", "a#b", "a,b", "a;b"], "string"),
    ("dots and underscores", TEXT, [".", "..", ".a", "_a"], "string"),
    ("tab and line feed", TEXT, ["a\tb", "a\nb"], None),
    ("non-ASCII", TEXT, ["Zürich", "東京", "Ελλάδα"], "string"),
    ("composed and decomposed", TEXT, ["\u00e9", "e\u0301"], "string"),
    ("emoji", TEXT, ["\U0001f327\ufe0f", "\U0001f469\u200d\U0001f52c"], "string"),
    ("long: a segment of 255 bytes", TEXT, ["x" * 253, "y" * 253], "string"),
    ("too long: 256 bytes", TEXT, ["x" * 254], "string"),
    ("upper and lower case", TEXT, ["Ab", "ab", "AB"], "string"),
    ("integers", pa.int64(), [1, 20, 300], "int64"),
    ("negative integers", pa.int64(), [-1, -300], "int64"),
    ("largest and smallest int64", pa.int64(), [2**63 - 1, -(2**63)], "int64"),
    ("largest uint64", pa.uint64(), [2**64 - 1, 0], "uint64"),
    ("booleans", pa.bool_(), [True, False], "bool"),
    ("dates", pa.date32(), [datetime.date(2026, 2, 3), datetime.date(1969, 12, 31)], "date"),
    ("timestamps", pa.timestamp("us"), [MOMENT, MOMENT.replace(microsecond=7)], "timestamp"),
    ("timestamps in UTC", pa.timestamp("us", "UTC"), [MOMENT.replace(tzinfo=UTC)], "timestamp[us, UTC]"),
    ("decimals", pa.decimal128(10, 2), [Decimal("1.50"), Decimal("-0.01")], "decimal(10, 2)"),
    ("decimals of 38 digits", pa.decimal128(38, 0), [Decimal(10**38 - 1)], "decimal(38, 0)"),
]


def command(root, path, *more):
    words = [Ours.command, "write", path, "--to", root, "--partition-by", "v", "--quiet", *more]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr.strip().replace(str(path), "INPUT")


def directories(root):
    return sorted(name for name in os.listdir(root)) if os.path.isdir(root) else []


def from_other_inputs(room, table, named, wanted):
    """Whether IPC and CSV give the same directories."""
    found = {}
    path = room / "input.arrow"
    with pyarrow.ipc.new_file(path, table.schema) as file:
        file.write_table(table)
    failure = command(room / "from-ipc", path)
    found["ipc"] = compare_directories(failure, directories(room / "from-ipc"), wanted)
    if named:
        path = room / "input.csv"
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_NOTNULL if hasattr(csv, "QUOTE_NOTNULL") else 0)
            writer.writerow(["v", "n"])
            writer.writerows(zip(map(as_csv, table["v"].to_pylist()), table["n"].to_pylist()))
        failure = command(room / "from-csv", path, "--schema", f"v={named}")
        found["csv"] = compare_directories(failure, directories(room / "from-csv"), wanted)
    return found


def as_csv(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return value


def compare_directories(failure, found, wanted):
    if failure:
        return f"refused: {failure}"
    return "same" if found == wanted else f"other: {found}"


def write_all(lab):
    """Writes every kind: what the readers have to know, and a row for each."""
    known, rows = [], []
    for name, kind, values, named in KINDS:
        room = lab.room()
        table = pa.table({"v": pa.array(values, kind), "n": pa.array(range(len(values)), pa.int64())})
        pq.write_table(table, room / "input.parquet")
        failure = command(room / "root", room / "input.parquet")
        segments = directories(room / "root")
        row = {"kind": name, "values": [str(value) for value in values], "segments": segments}
        if failure:
            row["refused"] = failure.replace(str(room), "")
        else:
            row["inputs"] = from_other_inputs(room, table, named, segments)
            known.append({"kind": name, "root": str(room / "root"), "input": str(room / "input.parquet")})
        row["readers"] = {}
        rows.append(row)
    return known, rows


def ask(reader, how, known):
    """What a reader gives back for each kind; what comes after its death is that it died."""
    script = Path(__file__).resolve().parent / "value_reader.py"
    done = subprocess.run(
        [sys.executable, "-E", "-s", "-B", str(script), reader, how],
        input="".join(json.dumps(one) + "\n" for one in known),
        capture_output=True,
        text=True,
    )
    answers = {}
    for line in done.stdout.splitlines():
        kind, verdict, detail = json.loads(line)
        answers[kind] = (verdict, detail)
    return {one["kind"]: answers.get(one["kind"], ("error", "the reader died")) for one in known}


def measure(lab):
    """One row for each kind; for every reader a verdict and what it gave back."""
    known, rows = write_all(lab)
    readers = ["pyarrow", "pandas", "polars", "duckdb", "datafusion"] + ["spark"] * (has_spark() and not lab.quick)
    columns = []
    for reader in readers:
        for how in ("as it is", "declared"):
            column = f"{reader}, {how}"
            columns.append(column)
            answers = ask(reader, how, known)
            for row in rows:
                if row["kind"] in answers:
                    row["readers"][column] = answers[row["kind"]]
        print(f"values through {reader}", file=sys.stderr)
    return {"rows": rows, "columns": columns}
