"""Workers and drivers of Ray that are killed: every row once, or none, and nothing left."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import pyarrow as pa
import pytest
import ray
from checks import Driver, assert_clean, die_once, readers, rows_in, wait_until
from common import whole

OLD = list(range(100, 110))
NEW = list(range(20))


@pytest.fixture
def old(root: Path) -> list[int]:
    """Rows that were there before."""
    aa.write_dataset(pa.table({"n": OLD, "k": [0] * 10}), root, partition_by="k")
    return OLD


def rows() -> Any:
    numbers = ray.data.range(20, override_num_blocks=4)
    return numbers.map_batches(lambda batch: {"n": batch["id"], "k": batch["id"] % 2})


def die_between(batch: dict[str, Any], flag: Path) -> Iterator[dict[str, Any]]:
    """Gives the rows one by one, and dies at one that is not the first of its block."""
    for at, number in enumerate(batch["n"]):
        if number == 12:
            die_once(flag)
        yield {name: column[at : at + 1] for name, column in batch.items()}


def die_at(batch: dict[str, Any], flag: Path) -> dict[str, Any]:
    if 12 in batch["n"]:
        die_once(flag)
    return batch


@pytest.mark.parametrize("how", [die_at, die_between])
def test_a_worker_dies_before_it_has_staged(
    how: Any, root: Path, old: list[int], tmp_path: Path
) -> None:
    sink = aa.ray.AtomicDatasink(root, partition_by="k")
    with readers(root, lambda found: set(OLD) <= set(found) <= {*OLD, *NEW}):
        rows().map_batches(partial(how, flag=tmp_path / "flag")).write_datasink(sink)
    assert (tmp_path / "flag").exists()
    assert sink.receipt.rows == 20
    assert rows_in(root) == NEW + OLD
    assert_clean(root)


class DiesOnce(aa.ray.AtomicDatasink):
    """A sink whose worker dies when it has staged, before anybody is told of it."""

    def __init__(self, flag: Path, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._flag = flag

    def write(self, blocks: Any, ctx: Any) -> Any:
        staged = super().write(blocks, ctx)
        die_once(self._flag)
        return staged


@pytest.mark.parametrize("mode", ["append", "overwrite", "overwrite_partitions"])
def test_a_worker_dies_after_it_has_staged(
    mode: Any, root: Path, old: list[int], tmp_path: Path
) -> None:
    sink = DiesOnce(tmp_path / "flag", root, partition_by="k", mode=mode)
    rows().write_datasink(sink)
    assert (tmp_path / "flag").exists()
    assert sink.receipt.rows == 20
    assert rows_in(root) == (NEW + OLD if mode == "append" else NEW)
    assert_clean(root)


DRIVER = """
import sys

import atomic_arrow as aa
import ray

root, address = sys.argv[1:]
ray.init(address, log_to_driver=False)
ray.data.DataContext.get_current().enable_progress_bars = False
numbers = ray.data.range(20, override_num_blocks=10)
rows = numbers.map_batches(lambda batch: {"n": batch["id"], "k": batch["id"] % 2})
rows.write_datasink(aa.ray.AtomicDatasink(root, partition_by="k", mode="overwrite"))
"""


@pytest.mark.parametrize(
    "staged", [1, *(pytest.param(at, marks=whole) for at in [2, 3, 4, 5, 6, 7, 8, 9, 10])]
)
def test_the_driver_dies(
    staged: int, root: Path, old: list[int], cluster: str, tmp_path: Path
) -> None:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    with (
        readers(root, lambda found: set(found) <= {*OLD, *NEW}),
        Driver(script, root, cluster) as driver,
    ):
        wait_until(lambda: len(aa.staged(root)) >= staged, driver.process)
    # Its workers may go on for a while, and stage what they have.
    while ray.available_resources().get("CPU") != 2:
        pass
    aa.recover(root)
    assert rows_in(root) in (OLD, NEW)
    assert_clean(root, discard=True)
    assert rows_in(root) in (OLD, NEW)
