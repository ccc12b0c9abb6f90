"""Writes what Dask holds into a data set, each partition by a task, and all of them in one commit.

It is imported on use, as ``atomic_arrow.dask``, and needs Dask.
"""

from __future__ import annotations

import sys
import uuid
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Unpack, overload

from dask.delayed import delayed

from ._data import Schema
from ._job import Job, sendable
from ._lib import Receipt, StagedWrite
from ._options import WriteOptions
from ._paths import StrPath
from ._polars import is_a

if TYPE_CHECKING:
    from dask.delayed import Delayed

__all__ = ["write_dataset"]


@overload
def write_dataset(
    data: Any,
    root: StrPath,
    *,
    schema: Schema | None = None,
    index: bool | None = None,
    compute: Literal[True] = True,
    compute_kwargs: Mapping[str, Any] | None = None,
    **options: Unpack[WriteOptions],
) -> Receipt: ...


@overload
def write_dataset(
    data: Any,
    root: StrPath,
    *,
    schema: Schema | None = None,
    index: bool | None = None,
    compute: Literal[False],
    compute_kwargs: None = None,
    **options: Unpack[WriteOptions],
) -> Delayed: ...


def write_dataset(
    data: Any,
    root: StrPath,
    *,
    schema: Schema | None = None,
    index: bool | None = None,
    compute: bool = True,
    compute_kwargs: Mapping[str, Any] | None = None,
    **options: Unpack[WriteOptions],
) -> Receipt | Delayed:
    """Writes all partitions into a Hive-partitioned data set, all or nothing.

    Each partition is staged by a task, and a last task commits them. The tasks may run in threads, processes or on
    other machines, be retried, and lose their workers.

    >>> import dask.dataframe as dd
    >>> import pandas as pd
    >>> df = pd.DataFrame({"station_id": ["KSEA", "KJFK"], "temp": [11.5, 3.0]})
    >>> ddf = dd.from_pandas(df, npartitions=2)
    >>> receipt = write_dataset(ddf, lake / "weather", partition_by="station_id")
    >>> print(receipt.rows, "rows in", len(receipt.files), "files")
    2 rows in 2 files

    :param data: A frame or series of Dask, a bag of what holds rows, such as tables of Arrow, or a list of
        ``Delayed`` of such.
    :param root: The data set: a path or ``file://`` URL by which all workers see it, or a URL of an object store.
    :param schema: The schema of all partitions; by default that which the frame is known to have, and where columns of
        it are objects or categories that are not known, each partition's own.
    :param index: Whether the index of frames becomes columns; by default mere row numbers, which are integers without a
        name, do not, and any other index is refused.
    :param compute: Whether to write at once; otherwise a ``Delayed`` of the receipt is given. However often that is
        computed, the rows are published once, and each time it is the same receipt.
    :param compute_kwargs: Arguments to ``compute``, such as ``scheduler`` and ``retries``.
    :param options: As in :class:`WriteOptions`, but for ``write_id``, whose place ``job`` takes, and for
        ``durability="unsynced"``. By default each task encodes with one thread.
    :raises JobClosedError: If the ``job`` was discarded, or has appended no rows, which cannot be told apart afterwards.
    :raises AtomicArrowError: As :func:`atomic_arrow.stage` and :func:`atomic_arrow.commit`; ``outcome`` says what is
        on disk. What tasks have staged is discarded then, but of a ``job`` that was named, which can be run again.
    """
    if compute_kwargs and not compute:
        raise TypeError(
            "compute_kwargs are for compute=True: give them to the compute() of what comes back"
        )
    # Dask runs a task for each core.
    options.setdefault("threads", 1)
    job = Job(root, options)
    receipt = job.receipt() if compute and job.is_named else None
    if receipt is not None:
        _warn(job, receipt, level=3)
        return receipt
    parts = _staged(data, job, schema, index)
    key = f"atomic-arrow-commit-{uuid.uuid4()}"
    if not compute:
        asked: Delayed = delayed(_commit)(parts, job, dask_key_name=key)
        return asked
    commit = delayed(_commit_and_tell)(parts, job, dask_key_name=key)
    receipt, told = _computed(commit, job, compute_kwargs or {})
    for kind, message in told:
        warnings.warn(message, kind, stacklevel=2)
    return receipt


