"""Several processes, of which some are forked, killed, or done over."""

from __future__ import annotations

import datetime
import multiprocessing
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import numpy
import polars as pl
import pyarrow as pa
import pytest
import readers
from skips import skip

SPAWN = multiprocessing.get_context("spawn")
ROWS = pa.table({"station_id": ["KSEA", "KJFK", "KSEA"], "number": [1, 2, 3]})


def in_a_fork(call: Callable[[], Any]) -> str:
    """What a call raises in a forked process, which ends without further ado."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = "nothing"
        try:
            call()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        # Not without letting go of everything, as a process that exits by itself does.
        call = None  # type: ignore[assignment]
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_a_process_forked_during_a_commit_keeps_nobody_waiting(lake: Path) -> None:
    reading, writing = os.pipe()
    child = 0

    def fork(_: aa.FileRecord) -> None:
        nonlocal child
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)

    def write(on_file: Callable[[aa.FileRecord], None] | None = None) -> None:
        aa.write_dataset(ROWS, lake / "weather", mode="overwrite", on_file=on_file)

    write(fork)
    again = threading.Thread(target=write, daemon=True)
    again.start()
    again.join(60)
    waits = again.is_alive()
    os.close(writing)
    os.close(reading)
    os.waitpid(child, 0)
    assert not waits


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_after_a_fork_a_writer_says_so_and_stays_its_parents(lake: Path) -> None:
    with aa.DatasetWriter(lake / "weather", schema=ROWS.schema) as writer:
        writer.write(ROWS)
        assert "ForkedError" in in_a_fork(lambda: writer.write(ROWS))
        assert "ForkedError" in in_a_fork(writer.commit)
        assert "before a fork" in in_a_fork(writer.discard)
        assert "ForkedError" in in_a_fork(lambda: writer.progress)
        assert in_a_fork(lambda: repr(writer)) == "nothing"

        def drop() -> None:
            writer._inner = None
            raise LookupError("dropped")

        assert "dropped" in in_a_fork(drop)
    assert len(pl.read_parquet(lake / "weather")) == 3
    with aa.AtomicArrowWriter(lake / "one", {"a": 1}, ROWS.schema) as one:
        assert "ForkedError" in in_a_fork(lambda: one.write(ROWS))
        assert in_a_fork(lambda: None) == "nothing"
        one.write(ROWS)
    with aa.open(lake / "data", "w") as file:
        file.write("x")
        assert "ForkedError" in in_a_fork(file.flush)

        def forget() -> None:
            file._raw._inner = None
            raise LookupError("dropped")

        assert "dropped" in in_a_fork(forget)
    assert (lake / "data").read_text() == "x"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_a_forked_process_writes_with_a_writer_of_its_own(lake: Path) -> None:
    aa.write_dataset(ROWS, lake / "weather")
    assert in_a_fork(lambda: aa.write_dataset(ROWS, lake / "weather")) == "nothing"
    assert len(pl.read_parquet(lake / "weather")) == 6


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_a_fork_in_the_middle_of_a_commit_neither_hangs_nor_disturbs_it(lake: Path) -> None:
    rows = pa.table({"key": numpy.arange(1 << 18) % 7, "value": numpy.random.random(1 << 18)})
    started = threading.Event()
    writer = aa.DatasetWriter(
        lake / "weather",
        schema=rows.schema,
        partition_by="key",
        compression_level=15,
        threads=1,
        on_file=lambda _: started.set(),
    )
    writer.write(rows)
    thread = threading.Thread(target=writer.commit)
    thread.start()
    assert started.wait(120)
    assert "ForkedError" in in_a_fork(writer.commit)
    assert "ForkedError" in in_a_fork(lambda: writer.progress)
    assert in_a_fork(lambda: aa.write_dataset(ROWS, lake / "other")) == "nothing"
    thread.join()
    assert writer.receipt.rows == 1 << 18
    assert aa.verify(lake / "weather").rows == 1 << 18


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
@pytest.mark.parametrize("ends", ["goes on", "raises", "exits"])
@pytest.mark.parametrize("place", ["reader", "generator", "on_file", "file"])
def test_a_process_forked_by_an_input_or_a_callback_does_not_hang(
    lake: Path, place: str, ends: str
) -> None:
    """The parent's write is done once, and the new process comes back at once."""
    children: list[int] = []
    reading, writing = os.pipe()

    def fork() -> None:
        if children:
            return
        children.append(os.fork())
        if children == [0]:
            if ends == "raises":
                raise LookupError("in the child")
            if ends == "exits":
                raise SystemExit(7)

    def forking() -> Iterator[pa.RecordBatch]:
        yield from ROWS.to_batches()
        fork()
        yield from ROWS.to_batches()

    rows = pa.RecordBatchReader.from_batches(ROWS.schema, forking())
    said = "nothing"
    try:
        if place == "reader":
            aa.write_dataset(rows, lake / "weather")
        elif place == "generator":
            aa.write_dataset(forking(), lake / "weather")
        elif place == "on_file":
            aa.write_dataset(ROWS, lake / "weather", on_file=lambda _: fork())
        else:
            with aa.AtomicArrowWriter(lake / "weather", {"a": 1}, ROWS.schema) as writer:
                writer.write(rows)
    except BaseException as error:
        said = type(error).__name__
    if children == [0]:
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    assert said == "nothing"
    with os.fdopen(reading) as pipe:
        ready, _, _ = select.select([pipe], [], [], 120)
        if not ready:
            os.kill(children[0], signal.SIGKILL)
            pytest.fail("the forked process hangs")
        said = pipe.read()
    os.waitpid(children[0], 0)
    # What a reader of pyarrow raises has been a text meanwhile.
    told = {"raises": "LookupError", "exits": "SystemExit"}
    expected = told.get(ends, "ForkedError") if place in ("generator", "on_file") else said
    assert said == expected
    assert said != "nothing"
    rows_written = len(pl.read_parquet(lake / "weather"))
    assert rows_written == (3 if place == "on_file" else 6)
    assert not aa.recover(lake / "weather").aborted


