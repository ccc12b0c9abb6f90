"""Frames of Polars as Arrow streams: what its own export would lose is refused or mended."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ._lib import Stream


def is_a(value: Any, module: str, name: str) -> bool:
    """Whether it is an instance of a class of a library, which is not imported for that."""
    loaded = sys.modules.get(module)
    kind = getattr(loaded, name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def polars_stream(frame: Any, *, lasts: bool) -> Stream:
    """The rows of a frame, lazy or not.

    :raises TypeError: If a column has values that are no data, of which the addresses in memory
        would be exported.
    """
    polars = sys.modules["polars"]
    columns = frame.collect_schema().items()
    check_types(dict(columns))
    # Its columns without values have a buffer that Arrow does not have there, so they are given as
    # another type, and said to be none.
    typed = {name: _filled(polars, kind) for name, kind in columns}
    changed = [
        _column(polars, name).cast(typed[name]) for name, kind in columns if typed[name] != kind
    ]
    empty = (
        frame.clear()
        if is_a(frame, "polars", "DataFrame")
        else polars.DataFrame(schema=dict(columns))
    )
    given = frame.with_columns(changed) if changed else frame
    if is_a(frame, "polars", "LazyFrame"):
        given = given.collect_batches()
    return Stream(given, lasts=lasts, types=Stream(empty) if changed else None)


def check_types(columns: Mapping[str, Any]) -> None:
    """Refuses columns of values that are no data.

    :raises TypeError: The first such column.
    """
    for name, kind in columns.items():
        _check(sys.modules["polars"], name, kind)


def _column(polars: Any, name: str) -> Any:
    """The column of that name, which would be a pattern if it looked like one."""
    is_pattern = name.startswith("^") and name.endswith("$")
    return polars.col(f"^{re.escape(name)}$" if is_pattern else name)


def _within(kind: Any) -> Iterator[tuple[str, Any]]:
    """The types within a type, each with what it is called."""
    for field in getattr(kind, "fields", ()):
        yield f".{field.name}", field.dtype
    if (inner := getattr(kind, "inner", None)) is not None:
        yield "[]", inner
    if hasattr(kind, "ext_storage"):
        yield "", kind.ext_storage()


def _check(polars: Any, path: str, kind: Any) -> None:
    if kind == polars.Object:
        raise TypeError(
            f"column {path!r} is of the type Object of Polars, which is no data: convert its values "
            "to a type that has data, or leave the column out"
        )
    if kind in (getattr(polars, "Int128", None), getattr(polars, "UInt128", None)):
        raise TypeError(
            f"column {path!r} is of the type {kind} of Polars, which Arrow does not have: cast it to "
            "Int64, or to Decimal(38, 0)"
        )
    for name, inner in _within(kind):
        _check(polars, path + name, inner)


def _filled(polars: Any, kind: Any) -> Any:
    """The type, with another in place of that which has no values."""
    if kind == polars.Null:
        return polars.Boolean
    if isinstance(kind, polars.List):
        return polars.List(_filled(polars, kind.inner))
    if isinstance(kind, polars.Array):
        return polars.Array(_filled(polars, kind.inner), kind.size)
    if isinstance(kind, polars.Struct):
        fields = [(field.name, _filled(polars, field.dtype)) for field in kind.fields]
        return polars.Struct([polars.Field(name, inner) for name, inner in fields])
    map_type: Any = getattr(polars, "Map", ())
    if isinstance(kind, map_type):
        return polars.Map(_filled(polars, kind.key), _filled(polars, kind.value))
    return kind
