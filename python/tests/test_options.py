"""Options have the names and values that they have in Rust and in the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import atomic_arrow as aa
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = pa.table(
    {
        "origin": ["KSEA", "KJFK", "KSEA"],
        "year(ts)": [1, 2, 3],
        "ts": pa.array([0, 1, 2], pa.timestamp("s", "UTC")),
        "temp": [2.0, 1.0, 3.0],
    }
)


def keys(receipt: aa.Receipt) -> set[tuple[str, ...]]:
    return {tuple(file.partition) for file in receipt.files}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ()),
        ([], ()),
        ("origin", ("origin",)),
        ("station_id=origin", ("station_id",)),
        ("station_id=origin,month(ts)", ("station_id", "month")),
        (["station_id=origin", aa.month("ts"), "in=year(ts)"], ("station_id", "month", "in")),
        # A column of this very name goes before its meaning as a text.
        ("year(ts)", ("year(ts)",)),
    ],
)
def test_keys_are_columns_texts_or_objects(
    given: Any, expected: tuple[str, ...], lake: Path
) -> None:
    assert keys(aa.write_dataset(ROWS, lake / "rows", partition_by=given)) == {expected}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (aa.bucket(16, "id"), {"id_bucket": [3, 8, 12]}),
        ("bucket(16, id)", {"id_bucket": [3, 8, 12]}),
        (aa.bucket(16, "id", as_="b"), {"b": [3, 8, 12]}),
        (aa.spark_bucket(16, "id"), {"id_bucket": [9, 12, 13]}),
    ],
)
def test_rows_are_divided_into_buckets(
    key: Any, expected: dict[str, list[int]], lake: Path
) -> None:
    rows = pa.table({"id": pa.array([34, -1, 0], pa.int64())})
    receipt = aa.write_dataset(rows, lake / "ids", partition_by=key)
    found = [file.partition for file in receipt.files]
    assert {name: sorted(values[name] for values in found) for name in expected} == expected
    assert pq.read_table(lake / "ids")["id"].to_pylist().count(34) == 1


def test_buckets_of_no_number_or_no_type_are_refused(lake: Path) -> None:
    for count in (0, -1, 2**31):
        with pytest.raises(aa.InvalidOptionError, match="buckets: 1 to 2147483647"):
            aa.bucket(count, "id")
    with pytest.raises(TypeError):
        aa.bucket("id", 16)  # type: ignore[arg-type]
    floats = pa.table({"x": [1.5]})
    with pytest.raises(aa.PartitionError, match=r"bucket\[2\] cannot be taken of column \"x\""):
        aa.write_dataset(floats, lake / "x", partition_by=aa.bucket(2, "x"))
    key = aa.PartitionKey("b", "x", "bucket")
    with pytest.raises(aa.InvalidOptionError, match="is no transform"):
        aa.write_dataset(floats, lake / "x", partition_by=key)


@pytest.mark.parametrize(
    "by", ["temp desc", ("temp", "desc"), [("temp", "desc")], aa.SortBy("temp", descending=True)]
)
def test_a_direction_is_said_in_text_in_a_pair_or_by_an_object(by: Any, lake: Path) -> None:
    aa.write_dataset(ROWS, lake / "rows", sort_by=by)
    assert pq.read_table(lake / "rows")["temp"].to_pylist() == [3.0, 2.0, 1.0]


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "error-if-exists"},
        {"mode": "ERROR_IF_EXISTS"},
        {"compression": "ZSTD(3)"},
        {"compression": "uncompressed"},
        {"compression": None},
        {"sync": "each-file"},
        {"format": "arrow"},
        {"format": "jsonl"},
        {"memory_limit": "512M"},
        {"target_file_size": "64k"},
    ],
)
def test_values_are_spelled_as_in_the_command(options: dict[str, Any], lake: Path) -> None:
    assert aa.write_dataset(ROWS, lake / "rows", **options).rows == 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"partition_by": "week(ts)"}, "partition_by: "),
        ({"sort_by": ""}, "sort_by: names no column"),
        ({"compression": "rar"}, 'compression: "rar" is none of zstd'),
        ({"compression": "zstd(3)", "compression_level": 3}, "beside compression_level"),
        ({"threads": 0}, "threads: at least 1"),
        ({"target_file_rows": 0}, "target_file_rows: at least 1"),
        ({"target_file_size": 0}, "target_file_size: at least 1"),
        ({"row_group_size": 0}, "row_group_size: at least 1"),
        ({"memory_limit": "1 XB"}, 'memory_limit: "1 XB" is no size'),
        ({"format": "csv", "row_group_size": 10}, "row_group_size: is an option of Parquet"),
        ({"format": "ipc", "bloom_filters": "temp"}, "bloom_filters: is an option of Parquet"),
        ({"format": "ndjson", "dictionary": False}, "dictionary: is an option of Parquet"),
        ({"format": "csv", "metadata": {"a": "b"}}, "metadata: is an option of Parquet"),
        ({"format": "csv", "compression": {"temp": "zstd"}}, "compression: is an option of"),
        ({"format": "csv", "page_checksums": False}, "page_checksums: csv has no pages"),
        ({"partition_by": "origin", "bloom_filters": "origin"}, "is a partition key"),
        ({"bloom_filters": ["tmp"]}, 'bloom_filters: there is no column "tmp"'),
        ({"bloom_filters": {"temp": {"fpp": 2}}}, "between 0 and 1"),
        ({"durability": "unsynced", "sync": "each_file"}, "sync: says how to sync"),
        ({"keep_staged": 60}, "keep_staged: nothing stays staged"),
    ],
)
def test_what_is_no_value_is_refused(options: dict[str, Any], says: str, lake: Path) -> None:
    with pytest.raises(aa.InvalidOptionError) as refused:
        aa.write_dataset(ROWS, lake / "rows", **options)
    assert says in str(refused.value)
    assert not (lake / "rows").exists()


def test_one_file_takes_columns_in_other_forms(lake: Path) -> None:
    with aa.AtomicArrowWriter(lake / "rows", {}, ROWS.schema) as w:
        w.write(ROWS.select(["temp", "ts", "year(ts)", "origin"]))
    assert w.file.rows == 3
    exact = aa.AtomicArrowWriter(lake / "rows", {}, ROWS.schema, schema_policy="exact")
    with pytest.raises(aa.SchemaMismatchError), exact as w:
        w.write(ROWS.select(["temp", "ts", "year(ts)", "origin"]))


def test_pairs_that_are_no_dictionary_are_refused_by_their_option(lake: Path) -> None:
    for option in ("field_ids", "metadata", "column_keys"):
        with pytest.raises(TypeError, match=f"^{option}: a dictionary, not str$"):
            aa.write_dataset(ROWS, lake / "rows", **{option: "id=7"})  # type: ignore[arg-type]


def test_an_option_that_is_not_there_is_answered_with_the_nearest(lake: Path) -> None:
    with pytest.raises(TypeError, match=r"no option 'compresion'; did you mean 'compression'"):
        aa.write_dataset(ROWS, lake / "rows", compresion="zstd")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"no option 'nonsense'$"):
        aa.write_parquet(ROWS, lake / "rows.parquet", nonsense=1)  # type: ignore[call-arg]


def test_names_of_other_writers_are_answered_with_the_option_for_that(lake: Path) -> None:
    for name, says in [
        ("partition_cols", "say partition_by="),
        ("overwrite", "say mode='overwrite'"),
        ("write_index", "say index="),
        ("write_mode", "say mode="),
    ]:
        with pytest.raises(TypeError, match=rf"no option '{name}'; {says}$"):
            aa.write_dataset(ROWS, lake / "rows", **{name: True})  # type: ignore[arg-type]


class Expression:
    """What some libraries have for a column: it gives items without end, and is no iterable."""

    def __getitem__(self, number: int) -> Expression:
        if number > 100:
            raise AssertionError("its items are taken")
        return self


def test_a_key_that_is_an_expression_of_another_library_is_refused(lake: Path) -> None:
    with pytest.raises(
        TypeError, match="partition_by: a text, a PartitionKey, or several, not Exp"
    ):
        aa.write_dataset(ROWS, lake / "rows", partition_by=Expression())  # type: ignore[arg-type]


def test_parquet_is_written_as_it_is_asked_for_by_column(lake: Path) -> None:
    rows = ROWS.append_column("place", pa.array([{"name": name} for name in "abc"]))
    receipt = aa.write_dataset(
        rows,
        lake / "rows",
        compression={None: "zstd(3)", "temp": "snappy", "place.name": None},
        dictionary={None: False, "origin": True},
        statistics={"temp": "none"},
        bloom_filters={"origin": {"fpp": 0.01, "ndv": 100}, "place.name": True},
        row_group_size=2,
        data_page_version=2,
        metadata={"origin": "a test"},
    )
    file = pq.ParquetFile(lake / "rows" / receipt.files[0].path)
    assert file.metadata.num_row_groups == 2
    group = file.metadata.row_group(0)
    by_path = {group.column(at).path_in_schema: group.column(at) for at in range(5)}
    codecs = {path: column.compression for path, column in by_path.items()}
    assert codecs["origin"] == "ZSTD"
    assert codecs["temp"] == "SNAPPY"
    assert codecs["place.name"] == "UNCOMPRESSED"
    assert not by_path["temp"].has_dictionary_page
    assert by_path["temp"].statistics is None
    assert file.metadata.metadata[b"origin"] == b"a test"


def test_field_ids_are_given_or_kept(lake: Path) -> None:
    rows = pa.table({"id": [1], "tags": [["x"]]})
    ids = {"id": 1, "tags": 2, "tags.list.element": 3}
    first = aa.write_parquet(rows, lake / "first.parquet", field_ids=ids)
    second = aa.write_parquet(pq.read_table(first.path), lake / "second.parquet")
    for file in (first, second):
        schema = pq.read_schema(file.path)
        item = schema.field("tags").type.value_field
        found = [field.metadata[b"PARQUET:field_id"] for field in (*schema, item)]
        assert found == [b"1", b"2", b"3"]
    with pytest.raises(aa.InvalidOptionError, match='there is no column "no"'):
        aa.write_dataset(rows, lake / "set", field_ids={"no": 1})


def test_files_go_without_the_schema_of_arrow(lake: Path) -> None:
    rows = pa.table({"text": pa.array(["a", "b"], pa.large_string()), "n": [1, 2]})
    for arrow_schema, kind in [
        (True, pa.large_string()),
        (None, pa.large_string()),
        (False, pa.string()),
    ]:
        aa.write_parquet(rows, lake / "one.parquet", arrow_schema=arrow_schema)
        receipt = aa.write_dataset(rows, lake / "set", arrow_schema=arrow_schema, mode="overwrite")
        for path in (lake / "one.parquet", lake / "set" / receipt.files[0].path):
            assert pq.read_schema(path).field("text").type == kind
            assert pq.read_table(path)["text"].to_pylist() == ["a", "b"]
    zoned = pa.table({"at": pa.array([1], pa.timestamp("us", "Asia/Tokyo"))})
    for write in (aa.write_parquet, aa.write_dataset):
        with pytest.raises(
            aa.InvalidOptionError, match='arrow_schema: column "at" has its time zone'
        ):
            write(zoned, lake / "odd.parquet", arrow_schema=False)
    assert not (lake / "odd.parquet").exists()
    with pytest.raises(aa.InvalidOptionError, match="arrow_schema: is an option of Parquet"):
        aa.write_dataset(rows, lake / "csv", format="csv", arrow_schema=False)


@pytest.mark.parametrize(
    ("option", "value"), [("schema_check", "off"), ("write_id", 7), ("success_file", 1.5)]
)
def test_a_value_of_another_type_is_refused_naming_the_option(
    option: str, value: object, tmp_path: Path
) -> None:
    with pytest.raises(TypeError, match=f"^{option}: "):
        aa.write_dataset(pa.table({"n": [1]}), tmp_path / "lake", **{option: value})
    assert not (tmp_path / "lake").exists()
