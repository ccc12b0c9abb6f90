"""Jobs of Spark: what ``df.write.format("atomic")`` writes, asks for and refuses."""

from __future__ import annotations

import re
from pathlib import Path

import atomic_arrow as aa
import pytest
from common import DOCS, printed
from pyspark.sql import DataFrame, SparkSession
from support import Rows, ids, nothing_left


def save(df: DataFrame, root: Path, mode: str = "append", /, **options: str | int | bool) -> None:
    df.write.format("atomic").mode(mode).options(**options).save(str(root))


def test_appends_and_overwrites(rows: Rows, root: Path) -> None:
    save(rows(0, 300), root, partition_by="station")
    assert ids(root) == list(range(300))
    assert {entry.name for entry in root.glob("s*")} == {f"station=S{n}" for n in range(4)}
    save(rows(300, 400), root, partition_by="station")
    assert ids(root) == list(range(400))
    save(rows(0, 10), root, "overwrite", partition_by="station")
    assert ids(root) == list(range(10))
    assert nothing_left(root)


def test_overwrites_the_partitions_that_it_touches(
    spark: SparkSession, rows: Rows, root: Path
) -> None:
    save(rows(0, 40), root, partition_by="station")
    new = rows(40, 60).where("station = 'S1'")
    save(new, root, "overwrite", partition_by="station", mode="overwrite_partitions")
    kept = [n for n in range(40) if n % 4 != 1]
    assert ids(root) == [*kept, 41, 45, 49, 53, 57]
    # As Spark's own sources do it when the session says so.
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    try:
        save(new.where("id > 50"), root, "overwrite", partition_by="station")
        assert aa.spark.last_receipt(root).mode == "overwrite_partitions"
        assert ids(root) == [*kept, 53, 57]
        # What is said to be overwritten is.
        save(new.where("id > 50"), root, "overwrite", partition_by="station", mode="overwrite")
        assert ids(root) == [53, 57]
    finally:
        spark.conf.unset("spark.sql.sources.partitionOverwriteMode")


def test_reads_back_as_spark_reads_it(spark: SparkSession, rows: Rows, root: Path) -> None:
    save(rows(0, 100), root, partition_by="station, block=bucket(2, id)", sort_by="id desc")
    assert spark.read.parquet(str(root)).where("station = 'S3'").count() == 25
    assert spark.read.parquet(str(root)).drop("block").exceptAll(rows(0, 100)).count() == 0


def test_no_rows_are_no_error_and_an_overwrite_by_none_leaves_none(rows: Rows, root: Path) -> None:
    save(rows(0, 0), root, partition_by="station")
    assert aa.spark.last_receipt(root).rows == 0
    save(rows(0, 10), root, partition_by="station")
    save(rows(0, 0), root, partition_by="station")
    assert ids(root) == list(range(10))
    save(rows(0, 0), root, "overwrite", partition_by="station")
    assert aa.spark.last_receipt(root).removed
    assert not list(root.rglob("*.parquet"))
    # Only one of many partitions has rows.
    save(rows(0, 10).where("id = 7").repartition(5), root, partition_by="station")
    assert ids(root) == [7]
    assert nothing_left(root)


def test_the_receipt_reaches_the_driver(rows: Rows, root: Path) -> None:
    with pytest.raises(aa.AtomicArrowError, match="has committed nothing to it"):
        aa.spark.last_receipt(root)
    save(rows(0, 30), root, partition_by="station")
    receipt = aa.spark.last_receipt(root)
    assert (receipt.rows, receipt.partitions, len(receipt.files)) == (30, 4, 12)
    save(rows(30, 31), root, partition_by="station", job="the second")
    assert aa.spark.last_receipt(str(root)).rows == 1


def test_a_job_with_a_name_is_done_once(rows: Rows, root: Path) -> None:
    receipts = []
    for _ in range(2):
        save(rows(0, 30), root, partition_by="station", job="monday", success_file="true")
        receipts.append(aa.spark.last_receipt(root))
    assert ids(root) == list(range(30))
    assert (receipts[0].write_id, receipts[0].rows) == ("job:monday", 30)
    assert receipts[1] == receipts[0]
    assert (root / "_SUCCESS").exists()
    save(rows(30, 60), root, partition_by="station", job="tuesday")
    assert ids(root) == list(range(60))
    assert nothing_left(root)


def test_a_job_that_is_repeated_is_not_refused_for_what_it_wrote(rows: Rows, root: Path) -> None:
    for _ in range(2):
        save(rows(0, 30), root, partition_by="station", job="monday", mode="error_if_any_exists")
    assert ids(root) == list(range(30))


def test_a_job_that_was_discarded_is_not_taken_for_one_that_was_done(
    rows: Rows, root: Path
) -> None:
    aa.discard(root=root, job="monday")
    with pytest.raises(Exception, match="JobClosedError"):
        save(rows(0, 30), root, job="monday")
    assert ids(root) == []


def test_notes_of_a_job_are_told_of_with_its_receipt(rows: Rows, root: Path) -> None:
    save(rows(0, 30), root)
    assert aa.spark.last_receipt(root).rows == 30
    save(rows(30, 60).drop("station"), root)
    with pytest.warns(aa.DataSetWarning, match='column "station"'):
        assert aa.spark.last_receipt(root).rows == 30


