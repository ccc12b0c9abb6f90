"""Streams: each batch is one commit, and is there once whatever is killed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import atomic_arrow as aa
import pytest
from common import WHOLE
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import DataStreamWriter, StreamingQuery
from support import Readers, Rows, ids, nothing_left

Ask = Callable[[str, str], None]
Feed = Callable[[int], DataFrame]


@pytest.fixture
def feed(spark: SparkSession, rows: Rows, tmp_path: Path) -> Feed:
    """A stream of so many files of 20 rows, each of which is a batch."""

    def make(batches: int) -> DataFrame:
        files = tmp_path / "feed"
        files.mkdir(exist_ok=True)
        for number in range(batches):
            part = rows(number * 20, number * 20 + 20).toArrow()
            aa.write_parquet(part, files / f"{number:03}.parquet")
        stream = spark.readStream.schema("id long, station string")
        return stream.option("maxFilesPerTrigger", 1).parquet(str(files))

    return make


def writer(df: DataFrame, root: Path, /, name: str = "atomic", **options: str) -> DataStreamWriter:
    stream = df.writeStream.format(name).outputMode("append").trigger(availableNow=True)
    options = {"partition_by": "station"} | options
    checkpoint = str(root.parent / "checkpoint")
    return stream.option("checkpointLocation", checkpoint).options(**options)


def run(stream: DataStreamWriter, root: Path) -> StreamingQuery:
    query = stream.start(str(root))
    query.awaitTermination()
    return query


def test_each_batch_is_a_commit(feed: Feed, root: Path) -> None:
    query = run(writer(feed(3), root), root)
    assert ids(root) == list(range(60))
    assert aa.spark.last_receipt(root).rows == 20
    receipt = aa.spark.last_receipt(root)
    assert (receipt.write_id, receipt.sequence) == (f"job:{query.id}", 2)
    # What is there already is not written again; what is new is.
    run(writer(feed(4), root), root)
    assert ids(root) == list(range(80))
    assert nothing_left(root)


def test_a_whole_result_replaces_the_one_before(feed: Feed, root: Path) -> None:
    counts = feed(3).groupBy("station").count().withColumnRenamed("count", "id")
    run(writer(counts, root).outputMode("complete"), root)
    assert ids(root) == [15, 15, 15, 15]
    assert nothing_left(root)


def test_a_stream_says_by_which_keys_since_partition_by_is_not_seen(feed: Feed, root: Path) -> None:
    stream = feed(1).writeStream.format("atomic").trigger(availableNow=True)
    stream = stream.option("checkpointLocation", str(root.parent / "checkpoint"))
    with pytest.raises(Exception, match="Spark does not tell a data source of partitionBy"):
        run(stream.partitionBy("station"), root)
    assert not root.exists()
    run(stream.option("partition_by", ""), root)
    assert ids(root) == list(range(20))
    with pytest.raises(Exception, match="each batch of a stream is a job"):
        run(writer(feed(2), root, job="monday"), root)


@pytest.mark.parametrize("point", ["before staging 0", "while writing 0", "after staging 0"])
def test_a_batch_whose_task_is_killed_is_done_again(
    feed: Feed, root: Path, faults: Ask, point: str
) -> None:
    faults(point, "kill")
    run(writer(feed(2), root, "atomic_with_faults"), root)
    assert ids(root) == list(range(40))
    assert nothing_left(root)


@pytest.mark.parametrize("point", ["after staging 0", "before commit of batch 0"])
def test_a_batch_that_was_aborted_is_done_when_the_stream_starts_again(
    feed: Feed, root: Path, faults: Ask, faults_of_session: Path, point: str
) -> None:
    faults(point, "kill always")
    with pytest.raises(StreamingQueryException):
        run(writer(feed(2), root, "atomic_with_faults"), root)
    assert ids(root) == []
    assert (faults_of_session / "aborted").exists()
    (faults_of_session / point).unlink()
    run(writer(feed(2), root, "atomic_with_faults"), root)
    assert ids(root) == list(range(40))
    assert nothing_left(root)


def test_a_stream_that_is_killed_between_our_commit_and_that_of_spark(
    feed: Feed, root: Path, faults: Ask, faults_of_session: Path
) -> None:
    kills = 20 if WHOLE else 3
    batches = feed(kills + 1)
    with Readers(root) as readers:
        for kill in range(kills):
            faults(f"after commit of batch {kill}", "kill")
            with pytest.raises(StreamingQueryException):
                run(writer(batches, root, "atomic_with_faults"), root)
            # The batch is there, and Spark does not know it.
            assert ids(root) == list(range(20 * (kill + 1)))
        run(writer(batches, root, "atomic_with_faults"), root)
    assert ids(root) == list(range(20 * (kills + 1)))
    assert readers.faults == []
    assert readers.seen <= set(range(20 * (kills + 1)))
    assert nothing_left(root)


def test_batches_of_a_checkpoint_that_went_back_are_known(feed: Feed, root: Path) -> None:
    checkpoint, copy = root.parent / "checkpoint", root.parent / "copy"
    run(writer(feed(1), root), root)
    shutil.copytree(checkpoint, copy)
    run(writer(feed(3), root), root)
    shutil.rmtree(checkpoint)
    copy.rename(checkpoint)
    run(writer(feed(4), root), root)
    assert ids(root) == list(range(80))


def test_batches_of_a_function_are_jobs_with_numbers(
    spark: SparkSession, feed: Feed, root: Path
) -> None:
    queries = []

    def write(rows: DataFrame, number: int) -> None:
        query = rows.sparkSession.sparkContext.getLocalProperty("sql.streaming.queryId")
        for _ in range(2):
            job = rows.write.format("atomic").mode("append").option("partition_by", "station")
            job.option("job", query).option("sequence", number).save(str(root))
            assert aa.spark.last_receipt(root).sequence == number
        queries.append(query)

    def run_with(checkpoint: str) -> str:
        stream = feed(2).writeStream.foreachBatch(write).trigger(availableNow=True)
        query = stream.option("checkpointLocation", str(root.parent / checkpoint)).start()
        query.awaitTermination()
        return str(query.id)

    first = run_with("checkpoint")
    assert ids(root) == list(range(40))
    # A new checkpoint numbers its batches from 0 again, under another name.
    second = run_with("another")
    assert ids(root) == sorted([*range(40)] * 2)
    assert queries == [first, first, second, second]
    with pytest.raises(Exception, match="the number in the stream that a job names"):
        spark.range(1).write.format("atomic").mode("append").option("sequence", 1).save(str(root))


def test_a_batch_without_rows_is_done_again_like_any_other(
    feed: Feed, root: Path, faults: Ask
) -> None:
    batches = feed(2).where("id >= 20")
    faults("after commit of batch 0", "kill")
    with pytest.raises(StreamingQueryException):
        run(writer(batches, root, "atomic_with_faults"), root)
    run(writer(batches, root, "atomic_with_faults"), root)
    assert ids(root) == list(range(20, 40))


def test_a_stream_that_stages_elsewhere_knows_its_batches_too(
    feed: Feed, root: Path, tmp_path: Path, faults: Ask
) -> None:
    (tmp_path / "scratch").mkdir()
    stream = writer(feed(2), root, "atomic_with_faults", staging=str(tmp_path / "scratch"))
    faults("after commit of batch 0", "kill")
    with pytest.raises(StreamingQueryException):
        run(stream, root)
    run(stream, root)
    assert ids(root) == list(range(40))
