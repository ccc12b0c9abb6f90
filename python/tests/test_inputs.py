"""Any dataframe comes in, batch by batch, and comes out as it was."""

from __future__ import annotations

import ctypes
import datetime
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import duckdb
import nanoarrow
import narwhals
import numpy
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from datafusion import SessionContext

ROWS = {
    "station_id": ["KSEA", "KJFK", "KSEA", "KLGA"],
    "temp": [11.5, None, 12.25, 3.0],
    "number": [1, 2, 3, 4],
}
TABLE = pa.table(ROWS)


def duckdb_relation() -> Any:
    return duckdb.from_arrow(TABLE)


def datafusion_frame() -> Any:
    return SessionContext().from_arrow(TABLE)


def generator() -> Iterator[pl.DataFrame]:
    for n in range(4):
        yield pl.DataFrame(ROWS)[n : n + 1]


SOURCES: dict[str, Callable[[], Any]] = {
    "pyarrow table": lambda: TABLE,
    "pyarrow batch": lambda: TABLE.to_batches()[0],
    "pyarrow reader": lambda: TABLE.to_reader(max_chunksize=1),
    "list of batches": lambda: TABLE.to_batches(max_chunksize=3),
    "pandas": lambda: pd.DataFrame(ROWS),
    "pandas with pyarrow types": lambda: TABLE.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": lambda: pl.DataFrame(ROWS),
    "polars lazy": lambda: pl.LazyFrame(ROWS),
    "generator of polars": generator,
    "duckdb": duckdb_relation,
    "datafusion": datafusion_frame,
    "narwhals": lambda: narwhals.from_native(pl.DataFrame(ROWS)),
    "nanoarrow": lambda: nanoarrow.ArrayStream(TABLE),
    "mixed": lambda: [TABLE.slice(0, 2), pl.DataFrame(ROWS)[2:3], pd.DataFrame(ROWS)[3:]],
}


def read(root: Path) -> list[dict[str, Any]]:
    keys = ds.partitioning(flavor="hive")
    rows = ds.dataset(root, format="parquet", partitioning=keys).to_table().to_pylist()
    return sorted(rows, key=lambda row: row["number"])


@pytest.mark.parametrize("source", SOURCES)
def test_every_library_is_read(lake: Path, source: str) -> None:
    receipt = aa.write_dataset(SOURCES[source](), lake / "weather", partition_by="station_id")
    assert (receipt.rows, receipt.partitions, len(receipt.files)) == (4, 3, 3)
    assert read(lake / "weather") == TABLE.to_pylist()


@pytest.mark.parametrize("source", SOURCES)
def test_a_writer_takes_every_library(lake: Path, source: str) -> None:
    with aa.DatasetWriter(lake / "weather", schema=TABLE, partition_by="station_id") as writer:
        writer.write(SOURCES[source]())
    assert read(lake / "weather") == TABLE.to_pylist()


def test_data_is_pulled_batch_by_batch(lake: Path) -> None:
    """What was pulled and written is let go, beyond the memory limit."""
    schema = pa.schema([("number", pa.int64())])
    before = pa.total_allocated_bytes()
    most = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal most
        for n in range(200):
            most = max(most, pa.total_allocated_bytes() - before)
            yield pa.record_batch([pa.array(numpy.arange(10_000) + n)], schema=schema)

    reader = pa.RecordBatchReader.from_batches(schema, batches())
    receipt = aa.write_dataset(reader, lake / "weather", memory_limit="4MiB", threads=1)
    assert receipt.rows == 2_000_000
    assert most < 8 << 20, "of 16 MB"


