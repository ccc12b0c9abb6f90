"""What can be asked of a write to a data set."""

from __future__ import annotations

import datetime
import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, TypeAlias, TypedDict

from ._encryption import CHANGES, ColumnKeys, Key
from ._keys import PartitionBy, SortColumns, partition_keys, sort_columns
from ._paths import local_path
from ._sizes import invalid, size, whole
from ._stores import ObjectStoreOptions, StorageOptions, settings

Mode: TypeAlias = Literal[
    "append",
    "error_if_exists",
    "error_if_any_exists",
    "ignore",
    "overwrite_partitions",
    "overwrite",
]
NonFinite: TypeAlias = Literal["error", "null", "string"]
Format: TypeAlias = Literal["parquet", "csv", "ndjson", "ipc"]
Compression: TypeAlias = (
    Literal["zstd", "snappy", "gzip", "brotli", "lz4", "uncompressed", "none"] | str
)
Statistics: TypeAlias = Literal["page", "chunk", "none"]
Level: TypeAlias = Literal["skip", "footer", "checksum", "decode"]
Encodings: TypeAlias = Literal["auto", "compatible"]
Durability: TypeAlias = Literal["synced", "unsynced"]
Sync: TypeAlias = Literal["auto", "each_file", "file_system"]
SchemaPolicy: TypeAlias = Literal["exact", "unify"]
Staging: TypeAlias = Literal["auto", "beside", "inside"] | os.PathLike[str]


class BloomFilter(TypedDict, total=False):
    """A bloom filter of one column."""

    fpp: float
    """The share of values that are taken for present although they are not; by default 0.05."""
    ndv: int
    """The most distinct values of a row group; by default 1,048,576."""


class ParquetOptions(TypedDict, total=False):
    """How Parquet files are written; other formats refuse all of it but ``compression``.

    What can be set by column takes a dictionary too. A column in a struct or list is named by its path, such as
    ``"station.name"``, and ``None`` stands for all others.
    """

    compression: Compression | Mapping[str | None, Compression] | None
    """The codec, by default ``"zstd"``, also with its level, as ``"zstd(3)"``, and by column; ``None`` or
    ``"uncompressed"`` for none. Files of NDJSON and CSV are compressed as a whole, with ``"zstd"`` or ``"gzip"``, and
    only if it is given."""
    compression_level: int | None
    """The codec's level, where it has levels; by default the codec's own."""
    row_group_size: int | None
    """The most rows of a row group; by default 1,048,576."""
    row_group_bytes: int | str | None
    """The most bytes of a row group; by default as many as its rows take."""
    page_size: int | str | Mapping[str | None, int | str] | None
    """The bytes at which a page ends, also by column; by default 1 MiB, of texts and bytes 4 MiB."""
    page_rows: int | None
    """The most rows of a page; by default 20,000."""
    data_page_version: Literal[1, 2] | None
    """The version of data pages; by default 1."""
    dictionary: bool | Mapping[str | None, bool] | None
    """Whether dictionary encoding is tried, also by column; by default it is."""
    dictionary_page_size: int | str | Mapping[str | None, int | str] | None
    """The bytes beyond which a dictionary is given up, also by column; by default 1 MiB."""
    statistics: Statistics | Mapping[str | None, Statistics] | None
    """Which statistics there are, also by column: ``"page"``, the default, ``"chunk"`` or ``"none"``."""
    statistics_truncate: int | Literal["none"] | None
    """The bytes to which the smallest and largest texts are cut in statistics; by default 64."""
    bloom_filters: str | Iterable[str] | Mapping[str, BloomFilter | bool] | None
    """The columns with bloom filters, or a dictionary of them with their numbers, such as ``{"id": {"fpp": 0.01, "ndv":
    10**6}}``; by default none."""
    encodings: Encodings
    """Which encodings are chosen among for each column, by its values: ``"auto"``, the default, all that the readers
    of today read; ``"compatible"`` those of the format's first version, dictionary and plain."""
    page_checksums: bool
    """Whether every page carries a checksum, by which damage at rest is found; by default it does."""
    field_ids: Mapping[str, int] | None
    """Field ids, by which tables such as Iceberg's know columns, by the paths of these: ``{"note": 7, "tags": 8,
    "tags.list.element": 9}``; by default those that the fields of the schema have in their metadata, as
    ``PARQUET:field_id``."""
    arrow_schema: bool | None
    """Whether Arrow's own schema stands in the footer, by which readers give columns the types that they were given in; by
    default it does where it tells more than Parquet's types. With ``False``, columns are refused that these do not tell: time
    zones but UTC, durations, lists of one length, ordered categories, most extension types."""
    metadata: Mapping[str, str] | None
    """Pairs for the key-value metadata; by default none."""
    footer_key: Key | None
    """The key that the files are encrypted with, 16 or 32 bytes (AES-GCM), or a function that gives it; by default they are
    not. Without ``column_keys`` it is that of all columns. Partition values are in the paths, as ever, and rows that are
    spilled beyond ``memory_limit`` lie in the staging area as they are."""
    column_keys: ColumnKeys | None
    """The keys of columns by their paths, such as ``{"note": key, "station.name": key}``; **other columns are in the clear
    then**."""
    aad_prefix: bytes | str | None
    """What all that is encrypted is bound to, such as the name of the data set, by which a file is found that stands in
    another's place; by default nothing."""
    store_aad_prefix: bool | None
    """Whether the files tell ``aad_prefix``; by default they do, and readers need not know it."""
    plaintext_footer: bool | None
    """Whether anybody may read the footers of encrypted files, with their schema; by default not."""
    case_sensitive_names: bool
    """Whether names of columns and keys may differ by case alone, which DuckDB and Spark take for one; by
    default they are refused."""


