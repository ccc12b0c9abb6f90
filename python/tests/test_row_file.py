"""One file of rows at one path, written in one step or updated under a lock."""

from __future__ import annotations

import gzip
import multiprocessing
import os
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

ROWS = pa.table({"item": ["a", "b", None], "price": [11.5, 3.0, 2.25]})


def names(directory: Path) -> list[str]:
    """All but what is hidden."""
    return sorted(name for name in os.listdir(directory) if not name.startswith("."))


def test_each_format_has_the_rows_that_were_given(lake: Path) -> None:
    file = aa.write_parquet(ROWS, lake / "a/rows.parquet", metadata={"origin": "a test"})
    assert (file.path, file.rows) == (lake.resolve() / "a/rows.parquet", 3)
    assert file.bytes == file.path.stat().st_size
    assert pq.read_table(file.path).equals(ROWS.replace_schema_metadata())
    assert pq.read_metadata(file.path).metadata[b"origin"] == b"a test"
    assert names(lake / "a") == ["rows.parquet"]

    assert aa.write_ipc(ROWS, lake / "rows.arrow").rows == 3
    assert pyarrow.feather.read_table(lake / "rows.arrow").equals(ROWS)
    assert aa.write_csv(ROWS, lake / "rows.csv.gz").rows == 3
    with gzip.open(lake / "rows.csv.gz", "rt") as text:
        assert text.read() == "item,price\na,11.5\nb,3.0\n,2.25\n"
    assert aa.write_ndjson(ROWS, lake / "rows.ndjson").rows == 3
    assert pl.read_ndjson(lake / "rows.ndjson").equals(pl.DataFrame(ROWS))


@pytest.mark.parametrize(
    "data",
    [pd.DataFrame({"n": [1, 2]}), pl.LazyFrame({"n": [1, 2]}), iter([pa.table({"n": [1, 2]})])],
)
def test_any_frame_is_taken(data: Any, lake: Path) -> None:
    assert aa.write_parquet(data, lake / "rows.parquet").rows == 2
    assert pq.read_table(lake / "rows.parquet")["n"].to_pylist() == [1, 2]


def test_a_file_that_is_there_is_replaced_unless_the_mode_refuses(lake: Path) -> None:
    path = lake / "rows.parquet"
    aa.write_parquet(ROWS, path)
    with pytest.raises(aa.AlreadyExistsError):
        aa.write_parquet(ROWS.slice(0, 1), path, mode="x")
    assert pq.read_table(path).num_rows == 3
    aa.write_parquet(ROWS.slice(0, 1), path)
    assert pq.read_table(path).num_rows == 1
    with pytest.raises(aa.InvalidOptionError, match="mode"):
        aa.write_parquet(ROWS, path, mode="a")  # type: ignore[arg-type]


def test_what_cannot_be_written_leaves_the_file_as_it_was(lake: Path) -> None:
    path = lake / "rows.parquet"
    aa.write_parquet(ROWS, path)

    def torn() -> Any:
        yield ROWS
        raise RuntimeError("the connection was lost")

    with pytest.raises(RuntimeError, match="connection"):
        aa.write_parquet(torn(), path)
    with pytest.raises(aa.InvalidPathError):
        aa.write_parquet(ROWS, lake / "rows.csv")
    with pytest.raises(aa.InvalidOptionError, match="row_group_size: is an option of Parquet"):
        aa.write_csv(ROWS, lake / "rows.csv", row_group_size=10)
    assert pq.read_table(path).num_rows == 3
    assert names(lake) == ["rows.parquet"]


def test_a_column_that_a_frame_lacks_is_said_where_the_rows_were_given(lake: Path) -> None:
    data = [pa.table({"n": [1], "new": ["x"]}), pa.table({"n": [2]})]
    with pytest.warns(aa.DataSetWarning) as said:
        aa.write_parquet(data, lake / "rows.parquet")
    with pytest.warns(aa.DataSetWarning) as said_again, aa.update(lake / "rows.parquet") as u:
        u.write(data)
    assert {warning.filename for warning in [*said, *said_again]} == {__file__}


def test_an_update_reads_merges_and_writes_back(lake: Path) -> None:
    path = lake / "history.parquet"
    with aa.update(path) as u:
        assert u.read() is None
        u.write(ROWS)
    with aa.update(path) as u:
        before = u.read()
        assert before is not None
        u.write(pl.concat([pl.DataFrame(before), pl.DataFrame(ROWS)]))
        u.write(pl.DataFrame(ROWS))
    assert u.file.rows == 9
    assert pq.read_table(path).num_rows == 9


def test_the_rows_of_a_file_can_be_passed_on_as_they_are_read(lake: Path) -> None:
    path = lake / "history.arrow"
    aa.write_ipc(ROWS, path)
    with aa.update(path) as u:
        u.write(u.read())
    assert pyarrow.feather.read_table(path).equals(ROWS)


def test_an_update_that_fails_or_writes_nothing_changes_nothing(lake: Path) -> None:
    path = lake / "history.parquet"
    aa.write_parquet(ROWS, path)
    with pytest.raises(ZeroDivisionError), aa.update(path) as u:
        u.write(ROWS.slice(0, 1))
        _ = 1 / 0
    with aa.update(path) as u:
        pass
    with pytest.raises(aa.AtomicArrowError, match="nothing was written"):
        _ = u.file
    with pytest.raises(aa.ClosedError):
        u.read()
    assert pq.read_table(path).num_rows == 3


def test_a_change_by_somebody_who_did_not_lock_is_a_conflict(lake: Path) -> None:
    path = lake / "history.parquet"
    aa.write_parquet(ROWS, path)
    with pytest.raises(aa.ConflictError), aa.update(path) as u:
        u.write(ROWS.slice(0, 1))
        aa.write_parquet(ROWS.slice(0, 2), path)
    assert pq.read_table(path).num_rows == 2


def test_text_has_no_schema_to_be_read_by(lake: Path) -> None:
    aa.write_csv(ROWS, lake / "rows.csv")
    with (
        pytest.raises(aa.InvalidOptionError, match="csv has no schema"),
        aa.update(lake / "rows.csv") as u,
    ):
        u.read()


def add(path: Path, times: int) -> None:
    for _ in range(times):
        with aa.update(path) as u:
            before = u.read()
            old = [] if before is None else [pa.table(before)]
            u.write(pa.concat_tables([*old, pa.table({"by": [os.getpid()]})]))


def test_no_update_of_several_processes_is_lost(lake: Path) -> None:
    path = lake / "history.parquet"
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=add, args=(path, 5)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    by = pq.read_table(path)["by"].to_pylist()
    assert sorted(by.count(worker.pid) for worker in workers) == [5, 5, 5]