def test_a_pandas_index_is_written_only_when_asked_for(lake: Path) -> None:
    df = pd.DataFrame(ROWS).set_index("number", drop=False).rename_axis("row")
    aa.write_dataset(df, lake / "without", index=False)
    assert pq.read_table(lake / "without").column_names == ["station_id", "temp", "number"]
    aa.write_dataset(df, lake / "with", index=True)
    assert pq.read_table(lake / "with").column_names == ["row", "station_id", "temp", "number"]

    filtered = pd.DataFrame(ROWS)[lambda df: df.temp > 3.0]  # Its index has gaps.
    aa.write_dataset(filtered, lake / "filtered")
    assert pq.read_table(lake / "filtered").column_names == ["station_id", "temp", "number"]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(ROWS).groupby("station_id").sum(),
        pd.DataFrame(ROWS).set_index(["station_id", "number"]),
        pd.DataFrame(ROWS).set_index("number"),
        pd.DataFrame(ROWS, index=pd.date_range("2026-01-01", periods=len(ROWS["number"]))),
    ],
    ids=["groups", "two levels", "named", "times"],
)
def test_an_index_that_is_data_is_not_dropped_in_silence(
    lake: Path, files: Callable[[Path], list[str]], frame: pd.DataFrame
) -> None:
    calls: list[Callable[[], object]] = [
        lambda: aa.write_dataset(frame, lake / "a"),
        lambda: aa.write_dataset(frame, lake / "a", partition_by="station_id"),
        lambda: aa.DatasetWriter(lake / "a", schema=frame),
        lambda: aa.AtomicArrowWriter(lake / "a", {"key": 1}, frame),
    ]
    for call in calls:
        with pytest.raises(aa.InputError, match="index=True") as raised:
            call()
        assert raised.value.outcome is aa.Outcome.NOT_PUBLISHED
    assert files(lake) == []


@pytest.mark.parametrize("index", [False, True])
@pytest.mark.parametrize("kind", ["count", "gaps", "named", "two levels"])
def test_a_pandas_frame_gives_the_schema_of_its_own_rows(
    lake: Path, kind: str, index: bool
) -> None:
    df = pd.DataFrame(ROWS)
    if kind == "gaps":
        df = df[df.number.isin([1, 2, 4])]
    if kind == "named":
        df = df.set_index("station_id")
    if kind == "two levels":
        df = df.set_index(["station_id", "number"])
    with aa.DatasetWriter(lake / "a", schema=df, index=index) as writer:
        writer.write(df)
    with aa.AtomicArrowWriter(lake / "b", {"key": 1}, df, index=index) as one:
        one.write(df)
    aa.write_dataset([df, df], lake / "c", schema=df, index=index)
    expected = df.reset_index(drop=not index).columns.to_list()
    for root in ("a", "b/key=1", "c"):
        back = pq.read_table(lake / root, partitioning=None)
        assert back.column_names == expected
        assert back.num_rows == len(df) * (2 if root == "c" else 1)


def test_pandas_reads_back_what_pandas_wrote(lake: Path) -> None:
    df = pd.DataFrame(
        {
            "station_id": pd.Categorical(["KSEA", "KJFK", None]),
            "when": pd.to_datetime(["2013-01-01", "2013-01-02", None], utc=True),
            "count": pd.array([1, None, 3], dtype="Int64"),
            "flag": pd.array([True, None, False], dtype="boolean"),
            "text": ["a", None, "c"],
        }
    )
    aa.write_dataset(df, lake / "weather")
    # Parquet keeps the categories, in the order in which they came.
    back = pd.read_parquet(lake / "weather")
    pd.testing.assert_frame_equal(back, df, check_categorical=False)


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["KJFK", "KSEA"])])
def test_polars_categories_are_columns_and_keys(lake: Path, kind: Any) -> None:
    df = pl.DataFrame(
        {"key": ["KSEA", "KJFK", None], "value": ["KJFK", None, "KSEA"], "n": [1, 2, 3]},
        schema_overrides={"key": kind, "value": kind},
    )
    aa.write_dataset(df, lake / "weather", partition_by="key")
    assert sorted(path.name for path in (lake / "weather").glob("[!.]*")) == [
        "key=KJFK",
        "key=KSEA",
        "key=__HIVE_DEFAULT_PARTITION__",
    ]
    back = pl.read_parquet(lake / "weather", hive_schema={"key": pl.String}).sort("n")
    assert back["value"].cast(pl.String).to_list() == ["KJFK", None, "KSEA"]
    assert back["key"].to_list() == ["KSEA", "KJFK", None]


