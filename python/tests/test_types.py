"""Columns keep their types, or are refused in plain words."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import duckdb
import narwhals
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def main(arguments: list[str]) -> None:
    subprocess.run([sys.executable, "-m", "atomic_arrow", *arguments], check=True)


OBJECTS = pl.DataFrame({"id": [1], "o": pl.Series([{1, 2}], dtype=pl.Object)})


@pytest.mark.parametrize(
    "data",
    [
        OBJECTS,
        OBJECTS.lazy(),
        [OBJECTS],
        [OBJECTS.lazy()],
        OBJECTS["o"],
        narwhals.from_native(OBJECTS),
    ],
    ids=["frame", "lazy", "frames", "lazy frames", "series", "narwhals"],
)
def test_addresses_in_memory_are_no_data(
    lake: Path, files: Callable[[Path], list[str]], data: Any
) -> None:
    calls: list[Callable[[], object]] = [
        lambda: aa.write_dataset(data, lake / "weather"),
        lambda: aa.stage(data, lake / "weather"),
    ]
    if not isinstance(data, list):
        calls.append(lambda: aa.DatasetWriter(lake / "weather", schema=data))
    for call in calls:
        with pytest.raises(aa.InputError, match="column 'o' is of the type Object of Polars"):
            call()
    assert files(lake) == []


def test_addresses_within_other_types_are_found(lake: Path) -> None:
    for kind, path in (
        (pl.List(pl.Object), "o[]"),
        (pl.Array(pl.Object, 2), "o[]"),
        (pl.Struct({"a": pl.List(pl.Object)}), "o.a[]"),
    ):
        with pytest.raises(
            aa.InputError, match=re.escape(f"column '{path}' is of the type Object")
        ):
            aa.write_dataset([], lake / "weather", schema=pl.Schema({"o": kind}))


@pytest.mark.parametrize("kind", [pl.Int128, pl.UInt128])
def test_integers_of_128_bits_are_refused_with_their_column(
    lake: Path, files: Callable[[Path], list[str]], kind: Any
) -> None:
    wide = pl.Series("wide", [1], dtype=kind)
    for data in (wide.to_frame(), wide.to_frame().lazy(), pl.DataFrame({"wide": wide.implode()})):
        with pytest.raises(aa.InputError, match=r"column 'wide.*Int128.*Decimal\(38, 0\)"):
            aa.write_dataset(data, lake / "weather")
    assert files(lake) == []
    cast = wide.cast(pl.Decimal(38, 0))
    aa.write_dataset(cast, lake / "weather")


def test_columns_of_nothing_are_written(lake: Path) -> None:
    nothing = pl.DataFrame(
        {"id": [1], "note": [None], "tags": [[]], "s": [{"a": None}], "^n.*e$": [None]}
    )
    for n, data in enumerate([nothing, nothing.lazy(), [nothing], pa.table(nothing)]):
        aa.write_dataset(data, lake / str(n), verify="decode")
        found = pq.read_table(lake / str(n))
        assert found.to_pylist() == nothing.to_dicts()
        assert found.schema.field("note").type == pa.null()
        assert found.schema.field("tags").type.value_type == pa.null()
        assert found.schema.field("s").type == pa.struct([("a", pa.null())])


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
def test_chunks_of_nothing_take_the_type_of_the_others(
    lake: Path, library: Callable[[Any], Any]
) -> None:
    rows = [
        {"id": [1], "note": [None], "tags": [[]]},
        {"id": [2], "note": ["x"], "tags": [[]]},
        {"id": [3], "note": [None], "tags": [["a", "b"]]},
        {"id": [4], "note": ["y"], "tags": [None]},
    ]
    expected = [{name: column[0] for name, column in row.items()} for row in rows]
    orders: list[tuple[int, ...]] = [(0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2)]
    for n, order in enumerate(orders):
        aa.write_dataset((library(rows[at]) for at in order), lake / str(n))
        found = pq.read_table(lake / str(n)).to_pylist()
        assert found == [expected[at] for at in order]
        schema = pa.schema(
            [("id", pa.int64()), ("note", pa.string()), ("tags", pa.list_(pa.string()))]
        )
        aa.write_dataset(
            (library(rows[at]) for at in order), lake / f"with schema {n}", schema=schema
        )
        found = pq.read_table(lake / f"with schema {n}").to_pylist()
        assert found == [expected[at] for at in order]


def test_what_waits_for_its_type_is_held_as_it_was(lake: Path) -> None:
    import numpy

    def chunks() -> Iterator[pd.DataFrame]:
        memory = numpy.zeros(3, dtype="int64")
        for n in range(3):
            memory[:] = n
            yield pd.DataFrame(
                {"n": pd.Series(memory, copy=False), "s": [None if n < 2 else "x"] * 3}
            )

    aa.write_dataset(chunks(), lake / "weather")
    found = pq.read_table(lake / "weather").to_pydict()
    assert found == {"n": [0] * 3 + [1] * 3 + [2] * 3, "s": [None] * 6 + ["x"] * 3}


def test_values_have_no_place_in_a_column_of_nothing(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    schema = pa.schema([("a", pa.null())])
    with pytest.raises(aa.SchemaMismatchError, match='column "a"'):
        aa.write_dataset(pa.table({"a": [1]}), lake / "weather", schema=schema)
    assert files(lake) == []


@pytest.mark.parametrize("output_format", ["parquet", "ipc", "ndjson"])
def test_maps_with_sorted_keys_are_maps(lake: Path, output_format: Any) -> None:
    kind = pa.map_(pa.string(), pa.int32(), keys_sorted=True)
    table = pa.table({"m": pa.array([[("a", 1)], None], kind)})
    aa.write_dataset(table, lake / "one", format=output_format)
    aa.write_dataset(table, lake / "two", format=output_format, schema=table.schema)
    if output_format == "parquet":
        assert pq.read_table(lake / "one").to_pylist() == table.to_pylist()
        assert pq.read_table(lake / "two").to_pylist() == table.to_pylist()


def test_a_series_is_a_column(lake: Path, files: Callable[[Path], list[str]]) -> None:
    for n, series in enumerate([pl.Series("a", [1, 2]), pd.Series([1, 2], name="a")]):
        aa.write_dataset(series, lake / str(n))
        assert pq.read_table(lake / str(n)).to_pydict() == {"a": [1, 2]}
    structs = pl.Series("s", [{"a": 1}, None])
    aa.write_dataset(structs, lake / "structs")
    assert pq.read_table(lake / "structs").to_pydict() == {"s": [{"a": 1}, None]}
    for nameless in (pl.Series([1]), pd.Series([1])):
        with pytest.raises(aa.InputError, match="the Series has no name"):
            aa.write_dataset(nameless, lake / "none")
    with pytest.raises(aa.InputError, match="values of type Int64, and no columns with names"):
        aa.write_dataset(pa.array([1]), lake / "none")
    assert not (lake / "none").exists()


def test_rows_that_are_null_as_a_whole_are_refused(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    rows = pa.array([{"a": 1}, None])
    aa.write_dataset(rows[:1], lake / "weather")
    for data in (rows, pa.chunked_array([rows])):
        with pytest.raises(aa.InputError, match="row 1 is null as a whole"):
            aa.write_dataset(data, lake / "none")
    assert not (lake / "none").exists()


def test_parquet_files_have_ordered_categories_in_their_order(lake: Path) -> None:
    sizes = ["small", "medium", "large", "huge"]
    kind = pd.CategoricalDtype(sizes, ordered=True)
    values = ["large", "small", None, "medium"]
    frame = pd.DataFrame({"size": pd.Series(values, dtype=kind), "k": [1, 2, 1, 2]})
    aa.write_dataset(frame, lake / "one", verify="decode", index=False)
    chunks = (frame[n : n + 1] for n in range(4))
    aa.write_dataset(chunks, lake / "parts", partition_by="k", index=False)
    (path,) = (lake / "one").glob("*.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(path), frame)
    found = pd.read_parquet(lake / "parts")["size"]
    assert found.cat.categories.tolist() == sizes
    assert found.cat.ordered
    assert sorted(found.dropna()) == ["large", "medium", "small"]


@pytest.mark.parametrize("ordered", [False, True])
def test_ipc_files_have_categories_in_their_order(lake: Path, ordered: bool) -> None:
    sizes = ["small", "medium", "large", "huge"]
    kind = pd.CategoricalDtype(sizes, ordered=ordered)
    frame = pd.DataFrame({"k": [1, 2, 1], "size": pd.Series(["large", "small", None], dtype=kind)})
    whole = pa.Table.from_pandas(frame, preserve_index=False)
    aa.write_dataset(frame, lake / "one", format="ipc", verify="decode")
    chunks = (frame[n : n + 1] for n in range(3))
    aa.write_dataset(chunks, lake / "parts", format="ipc", partition_by="k", index=False)
    (path,) = (lake / "one").glob("*.arrow")
    with pa.ipc.open_file(path) as reader:
        table = reader.read_all()
    assert table.schema.field("size").type == whole.schema.field("size").type
    assert table.to_pandas()["size"].equals(frame["size"])
    polars = pl.read_ipc(path)["size"]
    assert polars.to_list() == ["large", "small", None]
    for path in (lake / "parts").glob("*/*.arrow"):
        found = pd.read_feather(path)["size"]
        assert found.cat.categories.tolist() == sizes
        assert found.cat.ordered is ordered


def test_ipc_files_have_every_type_of_pyarrow(lake: Path) -> None:
    table = pa.table(
        {
            "seconds": pa.array([1, None], pa.timestamp("s", "Europe/Paris")),
            "date": pa.array([86_400_000, None], pa.date64()),
            "views": pa.array(["a", None], pa.string_view()),
            "lists": pa.array([["a"], None], pa.large_list(pa.dictionary(pa.int8(), pa.string()))),
            "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int8(), keys_sorted=True)),
            "runs": pa.RunEndEncodedArray.from_arrays([2], ["a"]),
            "interval": pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
            "decimal": pa.array([None, None], pa.decimal32(5, 2)),
            "nothing": pa.nulls(2),
        }
    )
    aa.write_dataset(table, lake / "all", format="ipc", verify="decode")
    (path,) = (lake / "all").glob("*.arrow")
    with pa.ipc.open_file(path) as reader:
        found = reader.read_all()
    assert found.schema.equals(table.schema)
    assert found.to_pylist() == table.to_pylist()


def test_no_rows_of_categories_are_a_file(lake: Path) -> None:
    table = pa.table({"size": pa.array([], pa.dictionary(pa.int8(), pa.string()))})
    with aa.DatasetWriter(lake / "none", schema=table.schema, format="ipc"):
        pass
    for path in (lake / "none").glob("*.arrow"):
        with pa.ipc.open_file(path) as reader:
            assert reader.read_all().schema.equals(table.schema)
        assert pl.read_ipc(path).height == 0


def test_extension_types_are_those_of_parquet(lake: Path) -> None:
    uuids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, None], pa.binary(16)))
    documents = pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}", None]))
    table = pa.table({"u": uuids, "j": documents, "key": [1, 2]})
    aa.write_dataset(table, lake / "ours", partition_by="key", verify="decode")
    found = duckdb.sql(f"select u, j from '{lake}/ours/*/*.parquet'")
    assert [str(kind) for kind in found.types] == ["UUID", "JSON"]
    pq.write_table(table, lake / "peer.parquet")
    ours = pq.read_schema(next((lake / "ours").glob("*/*.parquet")))
    theirs = pq.read_schema(lake / "peer.parquet")
    assert [ours.field(name).type for name in "uj"] == [theirs.field(name).type for name in "uj"]
    # The command, which knows the types from the Parquet file alone.
    for store_schema in (True, False):
        pq.write_table(table, lake / "peer.parquet", store_schema=store_schema)
        place = lake / f"copied {store_schema}"
        main(["write", str(lake / "peer.parquet"), "--to", str(place)])
        found = duckdb.sql(f"select u, j from '{place}/*.parquet'")
        assert [str(kind) for kind in found.types] == ["UUID", "JSON"]


def test_metadata_of_the_schema_are_those_of_the_file(lake: Path) -> None:
    table = pa.table({"a": [1]}).replace_schema_metadata({"geo": '{"version": "1.1.0"}'})
    aa.write_dataset(table, lake / "weather")
    (path,) = (lake / "weather").glob("*.parquet")
    assert pq.read_metadata(path).metadata[b"geo"] == b'{"version": "1.1.0"}'
    main(["write", str(path), "--to", str(lake / "copied")])
    (path,) = (lake / "copied").glob("*.parquet")
    assert pq.read_metadata(path).metadata[b"geo"] == b'{"version": "1.1.0"}'


def test_nulls_where_a_nested_type_has_none_are_refused(lake: Path) -> None:
    required = pa.field("x", pa.int64(), nullable=False)
    values = pa.array([1, None])
    columns = {
        "c.x": pa.StructArray.from_arrays([values], fields=[required]),
        "c[]": pa.ListArray.from_arrays(
            pa.array([0, 2], pa.int32()),
            values,
            type=pa.list_(pa.field("item", pa.int64(), nullable=False)),
        ),
    }
    for path, column in columns.items():
        with pytest.raises(aa.SchemaMismatchError, match=re.escape(path)):
            aa.write_dataset(pa.table({"c": column}), lake / "required")
    # What is null as a whole has no members.
    whole = pa.StructArray.from_arrays([values], fields=[required], mask=pa.array([False, True]))
    aa.write_dataset(pa.table({"c": whole}), lake / "whole")
    assert pq.read_table(lake / "whole")["c"].to_pylist() == [{"x": 1}, None]


def test_types_are_nested_as_deep_as_readers_go(lake: Path) -> None:
    def nested(depth: int) -> pa.Table:
        kind, value = pa.int8(), 1
        for _ in range(depth):
            kind, value = pa.list_(kind), [value]
        return pa.table({"c": pa.array([value], kind)})

    table = nested(32)
    for form, suffix in (("parquet", "parquet"), ("ipc", "arrow")):
        aa.write_dataset(table, lake / form, format=form)
        (path,) = (lake / form).glob(f"*.{suffix}")
        if form == "parquet":
            assert pq.read_table(path)["c"].to_pylist() == table["c"].to_pylist()
            assert pl.read_parquet(path).height == 1
        else:
            assert pa.ipc.open_file(path).read_all().equals(table)
        with pytest.raises(aa.InvalidOptionError, match="32 deep"):
            aa.write_dataset(nested(33), lake / form, format=form)
