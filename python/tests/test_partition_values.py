"""Values that are hard on a path come back from every reader as they went in."""

from __future__ import annotations

import datetime
import decimal
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import numpy
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
import readers
from hypothesis import given, settings
from hypothesis import strategies as st

TEXTS = [
    "KSEA",
    "010010",
    "-0",
    "0x10",
    "1e5",
    "New York",
    " ",
    "a/b",
    "a\\b",
    "../up",
    ".hidden",
    "_ignored",
    "100%",
    "%41",
    "%2F",
    "a=b",
    "a:b",
    "tab\tand\nline",
    "\x7f",
    '"quoted"',
    "it's",
    "*?[]{}^<>|#",
    "null",
    "NaN",
    "true",
    "2013-01-31",
    "Zürich",
    "東京",
    "🌦️",
    "é",
    "e\u0301",  # The same letter in two characters.
    "case",
    "CASE",
    "x" * 240,
]


@pytest.mark.parametrize("reader", readers.READERS)
def test_texts_come_back_from_every_reader(lake: Path, reader: str) -> None:
    rows = pa.table({"key": [*TEXTS, None], "n": range(len(TEXTS) + 1)})
    receipt = aa.write_dataset(rows, lake / "weather", partition_by="key")
    assert receipt.partitions == len(TEXTS) + 1
    back = readers.read(reader, str(lake / "weather"), {"key": pa.string()})
    keys = [None if key == readers.NULL_SEGMENT else key for key in back["key"].to_pylist()]
    found = dict(zip(back["n"].to_pylist(), keys, strict=True))
    assert found == dict(enumerate([*TEXTS, None]))


@pytest.mark.parametrize(
    ("values", "segments"),
    [
        (pa.array([0, -7, 2**63 - 1]), ["0", "-7", "9223372036854775807"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array([0.1, 2.0, -0.0, 1e16]), ["0.1", "2.0", "0.0", "1e16"]),
        (pa.array([decimal.Decimal("12.30")]), ["12.30"]),
        (pa.array([datetime.date(2013, 1, 31)]), ["2013-01-31"]),
        (pa.array([datetime.datetime(2013, 1, 31, 5)]), ["2013-01-31%2005%3A00%3A00"]),
        (pa.array(["a", None]).dictionary_encode(), ["a", "__HIVE_DEFAULT_PARTITION__"]),
        (pa.array(["a"], pa.string_view()), ["a"]),
    ],
)
def test_each_type_has_its_text(lake: Path, values: pa.Array, segments: list[str]) -> None:
    rows = pa.table({"key": values, "n": range(len(values))})
    aa.write_dataset(rows, lake / "weather", partition_by="key")
    found = {path.name for path in (lake / "weather").glob("[!.]*")}
    assert found == {f"key={segment}" for segment in segments}


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        7,
        2**64 - 1,
        0.1,
        "010010",
        "a/b",
        decimal.Decimal("12.30"),
        datetime.date(2013, 1, 31),
        datetime.datetime(2013, 1, 31, 5),
        datetime.datetime(2013, 1, 31, 5, 0, 0, 250_000),
        datetime.datetime(2013, 1, 31, 5, 0, 0, 250_001),
        datetime.datetime(2013, 1, 31, 5, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
    ],
)
def test_a_value_that_is_given_names_the_directory_of_the_same_in_a_column(
    lake: Path, value: Any
) -> None:
    kinds = {type(None): pa.string(), int: pa.uint64()}
    column = pa.array([value], kinds.get(type(value)))
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        column = column.cast(pa.timestamp("us", "+02:00"))
    aa.write_dataset(pa.table({"key": column, "n": [1]}), lake / "a", partition_by="key")
    schema = pa.schema([("n", pa.int64())])
    with aa.AtomicArrowWriter(lake / "b", {"key": value}, schema) as writer:
        writer.write(pa.table({"n": [1]}))
    assert [p.name for p in (lake / "a").glob("[!.]*")] == [
        p.name for p in (lake / "b").glob("[!.]*")
    ]