class FileOptions(ObjectStoreOptions, total=False):
    """How one file is published."""

    verify: Level
    """How closely a file is checked before it is published: ``"footer"``, the default, its structure;
    ``"checksum"`` also all bytes, read back from the medium; ``"decode"`` also all values;
    ``"skip"`` nothing."""
    durability: Durability
    """``"synced"``, the default; or ``"unsynced"`` for what can be made again, which a power cut may
    then tear."""
    staging: Staging
    """Where files are staged: ``"auto"``, the default, beside the root, or inside it where that is
    impossible; ``"beside"``; ``"inside"``; or a directory, given as a :class:`~pathlib.Path`."""


class WriteOptions(ParquetOptions, FileOptions, total=False):
    """What can be asked of a write to a data set."""

    partition_by: PartitionBy
    """Names of columns, or keys in text, such as ``"station_id=origin"`` and ``"year(time_hour)"``, also with commas
    between them; or :func:`column`, :func:`year`, :func:`month`, :func:`day`, :func:`hour`, :func:`date`, :func:`bucket`
    and :func:`spark_bucket`, which take a column of any name. By default, and for ``None``, there are no partitions."""
    mode: Mode
    """What becomes of the files that are there: ``"append"``, the default, leaves them;
    ``"error_if_exists"`` fails if a touched partition has any, ``"error_if_any_exists"`` if the data set has any;
    ``"ignore"`` writes nothing if the data set has any that readers see, which is no error: the receipt has no files,
    and a note of the kind ``"ignored"``; ``"overwrite_partitions"`` replaces
    the directories of the touched partitions with everything in them, ``"overwrite"`` the whole root."""
    overwrite_table: bool
    """Whether a root that belongs to a table of Delta Lake, Iceberg, Hudi or Spark Structured Streaming, or
    such a table below what is overwritten, may be destroyed; by default that is a
    :class:`ConflictError`."""
    schema_check: bool
    """Whether the commit looks at what is in the data set, and is refused (:class:`IncompatibleError`) if
    readers could not take both for one: another format, other partition keys or the same in another
    order, a column of another type. New and missing columns and integers of another width are allowed, with
    a :class:`DataSetWarning`. A column of nulls gets the type that it has there. By default it does."""
    write_id: str | None
    """The write's name: if a write of this name to this root was committed, nothing is published again,
    and its receipt is given. It is remembered for at least 30 days. By default it has none."""
    sequence: int | None
    """The number of this write in the stream that ``write_id``, or of what is staged ``job``, names, for a stream of
    commits each of which is to happen once. Of a stream the highest number that was committed is remembered, for as long
    as the staging area is there: a write with that number gives the receipt of then, and one with a lower number a
    receipt without files; both are ``replayed``. By default the name is that of one write."""
    task: str | None
    """The name of the work that is staged: of several that are staged with one name, as by a retried task, one is
    committed. By default it has none."""
    job: str | None
    """The job that what is staged is a part of: :func:`commit` and :func:`discard` of a job also discard what never reached
    them, as what a killed attempt staged. Once it is committed or discarded, staging for it is a :class:`JobClosedError`.
    By default it is of none."""
    rewrite_missing: bool
    """Whether a write of the same name is written again if none of the files of the earlier one is there
    any more; by default its receipt is given all the same, with a warning."""
    success_file: bool
    """Whether the commit publishes an empty file ``_SUCCESS`` in the root when all else is published; by default it does
    not. One that is there is removed before the first file is published: whoever sees the file sees no such commit in
    part. Commits that publish one go on one after another. Readers pass it over, but for DuckDB with a pattern that takes
    every name, as ``weather/**``."""
    format: Format
    """What the files are; by default ``"parquet"``."""
    csv_null: str
    """The text that is null in CSV; by default nothing, and the empty string is ``""``. Polars tells these
    apart, and so do pyarrow and DuckDB if they are told to; pandas does not. A value that is another text
    given here is an :class:`EncodeError`."""
    json_non_finite: NonFinite
    """What becomes of NaN and the infinities in NDJSON: ``"error"``, the default, an :class:`EncodeError`;
    ``"null"``; ``"string"`` the texts ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``."""
    target_file_size: int | str | None
    """The size at which a file ends and another begins: bytes, or ``"256MiB"``; by default a partition
    is one file."""
    target_file_rows: int | None
    """The number of rows at which a file ends and another begins."""
    file_name: str | None
    """A template of the names of the files; by default ``"part-{uuid}-{number}"``. ``{uuid}`` is the id of the transaction,
    ``{number}`` the number of the file in its partition, ``{partition}`` the values of the keys with ``-`` between them;
    the suffix of the format follows. ``{uuid}`` may be left out in the modes ``"error_if_exists"``,
    ``"error_if_any_exists"`` and ``"ignore"``, where no other files are beside those of the write; ``{number}`` where a
    partition is one file, so without ``target_file_size``, ``target_file_rows`` and ``sort_by``."""
    sort_by: SortColumns
    """Columns by which rows are sorted within each file, such as ``"temp"``, ``"temp desc nulls first"`` or ``("temp",
    "desc")``; or :class:`SortBy`, which takes a column of any name. By default they keep their order. A partition larger than an eighth of the memory limit becomes several files then."""
    keep_partition_columns: bool
    """Whether partition columns stay in the files as well as in their paths; by default they do not. Polars
    and DuckDB read such a data set as it is, pyarrow and pandas with ``partitioning=None``: a warning says so."""
    schema_policy: SchemaPolicy
    """``"unify"``, the default, takes batches whose columns are in another order, are held otherwise in
    memory (dictionaries, views, large types), or are narrower numbers or coarser units of time, of
    which every value is kept; ``"exact"`` does not."""
    memory_limit: int | str | None
    """What rows and encoders may take, beyond which rows are spilled: bytes, or ``"512MiB"``; by
    default 1 GiB, or a quarter of the machine's memory if that is less."""
    threads: int | None
    """How many threads encode; by default as many as the machine runs at once."""
    max_open_files: int | None
    """The most files open at once, at least 8; by default 64."""
    sync: Sync
    """How files, and the directories that they are published into, are synced: each by itself (``"each_file"``), with
    the ``"file_system"`` as a whole, or, the default, ``"auto"``: what is faster."""
    keep_staged: float | datetime.timedelta | None
    """How long what is staged waits for its commit: seconds, or a timedelta; by default a day."""


