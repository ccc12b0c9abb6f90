"""``atomic_arrow.dask`` with Dask's schedulers: modes, options, and computing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import atomic_arrow as aa
import dask
import dask.bag
import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
import pytest
from checks import REFUSED, assert_clean, check_examples, rows_in, run_page
from distributed import Client

FRAME = pd.DataFrame({"k": ["a", "b"] * 10, "n": range(20)})
ALL = list(range(20))


def frame(parts: int = 4) -> Any:
    return dd.from_pandas(FRAME, npartitions=parts)


@pytest.mark.parametrize("scheduler", ["threads", "processes", "sync", "distributed"])
def test_each_scheduler_commits_once(scheduler: str, root: Path, client: Client) -> None:
    receipt = aa.dask.write_dataset(
        frame(),
        root,
        partition_by="k",
        compute_kwargs={"scheduler": client if scheduler == "distributed" else scheduler},
    )
    assert receipt.rows == 20
    assert len(receipt.files) == 8
    assert {file.partition["k"] for file in receipt.files} == {"a", "b"}
    assert rows_in(root) == ALL
    assert_clean(root)


def test_modes_are_those_of_the_package(root: Path) -> None:
    write = lambda data, **options: aa.dask.write_dataset(data, root, partition_by="k", **options)
    write(frame())
    write(frame(), mode="append")
    assert rows_in(root) == sorted(ALL * 2)
    only_a = frame()[frame()["k"] == "a"]
    write(only_a, mode="overwrite_partitions")
    assert rows_in(root) == sorted(ALL + ALL[1::2])
    with pytest.raises(aa.ConflictError):
        write(frame(), mode="error_if_exists")
    with pytest.raises(aa.ConflictError):
        write(frame(), mode="error_if_any_exists")
    assert write(frame(), mode="ignore").rows == 0
    assert rows_in(root) == sorted(ALL + ALL[1::2])
    write(frame(), mode="overwrite", success_file=True)
    assert rows_in(root) == ALL
    assert (root / "_SUCCESS").exists()
    write(frame()[frame()["n"] > 100], mode="overwrite")
    assert rows_in(root) == []
    assert_clean(root)


def test_what_is_computed_twice_is_published_once(root: Path) -> None:
    delayed = aa.dask.write_dataset(frame(), root, compute=False)
    assert not root.exists()
    first, second = delayed.compute(), delayed.compute()
    assert first == second
    assert dask.compute(delayed, delayed) == (first, first)
    assert rows_in(root) == ALL
    assert_clean(root)


def test_what_is_persisted_is_published_once(root: Path, client: Client) -> None:
    delayed = aa.dask.write_dataset(frame(), root, compute=False)
    held = client.persist(delayed)
    receipt = client.compute(held).result()
    del held
    assert client.compute(delayed).result() == receipt
    assert rows_in(root) == ALL
    assert_clean(root)


def test_two_writes_of_one_frame_are_two(root: Path, client: Client) -> None:
    for _ in range(2):
        aa.dask.write_dataset(frame(), root, compute_kwargs={"scheduler": client})
    assert rows_in(root) == sorted(ALL * 2)


@pytest.mark.parametrize("mode", ["append", "error_if_any_exists", "overwrite"])
def test_a_named_job_is_committed_once(mode: Any, root: Path) -> None:
    first = aa.dask.write_dataset(frame(), root, job="monday", mode=mode)
    made: list[int] = []
    again = frame().map_partitions(lambda part: made.append(1) or part, meta=FRAME.iloc[:0])
    assert aa.dask.write_dataset(again, root, job="monday", mode=mode) == first
    assert made == []
    delayed = aa.dask.write_dataset(frame(), root, job="monday", mode=mode, compute=False)
    assert delayed.compute() == first
    assert rows_in(root) == ALL


def test_a_job_with_numbers_is_a_stream(root: Path) -> None:
    write = lambda number: aa.dask.write_dataset(frame(), root, job="days", sequence=number)
    first, second = write(1), write(2)
    assert write(2) == second
    superseded = 'the job "days" published nothing as number 1: number 2 .* needs another name'
    with pytest.warns(aa.DataSetWarning, match=superseded):
        again = write(1)
    assert again.files != first.files
    assert again.replayed
    assert rows_in(root) == sorted(ALL * 2)
    delayed = aa.dask.write_dataset(frame(), root, job="days", sequence=1, compute=False)
    with pytest.warns(aa.DataSetWarning, match=superseded):
        assert delayed.compute(scheduler="sync").rows == 0
    assert_clean(root)


def test_a_named_job_that_failed_is_run_again(root: Path) -> None:
    broken = frame().map_partitions(fail_at, 12, meta=FRAME.iloc[:0])
    with pytest.raises(ZeroDivisionError) as failed:
        aa.dask.write_dataset(broken, root, job="monday", compute_kwargs={"scheduler": "sync"})
    assert "discard(" in failed.value.__notes__[-1]
    assert rows_in(root) == []
    assert {waiting.write.job for waiting in aa.staged(root)} == {"monday"}
    assert aa.dask.write_dataset(frame(), root, job="monday").rows == 20
    assert rows_in(root) == ALL
    assert_clean(root)


def test_the_note_of_a_named_job_that_was_refused_says_what_to_do(root: Path) -> None:
    aa.dask.write_dataset(frame(), root)
    bag = dask.bag.from_sequence([pa.table({"n": [1]})])
    with pytest.raises(aa.ConflictError) as failed:
        aa.dask.write_dataset(bag, root, job="monday", mode="error_if_any_exists")
    assert "run it again, or remove" in failed.value.__notes__[-1]


def test_a_discarded_job_stays_discarded(root: Path) -> None:
    aa.discard(root=root, job="monday")
    with pytest.raises(aa.JobClosedError, match="give the job another name") as refused:
        aa.dask.write_dataset(frame(), root, job="monday")
    assert not hasattr(refused.value, "__notes__")
    with pytest.raises(aa.JobClosedError, match="give the job a higher number"):
        aa.discard(root=root, job="days", sequence=3)
        aa.dask.write_dataset(frame(), root, job="days", sequence=3)
    delayed = aa.dask.write_dataset(frame(), root, job="monday", compute=False)
    with pytest.raises(aa.JobClosedError):
        delayed.compute()
    assert rows_in(root) == []


@pytest.mark.parametrize("mode", ["overwrite", "overwrite_partitions"])
def test_a_named_job_that_overwrote_with_no_rows_is_done_once(root: Path, mode: str) -> None:
    aa.dask.write_dataset(frame(), root)
    empty = dd.from_pandas(FRAME.iloc[:0], npartitions=1)
    first = aa.dask.write_dataset(empty, root, mode=mode, job="monday")
    assert rows_in(root) == ([] if mode == "overwrite" else ALL)
    again = aa.dask.write_dataset(empty, root, mode=mode, job="monday")
    delayed = aa.dask.write_dataset(frame(), root, mode=mode, job="monday", compute=False)
    for receipt in (again, delayed.compute()):
        assert (receipt.transaction, receipt.replayed) == (first.transaction, True)
    assert_clean(root)


def test_of_a_named_job_that_appended_no_rows_it_is_said_what_is_known(root: Path) -> None:
    empty = dd.from_pandas(FRAME.iloc[:0], npartitions=1)
    assert aa.dask.write_dataset(empty, root, job="monday").rows == 0
    with pytest.raises(aa.JobClosedError, match="discarded, or committed without rows; nothing"):
        aa.dask.write_dataset(frame(), root, job="monday")
    assert rows_in(root) == []


def fail_at(part: pd.DataFrame, n: int) -> pd.DataFrame:
    if n in set(part["n"]):
        raise ZeroDivisionError(f"at {n}")
    return part


def test_a_task_that_always_fails_publishes_nothing(root: Path, client: Client) -> None:
    aa.dask.write_dataset(frame(), root)
    broken = frame().map_partitions(fail_at, 12, meta=FRAME.iloc[:0])
    with pytest.raises(ZeroDivisionError):
        aa.dask.write_dataset(
            broken, root, mode="overwrite", compute_kwargs={"scheduler": client, "retries": 1}
        )
    assert rows_in(root) == ALL
    assert_clean(root)


def fail_once(part: pd.DataFrame, flag: str) -> pd.DataFrame:
    try:
        Path(flag).touch(exist_ok=False)
    except FileExistsError:
        return part
    raise ZeroDivisionError("once")


def test_a_task_that_fails_once_is_retried(root: Path, client: Client, tmp_path: Path) -> None:
    broken = frame().map_partitions(fail_once, str(tmp_path / "flag"), meta=FRAME.iloc[:0])
    arguments = {"scheduler": client, "retries": 1}
    assert aa.dask.write_dataset(broken, root, compute_kwargs=arguments).rows == 20
    assert rows_in(root) == ALL
    assert_clean(root)


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        *REFUSED,
        ({"task": "part"}, aa.InvalidOptionError, "numbers"),
        ({"partition_by": "q"}, aa.PartitionError, 'no column "q"'),
        ({"compute": False, "compute_kwargs": {"retries": 1}}, TypeError, "compute=True"),
        ({"file_name": "part"}, aa.InvalidOptionError, "uuid"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_computed(
    options: dict[str, Any], kind: type[Exception], text: str, root: Path
) -> None:
    made: list[int] = []
    data = frame().map_partitions(lambda part: made.append(1) or part, meta=FRAME.iloc[:0])
    with pytest.raises(kind, match=text):
        aa.dask.write_dataset(data, root, **options)
    assert made == []
    assert not root.parent.exists()


def test_what_is_neither_a_frame_nor_a_bag_is_refused(root: Path) -> None:
    for data in (FRAME, [FRAME], dask.delayed(FRAME), 7):
        with pytest.raises(TypeError, match="a frame of Dask, a bag, or a list of Delayed"):
            aa.dask.write_dataset(data, root)


def test_bags_and_delayed_tables_are_written(root: Path) -> None:
    tables = [pa.table({"n": [number]}) for number in range(7)]
    bag = dask.bag.from_sequence(tables, npartitions=3)
    assert len(aa.dask.write_dataset(bag, root).files) == 3
    parts = [dask.delayed(pa.table)({"n": [number]}) for number in range(7, 9)]
    aa.dask.write_dataset(parts, root)
    aa.dask.write_dataset([], root)
    assert rows_in(root) == list(range(9))


def test_a_relative_root_is_that_of_the_driver(
    tmp_path: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    aa.dask.write_dataset(frame(), "here/weather", compute_kwargs={"scheduler": client})
    assert rows_in(tmp_path / "here" / "weather") == ALL


def test_a_warning_of_the_commit_reaches_the_driver(root: Path, client: Client) -> None:
    aa.write_dataset(FRAME.astype({"n": "int32"}), root)
    with pytest.warns(aa.DataSetWarning, match="Int64, but Int32"):
        aa.dask.write_dataset(frame(), root, compute_kwargs={"scheduler": client})


def test_the_workers_write_to_a_bucket(server: Any, client: Client) -> None:
    root, options = "s3://lake/dask/weather", {"storage_options": server.options}
    receipt = aa.dask.write_dataset(
        frame(), root, partition_by="k", compute_kwargs={"scheduler": client}, **options
    )
    assert len(receipt.files) == 8
    assert sorted(server.rows(root)["n"].to_pylist()) == ALL
    assert aa.staged(root, **options) == []


def test_the_examples_run(tmp_path: Path) -> None:
    check_examples(aa.dask, tmp_path)


def test_the_page_runs_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page("engines/dask.md")
