"""``atomic_arrow.daft`` with Daft's native runner: modes, options, types, failures, and a driver that is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import atomic_arrow as aa
import daft
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from checks import (
    REFUSED,
    Driver,
    assert_clean,
    check_examples,
    readers,
    rows_in,
    run_page,
    wait_until,
)
from common import whole
from daft.recordbatch import MicroPartition

OLD = list(range(100, 110))
ALL = list(range(20))


def frame() -> Any:
    return daft.from_pydict({"n": ALL, "k": [number % 2 for number in ALL]})


def write(data: Any, root: Path, **options: Any) -> aa.Receipt:
    with aa.daft.AtomicDataSink(root, **options) as sink:
        data.write_sink(sink)
    return sink.receipt


@pytest.fixture
def old(root: Path) -> list[int]:
    """Rows that were there before."""
    aa.write_dataset(pa.table({"n": OLD, "k": [0] * 10}), root, partition_by="k")
    return OLD


@pytest.mark.parametrize("batch", [None, 3])
def test_all_rows_are_one_commit(batch: int | None, root: Path) -> None:
    data = frame() if batch is None else frame().into_batches(batch)
    receipt = write(data, root, partition_by="k")
    assert receipt.rows == 20
    assert rows_in(root) == ALL
    assert_clean(root)


def test_the_frame_that_comes_back_tells_of_the_commit(root: Path) -> None:
    sink = aa.daft.AtomicDataSink(root)
    told = frame().write_sink(sink).to_pydict()
    assert told["rows"] == [20]
    assert told["files"] == [len(sink.receipt.files)]
    assert aa.Receipt.from_json(told["receipt"][0]).transaction == sink.receipt.transaction


def test_modes_are_those_of_the_package(root: Path) -> None:
    write(frame(), root, partition_by="k")
    write(frame(), root, partition_by="k")
    assert rows_in(root) == sorted(ALL * 2)
    even = frame().where(daft.col("k") == 0)
    write(even, root, partition_by="k", mode="overwrite_partitions")
    assert rows_in(root) == sorted(ALL + ALL[1::2])
    for mode in ("error_if_exists", "error_if_any_exists"):
        with pytest.raises((aa.ConflictError, RuntimeError), match="has files already"):
            write(frame(), root, partition_by="k", mode=mode)
    assert write(frame(), root, partition_by="k", mode="ignore").rows == 0
    write(frame(), root, partition_by="k", mode="overwrite", success_file=True)
    assert rows_in(root) == ALL
    assert (root / "_SUCCESS").exists()
    write(frame().where(daft.col("n") > 100), root, partition_by="k", mode="overwrite")
    assert rows_in(root) == []
    assert_clean(root)


def test_a_sink_that_is_used_again_writes_again(root: Path) -> None:
    sink = aa.daft.AtomicDataSink(root)
    frame().write_sink(sink)
    first = sink.receipt
    frame().write_sink(sink)
    assert sink.receipt.transaction != first.transaction
    assert rows_in(root) == sorted(ALL * 2)


@pytest.mark.parametrize("mode", ["append", "error_if_any_exists", "overwrite"])
def test_a_named_job_is_committed_once(mode: Any, root: Path) -> None:
    schema = frame().to_arrow().schema
    first = write(frame(), root, job="monday", mode=mode, schema=schema)
    again = write(frame(), root, job="monday", mode=mode, schema=schema)
    assert again.transaction == first.transaction
    assert again.replayed
    assert rows_in(root) == ALL
    assert_clean(root)


def test_a_job_whose_number_is_behind_is_told_so(root: Path) -> None:
    write(frame(), root, job="days", sequence=2)
    with pytest.warns(aa.DataSetWarning, match="published nothing as number 1: number 2"):
        assert write(frame(), root, job="days", sequence=1).rows == 0
    assert rows_in(root) == ALL


@daft.func
def fails(number: int) -> int:
    if number == 12:
        raise ZeroDivisionError
    return number


def test_a_task_that_fails_publishes_nothing(root: Path, old: list[int]) -> None:
    broken = frame().into_batches(3).with_column("n", fails(daft.col("n")))
    with (
        readers(root, lambda found: found == OLD),
        pytest.raises(Exception, match="ZeroDivisionError"),
    ):
        write(broken, root, mode="overwrite", partition_by="k")
    assert rows_in(root) == OLD
    assert_clean(root)


def test_a_named_job_that_failed_is_run_again(root: Path) -> None:
    broken = frame().into_batches(3).with_column("n", fails(daft.col("n")))
    with pytest.raises(Exception, match="ZeroDivisionError") as failed:
        write(broken, root, job="monday")
    assert "discard(" in failed.value.__notes__[-1]
    assert rows_in(root) == []
    assert write(frame(), root, job="monday").rows == 20
    assert_clean(root)


def test_a_sink_that_is_left_without_a_commit_discards(root: Path) -> None:
    parts = [MicroPartition.from_pydict({"n": [1]})]
    with pytest.raises(KeyboardInterrupt), aa.daft.AtomicDataSink(root) as sink:
        (written,) = sink.write(iter(parts))
        assert written.rows_written == 1
        assert len(aa.staged(root)) == 1
        raise KeyboardInterrupt
    assert_clean(root)


def test_a_commit_that_is_refused_discards(root: Path, old: list[int]) -> None:
    sink = aa.daft.AtomicDataSink(root, partition_by="k", mode="error_if_exists")
    with pytest.raises(aa.ConflictError):
        frame().write_sink(sink)
    assert_clean(root)


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        *REFUSED,
        ({"partition_by": "q"}, RuntimeError, 'no column "q"'),
        ({"partition_by": "q", "schema": pa.schema({"n": pa.int64()})}, aa.PartitionError, '"q"'),
    ],
)
def test_what_cannot_be_is_refused(
    options: dict[str, Any], kind: type[Exception], text: str, root: Path
) -> None:
    with pytest.raises(kind, match=text):
        write(frame(), root, **options)
    assert rows_in(root) == []
    assert_clean(root)


VALUES: dict[str, pa.Array] = {
    "large": pa.array(["a", None], pa.large_string()),
    "zone": pa.array([0, None], pa.timestamp("us", "Europe/Vienna")),
    "date": pa.array([0, None], pa.date32()),
    "decimal": pa.array([1, None], pa.decimal128(9, 2)),
    "list": pa.array([[1], None], pa.large_list(pa.int64())),
    "struct": pa.array([{"a": 1}, None]),
    "nulls": pa.nulls(2),
}


@pytest.mark.parametrize("kind", VALUES)
def test_types_are_those_of_daft(kind: str, root: Path) -> None:
    table = pa.table({"n": [0, 1], "v": VALUES[kind]})
    write(daft.from_arrow(table), root)
    (path,) = root.glob("*.parquet")
    found = pa.parquet.read_table(path)
    assert found["v"].to_pylist() == table["v"].to_pylist()
    assert found.schema.field("v").type == daft.from_arrow(table).to_arrow().schema.field("v").type


@pytest.mark.parametrize("value", [object(), {"inner": object()}, [object()]])
def test_objects_of_python_are_refused(value: object, root: Path) -> None:
    data = daft.from_pydict({"n": [0], "v": [value]})
    with pytest.raises(RuntimeError, match="which Daft pickles"):
        write(data, root)
    assert rows_in(root) == []
    assert_clean(root)


def test_tensors_are_kept(root: Path) -> None:
    data = daft.from_pydict({"n": [0], "v": [np.ones((2, 2))]})
    write(data, root)
    (path,) = root.glob("*.parquet")
    assert pa.parquet.read_table(path).equals(data.to_arrow())


DRIVER = """
import sys

