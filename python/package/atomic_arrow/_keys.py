"""By what rows are divided and sorted."""

from __future__ import annotations

import datetime
import decimal
import math
import operator
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ._errors import make
from ._polars import is_a
from ._sizes import invalid

Transform: TypeAlias = Literal["identity", "year", "month", "day", "hour", "date"] | str


@dataclass(frozen=True, slots=True)
class PartitionKey:
    """One key to partition rows by: its name, and what it takes of which column.

    Made by :func:`column`, :func:`year`, :func:`month`, :func:`day`, :func:`hour`, :func:`date`, :func:`bucket` and
    :func:`spark_bucket`.
    """

    name: str
    """The name of the key, as in ``name=value``."""
    column: str
    """The column that its values come from."""
    transform: Transform = "identity"
    """What it takes of the column; of buckets with their number, as ``"bucket[16]"``."""


def column(column: str, *, as_: str | None = None) -> PartitionKey:
    """The values of a column, under its own name or another.

    >>> column("origin", as_="station_id")
    PartitionKey(name='station_id', column='origin', transform='identity')
    """
    return PartitionKey(as_ or column, column)


def year(column: str, *, as_: str = "year") -> PartitionKey:
    """The year of a date or timestamp column, in the column's time zone: ``year=2013``.

    >>> year("time_hour")
    PartitionKey(name='year', column='time_hour', transform='year')
    """
    return PartitionKey(as_, column, "year")


def month(column: str, *, as_: str = "month") -> PartitionKey:
    """The month of a date or timestamp column, without leading zeros: ``month=1``."""
    return PartitionKey(as_, column, "month")


def day(column: str, *, as_: str = "day") -> PartitionKey:
    """The day of the month of a date or timestamp column, without leading zeros: ``day=31``."""
    return PartitionKey(as_, column, "day")


def hour(column: str, *, as_: str = "hour") -> PartitionKey:
    """The hour of a timestamp column, without leading zeros: ``hour=5``."""
    return PartitionKey(as_, column, "hour")


def date(column: str, *, as_: str = "date") -> PartitionKey:
    """The date of a date or timestamp column: ``date=2013-01-31``."""
    return PartitionKey(as_, column, "date")


def bucket(buckets: int, column: str, *, as_: str | None = None) -> PartitionKey:
    """The bucket of a column's value among so many, as Apache Iceberg's transform ``bucket[N]`` has it: ``id_bucket=3``.

    Of whole numbers, decimals of at most 38 digits, dates, times, timestamps, text and bytes; not of unsigned numbers of
    64 bits. Null stays null.

    >>> bucket(16, "id")
    PartitionKey(name='id_bucket', column='id', transform='bucket[16]')

    :param buckets: How many there are. It is kept nowhere: all writes to a data set have to agree on it.
    """
    return PartitionKey(as_ or f"{column}_bucket", column, f"bucket[{_count(buckets)}]")


def spark_bucket(buckets: int, column: str, *, as_: str | None = None) -> PartitionKey:
    """The bucket of a column's value among so many, as Apache Spark's ``bucketBy`` and ``pmod(hash(column), N)`` have it.

    Of signed whole numbers, floating-point numbers, decimals of at most 38 digits, truth values, dates, timestamps of at
    most microseconds, text and bytes. The width of a number counts. Null has the bucket of the number 42.

    :param buckets: How many there are. It is kept nowhere: all writes to a data set have to agree on it.
    """
    return PartitionKey(as_ or f"{column}_bucket", column, f"spark_bucket[{_count(buckets)}]")


def _count(buckets: int) -> int:
    count = operator.index(buckets)
    if not 1 <= count < 2**31:
        raise invalid("partition_by", f"{count} buckets: 1 to {2**31 - 1} are possible")
    return count


PartitionBy: TypeAlias = str | PartitionKey | Iterable[str | PartitionKey] | None


def partition_keys(by: PartitionBy) -> list[str | tuple[str, str, str]]:
    """The keys as the library takes them: texts, which it reads itself, and triples."""
    if by is None:
        return []
    # Expressions of some libraries give items without end.
    if not isinstance(by, str | PartitionKey) and not hasattr(by, "__iter__"):
        raise TypeError(
            f"partition_by: a text, a PartitionKey, or several, not {type(by).__name__}"
        )
    keys = [by] if isinstance(by, str | PartitionKey) else list(by)
    taken: list[str | tuple[str, str, str]] = []
    for key in keys:
        if not isinstance(key, str | PartitionKey):
            raise TypeError(f"partition_by: a text or a PartitionKey, not {type(key).__name__}")
        taken.append(key if isinstance(key, str) else (key.name, key.column, key.transform))
    return taken


