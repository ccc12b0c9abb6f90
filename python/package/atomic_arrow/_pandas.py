"""Frames of pandas: what its own export would change is refused."""

from __future__ import annotations

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


def _is_moment(value: Any) -> bool:
    # What pandas has in place of a missing time is one by its class.
    return isinstance(value, datetime) and value == value
