"""What is written: each work's rows, the partitions they go into, and what is asked of the output.

An input is made once, from a fixed seed, as an Arrow IPC file that everybody reads into memory before the
clock starts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import inputs
import pyarrow as pa

STATION = ("station_id",)
SCANS = (
    "duckdb, full", "duckdb, filtered", "pyarrow, full", "pyarrow, filtered", "polars, full", "polars, filtered",
)


@dataclass(frozen=True)
class Work:
    """Rows and their partitions; `given` of them are in the input, of which the first are written."""

    about: str
    make: Callable[[int, int], Iterator[pa.Table]]
    rows: int = 5_000_000
    partitions: int = 1
    keys: tuple[str, ...] = STATION
    given: int | None = None
    memory_limit: int | None = None
    # Every batch of the input is a commit of its own.
    commits: bool = False
    rows_at_once: int = 1 << 16
    rounds: int = 4
    # The filtered scan: a column, its value, and the columns that are read.
    wanted: tuple[str, str | int, tuple[str, ...]] = ("station_id", "K00007", ("time_hour", "temp", "condition"))
    scan_rounds: int = 2
    scans: tuple[str, ...] = SCANS
    # Who writes it, where not everybody does: some would add minutes and tell nothing new.
    writers: tuple[str, ...] | None = None


def growth(times: int) -> Work:
    return Work(
        f"{5 * times:,} million rows into 500 partitions, shuffled, ours within 256 MB",
        inputs.shuffled_weather, rows=5_000_000 * times, given=40_000_000, partitions=500,
        memory_limit=256 << 20, rounds=3, scan_rounds=0, writers=("atomic", "polars", "duckdb"),
    )


WORKS = {
    "a": Work(
        "one file, 5,000,000 rows of 9 columns", inputs.shuffled_weather, keys=(),
        wanted=("wind_dir", 70, ("time_hour", "temp", "condition")),
    ),
    "b": Work("500 partitions, sorted", inputs.sorted_weather, partitions=500, rounds=3),
    "c": Work("500 partitions, shuffled", inputs.shuffled_weather, partitions=500),
    "d": Work("5,000 partitions, shuffled", inputs.shuffled_weather, partitions=5_000, rounds=3),
    "e": Work(
        "50,000 partitions, shuffled, ours within 512 MB", inputs.shuffled_weather, partitions=50_000,
        memory_limit=512 << 20, rounds=3, scan_rounds=1, scans=tuple(kind for kind in SCANS if kind not in ("pyarrow, full", "polars, full")),
        writers=("atomic", "unsynced", "polars", "duckdb", "delta-rs"),
    ),
    "f": Work(
        "a wide table: 220,000 rows of 200 columns into 20 partitions, shuffled", inputs.wide, rows=220_000,
        partitions=20, keys=("site",), wanted=("site", "S007", ("float_3", "int_5", "text_2")), rounds=3,
    ),
    "g": Work(
        "long strings and nested lists: 300,000 rows into 50 partitions, shuffled", inputs.documents, rows=300_000,
        partitions=50, keys=("source",), wanted=("source", "S007", ("id", "tags")), rounds=3,
    ),
    "h": Work(
        "3,000,000 real flights by origin and month, 1,341 uneven partitions", inputs.flights, rows=3_000_000,
        keys=("origin", "month"), wanted=("origin", "LAX", ("date", "delay", "destination")),
    ),
    "i": Work(
        "2,000 commits of 1,000 rows, each into one of 50 partitions", inputs.turns_of_weather, rows=2_000_000,
        partitions=50, commits=True, rows_at_once=1_000, rounds=3, scan_rounds=0,
    ),
    "k": Work(
        "TPC-H line items at scale 1 by month of shipping, 84 partitions", inputs.lineitem, rows=6_001_215,
        keys=("ship_month",), rounds=3,
        wanted=("ship_month", "1995-03", ("l_orderkey", "l_extendedprice", "l_shipmode")),
    ),
    **{f"j{times}": growth(times) for times in (1, 2, 4, 8)},
}

# What would take most of the time: not run, and why.
LEFT_OUT = {
    ("d", "pyarrow"): "more than 200 s when it was tried",
    ("d", "datafusion"): "61 s when it was tried",
    ("d", "pandas"): "writes through pyarrow, which took more than 200 s",
    ("e", "pyarrow"): "more than 200 s with a tenth of the partitions",
    ("e", "datafusion"): "61 s and 11 GB with a tenth of the partitions",
    ("e", "pandas"): "writes through pyarrow, which takes minutes",
}


def scaled(work: Work, scale: float, rows: int) -> int:
    """Some of the rows; whole batches, where each is a commit."""
    unit = work.rows_at_once if work.commits else 1
    return max(int(rows * scale) // unit, 1) * unit


def input_of(work: Work, directory: Path, scale: float) -> Path:
    """The Arrow IPC file of a work, made if it is not there."""
    rows = scaled(work, scale, work.given or work.rows)
    partitions = max(min(work.partitions, rows // 10), 1)
    path = directory / f"{work.make.__name__}-{rows}-{partitions}.arrow"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".new")
        tables = work.make(rows, partitions)
        first = next(tables)
        with pa.OSFile(str(unfinished), "wb") as file, pa.ipc.new_file(file, first.schema) as writer:
            writer.write_table(first, max_chunksize=work.rows_at_once)
            for table in tables:
                writer.write_table(table, max_chunksize=work.rows_at_once)
        unfinished.rename(path)
    return path
