"""Readers of other projects scan a data set in an object store while processes write to it.

What they may see is said in docs/object-stores.md, in "What is promised where".
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import atomic_arrow as aa
import polars as pl
import pyarrow as pa
import pytest
from datafusion import SessionContext
from datafusion.object_store import AmazonS3
from store_server import Server

pytestmark = pytest.mark.usefixtures("no_settings")

ROWS = 2_000
"""The rows of each file."""

COMMITS = 100 if os.environ.get("ATOMIC_ARROW_FULL") == "1" else 10
"""The commits of each writer."""

WRITER = """
import sys

import atomic_arrow as aa
import pyarrow as pa

root, mode, commits, rows, first, *parts = sys.argv[1:]
for tag in range(int(first), int(first) + int(commits)):
    column = [part for part in parts for _ in range(int(rows))]
    table = pa.table({"part": column, "tag": [tag] * len(column)})
    aa.write_dataset(table, root, partition_by="part", mode=mode)
    print(tag, flush=True)
"""
"""Commits a file of each part again and again, and says so: the rows of a commit have a tag of their own."""

Read = Callable[[Server, str], pa.Table]
Seen = Counter[tuple[str, int]]
"""The number of rows that a scan finds, by part and tag."""


def by_pyarrow(server: Server, root: str) -> pa.Table:
    return server.rows(root)


def by_polars(server: Server, root: str) -> pa.Table:
    frame = pl.scan_parquet(f"{root}/", storage_options=server.options)
    return frame.select("part", "tag").collect().to_arrow()


def by_datafusion(server: Server, root: str) -> pa.Table:
    store = AmazonS3(
        bucket_name="lake",
        region=server.options["aws_region"],
        access_key_id=server.options["aws_access_key_id"],
        secret_access_key=server.options["aws_secret_access_key"],
        endpoint=server.endpoint,
        allow_http=True,
    )
    context = SessionContext()
    context.register_parquet(
        "seen", f"{root}/", table_partition_cols=[("part", pa.string())], object_store=store
    )
    return context.sql("SELECT part, tag FROM seen").to_arrow_table()


READERS: tuple[Read, ...] = (by_pyarrow, by_polars, by_datafusion)


class Writer:
    """A process that commits, and what it has said."""

    def __init__(self, server: Server, log: Path, root: str, mode: str, first: int, *parts: str):
        self.parts = parts
        self.log = log
        command = [sys.executable, "-c", WRITER, root, mode, str(COMMITS), str(ROWS), str(first)]
        environment = os.environ | server.environment()
        with log.open("w") as out:
            self.process = subprocess.Popen([*command, *parts], stdout=out, env=environment)

    def committed(self) -> list[int]:
        """The tags of the commits that have returned."""
        return [int(line) for line in self.log.read_text().split("\n")[:-1]]


def scan(read: Read, server: Server, root: str) -> Seen:
    found = read(server, root)
    parts = (str(part) for part in found["part"].to_pylist())
    return Counter(zip(parts, found["tag"].to_pylist(), strict=True))


def scans(
    scan: Callable[[], Seen], writers: list[Writer]
) -> Iterator[tuple[list[list[int]], Seen]]:
    """What each scan finds, with what every writer had committed before it; the last begins when all have ended."""
    ended = False
    while not ended:
        ended = all(writer.process.poll() is not None for writer in writers)
        committed = [writer.committed() for writer in writers]
        yield committed, scan()


def with_all_readers(check: Callable[[Read], None], writers: list[Writer]) -> None:
    """Lets all readers scan beside each other while the writers commit."""
    try:
        with ThreadPoolExecutor(len(READERS)) as pool:
            for checked in [pool.submit(check, read) for read in READERS]:
                checked.result()
    finally:
        codes = [writer.process.wait() for writer in writers]
    assert codes == [0] * len(writers)


def test_scans_during_appends_find_whole_files_and_all_that_was_committed(
    server: Server, root: str, tmp_path: Path
) -> None:
    first = pa.table({"part": ["a"] * ROWS, "tag": [0] * ROWS})
    aa.write_dataset(first, root, partition_by="part", storage_options=server.options)
    writers = [
        Writer(server, tmp_path / str(number), root, "append", number * 1_000, "a", "b")
        for number in (1, 2, 3)
    ]

    def check(read: Read) -> None:
        for committed, seen in scans(lambda: scan(read, server, root), writers):
            assert set(seen.values()) == {ROWS}
            tags = [tag for of_writer in committed for tag in of_writer]
            assert {("a", 0), *((part, tag) for tag in tags for part in "ab")} <= seen.keys()
        assert len(seen) == 1 + 2 * COMMITS * len(writers)

    with_all_readers(check, writers)


def test_scans_during_overwrites_find_no_gap_and_nothing_that_was_removed_before(
    server: Server, root: str, tmp_path: Path
) -> None:
    column = [part for part in ("kept", "x", "y") for _ in range(ROWS)]
    first = pa.table({"part": column, "tag": [0] * len(column)})
    aa.write_dataset(first, root, partition_by="part", storage_options=server.options)
    writers = [
        Writer(server, tmp_path / part, root, "overwrite_partitions", 1, part) for part in "xy"
    ]

    def check(read: Read) -> None:
        def repeated() -> Seen:
            while True:
                there = server.files(root)
                try:
                    return scan(read, server, root)
                except Exception:
                    # Only what loses a file meanwhile may fail.
                    if there <= server.files(root):
                        raise

        for committed, seen in scans(repeated, writers):
            assert set(seen.values()) == {ROWS}
            assert ("kept", 0) in seen
            for writer, tags in zip(writers, committed, strict=True):
                versions = [tag for part, tag in seen if part in writer.parts]
                assert versions and min(versions) >= max([0, *tags])
        assert sorted(seen) == [("kept", 0), ("x", COMMITS), ("y", COMMITS)]

    with_all_readers(check, writers)
