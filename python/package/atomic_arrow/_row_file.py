"""One file of rows at one path: written in one step, or updated under a lock."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, Unpack

from . import _lib
from ._arrow_writer import AtomicArrowWriter, PathMode, RowFileOptions
from ._data import ArrowStream, Data, Schema, rows_of
from ._errors import make
from ._lib import PublishedFile
from ._options import prepared
from ._paths import StrPath, place


def write_parquet(
    data: Data,
    path: StrPath,
    *,
    mode: PathMode = "w",
    schema: Schema | None = None,
    index: bool | None = None,
    **options: Unpack[RowFileOptions],
) -> PublishedFile:
    """Writes all rows of some data as one Parquet file at a path, whole or not at all.

    >>> import pandas as pd
    >>> prices = pd.DataFrame({"item": ["a", "b"], "price": [11.5, 3.0]})
    >>> write_parquet(prices, lake / "cache/prices.parquet").rows
    2

    :param data: As of :func:`write_dataset`.
    :param path: A path or a URL (``file://``, ``s3://`` and so on), whose suffix is that of the format.
    :param mode: ``"w"`` replaces a file that is there in one step, ``"x"`` refuses to.
    :param schema: The schema; by default that of the data.
    :param index: Whether the index of a pandas frame becomes columns.
    :param options: As in :class:`RowFileOptions`.
    :raises AlreadyExistsError: If the path is taken and ``mode`` is ``"x"``.
    :raises NotDurableError: If it is published, but may not survive a power cut.
    :raises AtomicArrowError: Whatever else fails; what was at the path before is still there.
    """
    return _write("parquet", data, path, mode, schema, index, options)


def write_ipc(
    data: Data,
    path: StrPath,
    *,
    mode: PathMode = "w",
    schema: Schema | None = None,
    index: bool | None = None,
    **options: Unpack[RowFileOptions],
) -> PublishedFile:
    """Writes all rows of some data as one Arrow IPC file, as :func:`write_parquet` does.

    >>> import pyarrow as pa
    >>> write_ipc(pa.table({"n": [1, 2, 3]}), lake / "cache/numbers.arrow").rows
    3
    """
    return _write("ipc", data, path, mode, schema, index, options)


def write_csv(
    data: Data,
    path: StrPath,
    *,
    mode: PathMode = "w",
    schema: Schema | None = None,
    index: bool | None = None,
    **options: Unpack[RowFileOptions],
) -> PublishedFile:
    """Writes all rows of some data as one CSV file, as :func:`write_parquet` does; compressed if its name ends in ``.gz``
    or ``.zst``.

    >>> import pyarrow as pa
    >>> _ = write_csv(pa.table({"n": [1, 2]}), lake / "numbers.csv")
    >>> (lake / "numbers.csv").read_text()
    'n\\n1\\n2\\n'
    """
    return _write("csv", data, path, mode, schema, index, options)


def write_ndjson(
    data: Data,
    path: StrPath,
    *,
    mode: PathMode = "w",
    schema: Schema | None = None,
    index: bool | None = None,
    **options: Unpack[RowFileOptions],
) -> PublishedFile:
    """Writes all rows of some data as one JSON object a line, as :func:`write_parquet` does; compressed if its name ends
    in ``.gz`` or ``.zst``.

    >>> import pyarrow as pa
    >>> _ = write_ndjson(pa.table({"n": [1, 2]}), lake / "numbers.ndjson")
    >>> (lake / "numbers.ndjson").read_text()
    '{"n":1}\\n{"n":2}\\n'
    """
    return _write("ndjson", data, path, mode, schema, index, options)


def _write(
    format: Literal["parquet", "ipc", "csv", "ndjson"],
    data: Data,
    path: StrPath,
    mode: PathMode,
    schema: Schema | None,
    index: bool | None,
    options: RowFileOptions,
) -> PublishedFile:
    exact = options.get("schema_policy") == "exact"
    known, opened = rows_of(data, place(path), schema=schema, index=index, exact=exact, level=5)
    writer = AtomicArrowWriter._at(path, known, mode, index, {**options, "format": format})
    with writer:
        writer._feed(opened)
    return writer.file


class FileUpdate:
    """An update of one file of rows, which holds its lock; made by :func:`update`.

    A ``with`` block publishes what was written on a clean exit, and changes nothing on any exception, or where nothing
    was written. The lock is given back at its end.
    """

    def __init__(self, path: StrPath, options: dict[str, Any], index: bool | None) -> None:
        self._writer: AtomicArrowWriter | None = None
        self._index = index
        self._exact = options.get("schema_policy") == "exact"
        self._inner: _lib.FileUpdate | None = _lib.FileUpdate(place(path), prepared(options))
        self.path: Path | Any = self._inner.path
        """The path of the file: absolute, with symbolic links resolved."""

    def read(self) -> ArrowStream | None:
        """The rows of the file as an Arrow stream, to be read once; ``None`` if there is no file yet.

        :raises InvalidOptionError: Of CSV and NDJSON, which have no schema: read the file by its ``path``.
        :raises ConflictError: If somebody has changed the file since, without an update.
        :raises ReadError: If it cannot be read.
        :raises ClosedError: If rows were written already.
        """
        return self._open().read()

    def write(self, data: Data, *, schema: Schema | None = None) -> None:
        """Writes all rows of some data into the file that replaces the one that is there; again for more rows.

        :raises SchemaMismatchError, InputError, EncodeError, IoError: The file stays as it was.
        """
        if self._writer is not None:
            self._writer.write(data)
            return
        inner = self._open()
        known, opened = rows_of(
            data, str(self.path), schema=schema, index=self._index, exact=self._exact, level=4
        )
        self._inner = None
        self._writer = AtomicArrowWriter._of(inner.write(known), self._index)
        self._writer._feed(opened)

    @property
    def file(self) -> PublishedFile:
        """The published file.

        :raises AtomicArrowError: If nothing was published.
        """
        if self._writer is None:
            message = f"{self.path}: nothing was written"
            raise make("AtomicArrowError", message, outcome="not_published")
        return self._writer.file

    def _open(self) -> _lib.FileUpdate:
        if self._inner is None:
            message = f"{self.path}: rows of this update are written already, or it is over"
            raise make("ClosedError", message, outcome="not_published")
        return self._inner

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.__exit__(kind, error, traceback)
        elif self._inner is not None:
            self._inner.discard()
        self._inner = None

    def __repr__(self) -> str:
        return f"<FileUpdate {self.path}>"


def update(
    path: StrPath, *, index: bool | None = None, **options: Unpack[RowFileOptions]
) -> FileUpdate:
    """Begins an update of one file of rows: read, merge, write back, so that no other update is lost.

    It waits until others who update the same file are done. That somebody has changed the file without an update is a
    :class:`ConflictError` as it is published.

    >>> import pyarrow as pa
    >>> for day in [1, 2]:
    ...     with update(lake / "history.parquet") as u:
    ...         new = pa.table({"day": [day]})
    ...         before = u.read()
    ...         u.write(new if before is None else pa.concat_tables([pa.table(before), new]))
    >>> u.file.rows
    2

    :param path: A path or a URL (``file://``, ``s3://`` and so on), whose suffix says the format; the file need not be there.
    :param index: Whether the index of a pandas frame becomes columns.
    :param options: As in :class:`RowFileOptions`, for the file that is written.
    :raises InvalidPathError, InvalidOptionError, IoError: If there can be no such file, or no lock. Nothing is changed.
    """
    return FileUpdate(path, dict(options), index)
