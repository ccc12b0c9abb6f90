"""What the sinks of engines have in common: they are given to an engine, and have the receipt afterwards."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from ._data import Schema
from ._errors import make
from ._job import Job, sendable
from ._lib import Receipt, StagedWrite
from ._options import WriteOptions
from ._paths import StrPath


class Sink:
    """A write that an engine does by calling back: plain data, which its tasks are sent."""

    def __init__(
        self, root: StrPath, schema: Schema | None, index: bool | None, options: WriteOptions
    ) -> None:
        self._root = root
        self._options = options
        self._index = index
        self._schema = None if schema is None else sendable(schema, index=index)
        self._receipt: Receipt | None = None
        self._job = Job(root, options)
        self._has_ended = False

    @property
    def receipt(self) -> Receipt:
        """What the commit published.

        :raises AtomicArrowError: If there was none.
        """
        if self._receipt is None:
            message = f"{self._job.root}: this sink has not committed"
            raise make("AtomicArrowError", message, outcome="not_published")
        return self._receipt

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._has_ended:
            self._fail(error or RuntimeError())

    def _begin(self) -> None:
        """Makes each use of the sink a write of its own."""
        if self._has_ended:
            self._job = Job(self._root, self._options)
            self._receipt, self._has_ended = None, False

    def _stage(self, tables: Iterable[Any]) -> StagedWrite | None:
        """Stages what has columns or rows.

        The task has no name: engines hand over one result of each, and of two of one name one would be left out.
        """
        rows = (table for table in tables if len(table.columns) > 0 or len(table) > 0)
        first = next(rows, None)
        if first is None:
            return self._job.stage_nothing()

        def all_rows() -> Iterable[Any]:
            yield first
            yield from rows

        return self._job.stage(all_rows(), schema=self._schema, index=self._index)

    def _commit(self, staged: list[StagedWrite | None], level: int) -> Receipt:
        # Nothing at all also replaces what is there, where that is asked for.
        receipt = self._job.commit(staged or [self._job.stage_nothing()])
        self._receipt, self._has_ended = receipt, True
        for kind, message in self._job.warnings_of(receipt):
            warnings.warn(message, kind, stacklevel=level + 1)
        return receipt

    def _fail(self, error: BaseException) -> None:
        self._receipt = self._job.fail(error)
        self._has_ended = True


def refuse_pickled(schema: Any, is_pickled: Callable[[Any], bool], engine: str) -> None:
    """Refuses columns of PyArrow with objects that an engine pickles, which nobody else could read."""
    for field in schema:
        if _holds(field.type, is_pickled):
            message = (
                f"column {field.name!r} holds objects that Arrow has no type for, which {engine} pickles: "
                "convert them, such as to text, or leave them out"
            )
            raise make("InputError", message, outcome="not_published")


def _holds(kind: Any, is_sought: Callable[[Any], bool]) -> bool:
    inner = getattr(kind, "storage_type", kind)
    return is_sought(kind) or any(
        _holds(inner.field(at).type, is_sought) for at in range(inner.num_fields)
    )
