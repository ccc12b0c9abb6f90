"""Writes data sets of Ray, each block by a task, and all of them in one commit.

It is imported on use, as ``atomic_arrow.ray``, and needs Ray.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Unpack

import pyarrow
import ray.data
from ray.data.datasource import Datasink, WriteResult

from ._data import Schema
from ._lib import StagedWrite
from ._options import WriteOptions
from ._paths import StrPath
from ._sink import Sink, refuse_pickled
from ._sizes import invalid

__all__ = ["AtomicDatasink"]


class AtomicDatasink(Sink, Datasink[StagedWrite | None]):
    """A sink for ``Dataset.write_datasink``, which writes all blocks into a Hive-partitioned data set, all or nothing.

    >>> import ray
    >>> ds = ray.data.from_items([{"station_id": "KSEA", "temp": 11.5}, {"station_id": "KJFK", "temp": 3.0}])
    >>> sink = AtomicDatasink(lake / "weather", partition_by="station_id")
    >>> ds.write_datasink(sink)
    >>> sink.receipt.rows
    2

    As a context it discards what is staged if it is left without a commit, as by Ctrl-C, of which Ray tells no sink.

    :param root: The data set: a path or ``file://`` URL by which all workers see it, or a URL of an object store.
    :param schema: The schema of all blocks; by default each task's own, and the commit is refused if they do not go
        together.
    :param index: Whether the index of blocks that are frames of pandas becomes columns; by default mere row numbers do
        not, and any other index is refused.
    :param options: As in :class:`WriteOptions`, but for ``write_id``, whose place ``job`` takes, and for
        ``durability="unsynced"``. By default each task encodes with one thread.
    :raises InvalidOptionError, InvalidPathError: If an option cannot be. Nothing is written.
    """

    def __init__(
        self,
        root: StrPath,
        *,
        schema: Schema | None = None,
        index: bool | None = None,
        **options: Unpack[WriteOptions],
    ) -> None:
        # Ray gives a task one core.
        options.setdefault("threads", 1)
        super().__init__(root, schema, index, options)

    def get_name(self) -> str:
        """What Ray calls it."""
        return "Atomic"

    def on_write_start(self, schema: pyarrow.Schema | None = None) -> None:
        """Refuses what the write would be refused for, as far as the first block tells; Ray calls it."""
        self._begin()
        if ray.data.DataContext.get_current().max_errored_blocks != 0:
            reason = "rows of a task that fails would be missing in silence: leave it at 0"
            raise invalid("DataContext.max_errored_blocks", reason)
        known = schema if self._schema is None else self._schema
        if isinstance(known, pyarrow.Schema) and not any(map(_is_undecided, known)):
            _check_types(known)
            self._job.check(known)

    def write(self, blocks: Iterable[Any], ctx: Any) -> StagedWrite | None:
        """Stages the blocks of a task; Ray calls it on a worker."""
        return self._stage(_rows(blocks))

    def on_write_complete(self, write_result: WriteResult[StagedWrite | None]) -> None:
        """Commits what all tasks have staged; Ray calls it."""
        self._begin()
        self._commit(write_result.write_returns, level=3)

    def on_write_failed(self, error: Exception) -> None:
        """Discards what is staged, and refuses what tasks stage later; Ray calls it."""
        self._fail(error)


def _rows(blocks: Iterable[Any]) -> Iterator[Any]:
    for block in blocks:
        if isinstance(block, pyarrow.Table):
            _check_types(block.schema)
        yield block


def _is_undecided(field: pyarrow.Field) -> bool:
    return bool(pyarrow.types.is_null(field.type))


def _check_types(schema: pyarrow.Schema) -> None:
    refuse_pickled(schema, _is_pickled, "Ray")


def _is_pickled(kind: Any) -> bool:
    return getattr(kind, "extension_name", None) == "ray.data.arrow_pickled_object"
