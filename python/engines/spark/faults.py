"""The data source ``atomic`` with faults, as tests ask for them.

A test puts a file into the directory that ``ATOMIC_ARROW_FAULTS`` names, called like the point where the fault happens; its
text says which. Whoever gets there first takes the file, so that it happens once; or every time if it says ``always``.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from atomic_arrow.spark import AtomicDataSource, _BatchWriter, _JobWriter
from pyspark.sql.datasource import WriterCommitMessage
from pyspark.sql.types import StructType
from pyspark.taskcontext import TaskContext

DIRECTORY = "ATOMIC_ARROW_FAULTS"


class SourceWithFaults(AtomicDataSource):
    """The data source under a name of its own."""

    @classmethod
    def name(cls) -> str:
        return "atomic_with_faults"

    def writer(self, schema: StructType, overwrite: bool) -> _JobWriter:
        return _Job(super().writer(schema, overwrite)._write)  # type: ignore[attr-defined]

    def streamWriter(self, schema: StructType, overwrite: bool) -> _BatchWriter:
        return _Batch(super().streamWriter(schema, overwrite)._write)  # type: ignore[attr-defined]


class _Faults:
    """What happens around the methods of a writer."""

    def write(self, iterator: Iterator[pa.RecordBatch]) -> WriterCommitMessage:
        task = TaskContext.get()
        assert task is not None
        part = task.partitionId()
        happen(f"before staging {part}")
        message: WriterCommitMessage = super().write(_hurt(iterator, part))  # type: ignore[misc]
        happen(f"after staging {part}")
        return message

    def commit(self, messages: Sequence[WriterCommitMessage | None], *batch: int) -> None:
        which = f" of batch {batch[0]}" if batch else ""
        happen(f"before commit{which}")
        super().commit(messages, *batch)  # type: ignore[misc]
        happen(f"after commit{which}")

    def abort(self, messages: Sequence[WriterCommitMessage | None], *batch: int) -> None:
        super().abort(messages, *batch)  # type: ignore[misc]
        Path(os.environ[DIRECTORY], "aborted").touch()


class _Job(_Faults, _JobWriter):
    pass


class _Batch(_Faults, _BatchWriter):
    pass


def _hurt(batches: Iterator[pa.RecordBatch], part: int) -> Iterator[pa.RecordBatch]:
    for number, batch in enumerate(batches):
        yield batch
        if number == 0:
            happen(f"while writing {part}")


def happen(point: str) -> None:
    """Does what the test wants at a point."""
    place = Path(os.environ[DIRECTORY], point)
    try:
        wanted = place.read_text()
        if not wanted.endswith("always"):
            place.unlink()
    except FileNotFoundError:
        return
    _FAULTS[wanted.split()[0]]()


def _fail() -> None:
    raise RuntimeError("a fault, as it was asked for")


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_driver() -> None:
    """Ends all of Spark that there is here: the virtual machine, its Python daemon, and this process."""
    daemon = os.getppid()
    machine = int(Path(f"/proc/{daemon}/stat").read_text().rpartition(")")[2].split()[1])
    for process in (machine, daemon, os.getpid()):
        os.kill(process, signal.SIGKILL)


def _kill_driver_soon() -> None:
    """Ends it from another thread, somewhere in what follows."""
    timer = threading.Timer(random.uniform(0, 0.1), _kill_driver)
    timer.start()


def _hang() -> None:
    time.sleep(600)


_FAULTS: dict[str, Any] = {
    "fail": _fail,
    "kill": _kill,
    "kill-driver": _kill_driver,
    "kill-driver-soon": _kill_driver_soon,
    "hang": _hang,
}
