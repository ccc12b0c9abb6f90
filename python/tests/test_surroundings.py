"""What a write finds in a data set already: what it is refused for, and what it says."""

from __future__ import annotations

from pathlib import Path

import atomic_arrow as aa
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest


def rows(**columns: list[object]) -> pa.Table:
    return pa.table({"k": ["a"], **columns})


def test_an_append_of_another_type_or_by_other_keys_is_refused(lake: Path) -> None:
    root = lake / "typed"
    aa.write_dataset(rows(v=[1]), root, partition_by="k")
    with pytest.raises(aa.IncompatibleError, match=r'column "v" is Utf8 .* but Int64') as raised:
        aa.write_dataset(rows(v=["x"]), root, partition_by="k")
    assert raised.value.outcome == aa.Outcome.NOT_PUBLISHED
    assert ds.dataset(root, partitioning="hive").to_table().num_rows == 1
    aa.write_dataset(rows(v=["x"]), root, partition_by="k", schema_check=False)

    root = lake / "keyed"
    aa.write_dataset(rows(j=[1], v=[1]), root, partition_by="k")
    with pytest.raises(aa.IncompatibleError, match=r"the partition keys are j .* but k in"):
        aa.write_dataset(rows(j=[1], v=[1]), root, partition_by="j")
    assert len(pl.read_parquet(root)) == 1


def test_what_readers_have_to_be_told_is_a_note_and_a_warning(lake: Path) -> None:
    aa.write_dataset(rows(v=[1]), lake / "weather", partition_by="k")
    with pytest.warns(aa.DataSetWarning, match='column "new" is new') as warned:
        receipt = aa.write_dataset(rows(v=[1], new=[2]), lake / "weather", partition_by="k")
    assert [note.kind for note in receipt.notes] == ["column-added"]
    assert str(warned[0].filename) == __file__
    writer = aa.DatasetWriter(lake / "weather", schema=rows(v=[1]).schema, partition_by="k")
    writer.write(rows(v=[1]))
    with pytest.warns(aa.DataSetWarning, match="not in this write") as warned:
        writer.commit()
    assert str(warned[0].filename) == __file__


def test_files_that_a_table_does_not_know_are_a_warning(lake: Path) -> None:
    (lake / "table" / "_delta_log").mkdir(parents=True)
    with pytest.warns(aa.DataSetWarning, match="table of Delta Lake, which does not know"):
        receipt = aa.write_dataset(rows(v=[1]), lake / "table")
    assert [note.kind for note in receipt.notes] == ["foreign-table"]
    staged = aa.stage(rows(v=[1]), lake / "table")
    with pytest.warns(aa.DataSetWarning, match="table of Delta Lake"):
        aa.commit([staged])


def test_parts_that_do_not_go_together_are_not_committed(lake: Path) -> None:
    parts = [
        aa.stage(rows(v=[1]), lake / "weather", partition_by="k"),
        aa.stage(rows(v=["x"]), lake / "weather", partition_by="k"),
        aa.stage(rows(v=[1]), lake / "weather"),
    ]
    with pytest.raises(aa.IncompatibleError, match='column "v" is Utf8'):
        aa.commit(parts[:2])
    with pytest.raises(aa.IncompatibleError, match="the partition keys are none"):
        aa.commit(parts[::2])
    assert aa.commit(parts[:2], schema_check=False).rows == 2
    aa.discard(parts)


def test_a_column_of_nulls_gets_the_type_that_is_there(lake: Path) -> None:
    aa.write_dataset(rows(v=["x"], w=[["x"]]), lake / "weather", partition_by="k")
    receipt = aa.write_dataset(rows(v=[None], w=[[]]), lake / "weather", partition_by="k")
    schema = pq.read_schema(lake / "weather" / receipt.files[0].path)
    assert schema.field("v").type == pa.string()
    assert schema.field("w").type.value_type == pa.string()
    assert len(pl.read_parquet(lake / "weather")) == 2
    root = lake / "parts"
    parts = [aa.stage(rows(v=value), root, partition_by="k") for value in ([["x"]], [None])]
    with pytest.raises(aa.IncompatibleError, match='column "v" is Null'):
        aa.commit(parts)
    aa.discard(parts)


def test_without_rows_an_unpartitioned_data_set_has_its_schema(lake: Path) -> None:
    receipt = aa.write_dataset(pl.DataFrame(schema={"a": pl.Int64}), lake / "weather")
    assert [note.kind for note in receipt.notes] == ["schema-only"]
    assert pl.read_parquet(lake / "weather").schema == {"a": pl.Int64}
    receipt = aa.write_dataset(rows(v=[1]).slice(0, 0), lake / "other", partition_by="k")
    assert [note.kind for note in receipt.notes] == ["no-rows"]
    assert len(receipt.files) == 0


def test_an_offset_that_polars_does_not_open_becomes_utc_with_a_warning(lake: Path) -> None:
    noon = pd.Series(pd.to_datetime(["2020-01-01T12:00:00+05:30"]))
    with pytest.warns(aa.DataSetWarning, match=r'"at" has the time zone \+05:30') as warned:
        receipt = aa.write_dataset(pd.DataFrame({"at": noon}), lake / "weather")
    assert [note.kind for note in receipt.notes] == ["offset-not-kept"]
    assert str(warned[0].filename) == __file__
    read = pl.read_parquet(lake / "weather")
    assert read["at"][0] == noon[0]
    back = pd.read_parquet(lake / "weather")
    assert back["at"][0] == noon[0]


def test_names_that_differ_by_case_from_those_that_are_there_are_refused(lake: Path) -> None:
    for format in ("parquet", "csv", "ndjson", "ipc"):
        root = lake / format
        aa.write_dataset(rows(id=[1]), root, format=format)
        with pytest.raises(aa.IncompatibleError, match='"ID"'):
            aa.write_dataset(rows(ID=[1]), root, format=format)
    parts = [aa.stage(rows(id=[1]), lake / "parts"), aa.stage(rows(ID=[1]), lake / "parts")]
    with pytest.raises(aa.IncompatibleError, match='"ID"'):
        aa.commit(parts)
    with pytest.warns(aa.DataSetWarning) as said:
        assert aa.commit(parts, case_sensitive_names=True).rows == 2
    assert len(said) == 2
