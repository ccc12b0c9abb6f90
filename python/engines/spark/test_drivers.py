"""Drivers that are killed with all of Spark: what is there is whole, and the next driver ends it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import atomic_arrow as aa
import pyarrow as pa
import pytest
from common import WHOLE, whole
from support import Readers, ids, nothing_left

HERE = Path(__file__).parent
POINTS = [
    "before staging 1",
    "while writing 1",
    "after staging 1",
    "before commit",
    "after commit",
]
SAMPLE = ["after commit"]
# The commit itself, at some moment or other.
RANDOM = [f"before commit {n}" for n in range(6)]

Drive = Callable[[str], int]


@pytest.fixture
def drive(root: Path, tmp_path: Path) -> Drive:
    """Runs a driver to its end, which a fault may bring about, and tells its exit code."""
    directory = tmp_path / "faults"
    directory.mkdir()
    environment = os.environ | {"ATOMIC_ARROW_FAULTS": str(directory)}

    def run(what: str) -> int:
        command = [sys.executable, str(HERE / "driver.py"), what, str(root)]
        done = subprocess.run(command, env=environment, capture_output=True)
        # Workers that lost their driver end when they see it.
        while _processes(f"ATOMIC_ARROW_FAULTS={directory}".encode()):
            time.sleep(0.1)
        return done.returncode

    return run


def test_a_job_whose_number_is_behind_is_told_of_on_the_standard_error(
    root: Path, tmp_path: Path
) -> None:
    aa.discard(root=root, job="monday", sequence=2)
    command = [sys.executable, str(HERE / "driver.py"), "behind", str(root)]
    environment = os.environ | {"ATOMIC_ARROW_FAULTS": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    told = [line for line in done.stderr.splitlines() if "published nothing as number 1" in line]
    assert len(told) == 1
    assert "DataSetWarning" in told[0]
    assert ids(root) == []


def _processes(variable: bytes) -> list[str]:
    """The processes with a variable in their environment, but for those that are dead already."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if variable in (process / "environ").read_bytes().split(b"\0"):
                found.append(process.name)
        except OSError:
            pass
    return found


@pytest.mark.parametrize("point", [*POINTS, *RANDOM] if WHOLE else SAMPLE)
def test_a_job_whose_driver_is_killed(drive: Drive, root: Path, tmp_path: Path, point: str) -> None:
    old = pa.table({"id": [-1], "station": ["S0"]})
    aa.write_dataset(old, root, partition_by="station")
    if point in RANDOM:
        (tmp_path / "faults" / "before commit").write_text("kill-driver-soon")
    else:
        (tmp_path / "faults" / point).write_text("kill-driver")
    with Readers(root, replaced=True) as readers:
        # At a random moment it may have ended before.
        ended = drive("batch") == 0
        assert not ended or point in RANDOM
        aa.recover(root)
        assert ids(root) in ([-1], list(range(300)))
        if ended or point == "after commit":
            assert ids(root) == list(range(300))
        assert drive("batch") == 0
    assert ids(root) == list(range(300))
    assert readers.faults == []
    assert readers.seen <= {-1, *range(300)}
    assert nothing_left(root)


def test_what_a_killed_driver_left_staged_is_discarded_by_its_job(
    drive: Drive, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "faults" / "before commit").write_text("kill-driver")
    assert drive("batch") != 0
    waiting = aa.staged(root)
    assert [(wait.write.job, wait.write.rows) for wait in waiting] == [("monday", 100)] * 3
    aa.discard(root=root, job="monday")
    assert nothing_left(root)
    assert ids(root) == []


@whole
@pytest.mark.parametrize(
    "point", ["after staging 0", "before commit of batch 1", "after commit of batch 1"]
)
def test_a_stream_whose_driver_is_killed(
    drive: Drive, root: Path, tmp_path: Path, point: str
) -> None:
    for number in range(3):
        numbers = range(number * 20, number * 20 + 20)
        part = pa.table({"id": numbers, "station": [f"S{n % 4}" for n in numbers]})
        aa.write_parquet(part, root.parent / "feed" / f"{number}.parquet")
    (tmp_path / "faults" / point).write_text("kill-driver")
    assert drive("stream") != 0
    aa.recover(root)
    assert ids(root) in [list(range(20 * batches)) for batches in range(3)]
    assert drive("stream") == 0
    assert ids(root) == list(range(60))
    assert nothing_left(root)
