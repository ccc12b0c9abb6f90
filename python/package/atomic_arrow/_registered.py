"""The files of a receipt as tables of other formats are told of them.

Finds them on disk, reads their schemas, and gives partition values the types that they were written with. What a table
makes of it is the business of ``delta`` and ``iceberg``.
"""

from __future__ import annotations

import datetime
import importlib
import json
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from ._errors import DataSetWarning, RegistrationError, make
from ._lib import Receipt
from ._paths import StrPath, local_path
from ._sizes import invalid
from ._stores import is_in_store

KeyValue: TypeAlias = bool | int | float | str | Decimal | datetime.date | datetime.datetime | None
"""The value of a partition key; an instant has a time zone, a time without one has none."""

_EXACT = Context(prec=80)
_EPOCH = datetime.datetime(1970, 1, 1)
_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)?")


@dataclass(frozen=True)
class DataFile:
    """One file of a receipt that is there, with the schema of its footer."""

    path: str
    """Below the root of the data set, with ``/`` between its parts."""
    place: Path
    rows: int
    bytes: int
    modified: int
    """In milliseconds since 1970."""
    partition: Mapping[str, KeyValue]
    columns: list[dict[str, Any]]
    """Statistics: ``column``, ``min``, ``max``, ``min_inexact``, ``max_inexact`` and ``null_count``, where known."""
    schema: Any
    """Of PyArrow."""


def refused(path: StrPath, reason: str) -> RegistrationError:
    """The error that says why a table cannot be told of a commit."""
    return _error(
        path, f"{reason}. The files of the write are published, and the table is as it was"
    )


def unknown(path: StrPath, reason: str) -> RegistrationError:
    """The error that says why nobody knows whether a table was told of a commit."""
    told = "it is not known whether the table has them: repeat it"
    return _error(path, f"{reason}. The files of the write are published, and {told}")


def _error(path: StrPath, reason: str) -> RegistrationError:
    message = f"{os.fspath(path)}: {reason}"
    error = make("RegistrationError", message, outcome="published", path=path)
    assert isinstance(error, RegistrationError)
    return error


def needed(module: str, package: str) -> ModuleType:
    """A module of a package that only this adapter needs."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # Something that the package itself needs has another name, and its own message.
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise
        message = f"registering needs {package}: pip install {package!r}"
        raise ModuleNotFoundError(message, name=error.name) from None


def root_of(receipt: Receipt, root: StrPath | None, otherwise: StrPath | None = None) -> Path:
    """The data set of a receipt: as it is given, else as the receipt knows it, else another path."""
    known = root if root is not None else receipt.root or otherwise
    if known is None:
        raise invalid("root", "this receipt does not know its data set: give its path")
    if is_in_store(os.fspath(known)):
        reason = (
            "tables are registered of data sets on a disk alone, and this one is in an object store"
        )
        raise refused(known, reason)
    return Path(os.path.realpath(local_path(known)))


def files_of(receipt: Receipt, root: Path) -> list[DataFile]:
    """The files of a receipt that are there; of others a warning tells.

    :raises RegistrationError: If one is not the file that was written, or no Parquet file that anybody may read.
    """
    parquet = needed("pyarrow.parquet", "pyarrow")
    files, gone = [], []
    for record in json.loads(receipt.to_json())["files"]:
        place = root / record["path"]
        try:
            status = place.stat()
        except FileNotFoundError:
            gone.append(record["path"])
            continue
        if status.st_size != record["bytes"]:
            reason = f"has {status.st_size} bytes, and was written with {record['bytes']}: it is another file"
            raise refused(place, reason)
        files.append(
            DataFile(
                record["path"],
                place,
                record["rows"],
                record["bytes"],
                status.st_mtime_ns // 1_000_000,
                {key["key"]: _value(place, key) for key in record["partition"]},
                record["columns"],
                _schema(parquet, place),
            )
        )
    if gone:
        message = (
            f"{root}: {len(gone)} of the {len(receipt.files)} files of this write are not there any more, such as "
            f"{gone[0]}, and are not registered: register the write that removed them, too"
        )
        warnings.warn(message, DataSetWarning, stacklevel=4)
    return files


def _schema(parquet: Any, place: Path) -> Any:
    try:
        return parquet.read_schema(place)
    except OSError as error:
        # What PyArrow says of an encrypted footer, and of what is not Parquet, is an OSError, too.
        reason = (
            f"its schema cannot be read ({error}); tables hold Parquet files that are not encrypted"
        )
        raise refused(place, reason) from error
    except ValueError as error:
        reason = f"is no Parquet file that can be read ({error}); tables hold Parquet files"
        raise refused(place, reason) from error


def _value(place: Path, key: Mapping[str, Any]) -> KeyValue:
    """The value of a partition key, from the one field of it in the JSON of the receipt."""
    if key["value"] is None:
        return None
    ((kind, value),) = key["value"].items()
    try:
        match kind:
            case "boolean" | "int" | "uint" | "float" | "string":
                plain: bool | int | float | str = value
                return plain
            case "date":
                return (_EPOCH + datetime.timedelta(days=value)).date()
            case "decimal":
                return Decimal(int(value["unscaled"])).scaleb(-value["scale"], _EXACT)
            case "timestamp":
                return _time(value)
            case _:
                raise refused(
                    place, f"partition key {key['key']!r} has a value of the unknown kind {kind!r}"
                )
    except (OverflowError, KeyError):
        reason = (
            f"the value {value!r} of partition key {key['key']!r} is not one that a table can have"
        )
        raise refused(place, f"{reason}: make a column of another type the key") from None


def _time(value: Mapping[str, Any]) -> datetime.datetime:
    microseconds = datetime.timedelta(microseconds=value["value"] * _MICROSECONDS[value["unit"]])
    time = _EPOCH + microseconds
    return time if value["time_zone"] is None else time.replace(tzinfo=datetime.UTC)


def time_of(text: object) -> datetime.datetime | None:
    """The time that a bound of statistics tells, in UTC if it has a time zone; ``None`` if Python has no such time."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    try:
        time = datetime.datetime.fromisoformat(text)
        return time if time.tzinfo is None else time.astimezone(datetime.UTC)
    except (OverflowError, ValueError):
        return None


def row_schema(receipt: Receipt) -> Any | None:
    """The schema of the rows, with the columns that are partition keys, where the receipt knows it."""
    return None if receipt.schema is None else needed("pyarrow", "pyarrow").schema(receipt.schema)


def sync(paths: Iterable[Path]) -> None:
    """Makes files durable, with their names; those that are not there any more need not be."""
    files = list(paths)
    for place in [*files, *sorted({file.parent for file in files})]:
        try:
            opened = os.open(place, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
