"""Whole data sets: all files of a commit or none, and what is asked of them."""

from __future__ import annotations

import gc
import json
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import atomic_arrow as aa
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = pa.table({"station_id": ["KSEA", "KJFK", "KSEA"], "temp": [11.5, 3.0, 12.25]})


def count(root: Path) -> int:
    return len(pl.read_parquet(root)) if root.exists() else 0


def test_modes_keep_or_replace_what_they_say(lake: Path) -> None:
    root = lake / "weather"
    write = lambda rows, mode: aa.write_dataset(rows, root, partition_by="station_id", mode=mode)
    seattle = ROWS.filter(pa.compute.equal(ROWS["station_id"], "KSEA"))
    write(ROWS, "append")
    assert write(ROWS, "append").mode == "append"
    assert count(root) == 6
    with pytest.raises(FileExistsError, match="already"):
        write(seattle, "error_if_exists")
    receipt = write(seattle.slice(0, 1), "overwrite_partitions")
    assert len(receipt.removed) == 2
    assert count(root) == 3
    write(seattle, "overwrite")
    assert count(root) == 2


def test_a_data_set_that_is_there_is_refused_or_left_as_it_is(lake: Path) -> None:
    write = lambda mode: aa.write_dataset(
        ROWS, lake / "weather", partition_by="station_id", mode=mode
    )
    first = write("error_if_any_exists")
    assert (first.mode, first.notes, count(lake / "weather")) == ("error_if_any_exists", [], 3)
    with pytest.raises(FileExistsError, match="has files already"):
        write("error_if_any_exists")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ignored = write("ignore")
    assert [note.kind for note in ignored.notes] == ["ignored"]
    assert (ignored.mode, len(ignored.files), ignored.rows) == ("ignore", 0, 0)
    assert count(lake / "weather") == 3
    with pytest.raises(aa.InvalidOptionError, match='did you mean "ignore"'):
        write("ignored")


def test_a_file_says_that_a_commit_is_complete_if_asked_for(lake: Path) -> None:
    root = lake / "weather"
    aa.write_dataset(ROWS, root, partition_by="station_id", success_file=True)
    assert (root / "_SUCCESS").read_bytes() == b""
    assert count(root) == 3
    assert [oddity.kind for oddity in aa.inspect(root).oddities] == []
    aa.write_dataset(ROWS, root, partition_by="station_id", mode="overwrite")
    assert not (root / "_SUCCESS").exists()
    with pytest.raises(aa.InvalidOptionError, match="success_file"):
        aa.stage(ROWS, root, partition_by="station_id", success_file=True)
    staged = aa.stage(ROWS, root, partition_by="station_id")
    aa.commit([staged], success_file=True)
    assert (root / "_SUCCESS").exists()


def test_files_have_names_by_a_template(lake: Path) -> None:
    write = lambda root, **options: aa.write_dataset(ROWS, lake / root, **options)
    receipt = write("a", file_name="daily-{uuid}-{number}.parquet")
    assert [file.path for file in receipt.files] == [f"daily-{receipt.transaction}-00000.parquet"]
    receipt = write(
        "b", file_name="of-{partition}", mode="error_if_exists", partition_by="station_id"
    )
    assert sorted(file.path for file in receipt.files) == [
        "station_id=KJFK/of-KJFK.parquet",
        "station_id=KSEA/of-KSEA.parquet",
    ]
    assert count(lake / "b") == 3
    assert write("c", file_name=None).rows == 3
    with pytest.raises(aa.InvalidOptionError, match=r"file_name: \{uuid\} is needed"):
        write("d", file_name="part-{number}")
    with pytest.raises(aa.InvalidOptionError, match="several processes stage"):
        aa.stage(ROWS, lake / "d", file_name="part", mode="error_if_exists")
    assert not (lake / "d").exists()


def test_a_table_of_another_format_is_overwritten_only_if_allowed(lake: Path) -> None:
    log = lake / "table" / "_delta_log"
    log.mkdir(parents=True)
    for mode in ("overwrite", "overwrite_partitions"):
        with pytest.raises(aa.ConflictError, match="Delta Lake"):
            aa.write_dataset(ROWS, lake / "table", mode=mode)
    assert log.exists()
    aa.write_dataset(ROWS, lake / "table", mode="overwrite", overwrite_table=True)
    assert not log.exists()
    assert count(lake / "table") == 3


