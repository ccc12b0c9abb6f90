"""Filters on Delta tables that were told of commits, whose readers pass files over by their statistics in the log."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import deltalake
import pyarrow as pa
import pyarrow.compute as pc
import pytest

UTC = datetime.UTC
NAN = float("nan")

# The first two are of one file, the last two of another.
VALUES: dict[str, pa.Array] = {
    "int8": pa.array([-128, 127, None, 5], pa.int8()),
    "int64": pa.array([-(2**63), 2**63 - 1, 2**53 + 1, None]),
    "float32": pa.array([1.5, 2.5, None, float("inf")], pa.float32()),
    "float64": pa.array([1.5, 2.5, -0.5, None]),
    "boolean": pa.array([True, False, None, True]),
    "text": pa.array(["a", "", None, "ü"]),
    "long text": pa.array(["a" * 1000, "b" * 1000, "c", None]),
    "binary": pa.array([b"\x00\xff", b"", None, b"a"]),
    "cents": pa.array([Decimal("1.25"), Decimal("-2.5"), Decimal(3), None], pa.decimal128(10, 2)),
    "whole": pa.array([Decimal(12345), Decimal(-2), Decimal(0), None], pa.decimal128(5, 0)),
    "tiny": pa.array([Decimal("1e-7"), Decimal("-3e-7"), Decimal(0), None], pa.decimal128(20, 7)),
    "wide": pa.array([Decimal("1" * 36 + ".25"), Decimal("2.5"), Decimal(3), None], pa.decimal128(38, 2)),
    "date": pa.array([datetime.date(1, 1, 1), datetime.date(9999, 12, 31), datetime.date(2020, 2, 29), None]),
    "local": pa.array([datetime.datetime(1, 1, 1), datetime.datetime(2020, 1, 1, 1, 2, 3, 4), datetime.datetime(1969, 1, 1), None], pa.timestamp("us")),
    "instant": pa.array([datetime.datetime(1, 1, 1, tzinfo=UTC), datetime.datetime(2020, 1, 1, 1, 2, 3, 4, UTC), None, datetime.datetime(1969, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")),
    "null in one file": pa.array([None, None, 3, 4]),
    "null fractions in one file": pa.array([None, None, 3.5, 4.5]),
    "null": pa.nulls(4, pa.int64()),
    "null fractions": pa.nulls(4, pa.float64()),
    "null booleans": pa.nulls(4, pa.bool_()),
    "null bytes": pa.nulls(4, pa.binary()),
}  # fmt: skip

NESTED: dict[str, pa.Array] = {
    "list": pa.array([[1], [2], None, [3]]),
    "struct": pa.array([{"a": 1}, {"a": 2}, None, {"a": 3}]),
    "map": pa.array([[("a", 1)], [], None, [("b", 2)]], pa.map_(pa.string(), pa.int64())),
    "null struct": pa.nulls(4, pa.struct([("a", pa.int64())])),
}


def rows(column: pa.Array) -> pa.Table:
    """Rows of two partitions, which become two files."""
    return pa.table({"key": [0, 0, 1, 1], "n": [1, 2, 3, 4], "value": column})


def registered(root: Path, table: pa.Table) -> None:
    receipt = aa.write_dataset(table, root, partition_by="key")
    aa.delta.register(receipt, root=root, create=True)


def filters(column: pa.Array) -> list[pc.Expression]:
    """Filters by each value of the column, by the absence of one, and by another column."""
    value, number = pc.field("value"), pc.field("n")
    asked = [
        value.is_null(),
        value.is_valid(),
        number == 1,
        number > 2,
        value.is_null() & (number == 1),
    ]
    if not pa.types.is_nested(column.type):
        for known in column.drop_null():
            asked += [value == known, value != known, value >= known, value <= known]
            asked += [(value == known) | (number == 1), (value > known) | value.is_null()]
    return asked  # fmt: skip


def found(table: pa.Table, condition: pc.Expression) -> list[int]:
    return sorted(table.filter(condition)["n"].to_pylist())


def check_filters(root: Path, written: pa.Table, column: pa.Array) -> None:
    data = deltalake.DeltaTable(root).to_pyarrow_dataset()
    for condition in filters(column):
        read = sorted(data.to_table(filter=condition)["n"].to_pylist())
        assert read == found(written, condition), condition
        assert data.count_rows(filter=condition) == len(read), condition


@pytest.mark.parametrize("kind", [*VALUES, *NESTED])
def test_pyarrow_filters_find_the_rows_that_were_written(root: Path, kind: str) -> None:
    column = (VALUES | NESTED)[kind]
    registered(root, rows(column))
    check_filters(root, rows(column), column)


def sql_of(value: Any, kind: pa.DataType) -> str:
    """A literal of SQL, of the type of a column."""
    if pa.types.is_binary(kind):
        return f"X'{value.hex()}'"
    if pa.types.is_boolean(kind):
        return str(value)
    if pa.types.is_decimal(kind):
        return f"arrow_cast('{value:f}', 'Decimal128({kind.precision}, {kind.scale})')"
    return f"arrow_cast('{value}', '{_NAMES[str(kind)]}')"


_NAMES = {
    "int8": "Int8",
    "int64": "Int64",
    "float": "Float32",
    "double": "Float64",
    "string": "Utf8",
    "date32[day]": "Date32",
    "timestamp[us]": "Timestamp(Microsecond, None)",
    "timestamp[us, tz=UTC]": 'Timestamp(Microsecond, Some("UTC"))',
}


@pytest.mark.parametrize("kind", VALUES)
def test_sql_filters_find_the_rows_that_were_written(root: Path, kind: str) -> None:
    column = VALUES[kind]
    written = rows(column)
    registered(root, written)
    query = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(root))
    value = pc.field("value")
    asked = {"value is null": value.is_null(), "value is not null": value.is_valid()}
    for known in column.drop_null():
        literal = sql_of(known.as_py(), column.type)
        asked |= {f"value = {literal}": value == known, f"value <> {literal}": value != known}
    for where, condition in asked.items():
        read = pa.table(query.execute(f"select n from t where {where}").read_all())
        assert sorted(read["n"].to_pylist()) == found(written, condition), where


def test_rows_beside_a_nan_and_the_nan_itself_are_found(root: Path) -> None:
    # PyArrow and DataFusion take the bounds in a footer for those of a NaN, too: they are not asked for ranges here.
    written = rows(pa.array([1.5, 2.5, NAN, NAN])).set_column(0, "key", pa.array([0, 0, 0, 1]))
    registered(root, written)
    value, table = pc.field("value"), deltalake.DeltaTable(root)
    query = deltalake.QueryBuilder().register("t", table)
    for where, condition in {
        "value = 1.5": value == 1.5,
        "value <> 1.5": value != 1.5,
        "isnan(value)": pc.is_nan(value),
        "n = 3": pc.field("n") == 3,
    }.items():
        wanted = found(written, condition)
        by_arrow = table.to_pyarrow_dataset().to_table(filter=condition)
        by_sql = pa.table(query.execute(f"select n from t where {where}").read_all())
        for read in (by_arrow, by_sql):
            assert sorted(read["n"].to_pylist()) == wanted, where


def test_files_with_bounds_and_without_are_filtered_in_one_table(root: Path) -> None:
    first = rows(pa.nulls(4, pa.float64()))
    second = rows(pa.array([1.5, -1.5, None, 2.5])).set_column(1, "n", pa.array([5, 6, 7, 8]))
    registered(root, first)
    with pytest.warns(aa.DataSetWarning):
        registered(root, second)
    written = pa.concat_tables([first, second])
    assert ["minValues" in known for known in statistics_of(root)] == [True, True, False, False]
    check_filters(root, written, second["value"].combine_chunks())
    deltalake.DeltaTable(root).create_checkpoint()
    check_filters(root, written, second["value"].combine_chunks())


def test_a_column_that_a_file_lacks_is_filtered_as_nulls(root: Path) -> None:
    for kind in (pa.int64(), pa.float64(), pa.list_(pa.int64())):
        place = root / str(kind).partition("<")[0]
        first = rows(pa.nulls(4, kind))
        second = pa.table({"key": [0, 1], "n": [5, 6]})
        registered(place, first)
        with pytest.warns(aa.DataSetWarning):
            registered(place, second)
        written = pa.concat_tables([first, second], promote_options="default")
        check_filters(place, written, first["value"].combine_chunks())


def statistics_of(root: Path) -> list[dict[str, Any]]:
    """The statistics of each file, as they stand in the log."""
    logs = sorted((root / "_delta_log").glob("*.json"))
    actions = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    return [json.loads(action["add"]["stats"]) for action in actions if "add" in action]


def test_files_all_of_whose_columns_have_bounds_keep_them(root: Path) -> None:
    registered(root, rows(pa.array(["a", "b", None, None])))
    assert statistics_of(root) == [
        {"numRecords": 2, "minValues": {"n": 1, "value": "a"}, "maxValues": {"n": 2, "value": "b"}, "nullCount": {"n": 0, "value": 0}},
        {"numRecords": 2, "minValues": {"n": 3}, "maxValues": {"n": 4}, "nullCount": {"n": 0, "value": 2}},
    ]  # fmt: skip


def test_of_a_file_with_a_column_without_bounds_only_the_number_of_rows_is_told(root: Path) -> None:
    registered(root, rows(pa.array([1.5, 2.5, 3.5, None])))
    assert statistics_of(root) == [{"numRecords": 2}, {"numRecords": 2}]


def test_a_write_without_statistics_is_filtered_right(root: Path) -> None:
    column = VALUES["int64"]
    receipt = aa.write_dataset(rows(column), root, partition_by="key", statistics="none")
    aa.delta.register(receipt, root=root, create=True)
    check_filters(root, rows(column), column)
