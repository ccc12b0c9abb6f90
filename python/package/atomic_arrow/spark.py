"""Spark's data source ``atomic``: a job of Spark, or each batch of a stream, becomes one commit.

``df.write.format("atomic").mode("append").option("partition_by", "station_id").save("lake/weather")`` writes a data set as
:func:`write_dataset` does: each task stages its rows, and the driver commits what the tasks hand back. Spark 4 finds the
source by itself where this package is installed. Options are those of :class:`WriteOptions`, spelled as in the command.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

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

from ._dataset import DatasetWriter, commit, discard, stage, write_dataset
from ._errors import DataSetWarning, JobClosedError, make
from ._lib import Receipt, StagedWrite
from ._options import WriteOptions
from ._paths import StrPath, local_path
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
        job = _Job.of(self.options, schema, overwrite)
        job.check()
        return _JobWriter(job)

    def streamWriter(self, schema: StructType, overwrite: bool) -> DataSourceStreamArrowWriter:
        """The writer of a batch of a stream.

        :raises InvalidOptionError, TypeError: If an option cannot be.
        """
        return _BatchWriter(_Job.of(self.options, schema, overwrite, stream=True))

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

    :param root: The data set, as it was given to ``save`` or ``start``.
    :raises AtomicArrowError: If there is none, or this process is not the driver.
    """
    place = os.path.abspath(local_path(root))
    try:
        return Receipt.from_json(_receipt_file(place).read_text())
    except FileNotFoundError:
        reason = "this application of Spark has committed nothing to it"
    except AssertionError:
        reason = "this process drives no Spark"
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


@dataclass(frozen=True)
class _Job:
    """All that workers and the driver have to know of a write. Spark sends it to them, pickled."""

    root: str
    schema: StructType
    options: WriteOptions
    name: str
    """The job, to which staged rows belong: of a stream its query, which tasks and messages know."""
    sequence: int | None
    """The number of the job among those of its name: of a stream that of the batch."""
    is_named: bool
    """Whether the user named it, and may repeat it."""
    mode_is_given: bool

    @classmethod
    def of(
        cls, texts: Mapping[str, str], schema: StructType, overwrite: bool, stream: bool = False
    ) -> _Job:
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
        _refuse(options, stream)
        for field in schema:
            _refuse_type(field.name, field.dataType)
        mode = options.setdefault("mode", "overwrite" if overwrite else "append").replace("-", "_")
        if mode not in (_OVERWRITES if overwrite else _APPENDS):
            asked = "overwrite" if overwrite else "append"
            either = ", ".join(_OVERWRITES if overwrite else _APPENDS)
            reason = f"{mode!r} is none of {either}, which go with Spark's mode {asked!r}"
            raise invalid("mode", reason)
        job = options.pop("job", None)
        sequence = options.pop("sequence", None)
        return cls(
            root=os.path.abspath(local_path(root)),
            schema=schema,
            options=options,
            name="" if stream else job or f"spark {uuid.uuid4()}",
            sequence=sequence,
            is_named=job is not None,
            mode_is_given="mode" in given,
        )

    def check(self) -> None:
        """Refuses on the driver what else each task would be refused for."""
        options = self.options.copy()
        for name in ("keep_staged", "success_file"):
            options.pop(name, None)  # type: ignore[misc]
        if self.is_named and self.is_closed():
            return
        with warnings.catch_warnings(action="ignore", category=DataSetWarning):
            write_dataset([], self.root, schema=self._arrow_schema(), dry_run=True, **options)

    def _arrow_schema(self) -> pa.Schema:
        # Any zone: it is that of no rows.
        return to_arrow_schema(self.schema, timezone="UTC")

    def stage(self, batches: Iterator[pa.RecordBatch], task: TaskContext) -> StagedWrite | None:
        """Stages the rows of a task; ``None`` if the job has been committed before."""
        first = next(batches, None)
        rows = batches if first is None else chain([first], batches)
        schema = self._arrow_schema() if first is None else first.schema
        options = self._in_task(task)
        options["job"] = self.name
        options["sequence"] = self.sequence
        options["task"] = str(task.partitionId())
        options.pop("success_file", None)
        try:
            return stage(rows, self.root, schema=schema, **options)
        except JobClosedError:
            receipt = self.commit(())
            # That of a job that was discarded has no files, as that of one without rows, or of a batch before the last.
            if not receipt.files and not _is_superseded(receipt) and first is not None:
                raise
            return None

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

    def is_closed(self) -> bool:
        """Whether the job has been committed or discarded."""
        place = self.options.get("staging", "auto")
        known: WriteOptions = {"job": self.name, "sequence": self.sequence, "staging": place}
        try:
            DatasetWriter(self.root, schema=self._arrow_schema(), **known).discard()
        except JobClosedError:
            return True
        return False

    def commit(self, staged: Sequence[StagedWrite]) -> Receipt:
        """Commits the job; of one that is closed it gives the receipt."""
        named = {name: self.options[name] for name in _OF_COMMIT if name in self.options}  # type: ignore[literal-required]
        return commit(staged, root=self.root, job=self.name, sequence=self.sequence, **named)

    def abort(self, staged: Sequence[StagedWrite]) -> None:
        place = self.options.get("staging", "auto")
        discard(staged, root=self.root, job=self.name, staging=place)