def test_a_write_of_the_same_name_is_not_committed_twice(lake: Path) -> None:
    first = aa.write_dataset(ROWS, lake / "weather", write_id="2013-01-01")
    again = aa.write_dataset(ROWS, lake / "weather", write_id="2013-01-01")
    assert again == first
    assert again.write_id == "2013-01-01"
    assert count(lake / "weather") == 3


def test_the_rows_of_a_write_that_was_committed_are_not_asked_for(lake: Path) -> None:
    def never() -> Iterator[pa.Table]:
        pytest.fail("asked for rows")
        yield ROWS

    first = aa.write_dataset(ROWS, lake / "weather", write_id="monday")
    assert aa.write_dataset(never(), lake / "weather", write_id="monday") == first


def test_a_with_block_commits_on_a_clean_exit(lake: Path) -> None:
    with aa.DatasetWriter(lake / "weather", schema=ROWS.schema) as writer:
        writer.write(ROWS)
        assert writer.progress.rows == 3
        assert "3 rows taken" in repr(writer)
        with pytest.raises(aa.AtomicArrowError, match="has not committed"):
            _ = writer.receipt
        assert count(lake / "weather") == 0
    assert writer.receipt.rows == count(lake / "weather") == 3
    assert "committed" in repr(writer)
    with pytest.raises(aa.ClosedError):
        writer.write(ROWS)
    with pytest.raises(ValueError, match="closed"):
        writer.commit()
    writer.discard()
    assert count(lake / "weather") == 3


