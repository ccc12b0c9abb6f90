"""Frames of pandas: what its own export would change is refused."""

from __future__ import annotations

import sys
from datetime import date, datetime
from typing import Any


def check_objects(frame: Any) -> None:
    """Refuses columns of objects of several kinds, of which one would take the form of another.

    :raises TypeError: The first such column.
    """
    for position, (name, kind) in enumerate(frame.dtypes.items()):
        if getattr(kind, "hasobject", False):
            _check(name, frame.iloc[:, position])


def _check(name: Any, column: Any) -> None:
    values = column.array
    kinds = {kind for kind in set(map(type, values)) if kind is not type(None)}
    moments = {kind for kind in kinds if issubclass(kind, datetime)}
    found = None
    if moments and any(issubclass(kind, date) for kind in kinds - moments):
        found = "dates and points in time, whose time of day would be lost"
    elif str in kinds and bytes in kinds:
        found = "strings and bytes"
    elif moments and len({value.tzinfo is None for value in values if _is_moment(value)}) > 1:
        found = "times with and without a time zone"
    if found is not None:
        raise TypeError(f"column {name!r} holds {found}: convert them to one type")


def check_names(frame: Any) -> None:
    """Refuses two columns of one name.

    :raises TypeError: The first name that another column has too.
    """
    known = set()
    for name in map(str, frame.columns):
        if name in known:
            raise TypeError(f"two columns are named {name!r}: rename one of them")
        known.add(name)


def unconvertible(frame: Any, error: Exception) -> TypeError | None:
    """What column, and which row of it, Arrow has no type for; None if it is not a column."""
    for position, (name, kind) in enumerate(frame.dtypes.items()):
        column = frame.iloc[:, position]
        if _converts(column):
            continue
        place = f"column {name!r}"
        if getattr(kind, "kind", None) == "c":
            remedy = "write its real and its imaginary parts as two columns"
            return TypeError(f"{place} has complex numbers, for which Arrow has no type: {remedy}")
        if isinstance(kind, sys.modules["pandas"].SparseDtype):
            remedy = "make it dense, as its sparse.to_dense() does"
            return TypeError(f"{place} is sparse, which no type of Arrow is: {remedy}")
        if getattr(kind, "hasobject", False):
            return TypeError(_describe(place, column))
        reason = error.args[0] if error.args else error
        return TypeError(
            f"{place} of type {kind} has no type in Arrow ({reason}): convert it to another type"
        )
    return None


def _describe(place: str, column: Any) -> str:
    # The first rows of which there are as many convert, and no more.
    converts, fails = 0, len(column)
    while converts + 1 < fails:
        half = (converts + fails) // 2
        if _converts(column.iloc[:half]):
            converts = half
        else:
            fails = half
    value = column.iloc[converts]
    text = repr(value)
    text = text if len(text) <= 60 else f"{text[:60]}…"
    place = f"{place}, row {converts}: {text} of type {type(value).__name__}"
    if not _converts(column.iloc[converts : converts + 1]):
        return f"{place} has no type in Arrow: convert it, such as to text, or leave it out"
    return (
        f"{place} is of another type than the values before it: convert all to one type, such as to text "
        "with astype(str)"
    )


def _converts(column: Any) -> bool:
    try:
        sys.modules["pyarrow"].Array.from_pandas(column)
    except Exception:
        return False
    return True


def _is_moment(value: Any) -> bool:
    # What pandas has in place of a missing time is one by its class.
    return isinstance(value, datetime) and value == value