def directory(lake: Path, value: Any) -> str:
    """The partition directory that a value names."""
    writer = aa.AtomicArrowWriter(lake / "one", {"key": value}, pa.schema([("n", pa.int64())]))
    writer.discard()
    return writer.path.parent.name


@pytest.mark.parametrize(
    "value",
    [
        numpy.datetime64("2013-01-31T05:00:00", "ns"),
        numpy.datetime64("2013-01-31T05:00:00.25", "ns"),
        numpy.datetime64("1913-01-31T05:00:00.000000001", "ns"),
        numpy.datetime64("2013-01-31T05:00:00.250001", "us"),
        numpy.datetime64("2013-01-31T05:00:00", "s"),
        numpy.datetime64("2013-01-31", "D"),
        numpy.datetime64("NaT", "ns"),
        numpy.int16(-7),
        numpy.uint64(2**64 - 1),
        numpy.float16(0.1),
        numpy.float32(0.1),
        numpy.float32(1e-30),
        numpy.float32(16777216),
        numpy.float64(0.1),
        numpy.bool_(True),
        numpy.str_("a/b"),
        pd.NaT,
        pd.NA,
        pd.Timestamp("2013-01-31T05:00:00"),
        pd.Timestamp("2013-01-31T05:00:00.000001"),
        pd.Timestamp("2013-01-31T05:00:00.000000123"),
        pd.Timestamp("2013-01-31T05:00:00.000000123", tz="America/New_York"),
        pd.Timestamp("2013-07-31T05:00:00", tz="UTC"),
        decimal.Decimal("-0.0"),
        decimal.Decimal("1E+3"),
    ],
    ids=repr,
)
def test_scalars_of_numpy_and_pandas_are_what_they_are_in_a_column(lake: Path, value: Any) -> None:
    column: Any = pa.array([value]) if isinstance(value, decimal.Decimal) else None
    if column is None and isinstance(value, numpy.generic):
        column = pa.array(numpy.array([value]))
    elif column is None:
        column = pa.array(pd.Series([value], dtype="Int64" if value is pd.NA else None))
    rows = pa.table({"key": column, "n": [1]})
    aa.write_dataset(rows, lake / "column", partition_by="key")
    assert [path.name for path in (lake / "column").glob("[!.]*")] == [directory(lake, value)]


@pytest.mark.parametrize(
    "value",
    [
        numpy.timedelta64(5, "ns"),
        numpy.timedelta64(5, "D"),
        pd.Timedelta(5),
        datetime.timedelta(5),
        datetime.time(5),
        numpy.longdouble(1),
        numpy.complex128(1),
        numpy.array("2013-01-31", "datetime64[ns]"),
        b"bytes",
    ],
    ids=repr,
)
def test_what_a_column_of_keys_cannot_hold_is_no_value_either(lake: Path, value: Any) -> None:
    with pytest.raises(TypeError, match=r"key: a partition's value cannot be a \w+"):
        directory(lake, value)


@pytest.mark.parametrize(
    "value",
    [
        2**64,
        -(2**63) - 1,
        decimal.Decimal("NaN"),
        decimal.Decimal("-Infinity"),
        numpy.datetime64("12013-01-31", "s"),
    ],
    ids=repr,
)
def test_values_that_are_out_of_bounds_are_partition_errors(lake: Path, value: Any) -> None:
    with pytest.raises(aa.PartitionError, match="key"):
        directory(lake, value)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("", "empty"),
        ("__HIVE_DEFAULT_PARTITION__", "null"),
        (float("nan"), "NaN"),
        ("x" * 256, "255"),
    ],
)
def test_values_that_no_path_can_hold_are_errors(
    lake: Path, files: Callable[[Path], list[str]], value: Any, what: str
) -> None:
    rows = pa.table({"key": pa.array([value]), "n": [1]})
    with pytest.raises(aa.PartitionError, match=what) as raised:
        aa.write_dataset(rows, lake / "weather", partition_by="key")
    assert isinstance(raised.value, ValueError)
    assert files(lake) == []


