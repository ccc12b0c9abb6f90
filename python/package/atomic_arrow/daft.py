"""Writes frames of Daft, each micropartition by a task, and all of them in one commit.

It is imported on use, as ``atomic_arrow.daft``, and needs Daft.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Unpack

import pyarrow
from daft import DataType, Schema
from daft.io.sink import DataSink, WriteResult
from daft.recordbatch import MicroPartition

from . import _data
from ._lib import StagedWrite
from ._options import WriteOptions
from ._paths import StrPath
from ._sink import Sink, refuse_pickled

__all__ = ["AtomicDataSink"]


class AtomicDataSink(Sink, DataSink[StagedWrite | None]):
    """A sink for ``DataFrame.write_sink``, which writes all rows into a Hive-partitioned data set, all or nothing.

    >>> import daft
    >>> df = daft.from_pydict({"station_id": ["KSEA", "KJFK"], "temp": [11.5, 3.0]})
    >>> with AtomicDataSink(lake / "weather", partition_by="station_id") as sink:
    ...     _ = df.write_sink(sink)
    >>> sink.receipt.rows
    2

    Daft tells no sink that its write has failed: as a context it discards what is staged if it is left without a commit.

    :param root: The data set: a path or ``file://`` URL by which all workers see it, or a URL of an object store.
    :param schema: The schema of the rows; by default that of the frame.
    :param options: As in :class:`WriteOptions`, but for ``write_id``, whose place ``job`` takes, and for
        ``durability="unsynced"``.
    :raises InvalidOptionError, InvalidPathError: If an option cannot be. Nothing is written.
    """

    def __init__(
        self,
        root: StrPath,
        *,
        schema: _data.Schema | None = None,
        **options: Unpack[WriteOptions],
    ) -> None:
        super().__init__(root, schema, None, options)

    def name(self) -> str:
        """What Daft calls it."""
        return "Atomic"

    def schema(self) -> Schema:
        """The schema of what ``write_sink`` gives: a row with the number of rows and files, and the receipt's JSON."""
        return Schema.from_pydict(
            {"rows": DataType.int64(), "files": DataType.int64(), "receipt": DataType.string()}
        )

    def start(self) -> None:
        """Begins a write; Daft calls it."""
        self._begin()
        if self._schema is not None:
            self._job.check(self._schema)

    def write(
        self, micropartitions: Iterator[MicroPartition]
    ) -> Iterator[WriteResult[StagedWrite | None]]:
        """Stages what a task has; Daft calls it on a worker."""
        taken = [0, 0]

        def tables() -> Iterator[Any]:
            for part in micropartitions:
                taken[0] += part.size_bytes() or 0
                taken[1] += len(part)
                table = part.to_arrow()
                refuse_pickled(table.schema, _is_pickled, "Daft")
                yield table

        staged = self._stage(tables())
        yield WriteResult(staged, *taken)

    def finalize(self, write_results: list[WriteResult[StagedWrite | None]]) -> MicroPartition:
        """Commits what all tasks have staged; Daft calls it."""
        try:
            receipt = self._commit([written.result for written in write_results], level=3)
        except BaseException as error:
            self._fail(error)
            raise
        row = {
            "rows": [receipt.rows],
            "files": [len(receipt.files)],
            "receipt": [receipt.to_json()],
        }
        return MicroPartition.from_pydict(row)


def _is_pickled(kind: Any) -> bool:
    # Its other types of its own are stored as structs and lists.
    is_own = getattr(kind, "extension_name", None) == "daft.super_extension"
    return is_own and pyarrow.types.is_large_binary(kind.storage_type)
