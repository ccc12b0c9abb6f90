"""Rows in types that readers once took for others: they come back as they were, or are refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import atomic_arrow as aa
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
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
    with pytest.raises(aa.EncodeError, match='column "size" is an ordered dictionary') as refused:
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
    with pytest.raises(aa.EncodeError, match='column "u" is a union') as refused:
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
