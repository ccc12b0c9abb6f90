"""A job that is killed and started again leaves every row once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import atomic_arrow as aa
import pandas as pd
import pyarrow.dataset as ds
from conftest import WEATHER

SCRIPT = Path(__file__).parents[1] / "examples" / "ingest_weather.py"


def start(root: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(WEATHER), str(root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_killed_ingestion_that_is_restarted_leaves_every_row_once(lake: Path) -> None:
    root = lake / "weather"
    chosen = random.Random(2013)
    for chunks in (0, 1, 3, 4, 9):
        with start(root) as job:
            assert job.stdout is not None
            for _ in range(chunks):
                job.stdout.readline()
            # Somewhere in the next chunk.
            try:
                job.wait(chosen.uniform(0, 0.1))
            except subprocess.TimeoutExpired:
                pass
            job.kill()
            assert job.wait() == -signal.SIGKILL
        if root.exists():
            assert aa.verify(root).is_sound
    with start(root) as job:
        said, _ = job.communicate()
        assert job.returncode == 0
    assert len(said.splitlines()) == 14

    columns = ["time_hour", "temp", "wind_speed"]
    written = ds.dataset(root, partitioning="hive").to_table().to_pandas()
    expected = pd.read_csv(WEATHER, parse_dates=["time_hour"])
    expected["station_id"] = expected["origin"]
    columns = ["station_id", *columns]

    def rows(frame: pd.DataFrame) -> Counter[tuple[str, ...]]:
        return Counter(frame[columns].astype(str).itertuples(index=False, name=None))

    assert rows(written) == rows(expected)
    recovery = aa.recover(root)
    assert not (recovery.finished or recovery.aborted or recovery.removed or recovery.alive)
