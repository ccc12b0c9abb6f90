"""The order of categories is kept, or the write is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SIZES = ["small", "medium", "large", "huge"]


def frame(values: Sequence[str], categories: Sequence[str], ordered: bool = True) -> pd.DataFrame:
    kind = pd.CategoricalDtype(categories, ordered=ordered)
    return pd.DataFrame({"size": pd.Series(values, dtype=kind)})


def enumeration(values: Sequence[str], categories: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({"size": pl.Series(values, dtype=pl.Enum(categories))})


def words(values: Sequence[str | None], categories: Sequence[str]) -> pa.Array:
    codes = [None if value is None else categories.index(value) for value in values]
    indices = pa.array(codes, pa.int8())
    return pa.DictionaryArray.from_arrays(indices, pa.array(categories), ordered=True)


@pytest.mark.parametrize("by", ["us", "pandas"])
def test_an_append_in_another_order_is_refused(lake: Path, by: str) -> None:
    there = frame(["large"], SIZES)
    if by == "us":
        aa.write_dataset(there, lake / "sizes")
    else:
        (lake / "sizes").mkdir()
        there.to_parquet(lake / "sizes" / "0.parquet")
    aa.write_dataset(frame(["huge"], [*SIZES, "vast"]), lake / "sizes")
    found = pd.read_parquet(lake / "sizes")["size"].cat
    assert found.categories.tolist() == [*SIZES, "vast"]
    assert found.ordered
    refused = [
        frame(["large"], SIZES[::-1]),
        frame(["large"], ["medium", "large"]),
        frame(["large"], SIZES, ordered=False),
        pd.DataFrame({"size": ["large"]}),
        enumeration(["large"], SIZES),
    ]
    for other in refused:
        with pytest.raises(aa.IncompatibleError, match='column "size" is') as raised:
            aa.write_dataset(other, lake / "sizes")
        assert "cast it to its values" in str(raised.value)
    aa.write_dataset(refused[0], lake / "sizes", schema_check=False)


def test_an_append_of_an_order_to_none_is_refused(lake: Path) -> None:
    for there in (frame(["large"], SIZES, ordered=False), pd.DataFrame({"size": ["large"]})):
        root = lake / str(there["size"].dtype)
        aa.write_dataset(there, root)
        with pytest.raises(aa.IncompatibleError, match=r"no order|without an order"):
            aa.write_dataset(frame(["large"], SIZES), root)


def test_enumerations_that_polars_cannot_read_as_one_are_refused(lake: Path) -> None:
    aa.write_dataset(enumeration(["b"], ["b", "a"]), lake / "kinds")
    for other in (["a", "b"], ["b"], ["b", "a", "c"]):
        with pytest.raises(aa.IncompatibleError, match="an enumeration of Polars of"):
            aa.write_dataset(enumeration(["b"], other), lake / "kinds")
    aa.write_dataset(enumeration(["a"], ["b", "a"]), lake / "kinds")
    found = pl.read_parquet(lake / "kinds" / "*.parquet")
    assert found.schema == {"size": pl.Enum(["b", "a"])}
    assert sorted(found["size"].cast(pl.String)) == ["a", "b"]


@pytest.mark.parametrize("format", ["parquet", "ipc"])
def test_chunks_in_another_order_are_refused(lake: Path, format: Any) -> None:
    one = frame(["large"], SIZES)
    others: list[Any] = [
        frame(["large"], SIZES[::-1]),
        frame(["large"], SIZES, ordered=False),
        pd.DataFrame({"size": ["large"]}),
    ]
    pairs: list[list[Any]] = [[one, other] for other in others]
    pairs += [[other, one] for other in others]
    pairs.append([enumeration(["a"], ["a", "b"]), enumeration(["a"], ["b", "a"])])
    for pair in pairs:
        # A list is looked at as a whole, others are not.
        for data in (pair, iter(pair)):
            with pytest.raises(aa.AtomicArrowError, match=r"size.*order|size.*enumeration"):
                aa.write_dataset(data, lake / "sizes", format=format)
    assert not (lake / "sizes").exists()
    nulls = pa.table({"size": pa.nulls(1)})
    aa.write_dataset([nulls, one, nulls], lake / "sizes", format=format)
    (path,) = (path for path in (lake / "sizes").iterdir() if path.is_file())
    read = pd.read_parquet if format == "parquet" else pd.read_feather
    found = read(path)["size"].cat
    assert found.categories.tolist() == SIZES
    assert found.ordered


@pytest.mark.parametrize("format", ["parquet", "ipc"])
def test_categories_within_types_are_all_kept(lake: Path, format: Any) -> None:
    column = words(["large", "small", None], SIZES)
    entries = pa.array(["x", "y", "z"])
    table = pa.table(
        {
            "s": pa.StructArray.from_arrays([column], ["size"]),
            "l": pa.ListArray.from_arrays([0, 1, 2, 3], column),
            "m": pa.MapArray.from_arrays([0, 1, 2, 3], entries, column),
        }
    )
    aa.write_dataset(table, lake / "sizes", format=format, verify="decode")
    (path,) = (path for path in (lake / "sizes").iterdir() if path.is_file())
    if format == "parquet":
        found = pq.read_table(path)
    else:
        with pa.ipc.open_file(path) as reader:
            found = reader.read_all()
    assert found.to_pylist() == table.to_pylist()
    dictionaries = {
        "s": found["s"].chunk(0).field(0),
        "l": found["l"].chunk(0).values,
        "m": found["m"].chunk(0).items,
    }
    for name, found_words in dictionaries.items():
        assert found_words.type.ordered, name
        assert found_words.dictionary.to_pylist() == SIZES, name


def test_a_single_file_keeps_to_the_order_that_is_there(lake: Path) -> None:
    def write(data: pd.DataFrame) -> None:
        with aa.AtomicArrowWriter(
            lake / "sizes", {"k": 1}, schema=pa.Schema.from_pandas(data)
        ) as writer:
            writer.write(data)

    write(frame(["large"], SIZES))
    with pytest.raises(aa.IncompatibleError, match='"huge" < "large"'):
        write(frame(["large"], SIZES[::-1]))


def test_parts_of_a_commit_keep_to_one_order(lake: Path) -> None:
    def stage(data: pd.DataFrame) -> aa.StagedWrite:
        with aa.DatasetWriter(lake / "sizes", schema=pa.Schema.from_pandas(data)) as writer:
            writer.write(data)
            return writer.stage()

    parts = [stage(frame(["large"], SIZES)), stage(frame(["large"], SIZES[::-1]))]
    with pytest.raises(aa.IncompatibleError, match='"huge" < "large"'):
        aa.commit(parts)
