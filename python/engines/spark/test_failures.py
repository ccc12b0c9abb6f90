"""Tasks and commits that fail or are killed: every row is there once, or none of the job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import atomic_arrow as aa
import pytest
from common import WHOLE
from pyspark.sql import DataFrame
from support import Readers, Rows, ids, nothing_left

Ask = Callable[[str, str], None]


def save(df: DataFrame, root: Path, mode: str = "append", /, **options: str) -> None:
    writer = df.write.format("atomic_with_faults").mode(mode)
    writer.options(partition_by="station", **options).save(str(root))


FAULT = r"a fault, as it was asked for|Python worker exited unexpectedly"
POINTS = ["before staging 1", "while writing 1", "after staging 1"]


@pytest.mark.parametrize("fault", ["fail", "kill"] if WHOLE else ["kill"])
@pytest.mark.parametrize("point", POINTS)
def test_a_task_that_fails_once_is_done_again(
    rows: Rows, root: Path, faults: Ask, point: str, fault: str
) -> None:
    save(rows(0, 300), root)
    faults(point, fault)
    with Readers(root) as readers:
        save(rows(300, 600), root)
    assert ids(root) == list(range(600))
    assert readers.faults == []
    assert readers.seen <= set(range(600))
    assert nothing_left(root)


@pytest.mark.parametrize("fault", ["fail always", "kill always"] if WHOLE else ["fail always"])
@pytest.mark.parametrize("point", POINTS if WHOLE else POINTS[1:])
def test_a_task_that_always_fails_publishes_nothing(
    rows: Rows, root: Path, faults: Ask, point: str, fault: str
) -> None:
    save(rows(0, 300), root)
    faults(point, fault)
    with (
        Readers(root) as readers,
        pytest.raises(Exception, match=FAULT),
    ):
        save(rows(300, 600), root, "overwrite")
    assert ids(root) == list(range(300))
    assert readers.faults == []
    assert readers.seen <= set(range(300))
    assert nothing_left(root)


def test_a_job_with_a_name_that_failed_can_be_run_again(
    rows: Rows, root: Path, faults: Ask
) -> None:
    faults("after staging 1", "kill always")
    with pytest.raises(Exception, match=FAULT):
        save(rows(0, 300), root, job="monday")
    assert ids(root) == []
    faults("after staging 1", "kill")
    save(rows(0, 300), root, job="monday")
    assert ids(root) == list(range(300))
    assert nothing_left(root)


@pytest.mark.parametrize("fault", ["fail", "kill"])
def test_a_commit_that_is_not_begun_publishes_nothing(
    rows: Rows, root: Path, faults: Ask, faults_of_session: Path, fault: str
) -> None:
    faults("before commit", fault)
    with pytest.raises(Exception, match=FAULT):
        save(rows(0, 300), root)
    assert (faults_of_session / "aborted").exists()
    assert ids(root) == []
    assert nothing_left(root)


@pytest.mark.parametrize("fault", ["fail", "kill"])
def test_what_is_committed_stays_although_spark_aborts_it_then(
    rows: Rows, root: Path, faults: Ask, faults_of_session: Path, fault: str
) -> None:
    save(rows(0, 10), root)
    faults("after commit", fault)
    with pytest.raises(Exception, match=FAULT):
        save(rows(0, 300), root, "overwrite", job="monday")
    assert (faults_of_session / "aborted").exists()
    assert ids(root) == list(range(300))
    save(rows(0, 300), root, "overwrite", job="monday")
    assert ids(root) == list(range(300))
    assert aa.spark.last_receipt(root).write_id == "job:monday"
    assert nothing_left(root)
