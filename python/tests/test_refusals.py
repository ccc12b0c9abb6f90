"""What cannot be kept is refused, with its path, its row and what can be done."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

REQUIRED = pa.field("x", pa.int64(), nullable=False)
HOLES = pa.array([1, None])
FAR = pa.array([0, 2**62], pa.timestamp("s"))
UUIDS = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16], pa.binary(16)))
RUNS = pa.RunEndEncodedArray.from_arrays([1], ["a"])


def one(column: Any, **options: Any) -> tuple[pa.Table, dict[str, Any]]:
    return pa.table({"c": column, "v": [0] * len(column)}), options


CASES: list[tuple[tuple[pa.Table, dict[str, Any]], list[str]]] = [
    (one(pa.array([Decimal(100)], pa.decimal128(5, -2))), ['"c"', "negative scale", "scale 0"]),
    (one(FAR), ['"c", row 1: 4611686018427387904', "leave the value out"]),
    (one(FAR, format="csv"), ['"c", row 1', "write Parquet or Arrow IPC"]),
    (one(FAR, format="ndjson"), ['"c", row 1', "write Parquet or Arrow IPC"]),
    (one(pa.array([[0.0], [float("nan")]]), format="ndjson"), ['"c[]", row 1: NaN', "as a text"]),
    (one(UUIDS, partition_by="c"), ['"c" of type', "cast it to text"]),
    (one(RUNS, partition_by="c"), ['"c" of type', "cast it to text"]),
    (one(pa.array(["a", ""]), partition_by="c"), ['"c" is an empty string (row 1)', "give null"]),
    (
        (pa.table({"x": HOLES}, schema=pa.schema([REQUIRED])), {}),
        ['"x", row 1: it is null', "fill it, or make the column nullable"],
    ),
    (
        one(pa.StructArray.from_arrays([HOLES], fields=[REQUIRED])),
        ['"c.x", row 1: expected no nulls', "fill it, or make the column nullable"],
    ),
]


FRAMES: list[tuple[pd.DataFrame, list[str]]] = [
    (
        pd.DataFrame({"v": [0, 0], "c": pd.Series([1, 2**70], dtype=object)}),
        ["'c', row 1: 118059", "to text"],
    ),
    (pd.DataFrame({"c": pd.Series([1, None, "x"], dtype=object)}), ["'c', row 2: 'x'", "one type"]),
    (
        pd.DataFrame({5: pd.Series(["x", 1], dtype=object)}),
        ["column 5, row 1: 1 of type int", "one type"],
    ),
    (pd.DataFrame([[1, 2]], columns=["c", "c"]), ["two columns are named 'c'", "rename"]),
    (pd.DataFrame({"c": [1 + 2j]}), ["column 'c' has complex numbers", "two columns"]),
    (pd.DataFrame({"c": pd.arrays.SparseArray([0, 1])}), ["column 'c' is sparse", "to_dense"]),
]


@pytest.mark.parametrize(("frame", "says"), FRAMES)
def test_what_arrow_has_no_type_for_in_frames_of_pandas_is_named(
    lake: Path, files: Callable[[Path], list[str]], frame: pd.DataFrame, says: list[str]
) -> None:
    with pytest.raises(aa.InputError) as refused:
        aa.write_dataset(frame, lake / "none")
    message = str(refused.value)
    assert all(text in message for text in says), message
    assert files(lake) == []


@pytest.mark.parametrize(("given", "says"), CASES)
def test_refusals_name_path_row_and_remedy(
    lake: Path,
    files: Callable[[Path], list[str]],
    given: tuple[pa.Table, dict[str, Any]],
    says: list[str],
) -> None:
    table, options = given
    with pytest.raises(aa.AtomicArrowError) as refused:
        aa.write_dataset(table, lake / "none", **options)
    message = str(refused.value)
    assert all(text in message for text in says), message
    assert not re.search(r"NYI|Cast error|Json error|Csv error|External", message), message
    assert files(lake) == []


def test_later_rows_of_an_iterator_have_the_schema_of_the_first(lake: Path) -> None:
    """A list is looked through before its first row is written, and an iterator cannot be."""
    narrow = pa.table({"a": pa.array([1], pa.int32())})
    wide = pa.table({"a": pa.array([2**40], pa.int64())})

    def chunks() -> Iterator[pa.Table]:
        yield narrow
        yield wide

    with pytest.raises(aa.SchemaMismatchError) as refused:
        aa.write_dataset(chunks(), lake / "none")
    message = str(refused.value)
    assert 'column "a": expected Int32, found Int64; cast it' in message
    assert "hint: the schema is that of the first rows" in message
    assert "schema=" in message
    assert not (lake / "none").exists()
    aa.write_dataset([narrow, wide], lake / "list")
    aa.write_dataset(chunks(), lake / "told", schema=wide.schema)
    for root in ("list", "told"):
        assert pq.read_table(lake / root)["a"].to_pylist() == [1, 2**40]


TEXTS = pa.table({"c": ["x"]})
REMEDIES: dict[str, tuple[pa.Table, dict[str, Any], dict[str, Any]]] = {
    "csv_null=": (
        pa.table({"c": pa.array([None], "str")}),
        {"format": "csv"},
        {"csv_null": "NULL"},
    ),
    "json_non_finite=": (
        pa.table({"c": [float("nan")]}),
        {"format": "ndjson"},
        {"json_non_finite": "null"},
    ),
    "case_sensitive_names=True": (
        pa.table({"c": [1], "C": [2]}),
        {},
        {"case_sensitive_names": True},
    ),
    "schema_check=False": (TEXTS, {}, {"schema_check": False}),
    "overwrite_table=True": (TEXTS, {"mode": "overwrite"}, {"overwrite_table": True}),
}


@pytest.mark.parametrize("remedy", REMEDIES)
def test_a_remedy_is_named_as_python_has_it_and_helps(lake: Path, remedy: str) -> None:
    table, needing, using = REMEDIES[remedy]
    if remedy == "schema_check=False":
        aa.write_dataset(pa.table({"c": [1]}), lake / "weather")
    if remedy == "overwrite_table=True":
        (lake / "weather" / "_delta_log").mkdir(parents=True)
        (lake / "weather" / "_delta_log" / "0.json").write_text("{}")
    with pytest.raises(aa.AtomicArrowError, match=re.escape(f"`{remedy}`")) as refused:
        aa.write_dataset(table, lake / "weather", **needing)
    assert not re.search(r"--[a-z]|TextOptions|\(true\)|\(false\)", str(refused.value))
    aa.write_dataset(table, lake / "weather", **needing, **using)


class Odd(pa.ExtensionType):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(pa.int64(), "odd")

    def __arrow_ext_serialize__(self) -> bytes:
        return b"\xfe"

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, parameters: bytes) -> Odd:
        return cls()


@pytest.mark.parametrize(
    "data",
    [
        pa.table({"a\0b": [1]}),
        pa.table({"s": [{"a\0b": 1}]}),
        pl.DataFrame({"a\0b": [1]}),
        pd.DataFrame({"a\0b": [1]}),
    ],
    ids=["table", "member", "polars", "pandas"],
)
def test_a_name_with_a_nul_is_refused(data: object, lake: Path) -> None:
    with pytest.raises(aa.InputError, match=r"named 'a\\x00b'.*rename it"):
        aa.write_dataset(data, lake)
    assert list(lake.iterdir()) == []


def test_metadata_that_are_not_text_are_refused_with_their_place(lake: Path) -> None:
    number = pa.field("a", pa.int64())
    odd = number.with_metadata({b"k": b"\xfe"})
    kind = Odd()
    schemas = {
        "the schema": pa.schema([number], metadata={b"k": b"\xfe"}),
        'column "a"': pa.schema([odd]),
        'column "s.a"': pa.schema([pa.field("s", pa.struct([odd]))]),
        'column "l[]"': pa.schema([pa.field("l", pa.list_(odd))]),
        'column "e"': pa.schema([pa.field("e", kind)]),
    }
    for place, schema in schemas.items():
        table = schema.empty_table()
        for given in (table, table.to_reader()):
            with pytest.raises(aa.InputError, match=re.escape(place)) as refused:
                aa.write_dataset(given, lake / "none")
            assert "that is not UTF-8" in str(refused.value)
        with pytest.raises(aa.InputError, match=re.escape(place)):
            aa.write_dataset(pa.table({"a": [1]}), lake / "none", schema=schema)
    assert not (lake / "none").exists()


def test_an_extension_type_beside_its_storage_is_refused_with_what_to_do(lake: Path) -> None:
    storage = pa.array([1, 0], pa.int8())
    plain = pa.table({"a": storage})
    booleans = pa.table({"a": pa.ExtensionArray.from_storage(pa.bool8(), storage)})
    typed, untyped = "Int8 of the extension type arrow.bool8", "Int8 without an extension type"
    for first, second, expected, found in (
        (booleans, plain, typed, untyped),
        (plain, booleans, untyped, typed),
    ):
        for chunks in ([first, second], iter([first, second])):
            with pytest.raises(aa.SchemaMismatchError) as refused:
                aa.write_dataset(chunks, lake / "none")
            message = str(refused.value)
            assert f'column "a": expected {expected}, found {found}; give the column one' in message
            assert "schema=" not in message
