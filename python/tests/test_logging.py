"""What the library tells of its work comes to the loggers ``atomic_arrow.*``."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import atomic_arrow as aa
import pyarrow as pa
import pytest

ROWS = pa.table({"key": ["a", "a", "b"], "value": [1, 2, 3]})


class Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def says(self, text: str) -> list[logging.LogRecord]:
        return [record for record in self.records if text in record.getMessage()]


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    logger = logging.getLogger("atomic_arrow")
    before = logger.level
    logger.addHandler(listener)
    yield listener
    logger.removeHandler(listener)
    logger.setLevel(before)


def test_each_step_is_told_with_the_write_that_it_is_of(lake: Path, listener: Listener) -> None:
    logging.getLogger("atomic_arrow").setLevel(logging.DEBUG)
    receipt = aa.write_dataset(ROWS, lake / "weather", partition_by="key", write_id="night")
    (committed,) = listener.says("committed the write")
    assert committed.name == "atomic_arrow.commit"
    assert committed.levelno == logging.INFO
    assert committed.fields["rows"] == 3
    assert committed.fields["transaction"] == str(receipt.transaction)
    verified = listener.says("verified a staging file")
    assert len(verified) == 2
    for record in verified:
        assert record.name == "atomic_arrow.write"
        assert record.fields["root"] == str(lake / "weather"), "also of the library's threads"
        assert record.fields["write_id"] == "night"
        assert f"transaction={receipt.transaction}" in record.getMessage()
    assert [record.created for record in listener.records] == sorted(
        record.created for record in listener.records
    )


def test_levels_are_those_of_the_loggers_at_each_call(lake: Path, listener: Listener) -> None:
    logging.getLogger("atomic_arrow").setLevel(logging.WARNING)
    aa.write_dataset(ROWS, lake / "weather")
    assert listener.records == []
    logging.getLogger("atomic_arrow.commit").setLevel(logging.INFO)
    try:
        aa.write_dataset(ROWS, lake / "weather")
        assert {record.name for record in listener.records} == {"atomic_arrow.commit"}
        assert {record.levelno for record in listener.records} == {logging.INFO}
    finally:
        logging.getLogger("atomic_arrow.commit").setLevel(logging.NOTSET)
    listener.records.clear()
    logging.disable(logging.CRITICAL)
    try:
        aa.write_dataset(ROWS.slice(0, 0), lake / "empty")
    finally:
        logging.disable(logging.NOTSET)
    assert listener.records == []


def test_notes_and_damage_are_warnings(lake: Path, listener: Listener) -> None:
    aa.write_dataset(ROWS.slice(0, 0), lake / "empty")
    (note,) = listener.says("there were no rows")
    assert (note.levelno, note.fields["kind"]) == (logging.WARNING, "schema-only")
    (lake / "torn.parquet").write_bytes(b"PAR1")
    aa.verify(lake / "torn.parquet")
    (damaged,) = listener.says("damaged")
    assert (damaged.name, damaged.levelno) == ("atomic_arrow.verify", logging.WARNING)


def test_every_kind_of_call_tells(lake: Path, listener: Listener) -> None:
    logging.getLogger("atomic_arrow").setLevel(logging.INFO)
    aa.write_bytes(b"x", lake / "x")
    aa.write_parquet(ROWS, lake / "prices.parquet")
    assert len(listener.says("published the file")) == 2
    staged = aa.stage(ROWS, lake / "weather")
    aa.commit([staged])
    assert len(listener.says("committed the write")) == 1
    area = lake / ".weather.atomic"
    area.mkdir(exist_ok=True)
    left = area / "0190163d-8694-739b-aea5-966c26f8ad91.staged"
    left.write_bytes(b"rows")
    aa.recover(lake / "weather")
    (removed,) = listener.says("dead writer's staging file")
    assert removed.name == "atomic_arrow.recover"


def test_threads_that_tell_do_not_wait_for_the_caller_who_waits_for_them(
    lake: Path, listener: Listener
) -> None:
    """The iterator holds the GIL while the library's threads spill, and a handler calls the library."""
    logging.getLogger("atomic_arrow").setLevel(logging.DEBUG)
    # Of few values only their codes would be held, which need not be spilled.
    texts = [f"{number:0100}" for number in range(10_000)]
    rows = pa.table({"key": list(range(200)) * 50, "value": texts})

    class Calling(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "spilled" in record.getMessage():
                aa.write_bytes(b"spilled", lake / f"{len(listener.records)}.txt")

    calling = Calling()
    logging.getLogger("atomic_arrow.write").addHandler(calling)

    def busy() -> Iterator[pa.Table]:
        for _ in range(10):
            sum(range(200_000))
            yield rows

    def write(name: str) -> None:
        aa.write_dataset(busy(), lake / name, partition_by="key", memory_limit="4MiB", threads=3)

    try:
        threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b", "c")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        logging.getLogger("atomic_arrow.write").removeHandler(calling)
    assert len(listener.says("committed the write")) == 3
    assert len(listener.says("spilled rows")) > 3
    assert list(lake.glob("*.txt"))


def test_a_handler_that_fails_does_not_end_the_write(lake: Path, listener: Listener) -> None:
    logging.getLogger("atomic_arrow").setLevel(logging.DEBUG)

    def fail(record: logging.LogRecord) -> bool:
        raise ValueError("a filter that fails")

    logger = logging.getLogger("atomic_arrow.commit")
    logger.addFilter(fail)
    unraisable: list[object] = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda raised: unraisable.append(raised.exc_type)
    try:
        receipt = aa.write_dataset(ROWS, lake / "weather")
    finally:
        logger.removeFilter(fail)
        sys.unraisablehook = hook
    assert receipt.rows == 3
    assert unraisable and set(unraisable) == {ValueError}


def test_nothing_is_printed_unless_logging_is_set_up(lake: Path) -> None:
    code = f"""
import atomic_arrow as aa, warnings
warnings.simplefilter("ignore")
open({str(lake / "torn.parquet")!r}, "wb").write(b"PAR1")
assert not aa.verify({str(lake / "torn.parquet")!r}).is_sound
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_what_the_end_of_a_writer_tells_comes_at_the_end_of_the_program(lake: Path) -> None:
    code = f"""
import atomic_arrow as aa, logging, pyarrow as pa
logging.basicConfig(level=logging.DEBUG)
writer = aa.DatasetWriter({str(lake / "weather")!r}, schema=pa.schema([("a", pa.int64())]))
writer._inner = None
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "DEBUG:atomic_arrow.commit:discarded a transaction" in done.stderr


def test_a_forked_process_tells_of_its_own(lake: Path) -> None:
    code = f"""
import atomic_arrow as aa, logging, os, sys
logging.basicConfig(level=logging.INFO, format="%(process)d %(message)s")
aa.write_bytes(b"x", {str(lake / "parent")!r})
child = os.fork()
if child == 0:
    aa.write_bytes(b"x", {str(lake / "child")!r})
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
print(os.getpid(), child)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    parent, child = done.stdout.split()
    published = [line for line in done.stderr.splitlines() if "published the file" in line]
    assert [line.split()[0] for line in published] == [parent, child]
