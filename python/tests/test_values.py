"""Values that their type does not have are refused, with their column and row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import pyarrow as pa
import pytest


def decimals(values: Sequence[int], kind: Any) -> pa.Array:
    width = kind.bit_width // 8
    bytes_of = b"".join(value.to_bytes(width, "little", signed=True) for value in values)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(bytes_of)])


def times(values: Sequence[int], kind: Any) -> pa.Array:
    wide = pa.int32() if kind.bit_width == 32 else pa.int64()
    return pa.array(values, wide).view(kind)


DAY = 86_400
CASES = {
    "digits": decimals([99_999, 100_000], pa.decimal128(5, 2)),
    "digits below 0": decimals([-99_999, -100_000], pa.decimal128(5, 2)),
    "most digits": decimals([0, 10**38], pa.decimal128(38, 2)),
    "few digits": decimals([0, 1_000], pa.decimal32(3, 1)),
    "many digits": decimals([0, 10**20], pa.decimal256(20, 2)),
    "seconds": times([DAY - 1, DAY], pa.time32("s")),
    "before midnight": times([0, -1], pa.time32("ms")),
    "microseconds": times([DAY * 10**6 - 1, DAY * 10**6], pa.time64("us")),
    "nanoseconds": times([0, DAY * 10**9], pa.time64("ns")),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("format", ["parquet", "ipc", "ndjson", "csv"])
def test_values_that_a_type_does_not_have_are_refused(lake: Path, name: str, format: Any) -> None:
    array = CASES[name]
    table = pa.table({"k": range(len(array)), "x": array})
    with pytest.raises(aa.AtomicArrowError, match='"x"') as refused:
        aa.write_dataset(table, lake / "odd", format=format)
    assert "row 1" in str(refused.value)
    assert not (lake / "odd").exists()
    aa.write_dataset(table.slice(0, 1), lake / "odd", format=format)


@pytest.mark.parametrize("name", CASES)
def test_they_are_refused_within_types_and_in_single_files(lake: Path, name: str) -> None:
    array = CASES[name]
    offsets = pa.array(range(len(array) + 1), pa.int32())
    nested = {
        "plain": array,
        "struct": pa.StructArray.from_arrays([array], ["m"]),
        "list": pa.ListArray.from_arrays(offsets, array),
    }
    for kind, column in nested.items():
        table = pa.table({"x": column})
        for data in (table, table.slice(1)):
            with pytest.raises(aa.AtomicArrowError, match='"x'):
                aa.write_dataset(data, lake / "odd")
        with (
            pytest.raises(aa.AtomicArrowError, match='"x'),
            aa.AtomicArrowWriter(lake / "odd", {"k": 1}, schema=table.schema) as writer,
        ):
            writer.write(table)
        aa.write_dataset(table.slice(0, 1), lake / kind)


def test_what_lies_beneath_a_null_is_no_value(lake: Path) -> None:
    array = times([0, DAY], pa.time32("s"))
    hidden = pa.StructArray.from_arrays([array], ["m"], mask=pa.array([False, True]))
    aa.write_dataset(pa.table({"x": hidden}), lake / "hidden")


@pytest.mark.parametrize("format", ["parquet", "ipc", "ndjson", "csv"])
@pytest.mark.parametrize("zone", ["Mars/Base", "europe/berlin", "+26:00"])
def test_time_zones_that_nobody_knows_are_refused(lake: Path, zone: str, format: Any) -> None:
    instants = pa.array([0], pa.int64()).view(pa.timestamp("us", zone))
    columns = {
        "plain": instants,
        "list": pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), instants),
    }
    for name, column in columns.items():
        with pytest.raises(aa.InvalidOptionError, match=f'"{name}" has the time zone'):
            aa.write_dataset(pa.table({name: column}), lake / "odd", format=format)
    assert not (lake / "odd").exists()