def _computed(commit: Any, job: Job, arguments: Mapping[str, Any]) -> _Told:
    try:
        computed: _Told = commit.compute(**arguments)
    except BaseException as error:
        receipt = job.fail(error)
        # A worker may be lost between the commit and its answer.
        if receipt is None or not isinstance(error, Exception):
            raise
        return receipt, list(job.warnings_of(receipt))
    return computed


_Told: TypeAlias = tuple[Receipt, list[tuple[type[Warning], str]]]
"""A receipt, and what its commit warns of, which would be lost where the commit runs."""


def _commit_and_tell(staged: list[StagedWrite | None], job: Job) -> _Told:
    receipt = job.commit(staged)
    return receipt, list(job.warnings_of(receipt))


def _commit(staged: list[StagedWrite | None], job: Job) -> Receipt:
    receipt = job.commit(staged)
    _warn(job, receipt, level=2)
    return receipt


def _warn(job: Job, receipt: Receipt, level: int) -> None:
    for kind, message in job.warnings_of(receipt):
        warnings.warn(message, kind, stacklevel=level)


def _staged(data: Any, job: Job, schema: Schema | None, index: bool | None) -> list[Delayed]:
    """A ``Delayed`` of what each partition stages."""
    if _is_frame(data):
        known = _known(data._meta, index) if schema is None else sendable(schema, index=index)
        if known is not None:
            job.check(known)
        stage = _Stage(job, known, index)
        # In one task with what makes the partition, which so is not held for longer than it takes.
        staged = data.map_partitions(
            stage,
            meta=(None, object),
            enforce_metadata=False,
            clear_divisions=True,
            token="atomic-arrow-stage",
        )
        parts: list[Delayed] = staged.to_delayed()
        return parts
    given = data.to_delayed() if is_a(data, "dask.bag", "Bag") else data
    if not isinstance(given, list | tuple) or not all(
        is_a(part, "dask.delayed", "Delayed") for part in given
    ):
        raise TypeError(
            f"a {type(data).__qualname__} is not written: give a frame of Dask, a bag, or a list of Delayed"
        )
    known = None if schema is None else sendable(schema, index=index)
    task = delayed(_Stage(job, known, index), traverse=False)
    return [
        task(part, {"number": number}, dask_key_name=f"atomic-arrow-stage-{uuid.uuid4()}")
        for number, part in enumerate(given)
    ]


class _Stage:
    """The task of one partition."""

    def __init__(self, job: Job, schema: Schema | None, index: bool | None) -> None:
        self._job = job
        self._schema = schema
        self._index = index
        self._token = str(uuid.uuid4())

    def __call__(self, rows: Any, partition_info: dict[str, Any]) -> StagedWrite | None:
        task = f"partition {partition_info['number']}"
        return self._job.stage(rows, task=task, schema=self._schema, index=self._index)

    def __dask_tokenize__(self) -> str:
        return self._token


def _is_frame(data: Any) -> bool:
    frames = sys.modules.get("dask.dataframe")
    return frames is not None and isinstance(data, frames.DataFrame | frames.Series)


def _known(meta: Any, index: bool | None) -> Schema | None:
    """The schema of all partitions, by the frame of no rows that Dask knows; None if that does not tell."""
    schema = sendable(meta, index=index)
    frame = meta.to_frame() if is_a(meta, "pandas", "Series") else meta
    if not is_a(frame, "pandas", "DataFrame"):
        return schema
    if index:
        frame = frame.reset_index()
    from dask.dataframe.utils import UNKNOWN_CATEGORIES

    for kind in frame.dtypes:
        if getattr(kind, "hasobject", False):
            return None
        if UNKNOWN_CATEGORIES in getattr(kind, "categories", ()):
            return None
    return schema
