"""Whole data sets: batches in any order become files, all of them or none."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple, Unpack, overload

from . import _lib
from ._data import Data, Schema, length, rows_of, schema_of
from ._errors import DataSetWarning, ForkedError, make, unpublished
from ._lib import DryRunReport, FileRecord, Progress, Receipt, StagedWrite
from ._options import Staging, WriteOptions, prepared, staging_place, store_options
from ._paths import StrPath, place
from ._progress import OnProgress, Shown
from ._sizes import invalid, whole
from ._stores import ObjectStoreOptions, StorageOptions
from ._writer import Writer


class DatasetWriter(Writer[_lib.DatasetWriter]):
    """Writes rows into a Hive-partitioned data set, all or nothing.

    Rows may come in any order. They are held within a memory limit and spilled beyond it, and each
    partition becomes one file, or more if a target size is set. A ``with`` block commits on a clean
    exit and discards on any exception; a writer that is merely dropped discards, too.

    >>> import pyarrow as pa
    >>> rows = pa.table({"station_id": ["KSEA", "KJFK", "KSEA"], "temp": [11.5, 3.0, 12.25]})
    >>> with DatasetWriter(lake / "weather", schema=rows.schema, partition_by="station_id") as w:
    ...     for batch in rows.to_batches(max_chunksize=2):
    ...         w.write(batch)
    >>> sorted(file.partition["station_id"] for file in w.receipt.files)
    ['KJFK', 'KSEA']

    :param root: The data set: a path, or a URL: ``file://``, or of an object store, as ``s3://bucket/weather``.
    :param schema: What exports the Arrow schema interface, or a table that has the schema; a pandas
        frame has that of its rows as they are written, with its index or without.
    :param index: Whether the index of a pandas frame becomes columns; by default mere row numbers,
        which are integers without a name, do not, and any other index is refused.
    :param on_file: Called with each finished file, which is not published yet.
    :param progress: ``True`` for a bar, or a function that is called with a :class:`Progress`.
    :param options: As in :class:`WriteOptions`.
    :raises PartitionError, InvalidPathError, InvalidOptionError, EncodeError, IoError: If what is
        asked for cannot be done. Nothing is published.
    """

    def __init__(
        self,
        root: StrPath,
        *,
        schema: Schema,
        index: bool | None = None,
        on_file: Callable[[FileRecord], object] | None = None,
        progress: OnProgress = False,
        _rows: int | None = None,
        **options: Unpack[WriteOptions],
    ) -> None:
        self._receipt: Receipt | None = None
        self._index = index
        self.root = place(root)
        """The path or URL of the data set."""
        self._place = self.root
        taken = prepared(options)
        self._shown = Shown(progress, _rows)
        known = schema_of(schema, index=index)
        self._inner = _lib.DatasetWriter(self.root, known, taken, on_file, self._shown.call)

    def write(self, data: Data) -> None:
        """Takes all rows of some data, batch by batch.

        :param data: What exports the Arrow stream or array interface, a Polars ``LazyFrame``, or an
            iterable of such.
        :raises SchemaMismatchError: If it has another schema.
        :raises PartitionError: If a value cannot be in a path.
        :raises InputError: If it cannot be read.
        :raises IoError, EncodeError: If rows cannot be spilled.
        :raises PoisonedError: After any of these, or whatever an iterable raises. Nothing is
            published, and the writer can only be discarded.
        """
        self._write(data)

    def commit(self) -> Receipt:
        """Encodes, syncs and verifies all files, and publishes them as one.

        :raises IncompatibleError: If readers could not take what was written, and what is there, for
            one data set; see ``schema_check``. Nothing is published.
        :raises ConflictError: If another commit came between. Nothing is published.
        :raises UnfinishedError: If the commit is decided, but not all files are published yet.
        :raises FilesLostError: If somebody removed files of it before they were published.
        :raises AtomicArrowError: Whatever the first step to fail says; nothing is published then.
        """
        return self._commit(level=4)

    def _commit(self, level: int) -> Receipt:
        self._open()
        try:
            self._receipt = self._check().commit()
        except BaseException as error:
            self._receipt = getattr(error, "receipt", None)
            raise
        finally:
            self._close()
        _warn(self._receipt, level=level)
        return self._receipt

    def stage(self) -> StagedWrite:
        """Encodes, syncs and verifies all files, and leaves them for :func:`commit`.

        :raises JobClosedError: If the ``job`` was committed or discarded meanwhile.
        :raises InvalidOptionError: If the write has a ``write_id`` or a ``success_file``, which are
            the commit's.
        :raises AtomicArrowError: Whatever the first step to fail says. Nothing is published, and
            nothing is left.
        """
        self._open()
        try:
            return self._check().stage()
        finally:
            self._close()

    def discard(self) -> None:
        """Removes everything that was written. Does nothing after a commit.

        A commit that goes on in another thread ends with :class:`StoppedError`, or it is too late.
        """
        if self._inner is not None:
            self._inner.discard()
            self._close()

    @property
    def receipt(self) -> Receipt:
        """What the commit published.

        :raises AtomicArrowError: If there was none.
        """
        if self._receipt is None:
            message = f"{self.root}: this writer has not committed"
            raise make("AtomicArrowError", message, outcome="not_published")
        return self._receipt

    @property
    def progress(self) -> Progress:
        """How far the write has come."""
        return self._open().progress

    def _close(self) -> None:
        self._inner = None
        self._shown.close()

    def __repr__(self) -> str:
        if self._receipt is not None:
            return f"<DatasetWriter {self.root}: committed, {self._receipt}>"
        try:
            taken = self._inner and self._inner.progress.rows
        except ForkedError:
            return f"<DatasetWriter {self.root}: of another process>"
        state = "closed" if taken is None else f"{taken:,} rows taken"
        return f"<DatasetWriter {self.root}: {state}>"


@overload
def write_dataset(
    data: Data,
    root: StrPath,
    *,
    schema: Schema | None = None,
    index: bool | None = None,
    on_file: Callable[[FileRecord], object] | None = None,
    progress: OnProgress = False,
    dry_run: Literal[False] = False,
    **options: Unpack[WriteOptions],
) -> Receipt: ...


@overload
def write_dataset(
    data: Data,
    root: StrPath,
    *,
    schema: Schema | None = None,
    index: bool | None = None,
    on_file: Callable[[FileRecord], object] | None = None,
    progress: OnProgress = False,
    dry_run: Literal[True],
    **options: Unpack[WriteOptions],
) -> DryRunReport: ...


@overload
def write_dataset(
    data: Data,
    root: StrPath,
    *,
    schema: Schema | None = None,
    index: bool | None = None,
    on_file: Callable[[FileRecord], object] | None = None,
    progress: OnProgress = False,
    dry_run: bool,
    **options: Unpack[WriteOptions],
) -> Receipt | DryRunReport: ...


def write_dataset(
    data: Data,
    root: StrPath,
    *,
    schema: Schema | None = None,
    index: bool | None = None,
    on_file: Callable[[FileRecord], object] | None = None,
    progress: OnProgress = False,
    dry_run: bool = False,
    **options: Unpack[WriteOptions],
) -> Receipt | DryRunReport:
    """Writes all rows of some data into a Hive-partitioned data set, all or nothing.

    >>> import pandas as pd
    >>> df = pd.DataFrame({"station_id": ["KSEA", "KJFK"], "temp": [11.5, 3.0]})
    >>> receipt = write_dataset(df, lake / "weather", partition_by=["station_id"])
    >>> print(receipt.rows, "rows in", len(receipt.files), "files")
    2 rows in 2 files

    What it would do is known before it is done:

    >>> planned = write_dataset(df, lake / "weather", partition_by=["station_id"], dry_run=True)
    >>> [(partition.path, partition.rows) for partition in planned.partitions]
    [('station_id=KJFK', 1), ('station_id=KSEA', 1)]

    :param data: What exports the Arrow stream or array interface (a frame of pandas or Polars, a
        table or reader of PyArrow, a relation of DuckDB, …), a Polars ``LazyFrame``, or an iterable
        of such. It is read batch by batch, and not at all if a write of this ``write_id`` was
        committed before, whose receipt is then given.
    :param root: The data set: a path, or a URL: ``file://``, or of an object store, as ``s3://bucket/weather``.
    :param schema: The schema; by default that of the data, of an iterable that of its first item. Of a
        list, it also holds the types and columns of the frames that come later: a column that a frame
        lacks is null in its rows, and a :class:`DataSetWarning` says so.
    :param index: Whether the index of a pandas frame becomes columns; by default mere row numbers,
        which are integers without a name, do not, and any other index is refused.
    :param on_file: Called with each finished file, which is not published yet.
    :param progress: ``True`` for a bar, or a function that is called with a :class:`Progress`.
    :param dry_run: Whether to read and split everything and say what would be done, but write nothing at
        all. What the commit would be refused for is raised; no file is finished, so ``on_file`` and
        ``progress`` are not called. What only encoders refuse is not found out, and whether a write of this
        ``write_id`` was committed before is not asked.
    :param options: As in :class:`WriteOptions`: ``partition_by``, ``mode``, ``write_id``,
        ``compression``, ``memory_limit``, ``verify``, ``durability`` and so on.
    :raises Interrupted: On Ctrl-C; nothing is published.
    :raises AtomicArrowError: As :class:`DatasetWriter` and its methods; ``outcome`` says what is on
        disk.
    """
    for name in ("keep_staged", "job", "task"):
        if options.get(name) is not None:
            raise invalid(name, "nothing stays staged: it is for stage(), and for a DatasetWriter")
    if dry_run:
        return _dry_run(data, root, schema, index, options)
    write_id = options.get("write_id")
    if write_id is not None:
        given: dict[str, Any] = dict(options)
        named = {option: given[option] for option in _OF_NAMES if option in given}
        receipt = _already_committed(root, write_id, named)
        if receipt is not None:
            _warn(receipt, level=3)
            return receipt
    return _written(data, root, schema, index, on_file, progress, options)._commit(level=4)


_OF_NAMES = (
    "durability",
    "rewrite_missing",
    "sequence",
    "staging",
    *ObjectStoreOptions.__annotations__,
)
"""The options of a write by which an earlier one of its name is found."""


def already_committed(
    root: StrPath,
    write_id: str | None = None,
    *,
    job: str | None = None,
    sequence: int | None = None,
    rewrite_missing: bool = False,
    staging: Staging = "auto",
    storage_options: StorageOptions | None = None,
) -> Receipt | None:
    """The receipt of a named write or job, if it was committed; before its rows are read, or even made.

    >>> import pyarrow as pa
    >>> already_committed(lake / "numbers", "first") is None
    True
    >>> _ = write_dataset(pa.table({"n": [1, 2]}), lake / "numbers", write_id="first")
    >>> already_committed(lake / "numbers", "first").rows
    2

    :param root: The data set: a path, or a URL: ``file://``, or of an object store, as ``s3://bucket/weather``.
    :param write_id: The write's name.
    :param job: The job's name, in place of a write's. The receipt of one that was discarded has no files.
    :param sequence: The number in the stream that it names.
    :param rewrite_missing: Whether a write none of whose files is there any more counts as not committed.
    :param staging: Where the writers stage their files.
    :param storage_options: As of :class:`ObjectStoreOptions`.
    :raises InvalidOptionError: If there can be no such name.
    :raises ReadError: If the system does not let it be known.
    """
    named: dict[str, Any] = {
        "job": job,
        "sequence": sequence,
        "rewrite_missing": rewrite_missing,
        "staging": staging,
        "storage_options": storage_options,
    }
    if (write_id is None) == (job is None):
        raise invalid("write_id", "give the name of the write, or that of the job (job=)")
    return _already_committed(root, write_id, named)


def _already_committed(
    root: StrPath, write_id: str | None, named: dict[str, Any]
) -> Receipt | None:
    receipt = _lib.already_committed(place(root), prepared({**named, "write_id": write_id}))
    return receipt


def stage(
    data: Data,
    root: StrPath,
    *,
    schema: Schema | None = None,
    index: bool | None = None,
    on_file: Callable[[FileRecord], object] | None = None,
    progress: OnProgress = False,
    **options: Unpack[WriteOptions],
) -> StagedWrite:
    """Writes some data for another process to commit, together with what others have staged.

    What comes back is plain data, to be sent to whoever calls :func:`commit`. What is staged outlives
    its process; what nobody commits or discards is removed after ``keep_staged``.

    >>> import pyarrow as pa
    >>> parts = [pa.table({"n": [1, 2]}), pa.table({"n": [3]})]
    >>> staged = [stage(part, lake / "numbers", task=str(n)) for n, part in enumerate(parts)]
    >>> commit(staged).rows
    3

    Everything is as in :func:`write_dataset`, but that ``write_id`` and ``success_file`` belong to the commit, and
    ``task`` and ``job`` to this.

    :raises JobClosedError: If the ``job`` was committed or discarded.
    """
    return _written(data, root, schema, index, on_file, progress, options).stage()


def _written(
    data: Data,
    root: StrPath,
    schema: Schema | None,
    index: bool | None,
    on_file: Callable[[FileRecord], object] | None,
    progress: OnProgress,
    options: WriteOptions,
) -> DatasetWriter:
    """A writer that has taken all rows; whatever is raised before, it is discarded."""
    exact = options.get("schema_policy") == "exact"
    known, opened = rows_of(data, place(root), schema=schema, index=index, exact=exact, level=5)
    writer = DatasetWriter(
        root,
        schema=known,
        index=index,
        on_file=on_file,
        progress=progress,
        _rows=length(data),
        **options,
    )
    try:
        writer._feed(opened)
    except BaseException as error:
        writer.__exit__(type(error), error, error.__traceback__)
        raise
    return writer


def _dry_run(
    data: Data, root: StrPath, schema: Schema | None, index: bool | None, options: WriteOptions
) -> DryRunReport:
    """What writing all rows would do."""
    target = place(root)
    exact = options.get("schema_policy") == "exact"
    known, opened = rows_of(data, target, schema=schema, index=index, exact=exact, level=5)
    run = _lib.DryRun(target, schema_of(known, index=index), prepared(options))
    with unpublished(target):
        for stream in opened:
            run.write(stream)
    report = run.finish()
    return report


_SAID_BY_RECEIPT = ("no-rows", "schema-only", "ignored", "superseded")


def _warn(receipt: Receipt, level: int) -> None:
    """Says what is to be known of a commit, and if files of an earlier write of the name are gone."""
    for kind, message in _warnings_of(receipt):
        warnings.warn(message, kind, stacklevel=level)


def _warnings_of(receipt: Receipt) -> Iterator[tuple[type[Warning], str]]:
    for note in receipt.notes:
        if note.kind not in _SAID_BY_RECEIPT:
            yield DataSetWarning, note.message
    missing, files = len(receipt.missing_files), len(receipt.files)
    if missing:
        yield (
            UserWarning,
            f"{missing} of the {files} files that the write {receipt.write_id!r} published are not there "
            "any more; if none is, rewrite_missing=True writes them again",
        )


def commit(
    staged: Iterable[StagedWrite],
    *,
    root: StrPath | None = None,
    job: str | None = None,
    write_id: str | None = None,
    sequence: int | None = None,
    rewrite_missing: bool = False,
    success_file: bool = False,
    schema_check: bool = True,
    case_sensitive_names: bool = False,
    staging: Staging = "auto",
    storage_options: StorageOptions | None = None,
    dead_after: float | datetime.timedelta | None = None,
) -> Receipt:
    """Publishes what several processes have staged of one data set, all of it or nothing.

    :param staged: What :func:`stage` gave, in the order in which the receipt is to have the files.
    :param root: The data set that all of it has to be of; by default the first says it. A staged write names
        the directory that is written to: give it where the records may be anybody's. Needed where nothing is staged.
    :param job: The job that all of it has to be of; by default the first says it. Whatever else any process staged for the
        job is discarded, and the job is closed: it is committed once, and repeating that gives the same receipt.
    :param write_id: The commit's name: if a commit of this name has happened before, nothing is
        published again, its receipt is given, and what is staged is discarded.
    :param sequence: The number of the commit in the stream that ``write_id`` or ``job`` names, as a writer's
        ``sequence``; by default that of what is staged.
    :param rewrite_missing: Whether it is published again if none of the files of the earlier commit
        is there any more.
    :param success_file: Whether the file ``_SUCCESS`` is published last, as a writer's ``success_file``.
    :param schema_check: Whether the parts are compared with each other and with what is there, as a
        writer's ``schema_check`` does. A column of nulls in one part, of which another knows the type, gets that type, if it
        is not nested: the Parquet files of that part are written again, and verified. Where that cannot be it is refused: give
        the workers ``schema=``.
    :param case_sensitive_names: Whether names of columns may differ by case alone from those of other parts,
        and from those that are there.
    :param staging: Where the writers of a job stage of which nothing is ``staged``; else what is staged says it.
    :param storage_options: As of :class:`ObjectStoreOptions`: what is staged does not carry it.
    :param dead_after: As of :class:`ObjectStoreOptions`.
    :raises IncompatibleError: If readers could not take all of it for one data set. Nothing is published.
    :raises InvalidOptionError: If there is nothing, or things of several data sets or modes.
    :raises StagedWriteGoneError: If something is no longer staged.
    :raises ConflictError: If another commit came between. Nothing is published then, nor after any
        other error but :class:`UnfinishedError` and :class:`UnknownOutcomeError`, and what is staged
        stays so.
    """
    receipt = _committed(
        list(staged),
        root,
        job=job,
        write_id=write_id,
        sequence=sequence,
        rewrite_missing=rewrite_missing,
        success_file=success_file,
        schema_check=schema_check,
        case_sensitive_names=case_sensitive_names,
        staging=staging,
        storage_options=storage_options,
        dead_after=dead_after,
    )
    _warn(receipt, level=3)
    return receipt


def _committed(
    staged: list[StagedWrite],
    root: StrPath | None,
    *,
    job: str | None = None,
    write_id: str | None = None,
    sequence: int | None = None,
    rewrite_missing: bool = False,
    success_file: bool = False,
    schema_check: bool = True,
    case_sensitive_names: bool = False,
    staging: Staging = "auto",
    storage_options: StorageOptions | None = None,
    dead_after: float | datetime.timedelta | None = None,
) -> Receipt:
    """Commits without warning of anything."""
    options = {
        "job": job,
        "write_id": write_id,
        "sequence": whole("sequence", sequence),
        "rewrite_missing": rewrite_missing,
        "success_file": success_file,
        "schema_check": schema_check,
        "case_sensitive_names": case_sensitive_names,
        "staging": staging_place(staging),
        "store": store_options(storage_options, dead_after),
    }
    receipt: Receipt = _lib.commit(staged, None if root is None else place(root), options)
    return receipt


def discard(
    staged: Iterable[StagedWrite] = (),
    *,
    root: StrPath | None = None,
    job: str | None = None,
    sequence: int | None = None,
    staging: Staging = "auto",
    storage_options: StorageOptions | None = None,
    dead_after: float | datetime.timedelta | None = None,
) -> None:
    """Removes what is staged. What is no longer there is no error.

    >>> import pyarrow as pa
    >>> discard([stage(pa.table({"n": [1]}), lake / "numbers")])
    >>> _ = stage(pa.table({"n": [1]}), lake / "numbers", job="monday")
    >>> discard(root=lake / "numbers", job="monday")

    :param root: The data set that all of it has to be of; by default the first says it.
    :param job: Also what any process staged for this job, which is closed: staging for it is a :class:`JobClosedError` from
        then on. With nothing else it needs the ``root``.
    :param sequence: The number of the job in the stream that ``job`` names: those with lower numbers are closed too.
    :param staging: Where what is staged for the job stands.
    :param storage_options: As of :class:`ObjectStoreOptions`.
    :param dead_after: As of :class:`ObjectStoreOptions`.
    :raises InvalidOptionError: If it is of several data sets or jobs.
    :raises IoError, ReadError: If something cannot be removed: it stays until its time is over.
    """
    _lib.discard(
        list(staged),
        None if root is None else place(root),
        job,
        whole("sequence", sequence),
        staging_place(staging),
        store_options(storage_options, dead_after),
    )


class WaitingWrite(NamedTuple):
    """A write that is staged, and neither committed nor discarded yet."""

    write: StagedWrite
    """What :func:`commit` and :func:`discard` take."""
    since: datetime.datetime
    """When it was staged, by the clock of the file system, in UTC."""
    keep: datetime.timedelta
    """How long it is kept from then on (``keep_staged``)."""


def staged(
    root: StrPath, *, staging: Staging = "auto", storage_options: StorageOptions | None = None
) -> list[WaitingWrite]:
    """What is staged for a data set and waits to be committed, in the order in which it was staged.

    A driver that lost what its workers had handed back finds it here. Of one ``task`` there may be several attempts. What
    cannot be read, or is not trusted, is left out: :func:`recover` tells of it.

    >>> import pyarrow as pa
    >>> _ = stage(pa.table({"n": [1, 2]}), lake / "numbers", job="monday", task="part 1")
    >>> [(waiting.write.task, waiting.write.rows) for waiting in staged(lake / "numbers")]
    [('part 1', 2)]
    >>> discard(root=lake / "numbers", job="monday")

    :param root: The data set: a path, or a URL: ``file://``, or of an object store, as ``s3://bucket/weather``.
    :param staging: Where the writers stage.
    :param storage_options: As of :class:`ObjectStoreOptions`.
    :raises ReadError: If it cannot be listed.
    """
    found = _lib.staged(place(root), staging_place(staging), store_options(storage_options))
    return [WaitingWrite(*waiting) for waiting in found]
