"""Ctrl-C stops a long write soon, publishes nothing, and says so."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import numpy
import pyarrow as pa
import pytest

ROWS = pa.table(
    {
        "key": numpy.arange(1 << 20) % 7,
        "value": numpy.random.default_rng(7).random(1 << 20),
    }
)


@contextmanager
def interrupt_when(reached: Callable[[], bool]) -> Iterator[None]:
    """Sends SIGINT once something is reached."""
    over = threading.Event()

    def watch() -> None:
        while not reached():
            if over.wait(0.002):
                return
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def endless() -> Iterator[pa.Table]:
    while True:
        yield ROWS


def test_reading_and_spilling_is_interrupted(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    rows = 0

    def told(progress: aa.Progress) -> None:
        nonlocal rows
        rows = progress.rows

    with pytest.raises(aa.Interrupted, match="nothing was published") as raised:
        with interrupt_when(lambda: rows > 3 << 20):
            aa.write_dataset(
                endless(), lake / "weather", partition_by="key", memory_limit="32MiB", progress=told
            )
    assert isinstance(raised.value, KeyboardInterrupt)
    assert not isinstance(raised.value, Exception)
    assert raised.value.outcome is aa.Outcome.NOT_PUBLISHED
    assert raised.value.path == lake / "weather"
    assert files(lake) == []


def interrupted_half_way() -> Iterator[pa.RecordBatch]:
    """A producer in Python that Ctrl-C finds at work."""
    yield ROWS.to_batches()[0]
    signal.raise_signal(signal.SIGINT)
    yield ROWS.to_batches()[0]


@pytest.mark.parametrize("call", ["write_dataset", "stage", "DatasetWriter", "AtomicArrowWriter"])
@pytest.mark.parametrize("source", ["generator", "first item", "reader"])
def test_a_producer_in_python_is_interrupted(
    lake: Path, files: Callable[[Path], list[str]], call: str, source: str
) -> None:
    data: Any = interrupted_half_way()
    if source == "first item":
        next(data)
    if source == "reader":
        data = pa.RecordBatchReader.from_batches(ROWS.schema, data)
    with pytest.raises(aa.Interrupted, match="nothing was published") as raised:
        if call == "write_dataset":
            aa.write_dataset(data, lake / "weather")
        elif call == "stage":
            aa.stage(data, lake / "weather")
        elif call == "DatasetWriter":
            with aa.DatasetWriter(lake / "weather", schema=ROWS.schema) as writer:
                writer.write(data)
        else:
            with aa.AtomicArrowWriter(lake / "weather", {"a": 1}, ROWS.schema) as one:
                one.write(data)
    assert raised.value.outcome is aa.Outcome.NOT_PUBLISHED
    assert raised.value.path is not None
    assert raised.value.path.is_relative_to(lake / "weather")
    assert files(lake) == []


def test_a_producer_that_only_speaks_of_ctrl_c_failed_by_itself(lake: Path) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        yield ROWS.to_batches()[0]
        raise LookupError("no\nKeyboardInterrupt")

    with pytest.raises(aa.InputError, match="LookupError"):
        reader = pa.RecordBatchReader.from_batches(ROWS.schema, failing())
        aa.write_dataset(reader, lake / "weather")


def test_a_commit_is_interrupted(lake: Path, files: Callable[[Path], list[str]]) -> None:
    """Encoding with the slowest compression takes several seconds, and ends long before that."""
    started = threading.Event()
    writer = aa.DatasetWriter(
        lake / "weather",
        schema=ROWS.schema,
        partition_by="key",
        compression="zstd",
        compression_level=19,
        on_file=lambda _: started.set(),
        threads=1,
    )
    for _ in range(4):
        writer.write(ROWS)
    with pytest.raises(aa.Interrupted) as raised:
        with interrupt_when(started.is_set):
            writer.commit()
    assert raised.value.outcome is aa.Outcome.NOT_PUBLISHED
    assert files(lake) == []
    with pytest.raises(aa.ClosedError):
        writer.commit()


def test_staging_is_interrupted(lake: Path, files: Callable[[Path], list[str]]) -> None:
    started = threading.Event()
    with pytest.raises(aa.Interrupted):
        with interrupt_when(started.is_set):
            aa.stage(
                [ROWS] * 4,
                lake / "weather",
                partition_by="key",
                compression_level=19,
                on_file=lambda _: started.set(),
                threads=1,
            )
    assert files(lake) == []


def test_one_file_is_interrupted(lake: Path, files: Callable[[Path], list[str]]) -> None:
    many = 0

    def counted() -> Iterator[pa.Table]:
        nonlocal many
        for table in endless():
            many += 1
            yield table.select(["value"])

    with pytest.raises(KeyboardInterrupt) as raised:
        with aa.AtomicArrowWriter(lake / "weather", {"key": 1}, ROWS.select(["value"])) as writer:
            with interrupt_when(lambda: many > 2):
                writer.write(counted())
    assert "nothing was published" in str(raised.value)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        with aa.open(lake / "data", "wb") as file:
            with interrupt_when(lambda: file.tell() > 1 << 20):
                while True:
                    file.write(bytes(1 << 20))
    assert "nothing was published" in interrupted.value.__notes__[0]
    assert files(lake) == []


def test_what_a_handler_raises_stays_what_it_is(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    def handler(*_: Any) -> None:
        raise TimeoutError("time is up")

    rows = 0

    def told(progress: aa.Progress) -> None:
        nonlocal rows
        rows = progress.rows

    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(TimeoutError, match="time is up") as raised:
            with interrupt_when(lambda: rows > 0):
                aa.write_dataset(endless(), lake / "weather", memory_limit="8MiB", progress=told)
    finally:
        signal.signal(signal.SIGINT, before)
    assert "nothing was published" in raised.value.__notes__[0]
    assert files(lake) == []


def test_other_threads_run_while_rows_are_worked_on(lake: Path) -> None:
    """The GIL is released: a thread of Python's counts on while files are encoded."""
    over = threading.Event()
    turns = 0

    def count() -> None:
        nonlocal turns
        while not over.is_set():
            turns += 1
            time.sleep(0)

    writer = aa.DatasetWriter(lake / "weather", schema=ROWS.schema, compression_level=12, threads=1)
    writer.write(ROWS)
    thread = threading.Thread(target=count)
    thread.start()
    before = turns
    writer.commit()
    during = turns - before
    over.set()
    thread.join()
    assert during > 1000