def test_enumerations_keep_all_categories_in_order_also_within_lists(lake: Path) -> None:
    kind = pl.Enum(["low", "unseen", "high"])
    df = pl.DataFrame(
        {"flat": ["high", "low", None], "within": [["high"], ["low", None], []]},
        schema={"flat": kind, "within": pl.List(kind)},
    )
    aa.write_dataset(df, lake / "weather", verify="decode")
    back = pl.read_parquet(lake / "weather")
    assert back.schema == df.schema
    assert back.equals(df)
    flat = pd.read_parquet(lake / "weather", columns=["flat"])["flat"]
    assert list(flat.cat.categories) == ["low", "unseen", "high"]
    assert flat.cat.ordered


def test_one_logical_column_in_several_physical_forms_is_one(lake: Path) -> None:
    names = ["KSEA", None, "KJFK"]
    forms = [
        pa.array(names),
        pa.array(names, pa.large_string()),
        pa.array(names, pa.string_view()),
        pa.array(names).dictionary_encode(),
        pa.array(names, pa.large_string()).dictionary_encode(),
    ]
    data = [pa.table({"station_id": form, "number": [n] * 3}) for n, form in enumerate(forms)]
    aa.write_dataset(data, lake / "weather", partition_by="number")
    assert pq.read_table(lake / "weather")["station_id"].to_pylist() == names * len(forms)
    with pytest.raises(aa.SchemaMismatchError, match="station_id"):
        aa.write_dataset(data, lake / "exact", schema_policy="exact")
    assert not (lake / "exact").exists()


def test_frames_of_a_list_widen_to_a_type_that_holds_all_of_them(lake: Path) -> None:
    narrow, wide = pa.array([1], pa.int32()), pa.array([2**40], pa.int64())
    tables = [pa.table({"n": narrow}), pa.table({"n": wide})]
    frames = [table.to_pandas() for table in tables]
    polars = [pl.DataFrame(table) for table in tables]
    mixed = [tables[0], polars[1].lazy()]
    for number, data in enumerate((tables, tables[::-1], frames, tuple(polars), mixed)):
        aa.write_dataset(data, lake / str(number))
        read = pq.read_table(lake / str(number))["n"]
        assert (read.type, sorted(read.to_pylist())) == (pa.int64(), [1, 2**40])
    # What comes piece by piece is known only when its turn comes.
    aa.write_dataset(iter(tables[::-1]), lake / "later")
    with pytest.raises(aa.SchemaMismatchError, match='"n": expected Int32, found Int64'):
        aa.write_dataset(iter(tables), lake / "piece by piece")
    with pytest.raises(aa.SchemaMismatchError, match='"n": expected Int64, found Float64'):
        aa.write_dataset([tables[1], pa.table({"n": [0.5]})], lake / "floats")
    with pytest.raises(aa.SchemaMismatchError):
        aa.write_dataset(tables, lake / "exact", schema_policy="exact")


def test_data_sets_and_scanners_of_pyarrow_are_read(lake: Path) -> None:
    for name, values in [("a", [1, 2]), ("b", [3])]:
        pq.write_table(pa.table({"v": values, "w": values}), lake / f"{name}.parquet")
    data = ds.dataset([lake / "a.parquet", lake / "b.parquet"])
    assert aa.write_dataset(data, lake / "all").rows == 3
    few = data.scanner(columns=["v"], filter=ds.field("v") > 1)
    assert aa.write_parquet(few, lake / "few.parquet").rows == 2
    assert pq.read_table(lake / "few.parquet").to_pydict() == {"v": [2, 3]}


