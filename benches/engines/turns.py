"""What the scripts beside this share: the rows, and writing them by turns."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds


def arguments(**defaults: int) -> argparse.Namespace:
    """The rows, partitions, tasks and rounds that are asked for."""
    parser = argparse.ArgumentParser()
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    return parser.parse_args()


def weather(rows: int, partitions: int) -> pa.Table:
    """Rows of made-up weather in no order, the same each time."""
    random = np.random.default_rng(7)
    stations = pa.array([f"S{number:05}" for number in range(partitions)])
    notes = pa.array([None, None, *(f"observed by {number}" for number in range(1000))])
    begin = np.datetime64("2013-01-01T06", "us").astype("int64")
    columns = {
        "id": np.arange(rows),
        "station": stations.take(pa.array(random.integers(0, partitions, rows))),
        "time_hour": pa.array(begin + np.arange(rows) * 7_000_000, pa.timestamp("us", "UTC")),
        "temp": np.round(random.normal(12, 9, rows), 2),
        "humid": np.round(random.uniform(0, 100, rows), 2),
        "wind_dir": pa.array(random.integers(0, 36, rows, dtype="int32") * 10),
        "precip": pa.array(random.integers(0, 100, rows) / 100, mask=random.random(rows) < 0.8),
        "note": notes.take(pa.array(random.integers(0, 1002, rows))),
    }
    return pa.table(columns)


def taken(write: Callable[[Path], object], rows: int) -> float:
    """Seconds of a write to a new root, whose rows are counted afterwards."""
    directory = Path(tempfile.mkdtemp(dir=os.environ.get("ATOMIC_ARROW_BENCH_DIR")))
    # What an earlier write left for the disk to do is not this one's.
    os.sync()
    begin = time.perf_counter()
    write(directory / "lake")
    seconds = time.perf_counter() - begin
    assert (
        ds.dataset(directory / "lake", format="parquet", partitioning="hive").count_rows() == rows
    )
    shutil.rmtree(directory)
    return seconds


def by_turns(
    engine: str,
    by_engine: Callable[[Path], object],
    by_atomic: Callable[[Path], object],
    rows: int,
    rounds: int,
) -> None:
    """Prints what each write takes, and the median of the ratios within the rounds."""
    taken(by_engine, rows), taken(by_atomic, rows)
    ratios = []
    for number in range(rounds):
        order = [by_engine, by_atomic] if number % 2 else [by_atomic, by_engine]
        seconds = {write: taken(write, rows) for write in order}
        ratios.append(seconds[by_atomic] / seconds[by_engine])
        print(f"{seconds[by_atomic]:.2f} s, {engine} {seconds[by_engine]:.2f} s: {ratios[-1]:.2f}")
    low, high = min(ratios), max(ratios)
    median = statistics.median(ratios)
    print(f"median {median:.2f} of {engine}'s time ({low:.2f} to {high:.2f})", flush=True)