_OF_COMMIT = ("case_sensitive_names", "rewrite_missing", "schema_check", "success_file")


def _refuse(options: WriteOptions, stream: bool) -> None:
    """Refuses what the library has, and Spark cannot have."""
    if "write_id" in options:
        raise invalid("write_id", "a job of Spark is named by option('job', NAME)")
    if "task" in options:
        raise invalid("task", "is the number of Spark's partition")
    if options.get("durability", "").lower() == "unsynced":
        reason = "jobs are remembered, and a power cut could take what was not synced"
        raise invalid("durability", reason)
    if stream and ("job" in options or "sequence" in options):
        raise invalid("job", "each batch of a stream is a job, named by its query and number")
    if "sequence" in options and "job" not in options:
        raise invalid("sequence", "is the number of a job with a name: option('job', NAME)")
    if stream and "partition_by" not in options:
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


def _staged(messages: Sequence[WriterCommitMessage | None]) -> list[StagedWrite]:
    """What tasks handed back; those that failed hand back nothing."""
    found = (message.staged for message in messages if isinstance(message, _Message))
    return [staged for staged in found if staged is not None]


class _JobWriter(DataSourceArrowWriter):
    """Stages what each task has, and commits it as one."""

    def __init__(self, job: _Job) -> None:
        self._job = job

    def write(self, iterator: Iterator[pa.RecordBatch]) -> WriterCommitMessage:
        return _Message(None, self._job.stage(iterator, _task()))

    def commit(self, messages: Sequence[WriterCommitMessage | None]) -> None:
        _keep(self._job.commit(_staged(messages)), self._job.root)

    def abort(self, messages: Sequence[WriterCommitMessage | None]) -> None:
        # Who named the job may run it again, which takes in what this attempt left.
        if not self._job.is_named:
            self._job.abort(_staged(messages))


class _BatchWriter(DataSourceStreamArrowWriter):
    """Stages what each task has of a batch, and commits it as one, once by query and number of the batch."""

    def __init__(self, job: _Job) -> None:
        self._job = job

    def write(self, iterator: Iterator[pa.RecordBatch]) -> WriterCommitMessage:
        task = _task()
        query = task.getLocalProperty("sql.streaming.queryId")
        batch = task.getLocalProperty("streaming.sql.batchId")
        if not query or not batch:
            message = f"{self._job.root}: Spark does not tell the query and batch of this task"
            raise make("AtomicArrowError", message, outcome="not_published")
        job = replace(self._job, name=query, sequence=int(batch))
        return _Message(query, job.stage(iterator, task))

    def commit(self, messages: Sequence[WriterCommitMessage | None], batchId: int) -> None:
        # This process is another than that of the tasks, and is not told the query by Spark.
        queries = {message.query for message in messages if isinstance(message, _Message)}
        for query in queries:
            job = replace(self._job, name=query or "", sequence=batchId)
            _keep(job.commit(_staged(messages)), job.root)

    def abort(self, messages: Sequence[WriterCommitMessage | None], batchId: int) -> None:
        # The batch comes again, and its commit takes in what this attempt left.
        pass


def _is_superseded(receipt: Receipt) -> bool:
    return any(note.kind == "superseded" for note in receipt.notes)


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


def _keep(receipt: Receipt, root: str) -> None:
    """Keeps the receipt for :func:`last_receipt`. What was committed is committed, also if this fails."""
    path = _receipt_file(root)
    written = path.with_suffix(".new")
    try:
        written.write_text(receipt.to_json())
        written.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        warnings.warn(f"{root}: the receipt is not kept for last_receipt: {error}", stacklevel=2)