def test_a_column_that_a_frame_of_a_list_lacks_is_null_and_said(lake: Path) -> None:
    data = [pa.table({"n": [1], "new": ["x"]}), pd.DataFrame({"old": ["y"], "n": [2]})]
    with pytest.warns(aa.DataSetWarning) as said:
        aa.write_dataset(data, lake / "weather")
    lacks = "of the data lacks columns that others have, which are null in its rows"
    expected = [f"item 0 {lacks}: 'old'", f"item 1 {lacks}: 'new'"]
    assert [str(warning.message) for warning in said] == expected
    assert {warning.filename for warning in said} == {__file__}
    expected = [{"n": 1, "new": "x", "old": None}, {"n": 2, "new": None, "old": "y"}]
    assert pq.read_table(lake / "weather").to_pylist() == expected


def test_writes_of_several_libraries_are_one_data_set(lake: Path) -> None:
    for frame in (pd.DataFrame(ROWS), pl.DataFrame(ROWS), TABLE):
        aa.write_dataset(frame, lake / "weather", partition_by="station_id")
    rows = [row for row in TABLE.to_pylist() for _ in range(3)]
    assert read(lake / "weather") == rows
    assert len(pl.read_parquet(lake / "weather")) == 12
    assert len(pd.read_parquet(lake / "weather")) == 12


def test_a_batch_of_many_rows_is_all_there(lake: Path) -> None:
    numbers = pa.table({"number": range(600_000)})
    receipt = aa.write_dataset(numbers, lake / "weather")
    assert receipt.rows == 600_000
    assert pq.read_table(lake / "weather")["number"].to_pylist() == list(range(600_000))


def test_columns_may_come_in_another_order(lake: Path) -> None:
    data = [TABLE, TABLE.select(["number", "temp", "station_id"])]
    aa.write_dataset(data, lake / "weather")
    assert pq.read_table(lake / "weather").to_pylist() == TABLE.to_pylist() * 2


def test_no_rows_need_a_schema(lake: Path, files: Callable[[Path], list[str]]) -> None:
    with pytest.raises(aa.InputError, match="schema="):
        aa.write_dataset([], lake / "weather")
    receipt = aa.write_dataset([], lake / "weather", schema=TABLE.schema)
    # So that readers find the schema.
    assert (receipt.rows, len(receipt.files)) == (0, 1)
    assert aa.write_dataset(TABLE.slice(0, 0), lake / "weather").rows == 0
    assert len(files(lake)) == 1


@pytest.mark.parametrize(
    "data",
    ["text", b"bytes", {"a": [1]}, 7, None, [1, 2], [{"a": 1}], pl.Series([1]), pa.array([1])],
)
def test_what_holds_no_rows_is_an_error(
    lake: Path, files: Callable[[Path], list[str]], data: Any
) -> None:
    with pytest.raises((TypeError, ValueError)):
        aa.write_dataset(data, lake / "weather")
    assert files(lake) == []