def work(root: Path, part: int, attempt: int) -> aa.StagedWrite:
    """Stages a part; the first attempt at part 2 is killed in the middle of it."""
    rows = pa.table({"station_id": ["KSEA", "KJFK"], "number": [part * 2, part * 2 + 1]})
    task = f"part {part}"
    with aa.DatasetWriter(root, schema=rows.schema, partition_by="station_id", task=task) as writer:
        writer.write(rows)
        if (part, attempt) == (2, 0):
            os.kill(os.getpid(), signal.SIGKILL)
        return writer.stage()


def worker(root: Path, part: int, attempt: int, results: Any) -> None:
    results.put(work(root, part, attempt))
    results.close()
    results.join_thread()


def test_workers_stage_and_the_driver_commits(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    root = lake / "weather"
    results = SPAWN.Queue()
    # Part 1 is done twice, as by a scheduler that lost patience; part 2 dies and is done again.
    tasks = [(0, 0), (1, 0), (1, 1), (2, 0)]
    processes = [SPAWN.Process(target=worker, args=(root, *task, results)) for task in tasks]
    for process in processes:
        process.start()
    staged = [results.get(timeout=120) for _ in range(3)]
    for process in processes:
        process.join()
    assert processes[3].exitcode == -signal.SIGKILL
    again = SPAWN.Process(target=worker, args=(root, 2, 1, results))
    again.start()
    staged.append(results.get(timeout=120))
    again.join()

    assert not root.exists()
    receipt = aa.commit(staged, write_id="all parts")
    assert receipt.rows == 6
    assert sorted(pl.read_parquet(root)["number"]) == [0, 1, 2, 3, 4, 5]
    assert aa.commit(staged, write_id="all parts") == receipt
    assert sorted(pl.read_parquet(root)["number"]) == [0, 1, 2, 3, 4, 5]
    aa.recover(root)
    left = [
        path for path in files(lake) if not path.startswith(("weather/", ".weather.atomic/writes/"))
    ]
    assert left == []


def test_what_is_staged_is_plain_data(lake: Path) -> None:
    staged = aa.stage(ROWS, lake / "weather", partition_by="station_id", task="all")
    assert pickle.loads(pickle.dumps(staged)) == staged
    assert aa.StagedWrite.from_json(staged.to_json()) == staged
    with pytest.raises(aa.InvalidReceiptError):
        aa.StagedWrite.from_json("[]")
    assert (staged.rows, staged.files, staged.partitions) == (3, 2, 2)
    assert (staged.task, staged.mode, staged.root) == ("all", "append", lake / "weather")
    assert "'weather'" not in repr(staged) and "3 rows in 2 files" in repr(staged)
    assert aa.recover(lake / "weather").staged
    aa.discard([staged])
    with pytest.raises(aa.StagedWriteGoneError) as raised:
        aa.commit([staged])
    assert isinstance(raised.value, FileNotFoundError)
    aa.discard([staged])
    with pytest.raises(aa.InvalidOptionError):
        aa.commit([])
    with pytest.raises(aa.InvalidOptionError, match="write_id"):
        aa.stage(ROWS, lake / "weather", write_id="x")
    with pytest.raises(aa.InvalidOptionError):
        aa.stage(ROWS, lake / "weather", task="")
    assert not aa.recover(lake / "weather").staged


def test_a_task_is_refused_before_any_row_is_read(lake: Path) -> None:
    def rows() -> Iterator[pa.Table]:
        yield ROWS
        raise AssertionError("it was read")

    for name in ["", "a\nb", "x" * 4097]:
        with pytest.raises(aa.InvalidOptionError, match="task"):
            aa.stage(rows(), lake / "weather", task=name)
        with pytest.raises(aa.InvalidOptionError, match="job"):
            aa.stage(rows(), lake / "weather", job=name)
    for named in ({"task": "x"}, {"job": "x"}):
        with pytest.raises(aa.InvalidOptionError, match="nothing stays staged"):
            aa.write_dataset(rows(), lake / "weather", **named)


def test_a_job_is_ended_with_all_that_was_staged_for_it(lake: Path) -> None:
    root = lake / "weather"
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    stage = lambda **names: aa.stage(ROWS, root, partition_by="station_id", **names)
    orphan, one = (stage(job="monday", task=task) for task in ("part 1", "part 1"))
    waiting = aa.staged(root)
    assert [w.write.transaction for w in waiting] == [orphan.transaction, one.transaction]
    assert {(w.write.job, w.write.task, w.write.rows) for w in waiting} == {("monday", "part 1", 3)}
    assert all(w.since > before and w.keep == datetime.timedelta(days=1) for w in waiting)
    receipt = aa.commit([one])
    assert (receipt.write_id, receipt.rows) == ("job:monday", 3)
    assert aa.staged(root) == []
    with pytest.raises(aa.JobClosedError) as raised:
        stage(job="monday")
    assert raised.value.outcome is aa.Outcome.NOT_PUBLISHED
    assert aa.commit([], root=root, job="monday").transaction == receipt.transaction

    stage(job="tuesday")
    aa.discard(root=root, job="tuesday")
    assert aa.staged(root) == []
    with pytest.raises(aa.JobClosedError):
        stage(job="tuesday")
    with pytest.raises(aa.InvalidOptionError):
        aa.commit([stage()], job="wednesday")
    with pytest.raises(aa.InvalidOptionError, match="write_id"):
        aa.commit([stage(job="wednesday")], write_id="x")
    assert aa.commit([], root=root).rows == 0


def test_a_job_of_which_nothing_is_handed_over_is_ended_where_it_was_staged(lake: Path) -> None:
    root, place = lake / "weather", lake / "staging"
    place.mkdir()
    aa.stage(ROWS, root, staging=place, job="monday")
    assert len(aa.staged(root, staging=place)) == 1
    assert aa.commit([], root=root, job="monday", staging=place).rows == 0
    assert aa.staged(root, staging=place) == []
    with pytest.raises(aa.JobClosedError):
        aa.stage(ROWS, root, staging=place, job="monday")


def test_what_is_staged_for_another_data_set_can_be_refused(lake: Path) -> None:
    staged = aa.stage(ROWS, lake / "weather")
    for given in (aa.commit, aa.discard):
        with pytest.raises(aa.InvalidOptionError, match="and not to"):
            given([staged], root=lake / "other")
    assert aa.commit([staged], root=lake / "weather").rows == 3
    staged = aa.stage(ROWS, lake / "weather")
    aa.discard([staged], root=(lake / "weather").as_uri())
    assert not aa.recover(lake / "weather").staged


def test_what_nobody_commits_is_removed_when_its_time_is_over(lake: Path) -> None:
    staged = aa.stage(ROWS, lake / "weather", keep_staged=0.0)
    aa.recover(lake / "weather")
    with pytest.raises(aa.StagedWriteGoneError):
        aa.commit([staged])


def endless(root: str) -> None:
    """Writes until it is killed."""
    with aa.DatasetWriter(root, schema=ROWS, partition_by="station_id", memory_limit=1) as writer:
        print("writing", flush=True)
        while True:
            writer.write(ROWS)


@pytest.mark.parametrize("reader", readers.READERS)
def test_a_column_of_nulls_in_one_part_has_the_type_of_another(lake: Path, reader: str) -> None:
    values = [["a", None], [None, None], [None], ["b"]]
    parts = [pa.table({"n": range(len(part)), "v": part}) for part in values]
    root = lake / "weather"
    receipt = aa.commit([aa.stage(part, root) for part in parts])
    assert receipt.notes == []
    assert pa.schema(receipt.schema).field("v").type == pa.string()
    found = readers.read(reader, str(root))
    assert sorted(found["v"].to_pylist(), key=str) == [None, None, None, None, "a", "b"]


@pytest.mark.parametrize("reader", readers.READERS)
def test_readers_never_see_what_a_killed_writer_left(lake: Path, reader: str) -> None:
    root = lake / "weather"
    aa.write_dataset(ROWS, root, partition_by="station_id")
    command = "import sys, conftest, test_processes; test_processes.endless(sys.argv[1])"
    with subprocess.Popen(
        [sys.executable, "-c", command, root],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        time.sleep(0.05)
        assert readers.read(reader, str(root)).num_rows == 3
        process.kill()
    assert readers.read(reader, str(root)).num_rows == 3
    assert aa.recover(root, dry_run=True).aborted
    assert readers.read(reader, str(root)).num_rows == 3
    assert aa.inspect(root).oddities[0].kind == "staging-leftover"
    assert aa.recover(root).aborted
    assert not aa.recover(root).aborted


def fails(number: int) -> None:
    try:
        aa.write_dataset(ROWS, "/proc/weather")
    except aa.AtomicArrowError as error:
        error.path = Path("/proc/weather")
        raise


def test_exceptions_come_back_from_other_processes() -> None:
    if not Path("/proc/self").exists():
        skip("there is no /proc to fail in")
    with SPAWN.Pool(1) as pool:
        with pytest.raises(aa.IoError) as raised:
            pool.map(fails, [1])
    assert raised.value.outcome is aa.Outcome.NOT_PUBLISHED
    assert raised.value.step == "CreateStaging"
    assert raised.value.path == Path("/proc/weather")
    assert isinstance(raised.value, FileNotFoundError)