def prepared(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the library takes them; those that were not given are left to it."""
    taken = dict(options)
    check_names(taken, WriteOptions)
    change: dict[str, Callable[[Any], object]] = {
        "partition_by": partition_keys,
        "sort_by": sort_columns,
        "bloom_filters": _bloom_filters,
        "field_ids": partial(_pairs, "field_ids"),
        "metadata": partial(_pairs, "metadata"),
        "staging": staging_place,
        "keep_staged": partial(_duration, "keep_staged"),
        **_STORE_CHANGES,
        "target_file_size": lambda value: size("target_file_size", value),
        "memory_limit": lambda value: size("memory_limit", value),
        "compression_level": lambda value: whole(
            "compression_level", value, least=-(2**31), most=2**31 - 1
        ),
    }
    for name in ("dictionary", "dictionary_page_size", "page_size", "statistics", "compression"):
        change[name] = _by_column
    for name in (
        "row_group_size",
        "sequence",
        "page_rows",
        "target_file_rows",
        "threads",
        "max_open_files",
    ):
        change[name] = partial(whole, name)
    change.update(CHANGES)
    for name in change.keys() & taken.keys():
        taken[name] = change[name](taken[name])
    return taken


# What other writers call it. The nearest name would be of something else.
_ELSEWHERE = {
    "existing_data_behavior": "say mode=",
    "overwrite": "say mode='overwrite'",
    "partition_cols": "say partition_by=",
    "write_index": "say index=",
    "write_mode": "say mode=",
}


def check_names(options: Mapping[str, Any], known: type) -> None:
    """Refuses an option that there is not."""
    for name in options.keys() - known.__annotations__.keys():
        if name in _ELSEWHERE:
            raise TypeError(f"there is no option {name!r}; {_ELSEWHERE[name]}")
        near = difflib.get_close_matches(name, known.__annotations__, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise TypeError(f"there is no option {name!r}{meant}")


def _by_column(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _pairs(option: str, pairs: Any) -> dict[Any, Any] | None:
    if pairs is None:
        return None
    if not isinstance(pairs, Mapping):
        raise TypeError(f"{option}: a dictionary, not {type(pairs).__name__}")
    return dict(pairs)


def _bloom_filters(columns: Any) -> dict[str, bool | str] | None:
    """The filters by column, as the library takes them."""
    if columns is None:
        return None
    if not isinstance(columns, Mapping):
        return dict.fromkeys([columns] if isinstance(columns, str) else columns, True)
    return {
        column: how if isinstance(how, bool) else _numbers(how) for column, how in columns.items()
    }


def _numbers(how: Mapping[str, object]) -> str | bool:
    return " ".join(f"{name}={value}" for name, value in how.items()) or True


def staging_place(place: Staging) -> str | tuple[str]:
    """The place as the library takes it: a path is in a tuple."""
    return place if isinstance(place, str) else (local_path(place),)


def store_options(
    storage_options: StorageOptions | None = None,
    dead_after: float | datetime.timedelta | None = None,
) -> dict[str, Any]:
    """The options of object stores as the library takes them, of what has no others."""
    return {
        "storage_options": settings(storage_options) or None,
        "dead_after": _duration("dead_after", dead_after),
    }


def _duration(option: str, keep: float | datetime.timedelta | None) -> datetime.timedelta | None:
    if keep is None:
        return None
    try:
        time = keep if isinstance(keep, datetime.timedelta) else datetime.timedelta(seconds=keep)
    except (OverflowError, ValueError):
        raise invalid(option, f"{keep} is no number of seconds that can be") from None
    except TypeError:
        what = f"{option}: a number of seconds or a timedelta, not {type(keep).__name__}"
        raise TypeError(what) from None
    if time < datetime.timedelta():
        raise invalid(option, f"{keep} is negative")
    return time


_STORE_CHANGES: dict[str, Callable[[Any], object]] = {
    "storage_options": lambda value: settings(value) or None,
    "spool": lambda value: None if value is None else local_path(value),
    "part_size": lambda value: size("part_size", value),
    "parallel_requests": partial(whole, "parallel_requests"),
    "dead_after": partial(_duration, "dead_after"),
}
