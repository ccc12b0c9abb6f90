"""Crash-safe Hive-partitioned data sets from any dataframe.

Every file that a reader can see is complete, verified and durable: it is staged beside the data set,
ended, synced, re-opened and checked, and only then renamed to its final path. A crash of the program,
the kernel or the power at any moment leaves the whole new file or none of it; the files of one
:func:`write_dataset` appear all, or none of them.

- :func:`write_dataset` and :class:`DatasetWriter` write whole data sets.
- :func:`stage`, :func:`commit` and :func:`discard` do so from several processes at once.
- :class:`AtomicArrowWriter` writes one Parquet file into a partition.
- :func:`open`, :func:`write_bytes`, :func:`write_text` and :func:`write_json` write any file.
- :func:`verify`, :func:`inspect` and :func:`recover` look after what is there.

Every exception is an :class:`AtomicArrowError`, or on Ctrl-C :class:`Interrupted`, and says in its
``outcome`` what is on disk; but what iterators and callbacks raise stays what it is, and an argument of
the wrong type is a :class:`TypeError`. Messages go to the logger ``atomic_arrow``.
"""

from ._arrow_writer import ArrowWriterOptions, AtomicArrowWriter
from ._dataset import DatasetWriter, commit, discard, stage, write_dataset
from ._errors import (
    AbortedError,
    AlreadyCommittedError,
    AlreadyExistsError,
    AtomicArrowError,
    BusyError,
    ClosedError,
    ConflictError,
    DamagedError,
    DiscardedWarning,
    DistrustedError,
    EncodeError,
    ForkedError,
    InputError,
    Interrupted,
    InvalidDecisionError,
    InvalidOptionError,
    InvalidPathError,
    InvalidReceiptError,
    IoError,
    NotDurableError,
    Outcome,
    OutOfReachError,
    PanicError,
    PartitionError,
    PoisonedError,
    ReadError,
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
from ._keys import PartitionKey, SortBy, column, date, day, hour, month, year
from ._lib import (
    FileRecord,
    FileReport,
    Inspection,
    Oddity,
    PartitionSummary,
    Progress,
    PublishedFile,
    Receipt,
    Recovery,
    StagedWrite,
    Table,
    Verification,
    __version__,
)
from ._options import FileOptions, ParquetOptions, WriteOptions
from ._reports import inspect, recover, verify
from ._whole import write_bytes, write_json, write_text

__all__ = [
    "AbortedError",
    "AlreadyCommittedError",
    "AlreadyExistsError",
    "ArrowWriterOptions",
    "AtomicArrowError",
    "AtomicArrowWriter",
    "AtomicBinaryFile",
    "AtomicTextFile",
    "BusyError",
    "ClosedError",
    "ConflictError",
    "DamagedError",
    "DatasetWriter",
    "DiscardedWarning",
    "DistrustedError",
    "EncodeError",
    "FileOptions",
    "FileRecord",
    "FileReport",
    "ForkedError",
    "InputError",
    "Inspection",
    "Interrupted",
    "InvalidDecisionError",
    "InvalidOptionError",
    "InvalidPathError",
    "InvalidReceiptError",
    "IoError",
    "NotDurableError",
    "Oddity",
    "OutOfReachError",
    "Outcome",
    "PanicError",
    "ParquetOptions",
    "PartitionError",
    "PartitionKey",
    "PartitionSummary",
    "PoisonedError",
    "Progress",
    "PublishedFile",
    "ReadError",
    "Receipt",
    "Recovery",
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
    "WriteOptions",
    "__version__",
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
    "stage",
    "verify",
    "write_bytes",
    "write_dataset",
    "write_json",
    "write_text",
    "year",
]
