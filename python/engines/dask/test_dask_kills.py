"""Workers and drivers of Dask that are killed: every row once, or none, and nothing left."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import dask
import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
import pytest
from checks import Driver, assert_clean, die_once, readers, rows_in, wait_until
from common import whole
from distributed import Client, KilledWorker, LocalCluster, WorkerPlugin

OLD = list(range(100, 110))
NEW = list(range(20))


@pytest.fixture
def client() -> Iterator[Client]:
    """A cluster for each test: a nanny gives up whose worker is killed right as it starts again."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def old(root: Path) -> list[int]:
    """Rows that were there before."""
    aa.write_dataset(pa.table({"k": ["a"] * 10, "n": OLD}), root, partition_by="k")
    return OLD


def frame() -> Any:
    return dd.from_pandas(pd.DataFrame({"k": ["a", "b"] * 10, "n": NEW}), npartitions=4)


def die_with(part: pd.DataFrame, flag: Path) -> pd.DataFrame:
    if 12 in set(part["n"]):
        die_once(flag)
    return part


class Rows:
    """Rows in two batches, whose process dies between them, once."""

    def __init__(self, numbers: list[int], flag: Path | None) -> None:
        self._numbers = numbers
        self._flag = flag

    def __iter__(self) -> Iterator[pa.Table]:
        for number in self._numbers:
            if self._flag is not None and number == self._numbers[-1]:
                die_once(self._flag)
            yield pa.table({"k": [f"{number % 2}"], "n": [number]})


class DieAfter(WorkerPlugin):
    """Kills a worker when a task of some name has ended, before anybody is told of it; once."""

    def __init__(self, name: str, flag: Path) -> None:
        self.name = f"die-after-{name}"
        self._prefix = name
        self._flag = flag

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        name = key[0] if isinstance(key, tuple) else key
        if finish == "memory" and str(name).startswith(self._prefix):
            die_once(self._flag)


def test_a_worker_dies_before_it_stages(
    root: Path, old: list[int], client: Client, tmp_path: Path
) -> None:
    dying = frame().map_partitions(partial(die_with, flag=tmp_path / "flag"), meta=frame()._meta)
    with readers(root, lambda found: set(OLD) <= set(found) <= {*OLD, *NEW}):
        aa.dask.write_dataset(dying, root, partition_by="k", compute_kwargs={"scheduler": client})
    assert (tmp_path / "flag").exists()
    assert rows_in(root) == NEW + OLD
    assert_clean(root)


def test_a_worker_dies_while_it_writes(
    root: Path, old: list[int], client: Client, tmp_path: Path
) -> None:
    flags = [None, tmp_path / "flag"]
    parts = [dask.delayed(Rows)(NEW[at::2], flags[at]) for at in range(2)]
    with readers(root, lambda found: set(OLD) <= set(found) <= {*OLD, *NEW}):
        aa.dask.write_dataset(parts, root, partition_by="k", compute_kwargs={"scheduler": client})
    assert (tmp_path / "flag").exists()
    assert rows_in(root) == NEW + OLD
    assert_clean(root)


@pytest.mark.parametrize("task", ["atomic-arrow-stage", "atomic-arrow-commit"])
@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_a_worker_dies_after_a_task_before_it_tells(
    task: str, mode: Any, root: Path, old: list[int], client: Client, tmp_path: Path
) -> None:
    plugin = DieAfter(task, tmp_path / "flag")
    client.register_plugin(plugin)
    try:
        receipt = aa.dask.write_dataset(
            frame(), root, partition_by="k", mode=mode, compute_kwargs={"scheduler": client}
        )
    finally:
        client.unregister_worker_plugin(plugin.name)
    assert (tmp_path / "flag").exists()
    assert receipt.rows == 20
    assert rows_in(root) == (NEW if mode == "overwrite" else NEW + OLD)
    assert_clean(root)


def always_die(part: pd.DataFrame) -> pd.DataFrame:
    if 12 in set(part["n"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return part


def allow_failures(number: int, dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = number


@pytest.fixture
def no_second_chance(client: Client) -> None:
    """Has Dask give up a task whose worker dies."""
    client.run_on_scheduler(allow_failures, 0)


@pytest.mark.usefixtures("no_second_chance")
def test_a_task_that_kills_its_worker_for_good_publishes_nothing(
    root: Path, old: list[int], client: Client
) -> None:
    dying = frame().map_partitions(always_die, meta=frame()._meta)
    with readers(root, lambda found: found == OLD), pytest.raises(KilledWorker):
        aa.dask.write_dataset(
            dying, root, partition_by="k", mode="overwrite", compute_kwargs={"scheduler": client}
        )
    assert rows_in(root) == OLD
    assert_clean(root)


DRIVER = """
import sys

import atomic_arrow as aa
import dask.dataframe as dd
import pandas as pd

root, scheduler = sys.argv[1:]
if __name__ == "__main__":
    frame = dd.from_pandas(pd.DataFrame({"k": ["a", "b"] * 10, "n": range(20)}), npartitions=10)
    where = {"scheduler": scheduler}
    if scheduler.startswith("tcp:"):
        from distributed import Client

        where = {"scheduler": Client(scheduler)}
    aa.dask.write_dataset(frame, root, partition_by="k", mode="overwrite", compute_kwargs=where)
"""


def kill_driver(root: Path, tmp_path: Path, scheduler: str, staged: int) -> None:
    """Kills the driver of a write when so much is staged."""
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    with (
        readers(root, lambda found: found in (OLD, NEW) or set(found) <= {*OLD, *NEW}),
        Driver(script, root, scheduler) as driver,
    ):
        wait_until(lambda: len(aa.staged(root)) >= staged, driver.process)
        driver.kill()


@pytest.mark.parametrize("scheduler", ["threads", "distributed"])
@pytest.mark.parametrize(
    "staged", [5, *(pytest.param(at, marks=whole) for at in [1, 2, 3, 4, 6, 7, 8, 9, 10])]
)
def test_the_driver_dies(
    staged: int, scheduler: str, root: Path, old: list[int], client: Client, tmp_path: Path
) -> None:
    where = client.scheduler.address if scheduler == "distributed" else scheduler
    kill_driver(root, tmp_path, where, staged)
    if scheduler == "distributed":
        # Tasks that run are not stopped by the loss of their client.
        while client.run_on_scheduler(is_busy):
            pass
    aa.recover(root)
    assert rows_in(root) in (OLD, NEW)
    assert_clean(root, discard=True)
    assert rows_in(root) in (OLD, NEW)


def is_busy(dask_scheduler: Any) -> bool:
    return any(worker.processing for worker in dask_scheduler.workers.values())


@whole
@pytest.mark.parametrize("seed", range(20))
def test_the_driver_dies_at_any_time(seed: int, root: Path, old: list[int], tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    with Driver(script, root, "threads") as driver:
        wait_until(lambda: aa.staged(root), driver.process)
        driver.kill_at_random(seed, within=0.4)
    aa.recover(root)
    assert rows_in(root) in (OLD, NEW)
    assert_clean(root, discard=True)
