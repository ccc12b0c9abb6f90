"""Crash-safe Hive-partitioned data sets from any dataframe.

Every file that a reader can see is complete, verified and durable: it is staged beside the data set,
ended, synced, re-opened and checked, and only then renamed to its final path. A crash of the program,
the kernel or the power at any moment leaves the whole new file or none of it; the files of one
:func:`write_dataset` appear all, or none of them.

- :func:`write_dataset` and :class:`DatasetWriter` write whole data sets.
- :func:`write_files` writes files of other formats into one.
- :func:`stage`, :func:`commit` and :func:`discard` do so from several processes at once.
- :func:`write_parquet`, :func:`write_ipc`, :func:`write_csv` and :func:`write_ndjson` write one file at one path;
  :func:`update` reads it, and writes it back, under a lock.
- :class:`AtomicArrowWriter` writes one Parquet file into a partition.
- :func:`open`, :func:`write_bytes`, :func:`write_text` and :func:`write_json` write any file.
- :func:`verify`, :func:`inspect` and :func:`recover` look after what is there.
- ``atomic_arrow.daft``, ``atomic_arrow.dask``, ``atomic_arrow.ray`` and ``atomic_arrow.spark`` write what engines hold;
  ``atomic_arrow.delta`` and ``atomic_arrow.iceberg`` tell tables of other formats of a commit.

Every exception is an :class:`AtomicArrowError`, or on Ctrl-C :class:`Interrupted`, and says in its
``outcome`` what is on disk; but what iterators and callbacks raise stays what it is, and an argument of
the wrong type is a :class:`TypeError`. What is done is told to the loggers ``atomic_arrow.write``,
``atomic_arrow.commit``, ``atomic_arrow.recover``, ``atomic_arrow.verify`` and ``atomic_arrow.store``.
"""

from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec
from typing import TYPE_CHECKING

from ._arrow_writer import ArrowWriterOptions, AtomicArrowWriter, RowFileOptions
from ._dataset import (
    DatasetWriter,
    WaitingWrite,
    already_committed,
    commit,
    discard,
    stage,
    staged,
    write_dataset,
)
from ._errors import (
    AbortedError,
    AlreadyCommittedError,
    AlreadyExistsError,
    AtomicArrowError,
    BlockedError,
    BusyError,
    ClosedError,
    ConflictError,
    ControlDistrustedError,
    DamagedError,
    DataSetWarning,
    DiscardedWarning,
    DistrustedError,
    EncodeError,
    FilesLostError,
    ForkedError,
    IncompatibleError,
    InputError,
    Interrupted,
    InvalidDecisionError,
    InvalidOptionError,
    InvalidPathError,
    InvalidReceiptError,
    IoError,
    JobClosedError,
    NotDurableError,
    NotRemovedError,
    Outcome,
    OutOfReachError,
    PanicError,
    PartitionError,
    PoisonedError,
    ReadError,
    RegistrationError,
    SchemaMismatchError,
    SetAsideError,
    StagedWriteGoneError,
    StagingLostError,
    StoppedError,
    StrayRowError,
    UnfinishedError,
    UnknownOutcomeError,
)
from ._file import AtomicBinaryFile, AtomicTextFile, open
from ._files import FilesOptions, InputOptions, write_files
from ._keys import (
    PartitionKey,
    SortBy,
    bucket,
    column,
    date,
    day,
    hour,
    month,
    spark_bucket,
    year,
)
from ._lib import (
    DryRunReport,
    FileRecord,
    FileReport,
    Inspection,
    Metrics,
    Note,
    Oddity,
    PartitionSummary,
    PlannedPartition,
    Progress,
    PublishedFile,
    Receipt,
    Recovery,
    RowSchema,
    ScanProgress,
    StagedWrite,
    Table,
    Verification,
    __version__,
)
from ._options import FileOptions, ParquetOptions, WriteOptions
from ._reports import inspect, recover, verify
from ._row_file import FileUpdate, update, write_csv, write_ipc, write_ndjson, write_parquet
from ._stores import ObjectStoreOptions
from ._whole import write_bytes, write_json, write_text

if TYPE_CHECKING:
    from . import daft as daft
    from . import dask as dask
    from . import delta as delta
    from . import iceberg as iceberg
    from . import ray as ray
    from . import spark as spark

__all__ = [
    "AbortedError",
    "AlreadyCommittedError",
    "AlreadyExistsError",
    "ArrowWriterOptions",
    "AtomicArrowError",
    "AtomicArrowWriter",
    "AtomicBinaryFile",
    "AtomicTextFile",
    "BlockedError",
    "BusyError",
    "ClosedError",
    "ConflictError",
    "ControlDistrustedError",
    "DamagedError",
    "DataSetWarning",
    "DatasetWriter",
    "DiscardedWarning",
    "DistrustedError",
    "DryRunReport",
    "EncodeError",
    "FileOptions",
    "FileRecord",
    "FileReport",
    "FileUpdate",
    "FilesLostError",
    "FilesOptions",
    "ForkedError",
    "IncompatibleError",
    "InputError",
    "InputOptions",
    "Inspection",
    "Interrupted",
    "InvalidDecisionError",
    "InvalidOptionError",
    "InvalidPathError",
    "InvalidReceiptError",
    "IoError",
    "JobClosedError",
    "Metrics",
    "NotDurableError",
    "NotRemovedError",
    "Note",
    "ObjectStoreOptions",
    "Oddity",
    "OutOfReachError",
    "Outcome",
    "PanicError",
    "ParquetOptions",
    "PartitionError",
    "PartitionKey",
    "PartitionSummary",
    "PlannedPartition",
    "PoisonedError",
    "Progress",
    "PublishedFile",
    "ReadError",
    "Receipt",
    "Recovery",
    "RegistrationError",
    "RowFileOptions",
    "RowSchema",
    "ScanProgress",
    "SchemaMismatchError",
    "SetAsideError",
    "SortBy",
    "StagedWrite",
    "StagedWriteGoneError",
    "StagingLostError",
    "StoppedError",
    "StrayRowError",
    "Table",
    "UnfinishedError",
    "UnknownOutcomeError",
    "Verification",
    "WaitingWrite",
    "WriteOptions",
    "__version__",
    "already_committed",
    "bucket",
    "column",
    "commit",
    "date",
    "day",
    "discard",
    "hour",
    "inspect",
    "month",
    "open",
    "recover",
    "spark_bucket",
    "stage",
    "staged",
    "update",
    "verify",
    "write_bytes",
    "write_csv",
    "write_dataset",
    "write_files",
    "write_ipc",
    "write_json",
    "write_ndjson",
    "write_parquet",
    "write_text",
    "year",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """The module of an adapter, which is imported on its first use."""
        if not name.startswith("_") and _find_spec(f"{__name__}.{name}") is not None:
            return _import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