@dataclass(frozen=True, slots=True)
class SortBy:
    """One column that rows are sorted by within each file.

    >>> SortBy("temp", descending=True)
    SortBy(column='temp', descending=True, nulls_first=False)
    """

    column: str
    """The column."""
    descending: bool = False
    """Whether the largest values come first."""
    nulls_first: bool = False
    """Whether nulls come before all values."""


Direction: TypeAlias = Literal["asc", "desc"]
SortColumn: TypeAlias = str | SortBy | tuple[str, Direction]
SortColumns: TypeAlias = SortColumn | Iterable[SortColumn] | None

_DESCENDING = {"asc": False, "desc": True}


def sort_columns(by: SortColumns) -> list[str | tuple[str, bool, bool]]:
    """The columns as the library takes them: texts, which it reads itself, and triples."""
    if by is None:
        return []
    columns: list[Any] = [by] if isinstance(by, str | SortBy) or _is_pair(by) else list(by)
    taken: list[str | tuple[str, bool, bool]] = []
    for one in columns:
        if isinstance(one, str):
            taken.append(one)
        elif isinstance(one, SortBy):
            taken.append((one.column, one.descending, one.nulls_first))
        elif _is_pair(one):
            taken.append((one[0], _DESCENDING[one[1]], False))
        else:
            raise TypeError(
                "sort_by: a text such as 'temp desc', a pair of column and 'asc' or 'desc', or a SortBy, "
                f"not {one!r}"
            )
    return taken


def _is_pair(by: object) -> bool:
    """Whether it is a column with its direction."""
    return (
        isinstance(by, tuple) and len(by) == 2 and isinstance(by[0], str) and by[1] in _DESCENDING
    )


def partition_values(partition: Mapping[str, Any]) -> dict[str, Any]:
    """A partition's values, reduced to what the library knows: None, bool, int, float and str."""
    return {key: _value(key, value) for key, value in partition.items()}


def _value(key: str, value: Any) -> bool | int | float | str | None:
    """What has the text that the same value has in a column."""
    if _is_null(value):
        return None
    if isinstance(value, bool | float | str):
        return value
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ", timespec=_timespec(value))
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return _decimal(value)
    if is_a(value, "numpy", "datetime64"):
        return _numpy_time(key, value)
    # A difference of times is a whole number to NumPy, and no value for a path.
    if is_a(value, "numpy", "generic") and not is_a(value, "numpy", "timedelta64"):
        # The shortest text of a number of 32 bits has fewer digits than that of its double.
        small = value.dtype.char in "ef"
        item = float(str(value.astype("float32"))) if small else value.item()
        if not is_a(item, "numpy", "generic"):
            return _value(key, item)
    try:
        return _whole(key, operator.index(value))
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"{key}: a partition's value cannot be a {kind}") from None


def _is_null(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    nulls = (None, getattr(pandas, "NaT", None), getattr(pandas, "NA", None))
    return any(value is null for null in nulls)


def _timespec(time: datetime.datetime) -> str:
    # Those of pandas may have more.
    if getattr(time, "nanosecond", 0):
        return "nanoseconds"
    if time.microsecond % 1000:
        return "microseconds"
    return "milliseconds" if time.microsecond else "seconds"


def _numpy_time(key: str, time: Any) -> bool | int | float | str | None:
    known = time.item()
    if not isinstance(known, int):
        return _value(key, known)
    # What datetime does not know: nanoseconds, and the years that have no four digits.
    text = str(time).replace("T", " ")
    if text[4] != "-":
        raise _unusable(key, f"{time} is not of the years 1 to 9999")
    while text.endswith("000"):
        text = text[:-3]
    return text.removesuffix(".")


def _decimal(value: decimal.Decimal) -> str | float:
    if value.is_nan():
        return math.nan
    if value.is_infinite():
        return float(value)
    # There is one zero only.
    return format(value if value else value.copy_abs(), "f")


def _whole(key: str, value: int) -> int:
    if not -(2**63) <= value < 2**64:
        raise _unusable(key, f"{value} has more than 64 bits")
    return value


def _unusable(key: str, reason: str) -> Exception:
    return make("PartitionError", f"{key}: {reason}", outcome="not_published")