def test_a_with_block_discards_on_any_exception(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    for kind in (RuntimeError, KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(kind) as raised:
            with aa.DatasetWriter(lake / "weather", schema=ROWS.schema) as writer:
                writer.write(ROWS)
                raise kind("stop")
        assert "nothing was published" in raised.value.__notes__[0]
    assert files(lake) == []


def test_within_a_with_block_one_may_commit_or_discard(lake: Path) -> None:
    with aa.DatasetWriter(lake / "a", schema=ROWS.schema) as writer:
        writer.write(ROWS)
        receipt = writer.commit()
    assert receipt.rows == 3
    with aa.DatasetWriter(lake / "b", schema=ROWS.schema) as writer:
        writer.write(ROWS)
        writer.discard()
    assert count(lake / "a") == 3
    assert count(lake / "b") == 0


def test_a_writer_that_is_dropped_discards_and_says_so(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    writer = aa.DatasetWriter(lake / "weather", schema=ROWS.schema)
    writer.write(ROWS)
    with pytest.warns(ResourceWarning, match="discarded"):
        del writer
        gc.collect()
    assert files(lake) == []


def test_the_first_error_poisons_the_writer(lake: Path, files: Callable[[Path], list[str]]) -> None:
    writer = aa.DatasetWriter(lake / "weather", schema=ROWS.schema)
    writer.write(ROWS)
    with pytest.raises(aa.SchemaMismatchError, match="temp"):
        writer.write(ROWS.drop_columns(["temp"]))
    with pytest.raises(aa.PoisonedError):
        writer.write(ROWS)
    with pytest.raises(aa.PoisonedError):
        writer.commit()
    assert files(lake) == []


def one_file(lake: Path) -> aa.AtomicArrowWriter:
    return aa.AtomicArrowWriter(lake / "weather", {"year": 2026}, ROWS.schema)


def data_set(lake: Path) -> aa.DatasetWriter:
    return aa.DatasetWriter(lake / "weather", schema=ROWS.schema)


@pytest.mark.parametrize("open_writer", [one_file, data_set])
@pytest.mark.parametrize("end", ["raises", "no table", "another schema", "reader"])
def test_an_iterable_that_fails_half_way_poisons_the_writer(
    lake: Path, files: Callable[[Path], list[str]], open_writer: Callable[[Path], Any], end: str
) -> None:
    def half() -> Iterator[Any]:
        yield ROWS.to_batches()[0]
        if end == "no table":
            yield 7
        if end == "another schema":
            yield ROWS.select(["temp"])
        raise OSError("connection reset")

    data: Any = half()
    if end == "reader":
        data = pa.RecordBatchReader.from_batches(ROWS.schema, half())
    with pytest.raises(aa.PoisonedError, match="an earlier write failed") as raised:
        with open_writer(lake) as writer:
            with pytest.raises((OSError, TypeError, aa.InputError, aa.SchemaMismatchError)):
                writer.write(data)
            with pytest.raises(aa.PoisonedError):
                writer.write(ROWS)
    assert raised.value.outcome is aa.Outcome.NOT_PUBLISHED
    assert files(lake) == []
    with pytest.raises(aa.ClosedError):
        writer.commit()


def test_a_writer_that_failed_cannot_be_staged_but_discarded(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    for end in ("stage", "discard"):
        writer = data_set(lake)
        with pytest.raises(TypeError, match="rows"):
            writer.write([ROWS, 7])
        if end == "stage":
            with pytest.raises(aa.PoisonedError):
                writer.stage()
        writer.discard()
        with pytest.raises(aa.ClosedError):
            writer.write(ROWS)
    assert files(lake) == []


@pytest.mark.parametrize(("encodings", "is_delta"), [("auto", True), ("compatible", False)])
def test_columns_are_encoded_as_asked(
    lake: Path, encodings: Literal["auto", "compatible"], is_delta: bool
) -> None:
    rows = pa.table({"n": list(range(1000))})
    receipt = aa.write_dataset(rows, lake / "numbers", encodings=encodings)
    column = (
        pq.ParquetFile(lake / "numbers" / receipt.files[0].path).metadata.row_group(0).column(0)
    )
    assert ("DELTA_BINARY_PACKED" in column.encodings) == is_delta


def test_parquet_is_written_as_asked(lake: Path) -> None:
    receipt = aa.write_dataset(
        pa.table({"n": list(range(1000, 0, -1)), "text": ["a", "b"] * 500}),
        lake / "numbers",
        compression="snappy",
        row_group_size=100,
        sort_by=["text", aa.SortBy("n", descending=True)],
        bloom_filters=["text"],
        metadata={"source": "here"},
        dictionary=False,
        target_file_rows=500,
        verify="decode",
        sync="each_file",
        max_open_files=8,
    )
    assert [file.rows for file in receipt.files] == [500, 500]
    path = lake / "numbers" / receipt.files[0].path
    metadata = pq.read_metadata(path)
    assert metadata.num_row_groups == 5
    assert metadata.row_group(0).column(0).compression == "SNAPPY"
    assert metadata.metadata[b"source"] == b"here"
    numbers = pq.read_table(path)["n"].to_pylist()
    assert numbers == sorted(numbers, reverse=True)
    assert receipt.files[0].content_hash is not None
    plain = aa.write_dataset(ROWS, lake / "plain", compression=None)
    column = pq.read_metadata(lake / "plain" / plain.files[0].path).row_group(0).column(0)
    assert column.compression == "UNCOMPRESSED"


def test_one_column_or_several_have_bloom_filters(lake: Path) -> None:
    write = lambda columns: aa.write_dataset(ROWS, lake / "weather", bloom_filters=columns).bytes
    assert write("station_id") == write(["station_id"]) > write([]) + 32
    assert write(["station_id", "temp"]) > write("station_id") + 32


@pytest.mark.parametrize("format", ["csv", "ndjson", "ipc"])
def test_other_formats_are_written(lake: Path, format: Any) -> None:
    receipt = aa.write_dataset(ROWS, lake / "weather", format=format, partition_by="station_id")
    path = lake / "weather" / receipt.files[0].path
    read = {"csv": pl.read_csv, "ndjson": pl.read_ndjson, "ipc": pl.read_ipc}[format]
    assert len(read(path)) == receipt.files[0].rows
    assert aa.verify(lake / "weather").rows == 3


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("mode", "replace"),
        ("compression", "zip"),
        ("bloom_filters", ["no such column"]),
        ("encodings", "all"),
        ("compression_level", 99),
        ("verify", "all"),
        ("durability", "maybe"),
        ("sync", "never"),
        ("format", "orc"),
        ("staging", "elsewhere"),
        ("schema_policy", "any"),
        ("memory_limit", "much"),
        ("memory_limit", -1),
        ("memory_limit", "99999999999TB"),
        ("target_file_size", -1),
        ("target_file_rows", -5),
        ("row_group_size", -5),
        ("row_group_size", 2**64),
        ("compression_level", 2**31),
        ("threads", -1),
        ("max_open_files", -1),
        ("keep_staged", -1),
        ("keep_staged", float("nan")),
        ("keep_staged", float("inf")),
        ("target_file_size", "1 parsec"),
        ("target_file_rows", 0),
        ("row_group_size", 0),
        ("write_id", ""),
        ("sort_by", "missing"),
    ],
)
def test_an_option_that_cannot_be_is_named(
    lake: Path, files: Callable[[Path], list[str]], option: str, value: Any
) -> None:
    options: Any = {option: value}
    with pytest.raises(aa.InvalidOptionError, match=option.split("_")[0]) as raised:
        aa.write_dataset(ROWS, lake / "weather", **options)
    assert isinstance(raised.value, ValueError)
    assert files(lake) == []
    with pytest.raises(TypeError, match="nonsense"):
        aa.write_dataset(ROWS, lake / "weather", nonsense=1)  # type: ignore[call-arg]
    for name in ("memory_limit", "threads"):
        with pytest.raises(TypeError, match=f"{name}: a whole number, not float"):
            aa.write_dataset(ROWS, lake / "weather", **{name: 5e8})  # type: ignore[arg-type]


def test_files_and_progress_are_told(lake: Path) -> None:
    told: list[aa.FileRecord] = []
    steps: list[aa.Progress] = []
    receipt = aa.write_dataset(
        ROWS,
        lake / "weather",
        partition_by="station_id",
        on_file=told.append,
        progress=steps.append,
    )
    assert sorted(file.path for file in told) == sorted(file.path for file in receipt.files)
    last = steps[-1]
    assert (last.rows, last.partitions, last.files_finished, last.rows_finished) == (3, 2, 2, 3)
    assert last.bytes_finished == receipt.bytes
    assert last.rows_spilled == 0


def test_a_bar_is_shown_when_asked_for(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    aa.write_dataset(ROWS, lake / "weather", progress=True)
    assert "rows" in capsys.readouterr().err


def test_without_tqdm_a_line_is_shown_on_a_terminal(
    lake: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    aa.write_dataset(ROWS, lake / "weather", progress=True)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    aa.write_dataset(ROWS, lake / "weather", progress=True)
    assert capsys.readouterr().err.endswith("3 rows taken, 1 files finished\n")


@pytest.mark.parametrize("name", ["on_file", "progress"])
def test_an_exception_of_a_callback_ends_the_write(
    lake: Path, files: Callable[[Path], list[str]], name: str
) -> None:
    def call(_: object) -> None:
        raise LookupError("enough")

    writer = aa.DatasetWriter(lake / "weather", schema=ROWS.schema, **{name: call})  # type: ignore[arg-type]
    with pytest.raises(LookupError, match="enough") as raised:
        writer.write(ROWS)
        writer.commit()
    # Of progress a callback may hear only once it is too late.
    published = "everything is published" in raised.value.__notes__[0]
    assert name == "progress" or not published
    assert published or "nothing was published" in raised.value.__notes__[0]
    assert (files(lake) != []) == published
    writer.discard()


def test_a_callback_cannot_use_its_writer(lake: Path) -> None:
    def call(_: aa.Progress) -> None:
        writer.write(ROWS)

    writer = aa.DatasetWriter(lake / "weather", schema=ROWS.schema, progress=call)
    with pytest.raises(aa.BusyError):
        writer.write(ROWS)
    writer.discard()


def test_receipts_are_plain_data(lake: Path) -> None:
    receipt = aa.write_dataset(ROWS, lake / "weather", partition_by="station_id")
    assert pickle.loads(pickle.dumps(receipt)) == receipt
    assert aa.Receipt.from_json(receipt.to_json()) == receipt
    with pytest.raises(aa.InvalidReceiptError):
        aa.Receipt.from_json("{}")

    assert len(receipt.files) == 2
    first, last = receipt.files[0], receipt.files[-1]
    assert [first.path, last.path] == [file.path for file in receipt.files]
    assert (lake / "weather" / first.path).stat().st_size == first.bytes
    assert first.columns[0]["column"] == "temp"
    assert sum(file.rows for file in receipt.files) == 3
    with pytest.raises(IndexError):
        _ = receipt.files[2]


def test_receipts_say_what_the_time_was_spent_on(lake: Path) -> None:
    staged = [aa.stage(ROWS, lake / "weather", partition_by="station_id") for _ in range(2)]
    spent = [work.metrics for work in staged]
    receipt = aa.commit(staged, write_id="monday")
    metrics = receipt.metrics
    assert metrics is not None
    assert metrics.wall > timedelta(0)
    assert metrics.encoding == sum((work.encoding for work in spent if work), timedelta(0))
    assert metrics.encoding > timedelta(0)
    assert pickle.loads(pickle.dumps(receipt)).metrics == metrics
    assert repr(metrics).startswith("<Metrics 0.")
    assert aa.commit(staged, write_id="monday").metrics is None


def test_receipts_are_tables(lake: Path) -> None:
    receipt = aa.write_dataset(ROWS, lake / "weather", partition_by="station_id")
    frame = pl.DataFrame(receipt.files)
    assert frame["rows"].to_list() == [file.rows for file in receipt.files]
    assert pa.table(receipt.files) == pa.table(receipt)
    assert pa.schema(receipt.files).names == frame.columns
    assert receipt.files[0].path in receipt._repr_html_()
    assert "<td>" in receipt.files._repr_html_()
    assert str(receipt).startswith("3 rows in 2 files of 2 partitions")
    assert repr(receipt).startswith("<Receipt, append: 3 rows")
    assert repr(receipt.files).startswith("<Table of 2: [<FileRecord station_id=")


@pytest.mark.parametrize("form", ["str", "PathLike", "file://", "file:", "localhost"])
def test_paths_come_in_every_form(lake: Path, form: str) -> None:
    root = lake / "with space" / "weather#1"
    url = root.as_uri()
    given: Any = {
        "str": str(root),
        "PathLike": root,
        "file://": url,
        "file:": url.replace("file://", "file:"),
        "localhost": url.replace("file://", "FILE://localhost"),
    }[form]
    aa.write_dataset(ROWS, given)
    assert count(root) == 3
    assert aa.inspect(given).rows == aa.verify(given).rows == 3
    aa.recover(given)


@pytest.mark.parametrize(
    "url",
    [
        "hdfs://bucket/weather",
        "s4://b/w",
        "https://x/y",
        "file://other/lake",
        "file:///a?b",
        "file:a",
    ],
)
def test_another_url_is_an_error_that_says_what_is_supported(url: str) -> None:
    with pytest.raises(aa.InvalidPathError, match=r"file://") as raised:
        aa.write_dataset(ROWS, url)
    assert isinstance(raised.value, ValueError)
    for call in (aa.inspect, aa.verify, aa.recover, aa.open):
        with pytest.raises(aa.InvalidPathError):
            call(url)  # type: ignore[operator]


def test_one_file_in_a_partition(lake: Path, files: Callable[[Path], list[str]]) -> None:
    rows = ROWS.select(["temp"])
    partition = {"station_id": "KSEA", "year": 2026}
    with aa.AtomicArrowWriter(lake / "weather", partition, rows.schema, file_name="a.parquet") as w:
        w.write(rows)
        assert "open" in repr(w)
        assert files(lake / "weather") == [] if (lake / "weather").exists() else True
    assert w.file.rows == 3
    assert w.file.path == w.path == lake / "weather/station_id=KSEA/year=2026/a.parquet"
    assert "committed" in repr(w)
    assert "3 rows" in repr(w.file)
    assert pq.read_table(w.file, partitioning=None).num_rows == 3
    with pytest.raises(FileExistsError):
        aa.AtomicArrowWriter(lake / "weather", partition, rows.schema, file_name="a.parquet")
    with aa.AtomicArrowWriter(
        lake / "weather", partition, rows.schema, file_name="a.parquet", replace=True
    ) as w:
        w.write(rows.slice(0, 1))
    assert count(lake / "weather") == 1
    with pytest.raises(LookupError) as raised:
        with aa.AtomicArrowWriter(lake / "weather", partition, rows.schema) as w:
            w.write(rows)
            raise LookupError
    assert "nothing was published" in raised.value.__notes__[0]
    with pytest.raises(aa.ClosedError):
        w.write(rows)
    assert len(files(lake)) == 1


def test_a_row_of_another_partition_is_an_error(lake: Path) -> None:
    with pytest.raises(aa.StrayRowError, match="KJFK"):
        with aa.AtomicArrowWriter(lake / "weather", {"station_id": "KSEA"}, ROWS.schema) as writer:
            writer.write(ROWS)


def test_a_named_write_whose_files_are_gone_warns_and_is_written_again_if_asked_to(tmp_path):
    rows = pa.table({"n": [1, 2]})
    root = tmp_path / "lake"

    def write(**options):
        return aa.write_dataset(rows, root, write_id="monday", **options)

    first = write()
    assert first.missing_files == []
    (root / first.files[0].path).unlink()
    with pytest.warns(UserWarning, match="1 of the 1 files that the write 'monday' published"):
        again = write()
    assert again.missing_files == [first.files[0].path]
    assert not (root / first.files[0].path).exists()
    third = write(rewrite_missing=True)
    assert third.missing_files == []
    assert (root / third.files[0].path).exists()
    assert write(rewrite_missing=True) == third


def test_a_stream_of_writes_is_known_by_its_numbers(lake: Path) -> None:
    def write(sequence: int) -> aa.Receipt:
        return aa.write_dataset(ROWS, lake / "weather", write_id="hours", sequence=sequence)

    first, third = write(1), write(3)
    assert (third.sequence, third.replayed, third.root) == (3, False, lake / "weather")
    again = write(3)
    assert (again, again.replayed) == (third, True)
    assert "'hours' 3, append, committed before" in repr(again).replace('"', "'")
    late = write(2)
    assert (late.replayed, len(late.files)) == (True, 0)
    assert [note.kind for note in late.notes] == ["superseded"]
    assert aa.already_committed(lake / "weather", "hours", sequence=4) is None
    assert aa.already_committed(lake / "weather", "hours", sequence=1) == write(1) != first
    with pytest.raises(aa.InvalidOptionError, match="sequence: -1"):
        write(-1)
    with pytest.raises(aa.InvalidOptionError, match="sequence: is the number in a stream"):
        aa.write_dataset(ROWS, lake / "weather", sequence=1)


def test_jobs_of_a_stream_are_closed_up_to_the_one_that_is_committed(lake: Path) -> None:
    def stage(sequence: int) -> aa.StagedWrite:
        return aa.stage(ROWS, lake / "weather", job="batches", sequence=sequence)

    lost, job, following = stage(1), stage(2), stage(3)
    assert (job.sequence, pickle.loads(pickle.dumps(job)) == job) == (2, True)
    receipt = aa.commit([job])
    assert (receipt.write_id, receipt.sequence) == ("job:batches", 2)
    assert aa.already_committed(lake / "weather", job="batches", sequence=2) == receipt
    assert aa.already_committed(lake / "weather", job="batches", sequence=3) is None
    with pytest.raises(
        aa.InvalidOptionError, match="give the name of the write, or that of the job"
    ):
        aa.already_committed(lake / "weather")
    assert [waiting.write.sequence for waiting in aa.staged(lake / "weather")] == [3]
    with pytest.raises(aa.JobClosedError, match="number 1,"):
        aa.commit([lost])
    with pytest.raises(aa.JobClosedError, match="number 1,"):
        stage(1)
    aa.discard(root=lake / "weather", job="batches", sequence=5)
    assert not aa.staged(lake / "weather")
    with pytest.raises(aa.JobClosedError):
        aa.commit([following])


def test_a_receipt_has_the_schema_of_the_rows(lake: Path) -> None:
    receipt = aa.write_dataset(ROWS, lake / "weather", partition_by="station_id")
    assert receipt.schema is not None
    assert pa.schema(receipt.schema) == ROWS.schema
    assert receipt.schema.names == ROWS.schema.names
    assert aa.Receipt.from_json(receipt.to_json()).schema == receipt.schema
    assert "station_id: Utf8" in repr(receipt.schema)


def _decided(area: Path, path: str) -> Path:
    """A commit of a dead writer, whose only file is gone from the staging area."""
    transaction = "01890a5d-ac96-774b-bcce-b302099a8057"
    totals = {"files": 0, "partitions": 0, "rows": 0, "bytes": 0, "removed": 0}
    record = {
        "decision": "committed",
        "version": 1,
        "transaction": transaction,
        "root": None,
        "scope": "",
        "write_id": None,
        "arrangement": [],
        "files": [{"staged": "00000.staged", "path": path, "identity": "0" * 32}],
        "exchanges": [],
        "receipt": {
            "version": 1,
            "transaction": transaction,
            "write_id": None,
            "mode": "append",
            "totals": totals,
            "files": [],
            "removed": [],
        },
    }
    directory = area / transaction
    directory.mkdir(parents=True)
    (directory / "lease").touch()
    (directory / "decision.record").write_text(json.dumps(record))
    return directory


def test_a_commit_whose_files_are_gone_is_given_up_if_that_is_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    transaction = _decided(tmp_path / ".lake.atomic", "k=A/part-0.parquet")
    (lost,) = aa.recover(root).failed
    assert isinstance(lost, aa.FilesLostError)
    assert lost.outcome == aa.Outcome.LOST
    table = pa.table({"k": ["A"], "v": [1]})
    other = pa.table({"k": ["B"], "v": [2]})
    aa.write_dataset(other, root, partition_by="k")
    with pytest.raises(
        aa.BlockedError, match=r"is not finished.*`recover\(abort_unfinished=True\)`"
    ) as blocked:
        aa.write_dataset(table, root, partition_by="k")
    assert blocked.value.outcome == aa.Outcome.NOT_PUBLISHED
    with pytest.warns(UserWarning, match="is given up"):
        recovery = aa.recover(root, abort_unfinished=True)
    assert recovery.abandoned == [transaction]
    assert "1 given up" in str(recovery)
    aa.write_dataset(table, root, partition_by="k")
    assert aa.recover(root).failed == []


def test_a_dry_run_counts_rows_and_writes_nothing(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    rows = pa.table({"k": ["b", "a", "b"], "v": [1, 2, 3]})
    report = aa.write_dataset(
        rows, lake / "t", partition_by="k", write_id="first", progress=True, dry_run=True
    )
    assert [(p.path, p.partition, p.rows) for p in report.partitions] == [
        ("k=a", {"k": "a"}, 1),
        ("k=b", {"k": "b"}, 2),
    ]
    assert (report.rows, report.root, report.notes) == (3, lake / "t", [])
    assert pa.table(report).to_pydict() == {"path": ["k=a", "k=b"], "rows": [1, 2]}
    told = json.loads(report.to_json())
    assert told["dry_run"] is True
    assert told["totals"] == {"partitions": 2, "rows": 3}
    assert files(lake) == []


def test_a_dry_run_says_what_the_write_would_be_refused_for(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    rows = pa.table({"k": ["a"], "v": [1]})
    aa.write_dataset(rows, lake, partition_by="k")
    before = files(lake)
    with pytest.raises(aa.ConflictError, match="has files already"):
        aa.write_dataset(rows, lake, partition_by="k", mode="error_if_exists", dry_run=True)
    other = pa.table({"k": ["a"], "v": ["x"]})
    with pytest.raises(aa.IncompatibleError):
        aa.write_dataset(other, lake, partition_by="k", dry_run=True)
    with pytest.raises(aa.PartitionError):
        aa.write_dataset(pa.table({"k": [""], "v": [1]}), lake, partition_by="k", dry_run=True)
    added = pa.table({"k": ["a"], "v": [1], "w": [2]})
    notes = aa.write_dataset(added, lake, partition_by="k", dry_run=True).notes
    assert [note.kind for note in notes] == ["column-added"]
    assert files(lake) == before
