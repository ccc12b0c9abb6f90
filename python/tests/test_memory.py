"""What a producer does with its memory after a call, and what a writer keeps alive."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import atomic_arrow as aa
import numpy
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SCHEMA = pa.schema([("value", pa.float64())])


def values(root: Path) -> list[float]:
    return sorted(pq.read_table(root)["value"].to_pylist())


def test_memory_that_changes_after_a_write_was_written_as_it_was(lake: Path) -> None:
    memory = numpy.zeros(2)
    with aa.DatasetWriter(lake / "arrays", schema=SCHEMA) as writer:
        for value in range(3):
            memory[:] = value
            writer.write(pa.record_batch([pa.array(memory)], names=["value"]))
    assert values(lake / "arrays") == [0, 0, 1, 1, 2, 2]

    frame = pd.DataFrame({"value": [1.0, 2.0]})
    with aa.DatasetWriter(lake / "frames", schema=SCHEMA) as writer:
        writer.write(frame)
        frame.loc[:, "value"] = [10.0, 20.0]
        writer.write(frame)
    assert values(lake / "frames") == [1, 2, 10, 20]


def test_memory_that_a_producer_fills_again_is_written_each_time(lake: Path) -> None:
    def refilled() -> Iterator[pa.Table]:
        memory = numpy.zeros(2)
        for value in range(3):
            memory[:] = value
            yield pa.table({"value": memory})

    aa.write_dataset(refilled(), lake / "arrays")
    assert values(lake / "arrays") == [0, 0, 1, 1, 2, 2]
    batches = (batch for table in refilled() for batch in table.to_batches())
    reader = pa.RecordBatchReader.from_batches(SCHEMA, batches)
    aa.write_dataset(reader, lake / "reader")
    assert values(lake / "reader") == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([None, "a", "a"]),
        pa.array(["a", None, "b"]).dictionary_encode(),
        pa.array(["a" * 20, None, "b"], pa.string_view()),
        pa.array([[1, 2], None, []]),
        pa.array([{"a": [1]}, None, {"a": None}]),
        pa.array([True, None, False]),
        pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int64())),
    ],
    ids=lambda column: str(column.type),
)
def test_every_type_is_taken_in_pieces(lake: Path, column: pa.Array) -> None:
    table = pa.table({"value": column})
    with aa.DatasetWriter(lake / "weather", schema=table.schema) as writer:
        writer.write(table[:1])
        writer.write(table[1:])
    written = pq.ParquetFile(lake / "weather" / writer.receipt.files[0].path).read()
    assert written["value"].to_pylist() == table["value"].to_pylist()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_writer_that_its_callback_names_is_discarded_when_it_is_dropped(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    def begin() -> None:
        writer = aa.DatasetWriter(
            lake / "weather", schema=SCHEMA, on_file=lambda _: print(writer.progress)
        )
        writer.write(pa.table({"value": [1.0]}))

    begin()
    gc.collect()
    assert files(lake) == []


def test_a_limit_that_is_less_than_the_columns_need_is_refused(tmp_path: Path) -> None:
    rows = pa.table({f"c{number}": [1] for number in range(2000)})
    with pytest.raises(aa.InvalidOptionError, match=r"memory_limit.* at least is needed"):
        aa.write_dataset(rows, tmp_path / "lake", memory_limit="16MiB")
    assert aa.write_dataset(rows, tmp_path / "lake", memory_limit="64MiB").rows == 1