def test_a_job_whose_number_is_behind_is_told_of_with_its_receipt(rows: Rows, root: Path) -> None:
    save(rows(0, 30), root, job="days", sequence="2")
    save(rows(30, 60), root, job="days", sequence="1")
    with pytest.warns(aa.DataSetWarning, match="published nothing as number 1: number 2"):
        assert aa.spark.last_receipt(root).rows == 0
    assert ids(root) == list(range(30))
    save(rows(30, 60), root, job="days", sequence="3")
    assert aa.spark.last_receipt(root).rows == 30


def test_options_are_those_of_python_as_texts(rows: Rows, root: Path) -> None:
    save(
        rows(0, 100),
        root,
        partition_by="station",
        compression="zstd(3),id=snappy",
        Bloom_Filters="id(fpp=0.01)",
        dictionary="off",
        row_group_size=10,
        metadata='{"owner": "Me"}',
        memory_limit="64MiB",
        keep_staged="12h",
        verify="decode",
        file_name="daily-{uuid}-{number}",
    )
    import pyarrow.parquet as pq

    files = sorted(root.rglob("*.parquet"))
    assert all(file.name.startswith("daily-") for file in files)
    footer = pq.read_metadata(files[0])
    column = footer.row_group(0).column(0)
    assert footer.metadata[b"owner"] == b"Me"
    assert column.compression == "SNAPPY"
    assert "RLE_DICTIONARY" not in column.encodings
    assert footer.row_group(0).num_rows <= 10


def test_encryption_reads_keys_where_rows_are_written(
    rows: Rows, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("000102030405060708090a0b0c0d0e0f")
    save(rows(0, 10), root, footer_key=f"file:{tmp_path}/key")
    key = bytes(range(16))
    assert aa.verify(root, footer_key=key, level="decode").is_sound
    assert next(root.rglob("*.parquet")).read_bytes()[:4] == b"PARE"
    with pytest.raises(Exception, match="the place of a key is needed, env:NAME or file:PATH"):
        save(rows(0, 10), root, footer_key="000102030405060708090a0b0c0d0e0f")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"partition_byy": "station"}, "did you mean 'partition_by'"),
        ({"partitionOverwriteMode": "dynamic"}, "option\\('mode', 'overwrite_partitions'\\)"),
        ({"maxRecordsPerFile": 10}, "option\\('target_file_rows', N\\)"),
        ({"partition_by": "nothing"}, 'there is no column "nothing"'),
        ({"mode": "overwrite"}, "go with Spark's mode 'append'"),
        ({"write_id": "x"}, "named by the job"),
        ({"task": "x"}, "named by their numbers"),
        ({"durability": "unsynced"}, "a power cut could take"),
        ({"threads": "many"}, "'many' is no whole number"),
        ({"success_file": "perhaps"}, "none of true, false, on, off"),
        ({"keep_staged": "long"}, "a time is such as 30min, 12h or 7d"),
        ({"memory_limit": "much"}, "memory_limit"),
        ({"compression": "zip"}, "compression"),
    ],
)
def test_what_cannot_be_is_refused_before_any_task(
    rows: Rows, root: Path, options: dict[str, str | int], said: str
) -> None:
    with pytest.raises(Exception, match=said):
        save(rows(0, 10), root, **options)
    assert not root.exists()


def test_modes_that_refuse_files_that_are_there(rows: Rows, root: Path) -> None:
    for _ in range(2):
        save(rows(0, 10), root, mode="ignore", partition_by="station")
    assert ids(root) == list(range(10))
    with pytest.raises(Exception, match="has files already"):
        save(rows(0, 10), root, mode="error_if_any_exists", partition_by="station")
    with pytest.raises(Exception, match="station=S"):
        save(rows(0, 10), root, mode="error_if_exists", partition_by="station")
    assert ids(root) == list(range(10))
    assert nothing_left(root)


def test_what_spark_refuses_by_itself(rows: Rows, root: Path) -> None:
    for mode in ("error", "ignore"):
        with pytest.raises(Exception, match="UNSUPPORTED_DATA_SOURCE_SAVE_MODE"):
            save(rows(0, 10), root, mode)
    with pytest.raises(Exception, match="do not match the existing table's"):
        rows(0, 10).write.format("atomic").mode("append").partitionBy("station").save(str(root))
    assert not root.exists()


def test_reading_says_how_to_read(spark: SparkSession, rows: Rows, root: Path) -> None:
    save(rows(0, 10), root)
    with pytest.raises(Exception, match=re.escape("spark.read.parquet(root)")):
        spark.read.format("atomic").load(str(root))
    with pytest.raises(Exception, match=re.escape("spark.read.parquet(root)")):
        spark.read.format("atomic").schema("id long").load(str(root)).count()


def test_a_table_of_the_catalog_is_refused(spark: SparkSession, root: Path) -> None:
    spark.sql(f"create table weather (id long) using atomic options (path '{root}')")
    try:
        with pytest.raises(Exception, match="a table of Spark's catalog does not tell it"):
            spark.sql("insert into weather values (1)")
    finally:
        spark.sql("drop table weather")
    assert not root.exists()


def test_the_page_runs_as_printed(spark: SparkSession, tmp_path: Path) -> None:
    scope: dict[str, object] = {"__name__": "page"}
    for block in printed("engines/spark.md"):
        # Spark has a working directory of its own.
        placed = block.replace('"lake/', f'"{tmp_path}/lake/')
        placed = placed.replace('"testdata/', f'"{DOCS.parent}/testdata/')
        exec(compile(placed, "spark.md", "exec"), scope)
    assert nothing_left(tmp_path / "lake" / "weather")
