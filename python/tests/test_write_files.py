"""Files that are written by the command's readers: the same rows, notes and refusals as the command has."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import WEATHER


def command(*args: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "atomic_arrow", *args]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def rows(root: Path) -> list[dict[str, Any]]:
    found = pq.read_table(root, partitioning=None).to_pylist()
    return sorted(found, key=lambda row: str(sorted(row.items(), key=str)))


def test_rows_and_types_are_those_that_the_command_writes(lake: Path) -> None:
    (lake / "a.csv").write_text("id;at;note\n1;02.01.2026;-\n2;03.01.2026;x\n")
    (lake / "b.csv.gz").write_bytes(
        gzip.compress(b"id;at;note\n3;04.01.2026;#\n2.5;05.01.2026;y\n")
    )
    asked: dict[str, Any] = {
        "delimiter": ";",
        "date_format": "%d.%m.%Y",
        "null_values": "-",
        "schema": {"note": "string"},
    }
    flags = ["--delimiter=;", "--date-format=%d.%m.%Y", "--null=-", "--schema=note=string"]
    receipt = aa.write_files(lake / "*.csv*", lake / "ours", **asked)
    done = command("write", str(lake / "*.csv*"), "--to", str(lake / "theirs"), *flags)
    assert done.returncode == 0, done.stderr
    assert receipt.rows == 4
    assert rows(lake / "ours") == rows(lake / "theirs")
    # The second file has a fraction, for which all was read again.
    schema = pq.read_table(lake / "ours").schema
    assert schema.field("id").type == pa.float64()
    assert schema.field("at").type == pa.date32()


def test_columns_are_picked_renamed_and_cast(lake: Path) -> None:
    (lake / "a.csv").write_text("id,temp,note\n1,2,x\n")
    for select in ("note,number=id", ["note", "number=id"], {"note": "note", "number": "id"}):
        aa.write_files(
            lake / "a.csv", lake / "set", mode="overwrite", select=select, cast="id=int8"
        )
        (file,) = (lake / "set").glob("*.parquet")
        schema = pq.read_schema(file)
        assert [(field.name, field.type) for field in schema] == [
            ("note", pa.string()),
            ("number", pa.int8()),
        ]


def test_directories_give_their_keys_back_and_what_a_file_lacks_is_said(lake: Path) -> None:
    aa.write_files(WEATHER, lake / "weather", partition_by="station_id=origin,month")
    assert aa.inspect(lake / "weather").rows == 26_115
    again = aa.write_files(lake / "weather", lake / "again", partition_by=["station_id", "month"])
    assert again.rows == 26_115
    (lake / "a.csv").write_text("a,b\n1,2\n")
    (lake / "b.csv").write_text("a\n3\n")
    paths = [lake / "a.csv", f"file://{lake}/b.csv"]
    with pytest.warns(aa.DataSetWarning, match=r"b\.csv: lacks columns .*`b`"):
        aa.write_files(paths, lake / "ab")
    assert rows(lake / "ab") == [{"a": 1, "b": 2}, {"a": 3, "b": None}]


def test_a_named_write_is_not_read_again_and_a_dry_run_writes_nothing(lake: Path) -> None:
    (lake / "a.csv").write_text("k,n\nx,1\ny,2\n")
    planned = aa.write_files(lake / "a.csv", lake / "set", partition_by="k", dry_run=True)
    assert isinstance(planned, aa.DryRunReport)
    assert [(one.path, one.rows) for one in planned.partitions] == [("k=x", 1), ("k=y", 1)]
    assert not (lake / "set").exists()
    heard: list[int] = []
    first = aa.write_files(
        lake / "a.csv",
        lake / "set",
        write_id="one",
        on_file=lambda file: heard.append(file.rows),
        progress=lambda progress: heard.append(progress.rows),
    )
    assert heard
    (lake / "a.csv").unlink()
    assert aa.write_files(lake / "a.csv", lake / "set", write_id="one") == first


@pytest.mark.parametrize(
    ("content", "options", "error", "said"),
    [
        (b"a,b\n1,2\n3\n", {}, aa.InputError, r"a\.csv, line 3: .*delimiter="),
        (b"a\n1\nx\n", {"schema": "a=int64"}, aa.InputError, "line 3, column `a`"),
        (b"a\n1\n", {"schema": {"b": "int64"}}, aa.InputError, "has no column `b`, which schema="),
        (b"a\n\xff\n", {}, aa.InputError, "encoding="),
        (b"a\n1\n\n", {"partition_by": "a"}, aa.PartitionError, r"a\.csv"),
        (b"a\n1\n", {"input_format": "xml"}, aa.InvalidOptionError, "^input_format: .*'xml'"),
        (b"a\n1\n", {"delimiter": "ab"}, aa.InvalidOptionError, "^delimiter: "),
        (b"a\n1\n", {"escape": ","}, aa.InvalidOptionError, "^escape: the character divides"),
        (b"a\n1\n", {"schema": {"a": "integer"}}, aa.InvalidOptionError, "^schema: "),
        (b"a\n1\n", {"schema": "@types"}, aa.InvalidOptionError, "^schema: a file of types"),
        (b"a\n1\n", {"hive": False, "hive_types": "k=date"}, aa.InvalidOptionError, "hive_types"),
        (b"a\n1\n", {"hive": "no"}, TypeError, "hive: a bool"),
        (b"a\n1\n", {"delimiter": 7}, TypeError, "delimiter: a text"),
        (b"a\n1\n", {"delimeter": ";"}, TypeError, "did you mean 'delimiter'"),
        (b"a\n1\n", {"partition_by": "b"}, aa.PartitionError, "b"),
        (b"a\n300\n", {"cast": {"a": "int8"}}, aa.InputError, "column `a`, row 0: .*which cast="),
        (b"ab\n1\n", {"select": "abb"}, aa.InputError, "^select=: no input .*is `ab` meant"),
        (b"a\n1\n", {"select": ["a,b"]}, aa.InvalidOptionError, "with a comma in its name"),
        (
            b"a,b\n1,2\n",
            {"select": "a", "partition_by": "b"},
            aa.InvalidOptionError,
            "^select: leaves out column `b`",
        ),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_is_written(
    lake: Path, content: bytes, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    (lake / "a.csv").write_bytes(content)
    with pytest.raises(error, match=said) as raised:
        aa.write_files(lake / "a.csv", lake / "set", **options)
    assert "--" not in str(raised.value)
    assert not (lake / "set").exists() or not rows(lake / "set")


def test_what_is_said_has_the_words_of_python_and_names_files_as_they_are(lake: Path) -> None:
    path = lake / "a--schema.csv"
    path.write_text("a;b\n1;2\n")
    with pytest.warns(aa.DataSetWarning, match="delimiter=") as said:
        aa.write_files(path, lake / "set")
    (text,) = [str(one.message) for one in said]
    assert text.startswith(f"{path}: ") and "--delimiter" not in text


def test_a_file_that_is_not_there_or_cannot_be_opened_is_named(lake: Path) -> None:
    with pytest.raises(aa.InputError, match="no such file"):
        aa.write_files([lake / "no.csv"], lake / "set")
    with pytest.raises(aa.InputError, match="no input was named"):
        aa.write_files([], lake / "set")
    (lake / "loop.csv").symlink_to(lake / "loop.csv")
    with pytest.raises(aa.ReadError, match=r"loop\.csv") as raised:
        aa.write_files(lake / "loop.csv", lake / "set")
    assert isinstance(raised.value, OSError) and raised.value.errno


def test_what_is_raised_meanwhile_ends_it_and_nothing_is_published(lake: Path) -> None:
    # A pipe that nobody ends: the rows come, and no end.
    pipe = lake / "rows.csv"
    os.mkfifo(pipe)
    opened: list[int] = []

    def feed() -> None:
        opened.append(os.open(pipe, os.O_WRONLY))
        os.write(opened[0], b"a\n" + b"1\n" * 50_000)

    feeder = threading.Thread(target=feed)
    feeder.start()

    def stop(progress: aa.Progress) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        aa.write_files(pipe, lake / "set", progress=stop, infer_rows=10)
    feeder.join()
    os.close(opened[0])
    assert not (lake / "set").exists() or not rows(lake / "set")


UTC = dt.UTC
AVRO: list[tuple[Any, list[Any]]] = [
    ("boolean", [True, False]),
    ("int", [-(2**31), 7]),
    ("long", [2**63 - 1, 0]),
    ("double", [0.1, float("inf")]),
    ("bytes", [b"\0a", b""]),
    ("string", ["", "ä"]),
    (["null", "string"], [None, "x"]),
    (["long", "null"], [1, None]),
    ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, ["B", "A"]),
    ({"type": "fixed", "name": "F", "size": 3}, [b"abc", b"\0\0\0"]),
    ({"type": "array", "items": ["null", "int"]}, [[1, None], []]),
    (
        {"type": "record", "name": "R", "fields": [{"name": "q", "type": "string"}]},
        [{"q": "x"}] * 2,
    ),
    ({"type": "int", "logicalType": "date"}, [dt.date(2026, 1, 2), dt.date(1900, 1, 1)]),
    ({"type": "long", "logicalType": "time-micros"}, [dt.time(1, 2, 3, 4), dt.time()]),
    (
        {"type": "long", "logicalType": "timestamp-micros"},
        [dt.datetime(1950, 1, 1, 0, 0, 0, 7, UTC), dt.datetime(2026, 1, 1, tzinfo=UTC)],
    ),
    (
        {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
        [decimal.Decimal("-1.20"), decimal.Decimal("3.00")],
    ),
    ({"type": "string", "logicalType": "uuid"}, [uuid.UUID(int=1), uuid.UUID(int=2**127)]),
]


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_avro_gives_the_values_that_another_writer_wrote(lake: Path, codec: str) -> None:
    fields = [{"name": f"c{n}", "type": kind} for n, (kind, _) in enumerate(AVRO)]
    given = [{f"c{n}": values[row] for n, (_, values) in enumerate(AVRO)} for row in (0, 1)]
    with (lake / "a.avro").open("wb") as file:
        fastavro.writer(file, {"type": "record", "name": "r", "fields": fields}, given, codec=codec)
    aa.write_files(lake / "a.avro", lake / "set")
    assert pq.read_table(lake / "set").to_pylist() == given
    whole = (lake / "a.avro").read_bytes()
    for length in range(0, len(whole), 7):
        (lake / "cut.avro").write_bytes(whole[:length])
        with pytest.raises(aa.InputError, match=r"cut\.avro: is damaged"):
            aa.write_files(lake / "cut.avro", lake / "cut")


def test_what_is_no_arrow_type_or_not_read_is_said(lake: Path) -> None:
    both = {"type": "record", "name": "r", "fields": [{"name": "v", "type": ["int", "string"]}]}
    with (lake / "a.avro").open("wb") as file:
        fastavro.writer(file, both, [{"v": 1}, {"v": "x"}])
    with pytest.raises(aa.EncodeError, match='column "v": it is a union'):
        aa.write_files(lake / "a.avro", lake / "set")
    (lake / "a.orc").write_bytes(b"ORC")
    with pytest.raises(aa.InputError, match=r"a\.orc: is ORC, which is not read"):
        aa.write_files(lake / "a.orc", lake / "set")
