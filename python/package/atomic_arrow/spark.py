"""Spark's data source ``atomic``: a job of Spark, or each batch of a stream, becomes one commit.

``df.write.format("atomic").mode("append").option("partition_by", "station_id").save("lake/weather")`` writes a data set as
:func:`write_dataset` does: each task stages its rows, and the driver commits what the tasks hand back. Spark 4 finds the
source by itself where this package is installed. Options are those of :class:`WriteOptions`, spelled as in the command.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from pyspark import SparkFiles
from pyspark.sql.datasource import (
    DataSource,
    DataSourceArrowWriter,
    DataSourceStreamArrowWriter,
    WriterCommitMessage,
)
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    ArrayType,
    DataType,
    GeographyType,
    GeometryType,
    MapType,
    StructType,
    VariantType,
)
from pyspark.taskcontext import TaskContext

from ._errors import AlreadyCommittedError, DataSetWarning, make
from ._job import Job
from ._lib import Receipt, StagedWrite
from ._options import WriteOptions
from ._paths import StrPath, absolute
from ._sizes import invalid
from ._text_options import options_of_texts

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["AtomicDataSource", "last_receipt"]


class AtomicDataSource(DataSource):
    """The data source ``atomic``, which Spark makes of the options of a write."""

    @classmethod
    def name(cls) -> str:
        """What ``format`` takes."""
        return "atomic"

    def writer(self, schema: StructType, overwrite: bool) -> DataSourceArrowWriter:
        """The writer of a job.

        :raises InvalidOptionError, TypeError: If an option cannot be.
        :raises AtomicArrowError: Whatever a dry run of the write is refused for. Nothing is written.
        """
        write = _Write.of(self.options, schema, overwrite)
        write.check()
        return _JobWriter(write)

    def streamWriter(self, schema: StructType, overwrite: bool) -> DataSourceStreamArrowWriter:
        """The writer of a batch of a stream.

        :raises InvalidOptionError, TypeError: If an option cannot be.
        """
        return _BatchWriter(_Write.of(self.options, schema, overwrite, stream=True))

    def schema(self) -> NoReturn:
        """Refuses to read: what was written is Parquet, which Spark reads itself."""
        raise NotImplementedError(_NOT_READ)

    def reader(self, schema: StructType) -> NoReturn:
        """Refuses to read, as :meth:`schema` does."""
        raise NotImplementedError(_NOT_READ)

    def streamReader(self, schema: StructType) -> NoReturn:
        """Refuses to read, as :meth:`schema` does."""
        raise NotImplementedError(_NOT_READ)


def last_receipt(root: StrPath) -> Receipt:
    """The receipt of the last write to a data set that the running Spark application committed.

    It is also that of an earlier job, if the last one was of the same name (option ``job``), and so published nothing again.

    It warns (:class:`DataSetWarning`) of what is to be known of that write, since its own process could not: of its notes, and if it
    published nothing, since a higher ``sequence`` of its job is committed.

    :param root: The data set, as it was given to ``save`` or ``start``.
    :raises AtomicArrowError: If there is none, or this process is not the driver.
    """
    place = absolute(root)
    try:
        kept = json.loads(_receipt_file(place).read_text())
    except FileNotFoundError:
        reason = "this application of Spark has committed nothing to it"
    except AssertionError:
        reason = "this process drives no Spark"
    else:
        for message in kept["warnings"]:
            warnings.warn(message, DataSetWarning, stacklevel=2)
        return Receipt.from_json(kept["receipt"])
    raise make("AtomicArrowError", f"{place}: no receipt: {reason}", outcome="not_published")


_NOT_READ = (
    "the data source atomic only writes; what it wrote are plain files, which Spark reads itself: "
    "spark.read.parquet(root)"
)
_NOT_SEEN = "Spark does not tell a data source of partitionBy(...)"

# What Spark's own sources call it, in lower case as all names arrive.
_OF_SPARK = {
    "partitionoverwritemode": "for partitionOverwriteMode say option('mode', 'overwrite_partitions')",
    "maxrecordsperfile": "for maxRecordsPerFile say option('target_file_rows', N)",
    "replacewhere": "for replaceWhere say option('mode', 'overwrite_partitions') with just these rows",
}
# What Spark itself puts among the options of a stream.
_OF_STREAMS = ("checkpointlocation", "queryname")

_APPENDS = ("append", "error_if_exists", "error_if_any_exists", "ignore")
_OVERWRITES = ("overwrite", "overwrite_partitions")
_DYNAMIC = "spark.sql.sources.partitionOverwriteMode"

_Messages: TypeAlias = Sequence[WriterCommitMessage | None]


@dataclass(frozen=True)
class _Write:
    """All that workers and the driver have to know of a write. Spark sends it to them, pickled."""

    root: str
    schema: StructType
    options: WriteOptions
    """Those of the job: also its name, but of a stream, whose tasks are told it."""
    is_named: bool
    """Whether the user named the job, and may repeat it."""
    mode_is_given: bool

    @classmethod
    def of(
        cls, texts: Mapping[str, str], schema: StructType, overwrite: bool, stream: bool = False
    ) -> _Write:
        given = dict(texts)
        root = given.pop("path", None)
        if root is None:
            reason = "where to write to is missing: save(ROOT); a table of Spark's catalog does not tell it"
            raise invalid("path", reason)
        if stream:
            for name in _OF_STREAMS:
                given.pop(name, None)
        for name in given.keys() & _OF_SPARK.keys():
            raise TypeError(f"there is no option {name!r}; {_OF_SPARK[name]}")
        options = options_of_texts(given)
        for field in schema:
            _refuse_type(field.name, field.dataType)
        mode = options.setdefault("mode", "overwrite" if overwrite else "append").replace("-", "_")
        if mode not in (_OVERWRITES if overwrite else _APPENDS):
            asked = "overwrite" if overwrite else "append"
            either = ", ".join(_OVERWRITES if overwrite else _APPENDS)
            reason = f"{mode!r} is none of {either}, which go with Spark's mode {asked!r}"
            raise invalid("mode", reason)
        if stream:
            _refuse_in_stream(options)
        # It refuses what is not for jobs.
        job = Job(root, options)
        is_named = job.is_named
        if not stream:
            options["job"] = job.name
        return cls(job.root, schema, options, is_named, mode_is_given="mode" in given)

    def job(self) -> Job:
        return Job(self.root, self.options)

    def of_batch(self, query: str, number: int) -> _Write:
        """The write of one batch of a stream."""
        options = self.options.copy()
        options["job"] = query
        options["sequence"] = number
        return replace(self, options=options)

    def check(self) -> None:
        """Refuses on the driver what else each task would be refused for."""
        self.job().check(self._arrow_schema())

    def stage(
        self, batches: Iterator[pa.RecordBatch], task: TaskContext, query: str | None = None
    ) -> _Message:
        """Stages the rows of a task."""
        first = next(batches, None)
        rows = batches if first is None else chain([first], batches)
        schema = self._arrow_schema() if first is None else first.schema
        job = Job(self.root, self._in_task(task))
        staged = job.stage(rows, task=str(task.partitionId()), schema=schema)
        return _Message(query, staged, first is not None)

    def _arrow_schema(self) -> pa.Schema:
        # Any zone: it is that of no rows.
        return to_arrow_schema(self.schema, timezone="UTC")

    def _in_task(self, task: TaskContext) -> WriteOptions:
        """The options, where the task adds what is its own."""
        options = self.options.copy()
        options.setdefault("threads", max(1, task.cpus()))
        options.setdefault("memory_limit", _memory_of_a_task(task.cpus()))
        is_dynamic = (task.getLocalProperty(_DYNAMIC) or "").lower() == "dynamic"
        if options["mode"] == "overwrite" and is_dynamic and not self.mode_is_given:
            if options.get("partition_by"):
                options["mode"] = "overwrite_partitions"
        return options

    def commit(self, messages: _Messages) -> None:
        """Commits the job; of one that was committed before nothing is published again."""
        handed = [message for message in messages if isinstance(message, _Message)]
        # A task without rows has nothing to lose where the job is closed.
        parts = [it.staged for it in handed if it.staged is not None or it.has_rows]
        job = self.job()
        receipt = job.commit(parts)
        told = list(job.warnings_of(receipt))
        for kind, message in told:
            # Spark passes it on to where the driver writes its errors, and not to the driver's Python.
            warnings.warn(message, kind, stacklevel=2)
        _keep(receipt, [message for _, message in told], self.root)

    def abort(self) -> None:
        """Discards what is staged for the job, and closes it; but who named it may run it again, which does that."""
        if not self.is_named:
            self.job().discard()


def _refuse_in_stream(options: WriteOptions) -> None:
    if "job" in options or "sequence" in options:
        raise invalid("job", "each batch of a stream is a job, named by its query and number")
    if "partition_by" not in options:
        reason = f"{_NOT_SEEN}; a stream says option('partition_by', KEYS), or '' for none"
        raise invalid("partition_by", reason)


# Arrow has them as structs of bytes, which is all that readers would see.
_AS_BYTES: dict[type[DataType], str] = {
    VariantType: "write it as text: to_json(column)",
    GeometryType: "write it as bytes: st_asbinary(column)",
    GeographyType: "write it as bytes: st_asbinary(column)",
}


def _refuse_type(column: str, kind: DataType) -> None:
    """Refuses a type that Spark hands over as another."""
    if type(kind) in _AS_BYTES:
        message = (
            f"column {column!r}: readers would take {kind.simpleString()} for a struct of bytes; "
        )
        raise make("EncodeError", message + _AS_BYTES[type(kind)], outcome="not_published")
    if isinstance(kind, ArrayType):
        _refuse_type(f"{column}.element", kind.elementType)
    elif isinstance(kind, MapType):
        _refuse_type(f"{column}.key", kind.keyType)
        _refuse_type(f"{column}.value", kind.valueType)
    elif isinstance(kind, StructType):
        for field in kind:
            _refuse_type(f"{column}.{field.name}", field.dataType)


@dataclass
class _Message(WriterCommitMessage):
    """What a task hands back to the driver."""

    query: str | None
    """Of a stream its id."""
    staged: StagedWrite | None
    """What it staged; ``None`` if the job was closed before."""
    has_rows: bool


class _JobWriter(DataSourceArrowWriter):
    """Stages what each task has, and commits it as one."""

    def __init__(self, write: _Write) -> None:
        self._write = write

    def write(self, iterator: Iterator[pa.RecordBatch]) -> WriterCommitMessage:
        return self._write.stage(iterator, _task())

    def commit(self, messages: _Messages) -> None:
        self._write.commit(messages)

    def abort(self, messages: _Messages) -> None:
        self._write.abort()


class _BatchWriter(DataSourceStreamArrowWriter):
    """Stages what each task has of a batch, and commits it as one, once by query and number of the batch."""

    def __init__(self, write: _Write) -> None:
        self._write = write

    def write(self, iterator: Iterator[pa.RecordBatch]) -> WriterCommitMessage:
        task = _task()
        query = task.getLocalProperty("sql.streaming.queryId")
        batch = task.getLocalProperty("streaming.sql.batchId")
        if not query or not batch:
            message = f"{self._write.root}: Spark does not tell the query and batch of this task"
            raise make("AtomicArrowError", message, outcome="not_published")
        return self._write.of_batch(query, int(batch)).stage(iterator, task, query)

    def commit(self, messages: _Messages, batchId: int) -> None:
        # This process is another than that of the tasks, and is not told the query by Spark.
        for query in {message.query for message in messages if isinstance(message, _Message)}:
            if query is not None:
                # A batch that comes again, whose receipt is in a staging area elsewhere, is there all the same.
                with contextlib.suppress(AlreadyCommittedError):
                    self._write.of_batch(query, batchId).commit(messages)

    def abort(self, messages: _Messages, batchId: int) -> None:
        # The batch comes again, and its commit takes in what this attempt left.
        pass


def _task() -> TaskContext:
    task = TaskContext.get()
    assert task is not None
    return task


def _memory_of_a_task(cpus: int) -> int:
    """A task's share of a quarter of the machine's memory, and at most what a writer takes by default."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    tasks = max(1, (os.cpu_count() or 1) // max(1, cpus))
    return min(2**30, memory // 4 // tasks)


def _receipt_file(root: str) -> Path:
    """Where the driver keeps the last receipt: among the files of its application, which end with it."""
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:32]
    return Path(SparkFiles.getRootDirectory(), f"atomic-arrow-{name}.json")


def _keep(receipt: Receipt, told: list[str], root: str) -> None:
    """Keeps the receipt, and what is to be warned of, for :func:`last_receipt`. What was committed is committed, also if this fails."""
    path = _receipt_file(root)
    written = path.with_suffix(".new")
    try:
        written.write_text(json.dumps({"receipt": receipt.to_json(), "warnings": told}))
        written.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        warnings.warn(f"{root}: the receipt is not kept for last_receipt: {error}", stacklevel=2)
