"""Delta tables that are told of commits, as deltalake, PyArrow, Polars and DuckDB read them."""

from __future__ import annotations

import datetime
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import deltalake
import pyarrow as pa
import pytest
from readers import READERS, rows_of
from table_checks import run_page, texts, watch_syncs

UTC = datetime.UTC


def weather(stations: list[str | None], hours: list[int | None]) -> pa.Table:
    """Rows of some stations."""
    return pa.table({"station": stations, "hour": pa.array(hours, pa.int32())})


def write(root: Path, rows: pa.Table, **options: Any) -> aa.Receipt:
    return aa.write_dataset(rows, root, partition_by="station", **options)


def register(receipt: aa.Receipt, root: Path, **options: Any) -> aa.delta.Registration:
    return aa.delta.register(receipt, root=root, **options)


def log_of(table: Path, version: int) -> list[dict[str, Any]]:
    text = (table / "_delta_log" / f"{version:020}.json").read_text()
    return [json.loads(line) for line in text.splitlines()]


STRANGE = ["a b", "x/y%25", "é=1", None, "c#d?", "100%", "'q\"", "Zürich+1&x", "..", "日本"]


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_sees_the_rows_that_were_written(root: Path, reader: str) -> None:
    first = weather(STRANGE, [*range(8), None, 9])
    receipt = write(root, first)
    assert register(receipt, root, create=True)[1:] == (0, False, 10, 0)
    with pytest.warns(aa.DataSetWarning, match="belongs to a table of Delta Lake"):
        second = write(root, weather(["a b", None], [10, 11]))
    assert register(second, root)[1:] == (1, False, 2, 0)
    written = pa.concat_tables([first, weather(["a b", None], [10, 11])])
    assert rows_of(reader, root) == texts(written)


VALUES: dict[str, pa.Array] = {
    "int8": pa.array([-128, 127, None], pa.int8()),
    "int16": pa.array([-(2**15), 2**15 - 1, None], pa.int16()),
    "int64": pa.array([-(2**63), 2**63 - 1, None], pa.int64()),
    "float32": pa.array([1.5, float("inf"), None], pa.float32()),
    "float64": pa.array([-0.5, 1e300, None]),
    "boolean": pa.array([True, False, None]),
    "text": pa.array(["a" * 100, "ü", None]),
    "large": pa.array(["a", "", None], pa.large_string()),
    "category": pa.array(["a", "b", None]).dictionary_encode(),
    "binary": pa.array([b"\x00\xff", b"", None]),
    "fixed": pa.array([b"ab", b"cd", None], pa.binary(2)),
    "date": pa.array([datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None]),
    "decimal": pa.array([Decimal("1.25"), Decimal("-99999999.99"), None], pa.decimal128(10, 2)),
    "wide": pa.array([Decimal("1" * 36 + ".25"), Decimal("0.01"), None], pa.decimal128(38, 2)),
    "micros": pa.array(
        [datetime.datetime(2020, 1, 1, 12, 30, 0, 5), datetime.datetime(1, 1, 1), None],
        pa.timestamp("us"),
    ),
    "millis": pa.array([datetime.datetime(2020, 1, 1, 12, 30, 0, 5000), None, None], pa.timestamp("ms")),
    "instant": pa.array(
        [datetime.datetime(2020, 1, 1, tzinfo=UTC), datetime.datetime(1, 1, 1, tzinfo=UTC), None],
        pa.timestamp("us", "UTC"),
    ),
    "zone": pa.array([datetime.datetime(2020, 1, 1, tzinfo=UTC), None, None], pa.timestamp("ms", "Europe/Zurich")),
    "list": pa.array([[1, None], [], None]),
    "struct": pa.array([{"a": 1, "b": "x"}, {"a": None, "b": None}, None]),
    "map": pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int64())),
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
def test_every_value_is_read_back(root: Path, reader: str) -> None:
    table = pa.table(VALUES)
    receipt = aa.write_dataset(table, root)
    aa.delta.register(receipt, table=root, create=True)
    assert rows_of(reader, root) == texts(table)


