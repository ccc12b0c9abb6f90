"""Rows in types that readers once took for others: they come back as they were, or are refused."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from datetime import UTC, date, datetime
from pathlib import Path

import atomic_arrow as aa
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest


def test_seconds_and_dates_are_times_for_every_reader(lake: Path) -> None:
    frame = pd.DataFrame(
        {
            "t": np.array(["2020-01-01T00:00:01"], dtype="datetime64[s]"),
            "d": np.array(["2020-01-02"], dtype="datetime64[D]"),
        }
    )
    aa.write_dataset(frame, lake / "weather", verify="decode")
    assert dict(pd.read_parquet(lake / "weather").dtypes) == {
        "t": np.dtype("datetime64[ms]"),
        "d": np.dtype("datetime64[ms]"),
    }
    files = f"{lake}/weather/*.parquet"
    assert pl.read_parquet(files).dtypes == [pl.Datetime("ms")] * 2
    assert duckdb.sql(f"select t::text, d::text from '{files}'").fetchall() == [
        ("2020-01-01 00:00:01", "2020-01-02 00:00:00")
    ]


def test_frames_with_categories_of_their_own_are_one_column(lake: Path) -> None:
    names = [[f"u{chunk}_{name}" for name in range(100)] for chunk in range(3)]
    chunks = [pd.DataFrame({"c": pd.Categorical(some)}) for some in names]
    assert {chunk["c"].cat.codes.dtype for chunk in chunks} == {np.dtype("int8")}
    aa.write_dataset(chunks, lake / "weather")
    assert aa.verify(lake / "weather", level="decode").is_sound
    expected = [name for some in names for name in some]
    assert pd.read_parquet(lake / "weather")["c"].tolist() == expected
    assert pl.read_parquet(f"{lake}/weather/*.parquet")["c"].to_list() == expected


def test_categories_in_an_order_are_refused_where_it_would_be_lost(lake: Path) -> None:
    sizes = pd.CategoricalDtype([3, 1], ordered=True)
    frame = pd.DataFrame({"size": pd.Series([1, 3], dtype=sizes)})
    with pytest.raises(
        aa.EncodeError, match='column "size": it is an ordered dictionary'
    ) as refused:
        aa.write_dataset(frame, lake / "weather")
    assert refused.value.outcome == "not_published"
    assert not (lake / "weather").exists()


def test_columns_of_one_name_are_refused(lake: Path) -> None:
    one = pa.array([1])
    twice = pa.Table.from_arrays([one, one], names=["a", "a"])
    within = pa.table({"s": pa.StructArray.from_arrays([one, one], names=["a", "a"])})
    for table, name in ((twice, "a"), (within, "s.a")):
        with pytest.raises(aa.InvalidOptionError, match=f'two columns named "{name}"'):
            aa.write_dataset(table, lake / "weather")
    assert not (lake / "weather").exists()


def test_a_union_is_refused_with_its_column(lake: Path) -> None:
    union = duckdb.connect().sql("select union_value(num := 2) as u")
    with pytest.raises(aa.EncodeError, match='column "u": it is a union') as refused:
        aa.write_dataset(union, lake / "weather")
    assert refused.value.outcome == "not_published"


def test_null_and_the_empty_text_of_csv_come_back_as_they_were(lake: Path) -> None:
    table = pa.table({"s": ["", None, "x"], "n": [1, 2, None]})
    receipt = aa.write_dataset(table, lake / "csv", format="csv")
    inputs = {"ours": lake / "csv" / receipt.files[0].path}
    for writer in ("pyarrow", "duckdb", "polars"):
        inputs[writer] = lake / f"{writer}.csv"
    pyarrow.csv.write_csv(table, inputs["pyarrow"])
    with duckdb.connect() as connection:
        connection.from_arrow(table).write_csv(str(inputs["duckdb"]))
    pl.DataFrame(table).write_csv(inputs["polars"])
    for name, path in inputs.items():
        command = [sys.executable, "-m", "atomic_arrow", "write", path, "--to", lake / name, "-q"]
        subprocess.run(command, check=True)
        assert pq.read_table(lake / name).to_pylist() == table.to_pylist(), name
    again = pd.read_csv(inputs["ours"], keep_default_na=False, na_values={"n": ""})
    assert again["s"].tolist() == ["", "", "x"]


@pytest.mark.parametrize("form", ["parquet", "csv", "ndjson", "ipc"])
def test_arrays_that_are_not_valid_arrow_are_refused(lake: Path, form: str) -> None:
    offsets = pa.py_buffer(np.array([0, 3, 1], "int32"))
    text = pa.py_buffer(b"ab\xff")
    invalid = {
        "offsets that go backwards": pa.Array.from_buffers(pa.string(), 2, [None, offsets, text]),
        "text that is not UTF-8": pa.array([b"\xff\xfe"]).view(pa.string()),
        "an index beyond the dictionary": pa.DictionaryArray.from_arrays(
            pa.array([5, -1]), pa.array(["a"]), safe=False
        ),
    }
    for name, values in invalid.items():
        nested = pa.StructArray.from_arrays([values], ["inner"])
        for column in (values,) if form == "csv" else (values, nested):
            with pytest.raises(aa.InputError, match='column "c" is not valid Arrow') as refused:
                aa.write_dataset(pa.table({"c": column}), lake / "weather", format=form)
            assert refused.value.outcome == "not_published", name
    assert not (lake / "weather").exists()


def test_types_of_duckdb_that_arrow_lacks_are_refused(lake: Path) -> None:
    for expression, kind in [
        ("1::uhugeint", "UHUGEINT"),
        ("'12:00:00+02'::timetz", "TIME WITH TIME ZONE"),
        ("'10101'::bit", "BIT"),
        ("[{'x': '1'::bit}]", "BIT"),
        ("map {1: 2::uhugeint}", "UHUGEINT"),
    ]:
        with pytest.raises(aa.InputError, match=f"'c.*{kind}.*cast it to"):
            aa.write_dataset(duckdb.connect().sql(f"select {expression} as c"), lake / "weather")
    relation = duckdb.connect().sql(
        "select 1::hugeint as c, [time '12:00'] as d, [1, 2]::int[2] as e"
    )
    aa.write_dataset(relation, lake / "weather")
    assert aa.verify(lake / "weather", level="decode").is_sound


def test_row_numbers_that_do_not_count_from_zero_are_left_out_too(lake: Path) -> None:
    frame = pd.DataFrame({"v": [3, 1, 2, 0, 9, 8, 7, 6]}).iloc[4:8]
    aa.write_dataset(frame, lake / "weather", sort_by="v")
    read = pd.read_parquet(lake / "weather")
    assert read["v"].tolist() == [6, 7, 8, 9]
    assert read.index.tolist() == [0, 1, 2, 3]


def test_objects_of_several_kinds_are_refused(lake: Path) -> None:
    day, noon = date(2020, 1, 1), datetime(2020, 1, 1, 12)
    for values, kinds in [
        ([day, noon], "dates and points in time"),
        ([noon, day], "dates and points in time"),
        ([noon, noon.replace(tzinfo=UTC)], "with and without a time zone"),
        (["a", b"b"], "strings and bytes"),
    ]:
        frame = pd.DataFrame({"c": pd.Series(values, dtype=object)})
        with pytest.raises(aa.InputError, match=f"'c' holds .*{kinds}.*convert them"):
            aa.write_dataset(frame, lake / "weather")
    for values in ([day, None], [noon, pd.NaT], ["a", None], [noon.replace(tzinfo=UTC), pd.NaT]):
        frame = pd.DataFrame({"c": pd.Series(values, dtype=object)})
        aa.write_dataset(frame, lake / "kept", mode="overwrite")
        assert pq.read_table(lake / "kept")["c"].null_count == 1


def test_what_has_no_rows_of_its_own_is_told_how_to_give_them(lake: Path) -> None:
    class Lance:
        def scanner(self) -> None: ...

    with pytest.raises(TypeError, match="to_reader"):
        aa.write_dataset(Lance(), lake / "weather")
    with pytest.raises(TypeError, match="schema has to be"):
        aa.write_dataset(pa.table({"v": [1]}), lake / "weather", schema=5)


def test_the_types_that_pandas_notes_are_those_of_the_widened_columns(lake: Path) -> None:
    for first, later in [
        (pd.array([0.5], "Float32"), pd.array([0.1], "Float64")),
        (pd.array([1], "Int8"), pd.array([1000], "Int64")),
        (pd.array([1], "Int64"), pd.array([2**63], "UInt64")),
    ]:
        frames = [pd.DataFrame({"c": values, "d": ["x"]}) for values in (first, later)]
        aa.write_dataset(frames, lake / "weather", mode="overwrite")
        read = pd.read_parquet(lake / "weather")
        assert read["c"].tolist() == [first.tolist()[0], later.tolist()[0]]
        assert read["d"].tolist() == ["x", "x"]


def _periods(frequency: str) -> pd.DataFrame:
    return pd.DataFrame({"c": pd.period_range("2020-01-01", periods=2, freq=frequency)})


def _intervals(closed: str) -> pd.DataFrame:
    return pd.DataFrame({"c": pd.interval_range(0, 2, closed=closed)})


UNLIKE = {
    "periods": (_periods("D"), _periods("M")),
    "intervals": (_intervals("left"), _intervals("right")),
    "uuid": (pa.table({"c": pa.array([b"0" * 16], pa.uuid())}), pa.table({"c": [b"1" * 16]})),
    "json": (pa.table({"c": pa.array(["{}"], pa.json_())}), pa.table({"c": ["nojson{"]})),
}


@pytest.mark.parametrize("kind", UNLIKE)
@pytest.mark.parametrize("policy", ["unify", "exact"])
def test_values_of_unlike_extension_types_are_not_one_column(
    lake: Path, kind: str, policy: str
) -> None:
    first, later = UNLIKE[kind]
    if kind == "uuid":
        later = later.cast(pa.schema([("c", pa.binary(16))]))
    for one, other in [(first, later), (later, first)]:
        for data in ([one, other], iter([one, other])):
            with pytest.raises(aa.SchemaMismatchError, match="extension type"):
                aa.write_dataset(data, lake / "weather", schema_policy=policy)
        writer = aa.DatasetWriter(lake / "weather", schema=one, schema_policy=policy)
        writer.write(one)
        with pytest.raises(aa.SchemaMismatchError, match="extension type"):
            writer.write(other)
        writer.discard()
    assert not (lake / "weather").exists()


def _geometries(crs: int | None, bbox: list[float]) -> pa.Table:
    """Points of a coordinate reference system, or bytes."""
    table = pa.table({"c": pa.array([b"\x01"], pa.binary())})
    if crs is None:
        return table
    said = {"encoding": "WKB", "geometry_types": ["Point"], "bbox": bbox}
    said["crs"] = {"id": {"authority": "EPSG", "code": crs}}
    geo = {"version": "1.1.0", "primary_column": "c", "columns": {"c": said}}
    return table.replace_schema_metadata({"geo": json.dumps(geo)})


@pytest.mark.parametrize("crs", [4326, None])
@pytest.mark.parametrize("policy", ["unify", "exact"])
def test_geometries_of_two_coordinate_systems_are_not_one_column(
    lake: Path, crs: int | None, policy: str
) -> None:
    swiss, other = _geometries(2056, [0, 0, 1, 1]), _geometries(crs, [0, 0, 1, 1])
    root = lake / "weather"
    for one, two in [(swiss, other), (other, swiss)]:
        wide = two.append_column("n", pa.array([1]))
        more = one.append_column("n", pa.array([1]))
        for data in ([one, two], iter([one, two]), [one, wide], [more, two]):
            with warnings.catch_warnings(), pytest.raises(aa.AtomicArrowError, match="reproject"):
                warnings.simplefilter("ignore", aa.DataSetWarning)
                aa.write_dataset(data, root, schema_policy=policy)
        staged = [aa.stage(table, root) for table in (one, two)]
        with pytest.raises(aa.IncompatibleError, match="reproject"):
            aa.commit(staged)
        aa.discard(staged)
    assert not list(root.glob("*.parquet"))
    aa.write_dataset(swiss, root)
    with pytest.raises(aa.IncompatibleError, match="reproject"):
        aa.write_dataset(other, root)


def test_a_box_around_some_geometries_is_not_said_of_all(lake: Path) -> None:
    west, east = _geometries(2056, [0, 0, 1, 1]), _geometries(2056, [5, 5, 6, 6])
    receipt = aa.write_dataset([west, east], lake / "weather")
    (path,) = (lake / "weather" / file.path for file in receipt.files)
    (said,) = json.loads(pq.read_metadata(path).metadata[b"geo"])["columns"].values()
    assert said["crs"]["id"]["code"] == 2056
    assert "bbox" not in said
    with pytest.raises(aa.SchemaMismatchError, match="bbox"):
        aa.write_dataset(iter([west, east]), lake / "weather")
    aa.write_dataset(east, lake / "weather")


def test_an_append_of_another_extension_type_is_refused_and_of_its_storage_said(lake: Path) -> None:
    aa.write_dataset(_periods("D"), lake / "weather")
    with pytest.raises(aa.IncompatibleError, match=r"pandas\.period"):
        aa.write_dataset(_periods("M"), lake / "weather")
    aa.write_dataset(_periods("D"), lake / "weather")
    assert pd.read_parquet(lake / "weather")["c"].dtype == "period[D]"
    with pytest.warns(aa.DataSetWarning, match=r"pandas\.period"):
        aa.write_dataset(pa.table({"c": [1]}), lake / "weather")