class Broken:
    """An object whose library fails to export it."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        raise LookupError("no more weather")


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame({"a": [1, "x"]}),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.Series([1]),
        pl.Series([1]),
        Broken(),
    ],
    ids=["mixed", "duplicate", "pandas", "polars", "broken"],
)
def test_what_its_library_cannot_export_is_an_input_error(
    lake: Path, files: Callable[[Path], list[str]], data: Any
) -> None:
    calls: list[Callable[[], object]] = [
        lambda: aa.write_dataset(data, lake / "weather"),
        lambda: aa.write_dataset([data], lake / "weather"),
        lambda: aa.DatasetWriter(lake / "weather", schema=data),
        lambda: aa.AtomicArrowWriter(lake / "weather", {"key": 1}, data),
    ]
    for call in calls:
        with pytest.raises(aa.InputError, match="cannot be read\n  because: ") as raised:
            call()
        assert raised.value.outcome is aa.Outcome.NOT_PUBLISHED
        assert str(raised.value.__cause__) in str(raised.value)
    assert files(lake) == []


def test_an_index_that_has_the_name_of_a_column_is_an_input_error(lake: Path) -> None:
    df = pd.DataFrame({"a": [1]}, index=pd.Index([1], name="a"))
    with pytest.raises(aa.InputError, match="already exists"):
        aa.write_dataset(df, lake / "weather", index=True)


def test_an_error_in_the_data_publishes_nothing(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        yield TABLE.to_batches()[0]
        raise LookupError("no more weather")

    with pytest.raises(LookupError, match="no more weather") as raised:
        aa.write_dataset(failing(), lake / "weather", partition_by="station_id")
    assert "nothing was published" in raised.value.__notes__[0]
    reader = pa.RecordBatchReader.from_batches(TABLE.schema, failing())
    with pytest.raises(aa.InputError, match="no more weather") as refused:
        aa.write_dataset(reader, lake / "weather", partition_by="station_id")
    assert refused.value.outcome is aa.Outcome.NOT_PUBLISHED
    assert files(lake) == []


def test_transforms_divide_by_parts_of_a_time(lake: Path) -> None:
    when = datetime.datetime(2013, 7, 9, 5, tzinfo=datetime.UTC)
    rows = pa.table({"time": [when], "origin": ["KSEA"]})
    keys = [
        aa.column("origin", as_="station_id"),
        aa.year("time"),
        aa.month("time"),
        aa.day("time"),
        aa.hour("time"),
        aa.date("time", as_="when"),
    ]
    receipt = aa.write_dataset(rows, lake / "weather", partition_by=keys)
    directory = "station_id=KSEA/year=2013/month=7/day=9/hour=5/when=2013-07-09"
    assert receipt.files[0].path.startswith(directory + "/")
    assert receipt.files[0].partition == {
        "station_id": "KSEA",
        "year": 2013,
        "month": 7,
        "day": 9,
        "hour": 5,
        "when": "2013-07-09",
    }


def test_data_is_pulled_by_the_thread_that_gives_it(lake: Path) -> None:
    """Some producers, such as connections of SQLite, serve the thread alone that opened them."""
    threads = set()

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in TABLE.to_batches(max_chunksize=1):
            threads.add(threading.get_ident())
            yield batch

    aa.write_dataset(batches(), lake / "weather")
    reader = pa.RecordBatchReader.from_batches(TABLE.schema, batches())
    aa.write_dataset(reader, lake / "weather")
    assert threads == {threading.get_ident()}


class FailingStream(ctypes.Structure):
    """An Arrow stream that fails without a word, which its consumer does not expect."""

    _SCHEMA = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    _ERROR = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    _RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    _fields_ = (
        ("get_schema", _SCHEMA),
        ("get_next", _SCHEMA),
        ("get_last_error", _ERROR),
        ("release", _RELEASE),
        ("private_data", ctypes.c_void_p),
    )

    def __init__(self) -> None:
        def get_schema(_: int, schema: int) -> int:
            TABLE.schema._export_to_c(schema)
            return 0

        super().__init__(
            self._SCHEMA(get_schema),
            self._SCHEMA(lambda _, array: 5),
            self._ERROR(lambda _: None),
            self._RELEASE(lambda _: None),
            None,
        )

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return new(ctypes.addressof(self), b"arrow_array_stream", None)


def test_a_stream_that_fails_without_a_word_is_an_ordinary_exception(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    stream = FailingStream()
    with pytest.raises(aa.InputError, match="the code 5 and no message") as raised:
        aa.write_dataset(stream, lake / "weather")
    assert raised.value.outcome is aa.Outcome.NOT_PUBLISHED
    assert files(lake) == []
    with pytest.raises(ValueError, match="read already"):
        aa.write_dataset(stream, lake / "weather")


def test_no_other_library_is_needed_or_loaded() -> None:
    check = "import sys, atomic_arrow; print({'pyarrow', 'pandas', 'tqdm'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
    required = metadata.requires("atomic-arrow") or []
    assert all("extra ==" in requirement for requirement in required)


def misaligned() -> pa.Array:
    """Texts whose offsets begin where no number may, as in a message from another process."""
    validity, offsets, texts = pa.array(["a", None, "bcd"], pa.large_string()).buffers()
    memory = bytearray(offsets.size + 8)
    start = 3 - pa.py_buffer(memory).address % 8 + 8 * (pa.py_buffer(memory).address % 8 > 3)
    memory[start : start + offsets.size] = offsets.to_pybytes()
    moved = pa.py_buffer(memory).slice(start, offsets.size)
    assert moved.address % 8 == 3
    return pa.Array.from_buffers(pa.large_string(), 3, [validity, moved, texts])


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", ["table", "batch", "frame", "series", "list"])
def test_rows_may_stand_anywhere_in_memory(lake: Path, kind: str, nested: bool) -> None:
    column = misaligned()
    if nested:
        column = pa.StructArray.from_arrays([column], ["inner"])
    table = pa.table({"s": column})
    frame = pd.DataFrame({"s": pd.Series(pd.arrays.ArrowExtensionArray(column))})
    rows = {"table": table, "batch": table.to_batches()[0], "frame": frame, "series": frame["s"]}
    aa.write_dataset([table] if kind == "list" else rows[kind], lake / "set")
    (file,) = (lake / "set").glob("*.parquet")
    texts = ["a", None, "bcd"]
    assert pq.read_table(file)["s"].to_pylist() == (
        [{"inner": text} for text in texts] if nested else texts
    )


class OnlyArray:
    """A batch that is exported as one array, and as no stream."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return self.batch.__arrow_c_array__(requested_schema)


