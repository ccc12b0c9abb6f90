"""Iceberg tables that are told of commits, as pyiceberg, Polars and DuckDB read them."""

from __future__ import annotations

import datetime
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import polars as pl
import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table
from pyiceberg.transforms import BucketTransform
from pyiceberg.types import LongType
from table_checks import duckdb_with, run_page, texts, watch_syncs

UTC = datetime.UTC


def catalog_at(place: Path) -> SqlCatalog:
    place.mkdir(exist_ok=True)
    return SqlCatalog("test", uri=f"sqlite:///{place}/catalog.db", warehouse=f"file://{place}")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    catalog = catalog_at(tmp_path / "catalog")
    catalog.create_namespace("lake")
    yield catalog
    catalog.close()


def made(catalog: SqlCatalog, schema: pa.Schema, **partitions: str) -> Table:
    """A table without rows, partitioned by the columns that are named, each by a transform."""
    table = catalog.create_table("lake.weather", schema=schema)
    with table.update_spec() as spec:
        for column, transform in partitions.items():
            spec.add_field(column, transform)
    return catalog.load_table("lake.weather")


def weather(stations: list[str | None], hours: list[int | None]) -> pa.Table:
    return pa.table({"station": pa.array(stations, pa.string()), "hour": pa.array(hours)})


def write(root: Path, rows: pa.Table, **options: Any) -> aa.Receipt:
    """Writes one partition for each station, whose column stays in the files."""
    options = {"partition_by": "station", "keep_partition_columns": True, **options}
    return aa.write_dataset(rows, root, **options)


os.environ["POLARS_ICEBERG_PLANNER"] = "pyiceberg"

pytestmark = pytest.mark.filterwarnings("ignore::atomic_arrow.DataSetWarning")


def _pyiceberg(table: Table) -> pa.Table:
    return table.scan().to_arrow()


def _polars(table: Table) -> pa.Table:
    return pl.scan_iceberg(table).collect().to_arrow()


def _duckdb(table: Table) -> pa.Table:
    con = duckdb_with("avro", "iceberg")
    place = table.metadata_location.removeprefix("file://")
    return con.execute("select * from iceberg_scan(?)", [place]).fetch_arrow_table()


READERS = {"pyiceberg": _pyiceberg, "polars": _polars, "duckdb": _duckdb}


def rows_of(reader: str, table: Table) -> list[str]:
    return texts(READERS[reader](table))


STRANGE = [
    "a b",
    "x/y%25",
    "é=1",
    None,
    "c#d?",
    "100%",
    "'q\"",
    "Zürich+1&x",
    "..",
    "日本",
    "l" * 90,
]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("partitions", [{}, {"station": "identity"}])
def test_every_reader_sees_the_rows_that_were_written(
    root: Path, catalog: SqlCatalog, reader: str, partitions: dict[str, str]
) -> None:
    first = weather(STRANGE, [*range(9), None, 10])
    table = made(catalog, first.schema, **partitions)
    assert aa.iceberg.register(write(root, first), table, root=root)[1:] == (False, 11, 0)
    second = weather(["a b", None], [10, 11])
    assert aa.iceberg.register(write(root, second), table, root=root)[1:] == (False, 2, 0)
    assert rows_of(reader, table) == texts(pa.concat_tables([first, second]))
    found = table.scan(row_filter="station == 'a b'").to_arrow()
    assert texts(found) == texts(weather(["a b", "a b"], [0, 10]))
    assert table.scan(row_filter="station is null").to_arrow().num_rows == 2


