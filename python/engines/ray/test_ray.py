"""``atomic_arrow.ray`` with Ray: modes, options, types, and using a sink twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import atomic_arrow as aa
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import ray
from checks import REFUSED, assert_clean, check_examples, rows_in, run_page

ALL = list(range(20))


def rows(blocks: int = 4) -> Any:
    numbers = ray.data.range(20, override_num_blocks=blocks)
    return numbers.map_batches(lambda batch: {"n": batch["id"], "k": batch["id"] % 2})


def write(data: Any, root: Path, **options: Any) -> aa.Receipt:
    sink = aa.ray.AtomicDatasink(root, **options)
    data.write_datasink(sink)
    return sink.receipt


def test_all_blocks_are_one_commit(root: Path) -> None:
    receipt = write(rows(), root, partition_by="k")
    assert receipt.rows == 20
    assert {file.partition["k"] for file in receipt.files} == {0, 1}
    assert rows_in(root) == ALL
    assert_clean(root)


def test_modes_are_those_of_the_package(root: Path) -> None:
    write(rows(), root, partition_by="k")
    write(rows(), root, partition_by="k")
    assert rows_in(root) == sorted(ALL * 2)
    even = rows().filter(lambda row: row["k"] == 0)
    write(even, root, partition_by="k", mode="overwrite_partitions")
    assert rows_in(root) == sorted(ALL + ALL[1::2])
    for mode in ("error_if_exists", "error_if_any_exists"):
        with pytest.raises(aa.ConflictError):
            write(rows(), root, partition_by="k", mode=mode)
    assert write(rows(), root, partition_by="k", mode="ignore").rows == 0
    write(rows(), root, partition_by="k", mode="overwrite", success_file=True)
    assert rows_in(root) == ALL
    assert (root / "_SUCCESS").exists()
    assert_clean(root)


@pytest.mark.parametrize("empty", ["no blocks", "no rows"])
def test_what_is_empty_overwrites_too(empty: str, root: Path) -> None:
    write(rows(), root, partition_by="k")
    data = ray.data.from_items([]) if empty == "no blocks" else rows().filter(lambda _: False)
    assert write(data, root, partition_by="k", mode="overwrite").rows == 0
    assert rows_in(root) == []
    write(data, root, partition_by="k")
    assert_clean(root)


def test_a_sink_that_is_used_again_writes_again(root: Path) -> None:
    sink = aa.ray.AtomicDatasink(root)
    with pytest.raises(aa.AtomicArrowError, match="has not committed"):
        _ = sink.receipt
    rows().write_datasink(sink)
    first = sink.receipt
    rows().write_datasink(sink)
    assert sink.receipt.transaction != first.transaction
    assert rows_in(root) == sorted(ALL * 2)


def test_a_job_whose_number_is_behind_is_told_so(root: Path) -> None:
    write(rows(), root, job="days", sequence=2)
    with pytest.warns(aa.DataSetWarning, match="published nothing as number 1: number 2"):
        assert write(rows(), root, job="days", sequence=1).rows == 0


@pytest.mark.parametrize("mode", ["append", "error_if_any_exists", "overwrite"])
def test_a_named_job_is_committed_once(mode: Any, root: Path) -> None:
    first = write(rows(), root, job="monday", mode=mode)
    again = write(rows(), root, job="monday", mode=mode)
    assert again.transaction == first.transaction
    assert again.replayed
    assert rows_in(root) == ALL
    assert_clean(root)


def fail(batch: dict[str, Any]) -> dict[str, Any]:
    if 12 in batch["n"]:
        raise ZeroDivisionError
    return batch


def test_a_task_that_always_fails_publishes_nothing(root: Path) -> None:
    write(rows(), root)
    with pytest.raises(ray.exceptions.RayTaskError, match="ZeroDivisionError"):
        write(rows().map_batches(fail), root, mode="overwrite")
    assert rows_in(root) == ALL
    assert_clean(root)


def test_a_named_job_that_failed_is_run_again(root: Path) -> None:
    with pytest.raises(ray.exceptions.RayTaskError, match="ZeroDivisionError") as failed:
        write(rows().map_batches(fail), root, job="monday")
    assert "discard(" in failed.value.__notes__[-1]
    assert rows_in(root) == []
    assert write(rows(), root, job="monday").rows == 20
    assert_clean(root)


def test_a_task_that_fails_once_is_retried(root: Path, tmp_path: Path) -> None:
    flag = tmp_path / "flag"

    class FailsOnce(aa.ray.AtomicDatasink):
        def write(self, blocks: Any, ctx: Any) -> Any:
            staged = super().write(blocks, ctx)
            if not flag.exists():
                flag.touch()
                raise ZeroDivisionError
            return staged

    sink = FailsOnce(root)
    rows().write_datasink(sink, ray_remote_args={"retry_exceptions": True, "max_retries": 3})
    assert flag.exists()
    assert sink.receipt.rows == 20
    assert rows_in(root) == ALL
    assert_clean(root)


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        *REFUSED,
        ({"partition_by": "q"}, aa.PartitionError, 'no column "q"'),
    ],
)
def test_what_cannot_be_is_refused(
    options: dict[str, Any], kind: type[Exception], text: str, root: Path
) -> None:
    with pytest.raises(kind, match=text):
        write(rows(), root, **options)
    assert rows_in(root) == []
    assert_clean(root)


def test_tasks_that_may_fail_in_silence_are_refused(root: Path) -> None:
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = 1
    try:
        with pytest.raises(aa.InvalidOptionError, match="missing in silence"):
            write(rows(), root)
    finally:
        context.max_errored_blocks = 0
    assert rows_in(root) == []


def test_a_sink_that_is_left_without_a_commit_discards(root: Path) -> None:
    with pytest.raises(KeyboardInterrupt), aa.ray.AtomicDatasink(root) as sink:
        sink.write([pa.table({"n": [1]})], None)
        assert len(aa.staged(root)) == 1
        raise KeyboardInterrupt
    assert_clean(root)


VALUES: dict[str, pa.Array] = {
    "large": pa.array(["a", None], pa.large_string()),
    "category": pa.array(["a", None]).dictionary_encode(),
    "zone": pa.array([0, None], pa.timestamp("us", "Europe/Vienna")),
    "decimal": pa.array([1, None], pa.decimal128(9, 2)),
    "list": pa.array([[1], None]),
    "struct": pa.array([{"a": 1}, None]),
}


@pytest.mark.parametrize("kind", VALUES)
def test_blocks_of_arrow_keep_their_types(kind: str, root: Path) -> None:
    table = pa.table({"n": [0, 1], "v": VALUES[kind]})
    write(ray.data.from_arrow([table, table.slice(0, 0), table]), root)
    tables = [pa.parquet.read_table(path) for path in root.glob("*.parquet")]
    assert {found.schema.field("v").type for found in tables} == {table.schema.field("v").type}
    values = [value for found in tables for value in found["v"].to_pylist()]
    assert values == table["v"].to_pylist() * 2


def test_blocks_of_pandas_are_written_as_frames(root: Path) -> None:
    frame = pd.DataFrame({"n": [0, 1], "v": pd.Categorical(["a", "b"])})
    write(ray.data.from_pandas([frame, frame]), root)
    assert rows_in(root) == [0, 0, 1, 1]
    (schema,) = {pa.parquet.read_schema(path).field("v") for path in root.glob("*.parquet")}
    assert pa.types.is_dictionary(schema.type)
    with pytest.raises(aa.InputError, match="index=True"):
        write(ray.data.from_pandas([frame.set_index("v")]), root)


def test_blocks_of_nulls_take_the_type_of_others(root: Path) -> None:
    nulls, texts = pa.table({"n": [0], "v": pa.nulls(1)}), pa.table({"n": [1], "v": ["x"]})
    schema = pa.schema({"n": pa.int64(), "v": pa.string()})
    write(ray.data.from_arrow([nulls, texts]), root, schema=schema)
    assert {pa.parquet.read_schema(path).field("v").type for path in root.glob("*.parquet")} == {
        pa.string()
    }


def test_blocks_of_other_types_are_refused(root: Path) -> None:
    tables = [pa.table({"n": [0], "v": ["x"]}), pa.table({"n": [0], "v": [1]})]
    with pytest.raises((aa.IncompatibleError, aa.SchemaMismatchError)):
        write(ray.data.from_arrow(tables), root)
    assert rows_in(root) == []
    assert_clean(root)


def test_tensors_are_kept_and_pickled_objects_refused(root: Path) -> None:
    write(ray.data.range_tensor(4, shape=(2, 2)), root)
    (path, *_) = root.glob("*.parquet")
    assert "ArrowTensorType" in str(pa.parquet.read_schema(path).field("data").type)
    assert pa.parquet.read_table(path)["data"].combine_chunks().to_numpy_ndarray().shape[1:] == (
        2,
        2,
    )
    pickled = rows().map_batches(lambda batch: {"n": batch["n"], "o": [object()] * len(batch["n"])})
    with pytest.raises(aa.InputError, match="which Ray pickles"):
        write(pickled, root / "other")
    assert_clean(root / "other")


def test_the_tasks_write_to_a_bucket(server: Any) -> None:
    root: Any = "s3://lake/ray/weather"
    options = {"storage_options": server.options}
    assert write(rows(), root, partition_by="k", **options).rows == 20
    assert sorted(server.rows(root)["n"].to_pylist()) == ALL
    assert aa.staged(root, **options) == []


def test_the_examples_run(tmp_path: Path) -> None:
    check_examples(aa.ray, tmp_path)


def test_the_page_runs_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page("engines/ray.md")