def test_one_writer_serves_several_threads(lake: Path) -> None:
    with aa.DatasetWriter(lake / "weather", schema=ROWS.schema, partition_by="key") as writer:
        write = lambda n: writer.write(ROWS.slice(n * 1000, 1000))
        threads = [threading.Thread(target=write, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert writer.receipt.rows == 16_000


def test_a_commit_is_stopped_by_another_thread(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    started = threading.Event()
    writer = aa.DatasetWriter(
        lake / "weather",
        schema=ROWS.schema,
        partition_by="key",
        compression_level=19,
        on_file=lambda _: started.set(),
        threads=1,
    )
    for _ in range(4):
        writer.write(ROWS)

    def discard() -> None:
        started.wait()
        writer.discard()

    thread = threading.Thread(target=discard)
    thread.start()
    with pytest.raises(aa.StoppedError) as raised:
        writer.commit()
    thread.join()
    assert raised.value.outcome is aa.Outcome.NOT_PUBLISHED
    assert files(lake) == []


def test_checking_a_file_is_interrupted(lake: Path, files: Callable[[Path], list[str]]) -> None:
    """The check of so much JSON takes longer than it takes to interrupt it."""
    began = threading.Event()
    with pytest.raises(aa.Interrupted, match="nothing was published") as raised:
        with aa.open(lake / "data.json", "wb", check="json") as file:
            file.write(b"[" + b"[1,2],[3.5,null]," * (2 << 20) + b"0]")
            with interrupt_when(began.is_set):
                began.set()
                file.commit()
    assert raised.value.outcome is aa.Outcome.NOT_PUBLISHED
    assert files(lake) == []


def test_an_interrupt_at_the_end_of_a_commit_tells_what_is_published(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    table = pa.table({"value": [1, 2, 3]})
    told = 0
    for attempt in range(20):
        root = lake / str(attempt)
        try:
            with interrupt_when(lambda root=root: root.exists() and files(root) != []):  # type: ignore[misc]
                if attempt % 2 == 0:
                    writer = aa.DatasetWriter(root, schema=table.schema)
                    writer.write(table)
                    writer.commit()
                else:
                    aa.commit([aa.stage(table, root)])
                # It may still come.
                time.sleep(0.05)
        except aa.Interrupted as interrupted:
            assert interrupted.outcome is aa.Outcome.PUBLISHED
            assert interrupted.receipt.rows == 3
            told += 1
        except KeyboardInterrupt:
            assert attempt % 2 == 1 or writer.receipt.rows == 3
    assert told > 0


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="waiting is seen in /proc")
@pytest.mark.parametrize("call", ["write_dataset", "write_bytes", "commit"])
def test_waiting_for_the_lock_of_another_is_interrupted(lake: Path, call: str) -> None:
    root = lake / "weather"
    small = ROWS.slice(0, 10)
    aa.write_dataset(small, root, partition_by="key")
    staged = aa.stage(small, root, partition_by="key")

    def is_waiting() -> bool:
        for task in Path("/proc/self/task").iterdir():
            # Other threads end at any moment.
            with suppress(OSError):
                if (task / "comm").read_text().startswith("atomic-arrow-lo"):
                    return True
        return False

    with (root / ".atomic" / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(aa.Interrupted, match="nothing was published") as raised:
            with interrupt_when(is_waiting):
                if call == "write_dataset":
                    aa.write_dataset(small, root, partition_by="key")
                elif call == "write_bytes":
                    aa.write_bytes(b"x", root / "key=1" / "x.bin")
                else:
                    aa.commit([staged])
    assert raised.value.outcome is aa.Outcome.NOT_PUBLISHED
    assert aa.commit([staged]).rows == 10
