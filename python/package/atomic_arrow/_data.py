"""Whatever holds rows, as Arrow streams."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from itertools import chain
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ._aligned import aligned
from ._duckdb import check_relation
from ._errors import AtomicArrowError, DataSetWarning, make, unpublished
from ._lib import Stream
from ._pandas import check_names, check_objects, unconvertible
from ._polars import check_types, is_a, polars_stream

HELD_BYTES = 64 << 20
"""What rows may take that are held until the types of their columns are known."""


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
"""Anything that holds rows: what exports the Arrow C interfaces, a Polars ``LazyFrame``, a Series
with a name, and iterables of such."""

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


def rows_of(
    data: Data, place: str, *, schema: Schema | None, index: bool | None, exact: bool, level: int
) -> tuple[Schema, Iterator[Stream]]:
    """The schema of all rows, and their streams, which are to be written at a place."""
    opened = streams(data, index=index, lasts=True)
    with unpublished(place):
        first = next(opened, None)
        known = schema
        if schema is None and first is not None:
            known, opened = decided(first, opened)
            if not exact:
                known = united(known, data, index=index)
                opened = fitted(known, opened, level=level)
        elif first is not None:
            opened = chain([first], opened)
    if known is None:
        raise no_schema()
    return known, opened


def decided(first: Stream, opened: Iterator[Stream]) -> tuple[Stream, Iterator[Stream]]:
    """The schema of the rows, and all streams again.

    A column that has only nulls at first may be of no type. What has it so is held in memory, to a
    limit, until one comes that has values.
    """
    known, held, left = first, [first], HELD_BYTES
    while known.undecided:
        taken = held[-1].hold(left)
        later = None if taken is None or taken > left else next(opened, None)
        if later is None:
            break
        left -= taken or 0
        held.append(later)
        known = known.decided(later)
    return known, chain(held, opened)


def united(known: Stream, data: Data, *, index: bool | None) -> Stream:
    """The schema that also holds the rows of those frames of a list that come later.

    What gives its rows piece by piece is not looked at before its turn, and a frame that no type goes
    with is refused then.
    """
    if not isinstance(data, list | tuple):
        return known
    for item in data[1:]:
        later = _without_rows(item, index)
        if later is not None:
            known = known.united(later) or known
    return known


def fitted(known: Stream, opened: Iterable[Stream], *, level: int) -> Iterator[Stream]:
    """The streams, those that lack columns with nulls in their place."""
    for number, stream in enumerate(opened):
        lacking = stream.lacking(known)
        if lacking:
            message = (
                f"item {number} of the data lacks columns that others have, which are null in its rows: "
                f"{', '.join(map(repr, lacking))}"
            )
            warnings.warn(message, DataSetWarning, stacklevel=level)
            stream = stream.fitted(known)
        yield stream


def _without_rows(item: Any, index: bool | None) -> Stream | None:
    """The schema of a frame, where that can be had without its rows."""
    if is_a(item, "narwhals", "DataFrame"):
        item = item.to_native()
    if is_a(item, "pandas", "DataFrame"):
        return _stream(item.iloc[:0], index)
    if is_a(item, "polars", "DataFrame"):
        return _stream(item.clear(), index)
    if is_a(item, "polars", "LazyFrame"):
        polars = sys.modules["polars"]
        return _stream(polars.DataFrame(schema=item.collect_schema()), index)
    if is_a(item, "pyarrow", "Table") or is_a(item, "pyarrow", "RecordBatch"):
        return _stream(item.slice(0, 0), index)
    return None


def schema_of(schema: Schema, *, index: bool | None) -> Schema:
    """A schema, or what exports that of a table as its rows are exported."""
    given: Any = schema
    if is_a(given, "polars", "LazyFrame"):
        given = schema = given.collect_schema()
    if is_a(given, "polars", "Schema"):
        with _readable():
            check_types(given)
    if is_a(given, "pyarrow", "Schema"):
        _check_schema(given)
    if isinstance(schema, ArrowSchema):
        return schema
    stream = _stream(schema, index)
    if stream is None:
        raise TypeError(
            f"schema has to be what exports an Arrow schema, or a table that has it, not {schema!r}"
        )
    return stream


def _stream(data: Any, index: bool | None, *, lasts: bool = False) -> Stream | None:
    """The rows of one object; None if it has none to export."""
    with _readable():
        if is_a(data, "narwhals", "DataFrame"):
            data = data.to_native()
        if is_a(data, "polars", "Series") or is_a(data, "pandas", "Series"):
            data = _frame(data)
        if is_a(data, "polars", "DataFrame") or is_a(data, "pandas", "DataFrame"):
            for name in data.columns:
                _check_name(name)
        if is_a(data, "polars", "DataFrame") or is_a(data, "polars", "LazyFrame"):
            return polars_stream(data, lasts=lasts)
        if any(
            is_a(data, "pyarrow", kind) for kind in ("Table", "RecordBatch", "RecordBatchReader")
        ):
            _check_schema(data.schema)
        one = _exporter(data, index)
        if one is None:
            return None
        try:
            return Stream(aligned(one), lasts=lasts)
        except AtomicArrowError:
            raise
        except Exception as error:
            found = unconvertible(one, error) if is_a(one, "pandas", "DataFrame") else None
            if found is None:
                raise
            raise found from error


def _check_schema(schema: Any) -> None:
    """Refuses metadata of a schema of pyarrow that is no text, as metadata of Arrow in Rust has to be, and names that the
    Arrow C interface cuts."""
    _check_text("the schema", schema.metadata)
    for field in schema:
        _check_field(field.name, field)


def _check_name(name: object) -> None:
    """Refuses a name with a NUL, which ends it in the Arrow C interface, by which rows come."""
    if isinstance(name, str) and "\0" in name:
        message = f"a column is named {name!r}, of which nothing behind the NUL would be written: rename it"
        raise make("InputError", message, outcome="not_published")


def _check_field(path: str, field: Any) -> None:
    _check_name(field.name)
    _check_text(f'column "{path}"', field.metadata)
    try:
        kind = field.type
    except TypeError:
        return  # A type that was defined in Python, and is gone.
    # Those that pyarrow has itself have parameters of text.
    if hasattr(kind, "__arrow_ext_serialize__"):
        parameters = {kind.extension_name.encode(): kind.__arrow_ext_serialize__()}
        _check_text(f'column "{path}"', parameters)
    kind = getattr(kind, "storage_type", kind)
    for at in range(kind.num_fields):
        inner = kind.field(at)
        is_item = hasattr(kind, "value_type")
        _check_field(f"{path}[]" if is_item else f"{path}.{inner.name}", inner)


def _check_text(place: str, metadata: dict[bytes, bytes] | None) -> None:
    for key, value in (metadata or {}).items():
        try:
            key.decode()
            value.decode()
        except UnicodeDecodeError as error:
            message = (
                f"{place} has metadata under {key!r} that is not UTF-8, which is not written: "
                "encode it as text, such as base64, or leave it out"
            )
            raise make("InputError", message, outcome="not_published") from error


@contextmanager
def _readable() -> Iterator[None]:
    """Makes an :class:`InputError` of whatever is raised."""
    try:
        yield
    except AtomicArrowError:
        raise
    except Exception as error:
        # Each library has its own for what it cannot export.
        message = f"the data cannot be read\n  because: {error}"
        raise make("InputError", message, outcome="not_published") from error


def _frame(series: Any) -> Any:
    """The frame of one column that a Series is."""
    if series.name is None or series.name == "":
        raise ValueError("the Series has no name, and so no column: give it one, or a frame")
    return series.to_frame()


def _exporter(data: Any, index: bool | None) -> Any:
    """What exports the rows of one object; None if it has none to export."""
    if is_a(data, "pandas", "DataFrame"):
        if index is None and _index_has_data(data):
            raise _undecided_index(data)
        check_names(data)
        check_objects(data)
        # Its own export would make a column of any index that is not a mere count.
        return data.reset_index(drop=not index) if _has_index(data) or index else data
    if is_a(data, "duckdb", "DuckDBPyRelation"):
        check_relation(data)
    if isinstance(data, ArrowStream | ArrowArray):
        return data
    return _scanned(data)


def _scanned(data: Any) -> Any:
    """A reader of what pyarrow scans, a data set or a scanner of one; None of anything else."""
    dataset = sys.modules.get("pyarrow.dataset")
    if dataset is None:
        return None
    if isinstance(data, dataset.Dataset):
        _check_schema(data.schema)
        data = data.scanner()
    return data.to_reader() if isinstance(data, dataset.Scanner) else None


def _has_index(frame: Any) -> bool:
    """Whether the index is not a mere count from zero, which stays right wherever rows are put."""
    pandas = sys.modules["pandas"]
    index = frame.index
    is_count = isinstance(index, pandas.RangeIndex) and index.name is None
    return not (is_count and index.start == 0 and index.step == 1)


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


def _no_rows(value: Any) -> Exception:
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    for name in ("scanner", "to_reader"):
        if callable(getattr(value, name, None)):
            call = "scanner().to_reader()" if name == "scanner" else "to_reader()"
            return TypeError(f"a {kind} does not export its rows: give its {call}")
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
