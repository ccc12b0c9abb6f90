"""What is written: the input of each work, made once and kept.

Weather as stations report it, 9 columns, about 63 bytes a row: 5,000,000 rows take 317 MB in memory. The
figures are drawn from a fixed seed, so that everybody writes the same rows.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

ROWS_AT_ONCE = 1 << 16
CONDITIONS = np.array(["clear", "cloudy", "fog", "haze", "rain", "snow", "drizzle", "thunder"])


@dataclass(frozen=True)
class Work:
    """Rows, and the partitions they go into; the key is `station_id` unless there is one partition."""

    about: str
    partitions: int
    sorted: bool = False
    rows: int = 5_000_000
    memory_limit: int | None = None

    @property
    def key(self) -> str | None:
        return "station_id" if self.partitions > 1 else None


WORKS = {
    "a": Work("one file", 1),
    "b": Work("500 partitions, sorted", 500, sorted=True),
    "c": Work("500 partitions, shuffled", 500),
    "d": Work("5,000 partitions, shuffled", 5_000),
    "e": Work("50,000 partitions, shuffled, within 512 MB", 50_000, memory_limit=512 << 20),
}


def input_of(name: str, directory: Path, scale: float) -> Path:
    """The Arrow IPC file of a work, made if it is not there."""
    work = WORKS[name]
    rows = max(int(work.rows * scale), 1)
    order = "sorted" if work.sorted else "shuffled"
    path = directory / f"weather-{rows}-{work.partitions}-{order}.arrow"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".new")
        table = weather(rows, work)
        with pa.OSFile(str(unfinished), "wb") as file:
            with pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table, max_chunksize=ROWS_AT_ONCE)
        unfinished.rename(path)
    return path


def weather(rows: int, work: Work) -> pa.Table:
    random = np.random.default_rng(20131031)
    station = random.integers(0, work.partitions, rows)
    if work.sorted:
        station.sort()
    hour = np.arange(rows, dtype=np.int64) * 3600 % (10 * 365 * 86400)
    temp = np.round(15 + 12 * np.sin(hour / 86400 * 2 * np.pi / 365) + random.normal(0, 4, rows), 1)
    wind = random.gamma(2.0, 3.0, rows)
    without = random.random(rows) < 0.03
    names = np.array([f"K{number:05d}" for number in range(work.partitions)])
    return pa.table(
        {
            "station_id": pa.array(names).take(pa.array(station)),
            "time_hour": pa.array(hour * 1_000_000 + 1_356_998_400_000_000, pa.timestamp("us", "UTC")),
            "temp": pa.array(temp),
            "dewp": pa.array(np.round(temp - random.gamma(2.0, 2.0, rows), 1)),
            "humid": pa.array(np.round(random.random(rows) * 100, 2), mask=without),
            "wind_dir": pa.array(random.integers(0, 36, rows).astype(np.int32) * 10),
            "wind_speed": pa.array(np.round(wind, 3), mask=without),
            "pressure": pa.array(np.round(random.normal(1013, 8, rows), 1)),
            "condition": pa.array(CONDITIONS).take(pa.array(random.integers(0, len(CONDITIONS), rows))),
        }
    )