import atomic_arrow as aa
import daft

frame = daft.from_pydict({"n": list(range(20)), "k": [n % 2 for n in range(20)]})
with aa.daft.AtomicDataSink(sys.argv[1], partition_by="k", mode="overwrite") as sink:
    frame.into_batches(2).write_sink(sink)
"""


@pytest.mark.parametrize(
    "staged", [3, *(pytest.param(at, marks=whole) for at in [1, 2, 4, 5, 6, 7, 8, 9, 10])]
)
def test_the_process_dies(staged: int, root: Path, old: list[int], tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    with (
        readers(root, lambda found: set(found) <= {*OLD, *ALL}),
        Driver(script, root) as driver,
    ):
        wait_until(lambda: len(aa.staged(root)) >= staged, driver.process)
    aa.recover(root)
    assert rows_in(root) in (OLD, ALL)
    assert_clean(root, discard=True)
    assert rows_in(root) in (OLD, ALL)


@whole
@pytest.mark.parametrize("seed", range(20))
def test_the_process_dies_at_any_time(
    seed: int, root: Path, old: list[int], tmp_path: Path
) -> None:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    with Driver(script, root) as driver:
        wait_until(lambda: aa.staged(root), driver.process)
        driver.kill_at_random(seed, within=0.4)
    aa.recover(root)
    assert rows_in(root) in (OLD, ALL)
    assert_clean(root, discard=True)


def test_a_frame_is_written_to_a_bucket(server: Any) -> None:
    root: Any = "s3://lake/daft/weather"
    options = {"storage_options": server.options}
    assert write(frame().into_batches(3), root, partition_by="k", **options).rows == 20
    assert sorted(server.rows(root)["n"].to_pylist()) == ALL
    assert aa.staged(root, **options) == []


def test_the_examples_run(tmp_path: Path) -> None:
    check_examples(aa.daft, tmp_path)


def test_the_page_runs_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page("engines/daft.md")