def test_a_list_is_no_key(lake: Path) -> None:
    rows = pa.table({"key": pa.array([[1]]), "n": [1]})
    with pytest.raises(aa.PartitionError, match="key"):
        aa.write_dataset(rows, lake / "weather", partition_by="key")
    with pytest.raises(aa.PartitionError, match="missing"):
        aa.write_dataset(rows, lake / "weather", partition_by="missing")
    with pytest.raises(TypeError, match="partition_by"):
        aa.write_dataset(rows, lake / "weather", partition_by=[7])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="key"):
        aa.AtomicArrowWriter(lake / "weather", {"key": [1]}, rows.schema)


# Neither what no path can hold, nor what PyArrow unescapes twice or not at all.
keys = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).filter(
        lambda text: text != "__HIVE_DEFAULT_PARTITION__"
    ),
)


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(keys, st.integers(-(2**63), 2**63 - 1)), max_size=60),
    size=st.integers(1, 20),
    limit=st.sampled_from([1, 1 << 16, 1 << 30]),
    threads=st.integers(1, 3),
)
def test_no_row_is_lost_and_none_is_added(
    rows: list[tuple[str | None, int]], size: int, limit: int, threads: int
) -> None:
    schema = pa.schema([("key", pa.string()), ("n", pa.int64())])
    table = pa.table([[key for key, _ in rows], [n for _, n in rows]], schema=schema)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "weather"
        receipt = aa.write_dataset(
            table.to_batches(max_chunksize=size),
            root,
            schema=schema,
            partition_by="key",
            memory_limit=limit,
            threads=threads,
            durability="unsynced",
        )
        found: Counter[tuple[str | None, int]] = Counter()
        for file in receipt.files:
            numbers = pa.parquet.read_table(root / file.path, partitioning=None)["n"].to_pylist()
            found.update((file.partition["key"], n) for n in numbers)
        assert found == Counter(rows)
        if rows:
            types = pa.schema([("key", pa.string())])
            keys = ds.partitioning(types, flavor="hive")
            back = ds.dataset(root, partitioning=keys).to_table()
            values = zip(back["key"].to_pylist(), back["n"].to_pylist(), strict=True)
            assert Counter(values) == Counter(rows)


def test_a_key_with_a_space_keeps_its_name_for_every_reader(lake: Path) -> None:
    root = lake / "weather"
    rows = pa.table({"Station ID": ["A"], "v": [1]})
    aa.write_dataset(rows, root, partition_by="Station ID")
    assert [path.name for path in root.glob("[!.]*")] == ["Station ID=A"]
    for reader in readers.READERS:
        types = {"Station ID": pa.string()} if reader == "datafusion" else None
        names = readers.read(reader, str(root), types).column_names
        assert sorted(names) == ["Station ID", "v"], reader
    assert len(aa.inspect(root).oddities) == 0
    with pytest.raises(aa.PartitionError, match="give the key another name"):
        aa.write_dataset(pa.table({"a/b": ["A"], "v": [1]}), root, partition_by="a/b")


def test_keys_that_are_kept_in_the_files_are_warned_of(lake: Path) -> None:
    root = lake / "weather"
    rows = pa.table({"year": [2020], "v": [1]})
    with pytest.warns(aa.DataSetWarning, match="partitioning=None") as warned:
        aa.write_dataset(rows, root, partition_by="year", keep_partition_columns=True)
    assert warned[0].filename == __file__
    assert pd.read_parquet(root, partitioning=None)["year"].tolist() == [2020]
    with pytest.raises(pa.ArrowTypeError):
        pd.read_parquet(root)
    assert [oddity.kind for oddity in aa.inspect(root).oddities] == ["kept-key"]


def test_names_that_differ_by_case_alone_are_refused_unless_allowed(lake: Path) -> None:
    rows = pa.table({"Year": [1], "year": [2], "v": [3]})
    with pytest.raises(aa.InvalidOptionError, match="differ by case alone"):
        aa.write_dataset(rows, lake / "weather", partition_by="year")
    aa.write_dataset(rows, lake / "weather", case_sensitive_names=True)
    writer = aa.AtomicArrowWriter(
        lake / "other", {"YEAR": 1}, rows.schema, case_sensitive_names=True
    )
    writer.discard()