VALUES: dict[str, pa.Array] = {
    "int32": pa.array([-(2**31), 2**31 - 1, None], pa.int32()),
    "int64": pa.array([-(2**63), 2**63 - 1, None], pa.int64()),
    "float32": pa.array([1.5, float("inf"), None], pa.float32()),
    "float64": pa.array([-0.5, float("nan"), None]),
    "boolean": pa.array([True, False, None]),
    "text": pa.array(["a" * 100, "ü", None]),
    "category": pa.array(["a", "b", None]).dictionary_encode(),
    "binary": pa.array([b"\x00\xff", b"", None]),
    "date": pa.array([datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None]),
    "decimal": pa.array([Decimal("1.25"), Decimal("-99999999.99"), None], pa.decimal128(10, 2)),
    "wide": pa.array([Decimal("1" * 36 + ".25"), Decimal("0.01"), None], pa.decimal128(38, 2)),
    "micros": pa.array([datetime.datetime(2020, 1, 1, 12, 30, 0, 5), datetime.datetime(1, 1, 1), None], pa.timestamp("us")),
    "millis": pa.array([datetime.datetime(2020, 1, 1, 12, 30, 0, 5000), None, None], pa.timestamp("ms")),
    "instant": pa.array([datetime.datetime(2020, 1, 1, tzinfo=UTC), datetime.datetime(1, 1, 1, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
    "time": pa.array([datetime.time(1, 2, 3, 4), None, None], pa.time64("us")),
    "list": pa.array([[1, None], [], None]),
    "large": pa.array([["a"], [None], None], pa.large_list(pa.string())),
    "struct": pa.array([{"a": 1, "list": [{"item": "x"}]}, {"a": None, "list": []}, None]),
    "map": pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int64())),
    "deep": pa.array([[[("a", [1])]], [], None], pa.list_(pa.map_(pa.string(), pa.list_(pa.int32())))),
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
def test_every_value_is_read_back(root: Path, catalog: SqlCatalog, reader: str) -> None:
    rows = pa.table(VALUES)
    if reader == "duckdb":
        # It fails on maps whose parts are not named as Iceberg's own writers name them.
        rows = rows.drop_columns(["map", "deep"])
    table = made(catalog, rows.schema)
    aa.iceberg.register(aa.write_dataset(rows, root), table, root=root)
    assert rows_of(reader, table) == texts(rows)


def test_statistics_are_of_the_columns_that_have_them(root: Path, catalog: SqlCatalog) -> None:
    rows = pa.table({"deep": VALUES["deep"], "struct": VALUES["struct"], "n": [1, None, 3]})
    table = made(catalog, rows.schema)
    aa.iceberg.register(aa.write_dataset(rows, root), table, root=root)
    (file,) = table.inspect.files().to_pylist()
    least, nulls = dict(file["lower_bounds"]), dict(file["null_value_counts"])
    counts = dict(file["value_counts"])

    def number(name: str) -> int:
        return table.schema().find_field(name).field_id

    assert (least[number("n")], nulls[number("n")]) == ((1).to_bytes(8, "little"), 1)
    assert nulls[number("struct.a")] == 2
    # Of an empty list, and of one that is null, there is an entry in Parquet, too.
    for name in ("struct.list.element.item", "deep.element.key", "deep.element.value.element"):
        assert counts[number(name)] == 3


TIMES = [datetime.datetime(1969, 12, 31, 23), datetime.datetime(2020, 2, 29, 5), None]


@pytest.mark.parametrize("transform", ["year", "month", "day", "hour", "bucket[4]", "void"])
def test_transforms_of_the_table_are_of_the_rows(
    root: Path, catalog: SqlCatalog, transform: str
) -> None:
    rows = pa.table({"time": pa.array(TIMES, pa.timestamp("us")), "n": [1, 2, 3]})
    table = made(catalog, rows.schema, time=transform)
    keys = ["year(time)", "month(time)", "day(time)", "hour(time)"]
    aa.iceberg.register(aa.write_dataset(rows, root, partition_by=keys), table, root=root)
    assert rows_of("pyiceberg", table) == texts(rows)
    files = table.inspect.files().to_pylist()
    partitions = {value for file in files for value in file["partition"].values()}
    expected = {
        "year": {-1, 50, None},
        "month": {-1, 601, None},
        "day": {datetime.date(1969, 12, 31), datetime.date(2020, 2, 29), None},
        "hour": {-1, 439_709, None},
        "void": {None},
    }
    assert partitions == expected.get(transform, partitions)
    found = table.scan(row_filter="time >= '2020-02-29T00:00:00'").to_arrow()
    assert found["n"].to_pylist() == [2]


def test_buckets_are_those_of_iceberg(root: Path, catalog: SqlCatalog) -> None:
    rows = pa.table({"id": [*range(100), None]})
    table = made(catalog, rows.schema, id="bucket[8]")
    aa.iceberg.register(
        aa.write_dataset(rows, root, partition_by="bucket(8, id)"), table, root=root
    )
    assert table.inspect.partitions().num_rows == 9
    for number in range(100):
        assert table.scan(row_filter=f"id == {number}").to_arrow().num_rows == 1


def test_rows_of_several_partitions_in_a_file_are_refused(root: Path, catalog: SqlCatalog) -> None:
    rows = pa.table({"id": [1, 2, None], "time": pa.array([0, 1, 2], pa.timestamp("us"))})
    for number, (column, transform) in enumerate(
        [("id", "bucket[8]"), ("id", "identity"), ("id", "truncate[2]")]
    ):
        table = made(catalog, rows.schema, **{column: transform})
        receipt = aa.write_dataset(rows.slice(number % 2), root / str(number))
        with pytest.raises(aa.RegistrationError, match="partitions of the table"):
            aa.iceberg.register(receipt, table, root=root / str(number))
        assert table.current_snapshot() is None
        catalog.drop_table("lake.weather")


def test_every_row_is_looked_at_for_a_bucket(root: Path, catalog: SqlCatalog) -> None:
    bucket = BucketTransform(8).transform(LongType())
    first, *rest = [number for number in range(100) if bucket(number) == bucket(0)]
    other = next(number for number in range(1, rest[-1]) if bucket(number) != bucket(first))
    rows = pa.table({"id": [first, other, rest[-1]]})
    table = made(catalog, rows.schema, id="bucket[8]")
    with pytest.raises(aa.RegistrationError, match="2 partitions of the table"):
        aa.iceberg.register(aa.write_dataset(rows, root), table, root=root)


def test_each_schema_of_a_commit_is_looked_at(root: Path, catalog: SqlCatalog) -> None:
    rows = weather(["KSEA"], [1])
    table = made(catalog, rows.schema)
    unsigned = rows.set_column(1, "hour", pa.array([1], pa.uint8()))
    parts = [aa.stage(part, root) for part in (rows, unsigned)]
    receipt = aa.commit(parts, schema_check=False)
    with pytest.raises(aa.RegistrationError, match="signed integers"):
        aa.iceberg.register(receipt, table, root=root)


def test_keys_that_are_in_no_column_are_refused(root: Path, catalog: SqlCatalog) -> None:
    rows = weather(["KSEA"], [1])
    table = made(catalog, rows.schema, station="identity")
    receipt = write(root, rows, keep_partition_columns=False)
    with pytest.raises(aa.RegistrationError, match="keep_partition_columns=True") as raised:
        aa.iceberg.register(receipt, table, root=root)
    assert raised.value.outcome is aa.Outcome.PUBLISHED
    assert table.current_snapshot() is None


def test_keys_that_would_be_null_in_a_table_without_partitions_are_refused(
    root: Path, catalog: SqlCatalog
) -> None:
    rows = weather(["KSEA"], [1])
    table = made(catalog, rows.schema)
    receipt = write(root, rows, keep_partition_columns=False)
    with pytest.raises(aa.RegistrationError, match="keep_partition_columns=True"):
        aa.iceberg.register(receipt, table, root=root)
    assert table.current_snapshot() is None
    aa.iceberg.register(write(root, rows), table, root=root)
    assert table.scan().to_arrow().column("station").to_pylist() == ["KSEA"]


def test_a_partition_is_right_without_statistics(root: Path, catalog: SqlCatalog) -> None:
    rows = weather(["KSEA", None], [1, 2])
    table = made(catalog, rows.schema, station="identity")
    aa.iceberg.register(write(root, rows, statistics="none"), table, root=root)
    partitions = [file["partition"]["station"] for file in table.inspect.files().to_pylist()]
    assert set(partitions) == {"KSEA", None}


UNKNOWN: dict[str, tuple[pa.Array, str]] = {
    "unsigned": (pa.array([1], pa.uint32()), "signed integers"),
    "half": (pa.array([1.5], pa.float16()), "float32"),
    "zone": (pa.array([1], pa.timestamp("us", "Europe/Zurich")), "cast it to UTC"),
    "fixed_list": (pa.array([[1, 2]], pa.list_(pa.int32(), 2)), "a list of any length"),
    "struct": (pa.array([{"a": 1}], pa.struct([("a", pa.uint8())])), "signed integers"),
    "list": (pa.array([[1]], pa.list_(pa.uint8())), "signed integers"),
    "category": (pa.array([1], pa.uint8()).dictionary_encode(), "signed integers"),
    "nanoseconds": (pa.array([1], pa.timestamp("ns")), "schema="),
    "duration": (pa.array([1], pa.duration("us")), "schema="),
    "other": (pa.array(["text"]), "schema="),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_types_that_the_table_has_not_are_refused(
    root: Path, catalog: SqlCatalog, kind: str
) -> None:
    values, remedy = UNKNOWN[kind]
    table = made(catalog, pa.schema({"some": pa.int32()}))
    receipt = aa.write_dataset(pa.table({"some": values}), root)
    with pytest.raises(aa.RegistrationError, match=remedy) as raised:
        aa.iceberg.register(receipt, table, root=root)
    assert "some" in str(raised.value)
    assert table.current_snapshot() is None


def test_field_ids_are_those_of_the_table(root: Path, catalog: SqlCatalog) -> None:
    rows = pa.table({"a": ["x"], "b": ["y"], "l": [[1]]})
    table = made(catalog, rows.schema)
    ids = {"a": 1, "b": 2, "l": 3, "l.list.item": 4}
    right = aa.write_dataset(rows, root, field_ids=ids)
    assert aa.iceberg.register(right, table, root=root).added == 1
    assert rows_of("pyiceberg", table) == texts(rows)
    for wrong in ({**ids, "a": 2, "b": 1}, {"a": 1}, {"a": 1, "b": 2, "l": 3}):
        receipt = aa.write_dataset(rows, root, field_ids=wrong)
        with pytest.raises(aa.RegistrationError, match="field id"):
            aa.iceberg.register(receipt, table, root=root)


def test_columns_that_the_table_has_not_are_refused(root: Path, catalog: SqlCatalog) -> None:
    rows = weather(["KSEA"], [1])
    table = made(catalog, rows.schema)
    receipt = write(root, rows.append_column("wind", pa.array([1.5])))
    with pytest.raises(aa.RegistrationError, match="wind"):
        aa.iceberg.register(receipt, table, root=root)
    with table.update_schema() as update:
        update.union_by_name(pa.schema({"wind": pa.float64()}))
    assert aa.iceberg.register(receipt, table, root=root).added == 1
    # Of the older one, the new column is null.
    assert aa.iceberg.register(write(root, rows), table, root=root).added == 1
    wind = table.scan().to_arrow()["wind"].to_pylist()
    assert sorted(wind, key=str) == [1.5, None]


def test_a_name_mapping_that_leads_elsewhere_is_refused(root: Path, catalog: SqlCatalog) -> None:
    rows = weather(["KSEA"], [1])
    table = made(catalog, rows.schema)
    mapping = '[{"field-id": 1, "names": ["hour"]}, {"field-id": 2, "names": ["other"]}]'
    with table.transaction() as transaction:
        transaction.set_properties({"schema.name-mapping.default": mapping})
    with pytest.raises(aa.RegistrationError, match="name mapping"):
        aa.iceberg.register(write(root, rows), table, root=root)


def test_repeating_does_nothing(root: Path, catalog: SqlCatalog) -> None:
    rows = weather(["KSEA"], [1])
    table = made(catalog, rows.schema)
    receipt = write(root, rows, write_id="monday")
    first = aa.iceberg.register(receipt, table, root=root)
    remembered = aa.already_committed(root, "monday")
    assert remembered is not None
    again = aa.iceberg.register(remembered, catalog.load_table("lake.weather"), root=root)
    assert not first.replayed
    assert again == (first.snapshot, True, 0, 0)
    assert len(rows_of("pyiceberg", table)) == 1


def test_repeating_does_nothing_when_the_snapshot_has_expired(
    root: Path, catalog: SqlCatalog
) -> None:
    rows = weather(["KSEA"], [1])
    table = made(catalog, rows.schema)
    receipt = write(root, rows)
    first = aa.iceberg.register(receipt, table, root=root)
    aa.iceberg.register(write(root, rows), table, root=root)
    table.maintenance.expire_snapshots().by_id(first.snapshot).commit()
    assert aa.iceberg.register(receipt, table, root=root).replayed
    assert len(rows_of("pyiceberg", table)) == 2


def test_rows_that_the_table_has_deleted_do_not_come_back(root: Path, catalog: SqlCatalog) -> None:
    rows = weather(["KSEA"], [1])
    table = made(catalog, rows.schema)
    receipt = write(root, rows)
    aa.iceberg.register(receipt, table, root=root)
    table.delete("hour == 1")
    assert aa.iceberg.register(receipt, table, root=root).replayed
    assert rows_of("pyiceberg", table) == []


def test_files_that_the_table_has_are_not_added_again(root: Path, catalog: SqlCatalog) -> None:
    rows = weather(["KSEA", "KJFK"], [1, 2])
    table = made(catalog, rows.schema)
    receipt = write(root, rows)
    table.add_files([f"{root.resolve()}/{receipt.files[0].path}"])
    assert aa.iceberg.register(receipt, table, root=root).added == 1
    assert rows_of("pyiceberg", table) == texts(rows)


@pytest.mark.parametrize("reader", READERS)
def test_what_a_write_removed_is_removed_from_the_table(
    root: Path, catalog: SqlCatalog, reader: str
) -> None:
    rows = weather(["KSEA", "KJFK", "a b"], [1, 2, 3])
    table = made(catalog, rows.schema, station="identity")
    aa.iceberg.register(write(root, rows), table, root=root)
    second = write(root, weather(["a b"], [4]), mode="overwrite_partitions")
    assert aa.iceberg.register(second, table, root=root)[1:] == (False, 1, 1)
    assert rows_of(reader, table) == texts(weather(["KSEA", "KJFK", "a b"], [1, 2, 4]))
    third = write(root, weather(["KBOS"], [5]), mode="overwrite")
    assert aa.iceberg.register(third, table, root=root)[1:] == (False, 1, 3)
    assert rows_of(reader, table) == texts(weather(["KBOS"], [5]))


def test_rows_that_the_table_wrote_are_not_left_beside_those_that_replace_them(
    root: Path, catalog: SqlCatalog
) -> None:
    rows = weather(["KSEA", "KJFK"], [1, 2])
    table = made(catalog, rows.schema, station="identity")
    table.append(rows)
    other = write(root, weather(["KBOS"], [3]), mode="overwrite_partitions")
    assert aa.iceberg.register(other, table, root=root).added == 1
    for mode in ("overwrite_partitions", "overwrite"):
        receipt = write(root, weather(["KSEA"], [4]), mode=mode)
        with pytest.raises(aa.RegistrationError, match=r"Table\.delete"):
            aa.iceberg.register(receipt, table, root=root)
    table.delete("hour < 3")
    assert aa.iceberg.register(receipt, table, root=root)[1:] == (False, 1, 1)
    assert rows_of("pyiceberg", table) == texts(weather(["KSEA"], [4]))


KILLED = """
import os, signal, sys
import atomic_arrow as aa, pyarrow as pa
rows = pa.table({"station": ["KSEA"], "hour": [1]})
aa.write_dataset(rows, sys.argv[1], write_id="monday")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_crash_before_the_registration_is_healed_by_repeating(
    root: Path, catalog: SqlCatalog
) -> None:
    table = made(catalog, weather(["KSEA"], [1]).schema)
    killed = subprocess.run([sys.executable, "-c", KILLED, root])
    assert killed.returncode == -signal.SIGKILL
    for replayed in (False, True):
        receipt = aa.already_committed(root, "monday")
        assert receipt is not None
        assert aa.iceberg.register(receipt, table, root=root).replayed == replayed
    assert len(rows_of("pyiceberg", table)) == 1


def _race(barrier: Any, place: Path, root: Path, text: str) -> None:
    table = catalog_at(place).load_table("lake.weather")
    barrier.wait()
    aa.iceberg.register(aa.Receipt.from_json(text), table, root=root)


def test_of_those_who_race_each_is_registered_once(
    root: Path, catalog: SqlCatalog, tmp_path: Path
) -> None:
    table = made(catalog, weather(["KSEA"], [1]).schema)
    receipts = [write(root, weather(["KSEA"], [hour])).to_json() for hour in range(3)]
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(6)
    place = tmp_path / "catalog"
    racing = [
        spawn.Process(target=_race, args=(barrier, place, root, text)) for text in receipts * 2
    ]
    for process in racing:
        process.start()
    for process in racing:
        process.join()
    assert [process.exitcode for process in racing] == [0] * 6
    table.refresh()
    assert len(rows_of("pyiceberg", table)) == 3
    assert len(table.metadata.snapshots) == 3


def test_another_registration_between_looking_and_committing(
    root: Path, catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = made(catalog, weather(["KSEA"], [1]).schema)
    receipt = write(root, weather(["KSEA"], [1]))
    commit = aa.iceberg._Adding._commit
    times = []

    def after_another(adding: Any, *rest: Any) -> None:
        if not times:
            times.append(adding)
            other = catalog.load_table("lake.weather")
            aa.iceberg.register(receipt, other, root=root)
        commit(adding, *rest)

    monkeypatch.setattr(aa.iceberg._Adding, "_commit", after_another)
    assert aa.iceberg.register(receipt, table, root=root).replayed
    assert len(rows_of("pyiceberg", table)) == 1


def test_it_is_said_when_nobody_knows_what_the_table_has(
    root: Path, catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = made(catalog, weather(["KSEA"], [1]).schema)
    receipt = write(root, weather(["KSEA"], [1]))
    commit = aa.iceberg._Adding._commit

    def fail() -> None:
        raise OSError("the catalog is gone")

    def then_fail(adding: Any, *rest: Any) -> None:
        commit(adding, *rest)
        monkeypatch.setattr(table, "refresh", fail)

    monkeypatch.setattr(aa.iceberg._Adding, "_commit", then_fail)
    with pytest.raises(aa.RegistrationError, match="it is not known whether the table has"):
        aa.iceberg.register(receipt, table, root=root)


def test_a_path_that_pyiceberg_would_cut_is_refused(tmp_path: Path, catalog: SqlCatalog) -> None:
    rows = weather(["KSEA"], [1])
    table = made(catalog, rows.schema)
    with pytest.raises(aa.RegistrationError, match="rename the directory"):
        aa.iceberg.register(write(tmp_path / "a#b", rows), table, root=tmp_path / "a#b")


def test_what_was_written_is_synced(
    root: Path, catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = watch_syncs(monkeypatch)
    table = made(catalog, weather(["KSEA"], [1]).schema)
    aa.iceberg.register(write(root, weather(["KSEA"], [1])), table, root=root)
    suffixes = {".".join(os.path.basename(path).split(".")[1:]) for path in synced}
    assert {"metadata.json", "avro"} <= suffixes
    assert any(path.endswith("/metadata") for path in synced)


def test_another_version_of_pyiceberg_is_refused(
    root: Path, catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = made(catalog, weather(["KSEA"], [1]).schema)
    receipt = write(root, weather(["KSEA"], [1]))
    monkeypatch.setattr("pyiceberg.__version__", "0.13.0")
    with pytest.raises(ImportError, match=r"needs pyiceberg 0\.12, and 0\.13\.0 is"):
        aa.iceberg.register(receipt, table, root=root)


def test_a_commit_of_nothing(root: Path, catalog: SqlCatalog) -> None:
    rows = weather(["KSEA"], [1])
    table = made(catalog, rows.schema, station="identity")
    for number, options in enumerate([{}, {"partition_by": None, "keep_partition_columns": False}]):
        place = root / str(number)
        receipt = write(place, rows.slice(0, 0), **options)
        assert len(receipt.files) == number
        assert aa.iceberg.register(receipt, table, root=place) == (None, False, 0, 0)


def test_the_page_runs_as_printed(tmp_path: Path) -> None:
    run_page("Iceberg", tmp_path)
