"""One Parquet file of a data set, whole or absent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, Unpack, get_args

from . import _lib
from ._data import Data, Schema, schema_of
from ._errors import make
from ._keys import partition_values
from ._lib import PublishedFile
from ._options import FileOptions, NonFinite, ParquetOptions, SchemaPolicy, prepared
from ._paths import StrPath, place
from ._sizes import invalid
from ._writer import Writer


class ArrowWriterOptions(ParquetOptions, FileOptions, total=False):
    """What can be asked of an :class:`AtomicArrowWriter`."""

    schema_check: bool
    """Whether keys and columns are compared with those of one file that is in the data set already and is not
    to be replaced; by default they are, and the file is refused (:class:`IncompatibleError`) if readers could
    not take both for one data set."""
    schema_policy: SchemaPolicy
    """As of :class:`WriteOptions`."""


PathMode: TypeAlias = Literal["w", "x"]


class RowFileOptions(ParquetOptions, FileOptions, total=False):
    """What can be asked of one file of rows at a path."""

    schema_policy: SchemaPolicy
    """As of :class:`WriteOptions`."""
    csv_null: str
    """As of :class:`WriteOptions`."""
    json_non_finite: NonFinite
    """As of :class:`WriteOptions`."""


class AtomicArrowWriter(Writer[_lib.ArrowWriter]):
    """Writes one Parquet file into a partition of a data set.

    A ``with`` block commits on a clean exit and discards on any exception; a writer that is merely
    dropped discards, too.

    >>> import pyarrow as pa
    >>> rows = pa.table({"temp": [11.5, None, 12.25]})
    >>> partition = {"station_id": "KSEA", "year": 2026}
    >>> with AtomicArrowWriter(lake / "weather", partition, rows.schema) as w:
    ...     w.write(rows)
    >>> w.file.rows
    3

    :param root: The data set: a path, or a URL: ``file://``, or of an object store, as ``s3://bucket/weather``.
    :param partition: Keys and values: ``None``, ``bool``, ``int``, ``float``, ``str``, a date, a
        datetime or a decimal, also as a scalar of NumPy or pandas. A column of the schema that is
        named like a key is checked to carry its value, and is left out of the file.
    :param schema: What exports the Arrow schema interface, or a table that has the schema; a pandas
        frame has that of its rows as they are written, with its index or without.
    :param file_name: The name within the partition; by default one that no other writer has.
    :param replace: Whether a file of that name is replaced.
    :param keep_partition_columns: Whether partition columns stay in the file.
    :param index: Whether the index of a pandas frame becomes columns; by default mere row numbers,
        which are integers without a name, do not, and any other index is refused.
    :param options: As in :class:`ParquetOptions` and :class:`FileOptions`.
    :raises PartitionError, InvalidPathError, InvalidOptionError, AlreadyExistsError, EncodeError,
        IoError: If what is asked for cannot be done. Nothing is on disk then.
    """

    def __init__(
        self,
        root: StrPath,
        partition: Mapping[str, Any],
        schema: Schema,
        *,
        file_name: str | None = None,
        replace: bool = False,
        keep_partition_columns: bool = False,
        index: bool | None = None,
        **options: Unpack[ArrowWriterOptions],
    ) -> None:
        self._file: PublishedFile | None = None
        self._index = index
        taken = prepared(options)
        taken["file_name"] = file_name
        taken["replace"] = replace
        taken["keep_partition_columns"] = keep_partition_columns
        values = partition_values(partition)
        known = schema_of(schema, index=index)
        self._begin(_lib.ArrowWriter.create(place(root), values, known, taken))

    def _begin(self, inner: _lib.ArrowWriter) -> None:
        self._inner = inner
        self.path: Path | Any = inner.path
        """Where the file will be published."""
        self._place = str(self.path)

    @classmethod
    def at(
        cls,
        path: StrPath,
        schema: Schema,
        *,
        mode: PathMode = "w",
        index: bool | None = None,
        **options: Unpack[RowFileOptions],
    ) -> Self:
        """A writer of one file at a path, in the format of its suffix, outside of any data set.

        >>> import pyarrow as pa
        >>> rows = pa.table({"n": [1, 2, 3]})
        >>> with AtomicArrowWriter.at(lake / "cache/numbers.arrow", rows.schema) as w:
        ...     w.write(rows)
        >>> w.file.rows
        3

        :param path: A path, or a URL: ``file://``, or of an object store, as ``s3://bucket/raw/data.json``.
        :param schema: As of the class.
        :param mode: ``"w"`` replaces a file that is there in one step, ``"x"`` refuses to.
        :param index: As of the class.
        :raises InvalidPathError, InvalidOptionError, AlreadyExistsError, EncodeError, IoError: If there can be no
            such file. Nothing is on disk then.
        """
        return cls._at(path, schema, mode, index, dict(options))

    @classmethod
    def _at(
        cls,
        path: StrPath,
        schema: Schema,
        mode: PathMode,
        index: bool | None,
        options: dict[str, Any],
    ) -> Self:
        if mode not in get_args(PathMode):
            raise invalid("mode", f"{mode!r} is none of 'w', which replaces a file, and 'x'")
        taken = prepared(options)
        taken["replace"] = mode == "w"
        known = schema_of(schema, index=index)
        return cls._of(_lib.ArrowWriter.at(place(path), known, taken), index)

    @classmethod
    def _of(cls, inner: _lib.ArrowWriter, index: bool | None) -> Self:
        writer = cls.__new__(cls)
        writer._file = None
        writer._index = index
        writer._begin(inner)
        return writer

    def write(self, data: Data) -> None:
        """Appends all rows of some data, which has the writer's schema, or columns that ``schema_policy`` takes
        for it.

        :raises SchemaMismatchError, StrayRowError, InputError, EncodeError, IoError: Nothing is
            published, and the writer can only be discarded; so it is after whatever an iterable
            raises.
        :raises PoisonedError: After any of these.
        """
        self._write(data)

    def commit(self) -> PublishedFile:
        """Writes the footer, syncs, verifies and publishes the file.

        :raises NotDurableError: If it is published, but may not survive a power cut.
        :raises UnknownOutcomeError: If the system does not tell.
        :raises AtomicArrowError: Whatever the first step to fail says; nothing is published then.
        """
        try:
            inner = self._check()
        finally:
            self._inner = None
        self._file = inner.commit()
        return self._file

    def discard(self) -> None:
        """Removes what was written. Does nothing after a commit."""
        if self._inner is not None:
            self._inner.discard()
            self._inner = None

    @property
    def file(self) -> PublishedFile:
        """The published file.

        :raises AtomicArrowError: If it was not committed.
        """
        if self._file is None:
            message = f"{self.path}: this writer has not committed"
            raise make("AtomicArrowError", message, outcome="not_published")
        return self._file

    def __repr__(self) -> str:
        state = "open" if self._inner is not None else "closed"
        if self._file is not None:
            state = "committed"
        return f"<AtomicArrowWriter {self.path}: {state}>"
