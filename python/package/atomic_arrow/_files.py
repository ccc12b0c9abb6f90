"""Files of other formats, written into a data set by the command's readers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias, TypedDict, Unpack, overload

from . import _lib
from ._dataset import _OF_NAMES, _already_committed, _warn
from ._errors import DataSetWarning
from ._lib import DryRunReport, FileRecord, Receipt
from ._options import WriteOptions, check_names, prepared
from ._paths import StrPath, local_path, place
from ._progress import OnProgress, Shown
from ._sizes import invalid, whole

InputFormat: TypeAlias = Literal["csv", "tsv", "ndjson", "parquet", "ipc", "ipc_stream", "avro"]
Types: TypeAlias = str | Mapping[str, str]


class InputOptions(TypedDict, total=False):
    """How files are read."""

    input_format: InputFormat | None
    """The format of all files; by default each one's by its suffix."""
    delimiter: str | None
    """What divides the fields of CSV, one character; by default a comma, and in TSV a tab."""
    header: bool
    """Whether the first row of CSV names the columns; by default it does."""
    encoding: str | None
    """The encoding of text without a byte order mark, such as ``"latin1"``; by default UTF-8."""
    escape: str | None
    """A character by which a quote within a quoted field of CSV is escaped, besides doubling it."""
    comment: str | None
    """A character that begins lines of CSV which are passed over."""
    date_format: str | None
    """The format of all dates and times in CSV, as strftime has it; by default that of ISO 8601."""
    null_values: str | Iterable[str] | None
    """Texts that are null in CSV. A field of nothing always is null, and ``NA`` and ``""`` are in every column but those
    of text."""
    infer_rows: int | None
    """The rows of the first file from which types are inferred at first, by default 10,000. Where a later value does not
    fit, everything is read for its types, and then again."""
    hive: bool
    """Whether directories named ``key=value`` above a file give columns; by default they do."""
    hive_types: Types | None
    """The types of those columns, as of ``schema``; by default int64 or date where all values are such, else text."""
    schema: Types | None
    """Types of columns that are not to be inferred, by their names: ``{"id": "int64", "at": "timestamp[ms, UTC]", "price":
    "decimal(10, 2)"}``, or a text with ``;`` between them. A value that the type does not hold as it is ends the write."""
    cast: Types | None
    """Types that columns of any file are cast to, as in ``schema``. A value that the type does not hold ends the write,
    with its row: it is cast only if, cast back, it is what it was. Texts of CSV and NDJSON are kept by ``schema`` alone: a cast
    to text from a type that was guessed from them is refused."""
    select: str | Iterable[str] | Mapping[str, str] | None
    """The columns that are written, in this order: names, each also as ``"new=old"``, with commas between them or in an
    iterable; or a dictionary of new names with the columns. By default all. Keys are made of columns that are selected, by
    their new names."""


class FilesOptions(InputOptions, WriteOptions, total=False):
    """What can be asked of :func:`write_files`."""


@overload
def write_files(
    paths: StrPath | Iterable[StrPath],
    root: StrPath,
    *,
    on_file: Callable[[FileRecord], object] | None = None,
    progress: OnProgress = False,
    dry_run: Literal[False] = False,
    **options: Unpack[FilesOptions],
) -> Receipt: ...


@overload
def write_files(
    paths: StrPath | Iterable[StrPath],
    root: StrPath,
    *,
    on_file: Callable[[FileRecord], object] | None = None,
    progress: OnProgress = False,
    dry_run: bool,
    **options: Unpack[FilesOptions],
) -> Receipt | DryRunReport: ...