KEYS: dict[str, pa.Array] = {
    "int32": pa.array([-5, 7, None], pa.int32()),
    "date": pa.array([datetime.date(1, 1, 1), datetime.date(2020, 2, 29), None]),
    "boolean": pa.array([True, False, None]),
    "decimal": pa.array([Decimal("1.25"), Decimal("-10.50"), None], pa.decimal128(10, 2)),
    "local": pa.array([datetime.datetime(2020, 1, 1, 12, 30, 0, 5), datetime.datetime(2020, 1, 1), None], pa.timestamp("us")),
    "instant": pa.array([datetime.datetime(2020, 1, 1, 12, 30, tzinfo=UTC), datetime.datetime(1960, 1, 1, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("key", KEYS)
def test_keys_of_every_type_are_read_back(root: Path, key: str, reader: str) -> None:
    table = pa.table({"key": KEYS[key], "n": [1, 2, 3]})
    if (key, reader) == ("decimal", "pyarrow"):
        # It makes "-10.-50" of the negative one, and fails.
        table = table.filter(pa.array([True, False, True]))
    register(aa.write_dataset(table, root, partition_by="key"), root, create=True)
    assert rows_of(reader, root) == texts(table)


def test_a_new_table_has_the_columns_of_the_rows_in_their_order(root: Path) -> None:
    table = pa.table({"key": KEYS["int32"], "n": [1, 2, 3], "null": pa.nulls(3, pa.date32())})
    receipt = aa.write_dataset(table, root, partition_by=["key", "null"])
    aa.delta.register(receipt, create=True)
    kinds = [(field.name, field.type.type) for field in deltalake.DeltaTable(root).schema().fields]
    assert kinds == [("key", "integer"), ("n", "long"), ("null", "date")]


def test_a_key_of_an_unknown_type_is_refused(root: Path) -> None:
    receipt = aa.write_dataset(weather([None], [1]), root, partition_by="place=station",
                               schema=weather(["x"], [1]).schema)  # fmt: skip
    with pytest.raises(aa.RegistrationError, match="all of its values are null"):
        register(receipt, root, create=True)


def test_parts_of_times_are_keys(root: Path) -> None:
    times = [datetime.datetime(2020, 1, 31, 23), datetime.datetime(2021, 2, 1, 0)]
    table = pa.table({"time": pa.array(times, pa.timestamp("us"))})
    keys = ["year(time)", "month(time)", "date(time)", "bucket(4, id)"]
    table = table.append_column("id", pa.array([1, 2]))
    register(aa.write_dataset(table, root, partition_by=keys), root, create=True)
    read = deltalake.DeltaTable(root).to_pyarrow_table().sort_by("time").to_pylist()
    assert [row["date"] for row in read] == [time.date() for time in times]
    assert [(row["year"], row["month"], row["time"]) for row in read] == [
        (time.year, time.month, time) for time in times
    ]


@pytest.mark.parametrize("reader", READERS)
def test_keys_that_are_also_in_the_files(root: Path, reader: str) -> None:
    table = weather(["KSEA", None], [1, 2])
    with pytest.warns(aa.DataSetWarning):
        receipt = write(root, table, keep_partition_columns=True)
    register(receipt, root, create=True)
    assert rows_of(reader, root) == texts(table)
    statistics = [
        json.loads(action["add"]["stats"]) for action in log_of(root, 0) if "add" in action
    ]
    assert [list(known["maxValues"]) for known in statistics] == [["hour"], ["hour"]]


UNKNOWN: dict[str, tuple[pa.Array, str]] = {
    "unsigned": (pa.array([1], pa.uint8()), "signed integers of 16 bits"),
    "uint64": (pa.array([1], pa.uint64()), r"decimal\(20, 0\)"),
    "half": (pa.array([1.5], pa.float16()), "float32"),
    "nanoseconds": (pa.array([1], pa.timestamp("ns")), "microseconds"),
    "time": (pa.array([datetime.time(1)]), "to text"),
    "duration": (pa.array([datetime.timedelta(1)]), "to text"),
    "nulls": (pa.nulls(1), "schema="),
    "fixed_list": (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), "a list of any length"),
    "uuid": (pa.array([b"0123456789abcdef"], pa.uuid()), "another type"),
    "struct": (pa.array([{"part": 1}], pa.struct([("part", pa.uint16())])), "32 bits"),
    "list": (pa.array([[1]], pa.list_(pa.uint32())), "64 bits"),
    "map": (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.uint8())), "16 bits"),
    "category": (pa.array([1], pa.uint8()).dictionary_encode(), "16 bits"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_types_that_delta_has_not_are_refused(root: Path, kind: str) -> None:
    values, remedy = UNKNOWN[kind]
    receipt = aa.write_dataset(pa.table({"some": values}), root)
    with pytest.raises(aa.RegistrationError, match=remedy) as raised:
        register(receipt, root, create=True)
    assert "'some" in str(raised.value)
    assert raised.value.outcome is aa.Outcome.PUBLISHED
    assert not (root / "_delta_log").exists()


def test_what_is_not_parquet_is_refused(root: Path, tmp_path: Path) -> None:
    for number, options in enumerate([{"format": "csv"}, {"footer_key": b"0123456789abcdef"}]):
        place = tmp_path / str(number)
        receipt = write(place, weather(["KSEA"], [1]), **options)
        with pytest.raises(aa.RegistrationError, match="Parquet"):
            register(receipt, place, create=True)


@pytest.mark.parametrize("name", ["a b", "a=b", "a,b", "{a}"])
def test_names_that_delta_has_not_are_refused(root: Path, name: str) -> None:
    for number, table in enumerate([pa.table({name: [1]}), pa.table({"s": [{name: 1}]})]):
        receipt = aa.write_dataset(table, root / str(number))
        with pytest.raises(aa.RegistrationError, match="rename it"):
            register(receipt, root / str(number), create=True)


def test_statistics_are_those_of_the_receipt_where_all_are_exact(root: Path) -> None:
    table = pa.table(
        {
            "n": [1, 7, None],
            "text": ["b", "a", "z"],
            "price": pa.array([Decimal("1.5"), None, Decimal("2.5")], pa.decimal128(9, 2)),
            "when": pa.array([1, 2, None], pa.timestamp("ms", "Europe/Zurich")),
            "day": pa.array([0, 1, 2], pa.int32()).cast(pa.date32()),
            "share": pa.nulls(3, pa.float64()),
        }
    )
    register(aa.write_dataset(table, root), root, create=True)
    (added,) = [action["add"] for action in log_of(root, 0) if "add" in action]
    assert json.loads(added["stats"]) == {
        "numRecords": 3,
        "minValues": {
            "n": 1,
            "text": "a",
            "price": 1.5,
            "when": "1970-01-01T00:00:00.001000Z",
            "day": "1970-01-01",
        },
        "maxValues": {
            "n": 7,
            "text": "z",
            "price": 2.5,
            "when": "1970-01-01T00:00:00.002000Z",
            "day": "1970-01-03",
        },
        "nullCount": {"n": 1, "text": 0, "price": 1, "when": 1, "day": 0, "share": 3},
    }
    (path,) = root.glob("*.parquet")
    assert added["size"] == path.stat().st_size
    assert added["modificationTime"] == path.stat().st_mtime_ns // 1_000_000


def test_not_a_number_is_found_by_a_filter(root: Path) -> None:
    table = pa.table({"share": [1.5, float("nan")]})
    register(aa.write_dataset(table, root, statistics="none"), root, create=True)
    query = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(root))
    found = query.execute("select count(*) as n from t where share > 2").read_all()
    assert pa.table(found).to_pylist() == [{"n": 1}]


def test_repeating_does_nothing(root: Path) -> None:
    receipt = write(root, weather(["KSEA"], [1]), write_id="monday")
    first = register(receipt, root, create=True)
    again = register(receipt, root, create=True)
    remembered = aa.already_committed(root, "monday")
    assert remembered is not None
    kept = aa.Receipt.from_json(receipt.to_json())
    assert not first.replayed
    assert again == register(remembered, root) == register(kept, root)
    assert (again.replayed, again.version, again.added) == (True, 0, 0)
    assert len(rows_of("deltalake", root)) == 1


def test_what_a_write_removed_is_removed_from_the_table(tmp_path: Path) -> None:
    table, root = tmp_path / "weather", tmp_path / "weather" / "files"
    first = write(root, weather(["KSEA", "KJFK", "a b"], [1, 2, 3]))
    register(first, root, table=table, create=True)
    second = write(root, weather(["a b"], [4]), mode="overwrite_partitions")
    assert register(second, root, table=table)[1:] == (1, False, 1, 1)
    assert rows_of("deltalake", table) == texts(weather(["KSEA", "KJFK", "a b"], [1, 2, 4]))
    third = write(root, weather(["KBOS"], [5]), mode="overwrite")
    assert register(third, root, table=table)[1:] == (2, False, 1, 3)
    for reader in READERS:
        assert rows_of(reader, table) == texts(weather(["KBOS"], [5]))
    removed = [action["remove"] for action in log_of(table, 1) if "remove" in action]
    assert [action["partitionValues"] for action in removed] == [{"station": "a b"}]
    assert sum(file.bytes for file in first.files if "a%20b" in file.path) == removed[0]["size"]


def test_a_commit_that_comes_late_heals_the_table(tmp_path: Path) -> None:
    table, root = tmp_path / "weather", tmp_path / "weather" / "files"
    register(write(root, weather(["KSEA"], [1])), root, table=table, create=True)
    late = write(root, weather(["KSEA", "KJFK"], [2, 2]), mode="overwrite_partitions")
    last = write(root, weather(["KSEA"], [3]), mode="overwrite_partitions")
    assert register(last, root, table=table)[3:] == (1, 0)
    with pytest.warns(aa.DataSetWarning, match="1 of the 2 files of this write are not there"):
        assert register(late, root, table=table)[3:] == (1, 1)
    assert rows_of("deltalake", table) == texts(weather(["KSEA", "KJFK"], [3, 2]))


def test_rows_that_the_table_has_rewritten_are_not_left_beside_those_that_replace_them(
    tmp_path: Path,
) -> None:
    table, root = tmp_path / "weather", tmp_path / "weather" / "files"
    for hour in range(2):
        rows = weather(["KSEA", "KJFK"], [hour, hour])
        register(write(root, rows), root, table=table, create=True)
    lake = deltalake.DeltaTable(table)
    lake.optimize.compact(partition_filters=[("station", "=", "KSEA")])
    other = write(root, weather(["KJFK"], [2]), mode="overwrite_partitions")
    assert register(other, root, table=table)[3:] == (1, 2)
    for mode in ("overwrite_partitions", "overwrite"):
        receipt = write(root, weather(["KSEA"], [3]), mode=mode)
        with pytest.raises(aa.RegistrationError, match=r"DeltaTable\.delete"):
            register(receipt, root, table=table)
    deltalake.DeltaTable(table).delete("station = 'KSEA'")
    assert register(receipt, root, table=table).added == 1
    assert rows_of("deltalake", table) == texts(weather(["KSEA"], [3]))


@pytest.mark.filterwarnings("ignore::atomic_arrow.DataSetWarning")
def test_a_table_in_the_root_is_overwritten_only_where_that_is_allowed(root: Path) -> None:
    for hour in range(2):
        register(write(root, weather(["KSEA", "KJFK"], [hour, hour])), root, create=True)
    deltalake.DeltaTable(root).optimize.compact()
    for mode in ("overwrite", "overwrite_partitions"):
        with pytest.raises(aa.ConflictError, match="Delta Lake"):
            write(root, weather(["KSEA"], [2]), mode=mode)
    options = {"mode": "overwrite_partitions", "overwrite_table": True}
    receipt = write(root, weather(["KSEA"], [2]), **options)
    assert register(receipt, root)[3:] == (1, 1)
    assert len(rows_of("deltalake", root)) == 3
    assert any(oddity.kind == "table" for oddity in aa.inspect(root).oddities)


KILLED = """
import os, signal, sys
import atomic_arrow as aa, pyarrow as pa
rows = pa.table({"station": ["KSEA"], "hour": [1]})
aa.write_dataset(rows, sys.argv[1], partition_by="station", write_id="monday")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_crash_before_the_registration_is_healed_by_repeating(root: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, root])
    assert killed.returncode == -signal.SIGKILL
    for replayed in (False, True):
        receipt = aa.already_committed(root, "monday")
        assert receipt is not None
        done = register(receipt, root, create=True)
        assert (done.replayed, done.version) == (replayed, 0)
    assert len(rows_of("deltalake", root)) == 1


def _race(barrier: Any, root: Path, text: str) -> None:
    barrier.wait()
    aa.delta.register(aa.Receipt.from_json(text), root=root, create=True)


@pytest.mark.parametrize("created", [False, True])
@pytest.mark.filterwarnings("ignore::atomic_arrow.DataSetWarning")
def test_of_those_who_race_each_is_registered_once(root: Path, created: bool) -> None:
    if created:
        register(write(root, weather(["KORD"], [0])), root, create=True)
    receipts = [write(root, weather(["KSEA"], [hour])).to_json() for hour in range(4)]
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(8)
    racing = [spawn.Process(target=_race, args=(barrier, root, text)) for text in receipts * 2]
    for process in racing:
        process.start()
    for process in racing:
        process.join()
    assert [process.exitcode for process in racing] == [0] * 8
    assert len(rows_of("deltalake", root)) == 4 + created
    assert deltalake.DeltaTable(root).version() == 3 + created


def test_another_writer_between_looking_and_committing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(write(root, weather(["KSEA"], [1])), root, create=True)
    with pytest.warns(aa.DataSetWarning):
        receipt = write(root, weather(["KSEA"], [2]))
    commit = aa.delta._Adding._commit
    times = []

    def after_another(adding: Any, *rest: Any) -> None:
        if not times:
            times.append(adding)
            register(receipt, root)
        commit(adding, *rest)

    monkeypatch.setattr(aa.delta._Adding, "_commit", after_another)
    assert register(receipt, root).replayed
    assert len(rows_of("deltalake", root)) == 2


def test_a_table_that_is_not_there_is_made_only_if_asked_for(root: Path) -> None:
    receipt = write(root, weather(["KSEA"], [1]))
    with pytest.raises(aa.RegistrationError, match="create=True"):
        register(receipt, root)
    assert not (root / "_delta_log").exists()


@pytest.mark.parametrize("name", ["sp ace", "ha#sh", "q?x", "ü"])
def test_a_table_in_a_directory_of_any_name(tmp_path: Path, name: str) -> None:
    receipt = write(tmp_path / name / "a%20b", weather(["a b"], [1]))
    register(receipt, tmp_path / name / "a%20b", table=tmp_path / name, create=True)
    # DuckDB leaves out what is beyond ASCII, and finds no file.
    for reader in ("pyarrow", "deltalake", *["duckdb"] * name.isascii()):
        assert rows_of(reader, tmp_path / name) == texts(weather(["a b"], [1]))


@pytest.mark.parametrize("name", ["a%20b", "a\\b"])
def test_a_directory_that_deltalake_takes_for_another_is_refused(tmp_path: Path, name: str) -> None:
    receipt = write(tmp_path / name, weather(["KSEA"], [1]))
    with pytest.raises(aa.RegistrationError, match="rename the directory"):
        register(receipt, tmp_path / name, create=True)
    assert not (tmp_path / name / "_delta_log").exists()


def test_it_is_said_when_nobody_knows_what_the_table_has(root: Path) -> None:
    register(write(root, weather(["KSEA"], [1])), root, create=True)
    with pytest.warns(aa.DataSetWarning):
        receipt = write(root, weather(["KSEA"], [2]))
    commit = aa.delta._Adding._commit

    def then_damage(adding: Any, *rest: Any) -> None:
        commit(adding, *rest)
        (root / "_delta_log" / f"{1:020}.json").write_text("{")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aa.delta._Adding, "_commit", then_damage)
        with pytest.raises(aa.RegistrationError, match="it is not known whether the table has"):
            register(receipt, root)


def test_a_table_beside_the_data_set_is_refused(root: Path, tmp_path: Path) -> None:
    receipt = write(root, weather(["KSEA"], [1]))
    with pytest.raises(aa.RegistrationError, match="a directory above"):
        register(receipt, root, table=tmp_path / "other", create=True)


def test_other_columns_than_those_of_the_table_are_refused(root: Path) -> None:
    register(write(root, weather(["KSEA"], [1])), root, create=True)
    rows = weather(["KSEA"], [1])
    others = {
        "no column 'wind'": rows.append_column("wind", pa.array([1.5])),
        "column 'hour' is long, and integer": rows.set_column(1, "hour", pa.array([1])),
        "key 'station' is string": rows.set_column(0, "station", pa.array([7])),
    }
    for reason, table in others.items():
        with pytest.warns(aa.DataSetWarning):
            receipt = write(root, table, schema_check=False)
        with pytest.raises(aa.RegistrationError, match=reason):
            register(receipt, root)
    with pytest.warns(aa.DataSetWarning):
        plain = aa.write_dataset(rows, root, schema_check=False)
    with pytest.raises(aa.RegistrationError, match="partitioned by"):
        register(plain, root)
    assert deltalake.DeltaTable(root).version() == 0


def test_columns_that_a_write_lacks_are_null(root: Path) -> None:
    rows = weather(["KSEA"], [1]).append_column("wind", pa.array([1.5]))
    register(write(root, rows), root, create=True)
    with pytest.warns(aa.DataSetWarning):
        receipt = write(root, weather(["KSEA"], [2]))
    register(receipt, root)
    for reader in READERS:
        assert str({"hour": 2, "station": "KSEA", "wind": None}) in rows_of(reader, root)


def made(root: Path, **options: Any) -> None:
    """Makes an empty table with deltalake itself."""
    nullable, metadata = options.pop("nullable", True), options.pop("metadata", {})
    fields = [
        deltalake.Field("station", "string"),
        deltalake.Field("hour", "integer", nullable=nullable, metadata=metadata),
    ]
    deltalake.DeltaTable.create(root, deltalake.Schema(fields), partition_by=["station"], **options)


def test_a_table_that_others_made_keeps_what_it_promises(tmp_path: Path) -> None:
    made(tmp_path / "constraint")
    table = deltalake.DeltaTable(tmp_path / "constraint")
    table.alter.add_constraint({"positive": "hour > 0"})
    made(tmp_path / "strict", nullable=False)
    made(tmp_path / "mapped", configuration={"delta.columnMapping.mode": "name"})
    made(tmp_path / "computed", metadata={"delta.generationExpression": "1 + 1"})
    made(tmp_path / "rows")
    features = [deltalake.TableFeatures.RowTracking, deltalake.TableFeatures.DomainMetadata]
    deltalake.DeltaTable(tmp_path / "rows").alter.add_feature(
        features, allow_protocol_versions_increase=True
    )
    for name, reason in {
        "constraint": "nobody would check",
        "strict": "no nulls in column 'hour'",
        "mapped": "columnMapping",
        "computed": "is computed or checked",
        "rows": "not known here",
    }.items():
        with pytest.warns(aa.DataSetWarning):
            receipt = write(tmp_path / name, weather(["KSEA"], [None]))
        with pytest.raises(aa.RegistrationError, match=reason):
            register(receipt, tmp_path / name)
    with pytest.warns(aa.DataSetWarning):
        receipt = write(tmp_path / "strict", weather(["KSEA"], [1]))
    assert register(receipt, tmp_path / "strict").added == 1


def test_a_table_to_which_files_are_only_added_refuses_an_overwrite(tmp_path: Path) -> None:
    made(tmp_path, configuration={"delta.appendOnly": "true"})
    root = tmp_path / "files"
    register(write(root, weather(["KSEA"], [1])), root, table=tmp_path)
    receipt = write(root, weather(["KSEA"], [2]), mode="overwrite")
    with pytest.raises(aa.RegistrationError, match="Delta Lake refused the commit"):
        register(receipt, root, table=tmp_path)


def test_a_table_of_which_single_rows_may_be_deleted_refuses_an_overwrite(tmp_path: Path) -> None:
    made(tmp_path)
    deltalake.DeltaTable(tmp_path).alter.add_feature(
        deltalake.TableFeatures.DeletionVectors, allow_protocol_versions_increase=True
    )
    root = tmp_path / "files"
    assert register(write(root, weather(["KSEA"], [1])), root, table=tmp_path).added == 1
    receipt = write(root, weather(["KSEA"], [2]), mode="overwrite")
    with pytest.raises(aa.RegistrationError, match="single rows"):
        register(receipt, root, table=tmp_path)


def test_a_file_that_somebody_changed_is_refused(root: Path) -> None:
    receipt = write(root, weather(["KSEA"], [1]))
    with open(root / receipt.files[0].path, "ab") as file:
        file.write(b"more")
    with pytest.raises(aa.RegistrationError, match="another file"):
        register(receipt, root, create=True)


def test_a_commit_of_nothing(root: Path) -> None:
    receipt = aa.write_dataset(weather(["KSEA"], [1]).slice(0, 0), root, partition_by="station")
    assert register(receipt, root, create=True)[1:] == (None, False, 0, 0)


def test_the_version_is_synced(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = watch_syncs(monkeypatch)
    register(write(root, weather(["KSEA"], [1])), root, create=True)
    log = root.resolve() / "_delta_log"
    assert {os.fspath(path) for path in (log / f"{0:020}.json", log, log.parent)} == set(synced)


def test_the_page_runs_as_printed(tmp_path: Path) -> None:
    run_page("Delta Lake", tmp_path)


def test_the_module_is_there_without_an_import_of_its_own() -> None:
    code = (
        "import sys, atomic_arrow as aa; assert 'deltalake' not in sys.modules; aa.delta.register"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        aa.nothing  # noqa: B018