NESTED: dict[str, tuple[list[Any], pa.DataType]] = {
    "struct in struct": (
        [{"a": {"c": n, "t": str(n)}} if n % 3 else {"a": None} for n in range(12)],
        pa.struct({"a": pa.struct({"c": pa.int64(), "t": pa.string()})}),
    ),
    "three structs": (
        [{"a": {"b": {"c": n}}} if n % 4 else None for n in range(12)],
        pa.struct({"a": pa.struct({"b": pa.struct({"c": pa.int16()})})}),
    ),
    "structs in lists of two": (
        [[{"c": n}, {"c": -n}] if n % 3 else None for n in range(12)],
        pa.list_(pa.struct({"c": pa.int64()}), 2),
    ),
    "lists of two in a struct in a struct": (
        [{"a": {"l": [n, n + 1]}} for n in range(12)],
        pa.struct({"a": pa.struct({"l": pa.list_(pa.int32(), 2)})}),
    ),
    "structs in lists in structs": (
        [{"a": [{"s": {"c": n}}] * (n % 3)} for n in range(12)],
        pa.struct({"a": pa.list_(pa.struct({"s": pa.struct({"c": pa.int64()})}))}),
    ),
    "map to structs": (
        [[("k", {"s": {"c": n}})] if n % 2 else [] for n in range(12)],
        pa.map_(pa.string(), pa.struct({"s": pa.struct({"c": pa.int64()})})),
    ),
    "booleans in structs": (
        [{"a": {"b": n % 3 == 0 if n % 5 else None}} for n in range(12)],
        pa.struct({"a": pa.struct({"b": pa.bool_()})}),
    ),
}


@pytest.mark.parametrize("kind", NESTED)
def test_slices_of_nested_columns_are_their_own_rows(kind: str, lake: Path) -> None:
    values, data_type = NESTED[kind]
    table = pa.table({"n": range(12), "x": pa.array(values, data_type)})
    for first, count in [(0, 12), (2, 2), (1, 11), (5, 1), (11, 1), (3, 0)]:
        part = table.slice(first, count)
        twice = pa.concat_tables([part, table.slice(first + count)])
        [sliced] = table.combine_chunks().to_batches()
        whole = [part, twice, part.to_reader(), OnlyArray(sliced.slice(first, count))]
        for number, (given, expected) in enumerate(
            zip(whole, [part, twice, part, part], strict=True)
        ):
            root = lake / f"{first} {count} {number}"
            aa.write_dataset(given, root)
            found = pq.ParquetDataset(root).read()
            assert found["x"].to_pylist() == expected["x"].to_pylist(), (first, count, number)
