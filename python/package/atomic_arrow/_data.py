"""Whatever holds rows, as Arrow streams."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ._errors import AtomicArrowError, make
from ._lib import Stream


@runtime_checkable
class ArrowStream(Protocol):
    """Rows that are exported through the Arrow C stream interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


@runtime_checkable
class ArrowArray(Protocol):
    """One batch that is exported through the Arrow C data interface."""

    def __arrow_c_array__(
        self, requested_schema: object | None = None
    ) -> tuple[object, object]: ...


@runtime_checkable
class ArrowSchema(Protocol):
    """A schema that is exported through the Arrow C schema interface."""

    def __arrow_c_schema__(self) -> object: ...


# A lazy frame of Polars has neither interface, so it is not named here.
Data: TypeAlias = ArrowStream | ArrowArray | Iterable[ArrowStream | ArrowArray] | Any
"""Anything that holds rows: what exports the Arrow C interfaces, a Polars ``LazyFrame``, and
iterables of such."""

Schema: TypeAlias = ArrowSchema | ArrowStream
"""A schema, or a table that has it."""


def streams(data: Data, *, index: bool | None, lasts: bool = False) -> Iterator[Stream]:
    """The data as streams, one after another, each opened when its turn comes.

    Data that ``lasts`` stays as it is until the commit, which its owner waits for; what it gives piece
    by piece does not, for its memory may be used again.
    """
    one = _stream(data, index, lasts=lasts and isinstance(data, Sized))
    if one is not None:
        yield one
        return
    # A mapping or a text could be iterated too, and hardly holds data sets' rows.
    if isinstance(data, str | bytes | dict) or not isinstance(data, Iterable):
        raise _no_rows(data)
    for item in data:
        one = _stream(item, index)
        if one is None:
            raise _no_rows(item)
        yield one


def schema_of(schema: Schema, *, index: bool | None) -> Schema:
    """A schema, or what exports that of a table as its rows are exported."""
    if isinstance(schema, ArrowSchema) or not isinstance(schema, ArrowStream | ArrowArray):
        return schema
    return _stream(schema, index) or schema


def _stream(data: Any, index: bool | None, *, lasts: bool = False) -> Stream | None:
    """The rows of one object; None if it has none to export."""
    try:
        one = _exporter(data, index)
        return None if one is None else Stream(one, lasts=lasts)
    except AtomicArrowError:
        raise
    except Exception as error:
        # Each library has its own for what it cannot export.
        message = f"the data cannot be read\n  because: {error}"
        raise make("InputError", message, outcome="not_published") from error


def _exporter(data: Any, index: bool | None) -> Any:
    """What exports the rows of one object; None if it has none to export."""
    if is_a(data, "pandas", "DataFrame"):
        if index is None and _index_has_data(data):
            raise _undecided_index(data)
        # Its own export would make a column of any index that is not a mere count.
        return data.reset_index(drop=not index) if _has_index(data) or index else data
    if is_a(data, "polars", "LazyFrame"):
        return data.collect_batches()
    if isinstance(data, ArrowStream | ArrowArray):
        return data
    return None


def _has_index(frame: Any) -> bool:
    pandas = sys.modules["pandas"]
    return not (isinstance(frame.index, pandas.RangeIndex) and frame.index.name is None)


def _index_has_data(frame: Any) -> bool:
    """Whether the index is more than row numbers, such as those that a filter leaves."""
    named = any(name is not None for name in frame.index.names)
    return named or frame.index.nlevels > 1 or getattr(frame.index.dtype, "kind", "O") not in "iu"


def _undecided_index(frame: Any) -> Exception:
    names = [name for name in frame.index.names if name is not None]
    levels = f"the index {', '.join(map(repr, names))}" if names else "an index without a name"
    message = (
        f"the frame has {levels}, which is not a column: "
        "give index=True to write it, or index=False to leave it out"
    )
    return make("InputError", message, outcome="not_published")


def is_a(value: Any, module: str, name: str) -> bool:
    """Whether it is an instance of a class of a library, which is not imported for that."""
    loaded = sys.modules.get(module)
    kind = getattr(loaded, name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _no_rows(value: Any) -> Exception:
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    return TypeError(
        f"a {kind} does not hold rows: give what exports the Arrow C stream or array interface, "
        "or an iterable of such"
    )


def no_schema() -> Exception:
    message = "there are no rows, and so no schema: give schema= if that is to be a data set"
    return make("InputError", message, outcome="not_published")


def length(data: Any) -> int | None:
    """How many rows there are, where that is known without reading them."""
    if is_a(data, "pandas", "DataFrame") or is_a(data, "polars", "DataFrame"):
        return len(data)
    rows = getattr(data, "num_rows", None)
    return rows if isinstance(rows, int) else None
