"""What partitions hand over is written as it is, or refused."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import dask
import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

DAY = datetime.date(2026, 11, 30)


def types_in(root: Path) -> list[Any]:
    """The types that the column ``v`` has in the files, without repetition."""
    schemas = [pyarrow.parquet.read_schema(path) for path in sorted(root.rglob("*.parquet"))]
    return list(dict.fromkeys(schema.field("v").type for schema in schemas))


def values_in(root: Path) -> list[Any]:
    tables = [pyarrow.parquet.read_table(path) for path in sorted(root.rglob("*.parquet"))]
    rows = [row for table in tables for row in table.to_pylist()]
    return [row["v"] for row in sorted(rows, key=lambda row: row["n"])]


def frames(*columns: Any) -> Any:
    """A frame of Dask with a partition for each column, of which Dask knows the first one's type."""
    parts, start = [], 0
    for column in columns:
        numbers = range(start, start + len(column))
        parts.append(pd.DataFrame({"n": pd.Series(numbers, dtype="int64"), "v": column}))
        start += len(column)
    return dd.from_map(lambda part: part, parts, meta=parts[0].iloc[:0])


@pytest.mark.parametrize(
    ("column", "kind", "values"),
    [
        (pd.Series(["a", None], dtype="string[pyarrow]"), pa.large_string(), ["a", None]),
        (pd.Series(["a", None], dtype="str"), pa.large_string(), ["a", None]),
        (pd.Series([1, None], dtype="Int64"), pa.int64(), [1, None]),
        (pd.Series([1, 2], dtype="uint8"), pa.uint8(), [1, 2]),
        (pd.Series([True, None], dtype="boolean"), pa.bool_(), [True, None]),
        (
            pd.Series([decimal.Decimal("1.25"), None], dtype=pd.ArrowDtype(pa.decimal128(9, 2))),
            pa.decimal128(9, 2),
            [decimal.Decimal("1.25"), None],
        ),
        (pd.Series([DAY], dtype=pd.ArrowDtype(pa.date32())), pa.date32(), [DAY]),
        (
            pd.Series([[1, 2], None], dtype=pd.ArrowDtype(pa.list_(pa.int32()))),
            pa.list_(pa.int32()),
            [[1, 2], None],
        ),
        (
            pd.Series(pd.to_datetime(["2026-11-30 12:00"])).dt.tz_localize("Europe/Vienna"),
            None,
            [pd.Timestamp("2026-11-30 12:00", tz="Europe/Vienna")],
        ),
        (
            pd.Series(["x", "y"], dtype=pd.CategoricalDtype(["y", "x"], ordered=True)),
            None,
            ["x", "y"],
        ),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_types_that_dask_knows_are_those_of_all_partitions(
    column: Any, kind: Any, values: list[Any], root: Path
) -> None:
    none = column.iloc[:0]
    nulls = column.iloc[[0]].where(lambda given: given.isna())
    if nulls.dtype != column.dtype:
        nulls = none
    aa.dask.write_dataset(frames(column, none, nulls, column), root)
    assert len(types_in(root)) == 1
    assert kind is None or types_in(root) == [kind]
    assert values_in(root) == [*values, *[None] * len(nulls), *values]


@pytest.fixture
def objects() -> Iterator[None]:
    """Has Dask leave objects as they are; by default it makes strings of them."""
    with dask.config.set({"dataframe.convert-string": False}):
        yield


@pytest.mark.usefixtures("objects")
def test_objects_have_the_type_of_their_partitions(root: Path) -> None:
    column = pd.Series([{"a": 1}], dtype=object)
    aa.dask.write_dataset(frames(column, column), root)
    assert types_in(root) == [pa.struct([("a", pa.int64())])]
    other = pd.Series([b"x"], dtype=object)
    with pytest.raises(aa.IncompatibleError):
        aa.dask.write_dataset(frames(column, other), root)
    assert values_in(root) == [{"a": 1}] * 2


@pytest.mark.usefixtures("objects")
def test_objects_of_several_kinds_are_refused(root: Path) -> None:
    mixed = pd.Series([1, "x"], dtype=object)
    with pytest.raises(aa.InputError, match="'v'"):
        aa.dask.write_dataset(frames(mixed), root)
    assert not list(root.rglob("*.parquet"))
    assert aa.staged(root) == []


@pytest.mark.usefixtures("objects")
def test_a_schema_decides_what_objects_do_not(root: Path) -> None:
    nulls, texts = pd.Series([None], dtype=object), pd.Series(["x"], dtype=object)
    schema = pa.schema({"n": pa.int64(), "v": pa.string()})
    aa.dask.write_dataset(frames(nulls, texts, nulls.iloc[:0]), root, schema=schema)
    assert types_in(root) == [pa.string()]
    assert values_in(root) == [None, "x"]


def test_categories_that_dask_does_not_know_are_those_of_each_partition(root: Path) -> None:
    first, second = (pd.Series([value], dtype="category") for value in ("x", "y"))
    unknown = frames(first, second)
    unknown["v"] = unknown["v"].cat.as_unknown()
    aa.dask.write_dataset(unknown, root)
    assert values_in(root) == ["x", "y"]
    assert all(pa.types.is_dictionary(kind) for kind in types_in(root))


def test_a_partition_of_another_type_than_dask_knows_is_refused(root: Path) -> None:
    for other in (["x"], [0.5]):
        with pytest.raises(aa.SchemaMismatchError):
            aa.dask.write_dataset(frames(pd.Series([1]), pd.Series(other)), root)
    assert not list(root.rglob("*.parquet"))
    # Nothing is lost of a narrower one.
    aa.dask.write_dataset(frames(pd.Series([1]), pd.Series([2], dtype="int8")), root)
    assert types_in(root) == [pa.int64()]


def test_an_index_is_written_if_that_is_said(root: Path) -> None:
    frame = pd.DataFrame({"n": [0, 1], "v": ["a", "b"]}).set_index("v")
    ddf = dd.from_pandas(frame, npartitions=2)
    with pytest.raises(aa.InputError, match="index=True"):
        aa.dask.write_dataset(ddf, root)
    assert not root.exists()
    aa.dask.write_dataset(ddf, root, index=True)
    assert values_in(root) == ["a", "b"]
    aa.dask.write_dataset(ddf, root, index=False, mode="overwrite")
    assert {path.name for path in root.iterdir() if path.suffix == ".parquet"}
    assert pyarrow.parquet.read_schema(next(root.glob("*.parquet"))).names == ["n"]


def test_a_filtered_frame_keeps_no_row_numbers(root: Path) -> None:
    ddf = frames(pd.Series(["a", "b", "c"]), pd.Series(["d"]))
    aa.dask.write_dataset(ddf[ddf["n"] > 0], root)
    assert values_in(root) == ["b", "c", "d"]
    assert pyarrow.parquet.read_schema(next(root.glob("*.parquet"))).names == ["n", "v"]


def test_a_series_is_a_data_set_of_one_column(root: Path) -> None:
    aa.dask.write_dataset(frames(pd.Series(["a"]))["v"], root)
    assert types_in(root) == [pa.large_string()]