def write_files(
    paths: StrPath | Iterable[StrPath],
    root: StrPath,
    *,
    on_file: Callable[[FileRecord], object] | None = None,
    progress: OnProgress = False,
    dry_run: bool = False,
    **options: Unpack[FilesOptions],
) -> Receipt | DryRunReport:
    """Writes files into a Hive-partitioned data set, all or nothing, as the command ``atomic-arrow write`` does.

    >>> _ = (lake / "a.csv").write_text("station_id,temp\\nKSEA,11.5\\nKJFK,3.0\\n")
    >>> receipt = write_files(lake / "*.csv", lake / "weather", partition_by="station_id")
    >>> print(receipt.rows, "rows in", len(receipt.files), "files")
    2 rows in 2 files

    :param paths: Files, directories, and patterns such as ``"raw/*.csv.gz"``, of CSV, TSV, NDJSON, Parquet, Avro, and Arrow IPC
        files and streams, each also compressed with gzip or zstd. They are read as one sequence of rows, under one schema:
        columns go by name, and one that a file lacks is null in its rows, which a :class:`DataSetWarning` says.
    :param root: The data set's directory, also where its name has the suffix of a format: a path or ``file://`` URL. One
        file is written of what a reader of these files gives, as by ``write_parquet(polars.scan_csv("a.csv"), "a.parquet")``.
    :param on_file: Called with each finished file, which is not published yet.
    :param progress: ``True`` for a bar, or a function that is called with a :class:`Progress`.
    :param dry_run: As of :func:`write_dataset`.
    :param options: As in :class:`InputOptions`, how files are read, and in :class:`WriteOptions`, what is written.
    :raises InputError: What is in the files, with the file, line and column.
    :raises ReadError: If the system would not read one.
    :raises PartitionError: If a row cannot be partitioned, with the file and the row in it.
    :raises Interrupted: On Ctrl-C; nothing is published.
    :raises AtomicArrowError: As :func:`write_dataset`; nothing is published but where ``outcome`` says so.
    """
    given: dict[str, Any] = dict(options)
    check_names(given, FilesOptions)
    if given.get("keep_staged") is not None:
        raise invalid("keep_staged", "nothing stays staged: it is for stage()")
    reading = {name: given.pop(name) for name in InputOptions.__annotations__ if name in given}
    target, taken = place(root), prepared(given)
    asked = {
        "inputs": _inputs(paths),
        "options": _words(reading),
        "batch_bytes": taken.get("memory_limit"),
    }
    if dry_run:
        counted, notes = _lib.count_files(asked, target, taken)
        _say(notes)
        return counted.finish()
    if taken.get("write_id") is not None:
        named = {name: given[name] for name in _OF_NAMES if name in given}
        receipt = _already_committed(root, taken["write_id"], named)
        if receipt is not None:
            _warn(receipt, level=3)
            return receipt
    shown = Shown(progress, None)
    try:
        writer, notes = _lib.take_files(asked, target, taken, on_file, shown.call)
        _say(notes)
        receipt = writer.commit()
    finally:
        shown.close()
    _warn(receipt, level=3)
    return receipt


def _inputs(paths: StrPath | Iterable[StrPath]) -> list[str]:
    several = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    found = [local_path(path) for path in several]
    # Standard input, to the command.
    return ["./-" if path == "-" else path for path in found]


def _words(options: Mapping[str, Any]) -> list[str]:
    """The options of reading as the command line has them."""
    words = []
    for name, value in options.items():
        if value is None:
            continue
        if name in ("header", "hive"):
            if not isinstance(value, bool):
                raise TypeError(f"{name}: a bool is needed, not {type(value).__name__}")
            words += [] if value else [f"--no-{name}"]
        elif name == "null_values":
            texts = [value] if isinstance(value, str) else list(value)
            words += [f"--null={_text(name, text)}" for text in texts]
        elif name == "infer_rows":
            words.append(f"--infer-rows={whole(name, value)}")
        elif name == "select":
            words.append(f"--select={','.join(_columns(value))}")
        elif name in ("schema", "hive_types", "cast"):
            words.append(f"--{name.replace('_', '-')}={_types(name, value)}")
        else:
            words.append(f"--{name.replace('_', '-')}={_text(name, value)}")
    return words


def _types(name: str, types: Types) -> str:
    if isinstance(types, str):
        if types.startswith("@"):
            raise invalid(name, "a file of types is read by the command alone: give its text")
        return types
    for column, kind in types.items():
        if ";" in _text(name, column) + _text(name, kind) or "\n" in column + kind:
            raise invalid(name, f"{column!r}: neither a semicolon nor a line end can be in it")
    return ";".join(f"{column}={kind}" for column, kind in types.items())


def _columns(select: str | Iterable[str] | Mapping[str, str]) -> list[str]:
    if isinstance(select, str):
        return [select]
    if isinstance(select, Mapping):
        select = [f"{new}={_text('select', old)}" for new, old in select.items()]
    columns = [_text("select", column) for column in select]
    for column in columns:
        if "," in column:
            raise invalid(
                "select", f"{column!r}: a column with a comma in its name is not selected"
            )
    return columns


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name}: a text is needed, not {type(value).__name__}")
    return value


def _say(notes: list[str]) -> None:
    for note in notes:
        warnings.warn(note, DataSetWarning, stacklevel=3)
