"""What the tests of all engines check by, and drivers that they kill."""

from __future__ import annotations

import doctest
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import atomic_arrow as aa
from common import printed

REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"write_id": "monday"}, aa.InvalidOptionError, "give job="),
    ({"sequence": 1}, aa.InvalidOptionError, "give job="),
    ({"durability": "unsynced"}, aa.InvalidOptionError, "power cut"),
    ({"partitionby": "k"}, TypeError, "did you mean 'partition_by'"),
]
"""Options that no engine takes, with what is raised for them, and a part of its message."""


def check_examples(module: ModuleType, lake: Path) -> None:
    """Runs the examples of an adapter, and checks that there are some."""
    finder, runner = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner()
    public = {name: getattr(module, name) for name in module.__all__}
    for test in finder.find(module, module.__name__):
        test.globs |= {"lake": lake} | public
        runner.run(test)
    results = runner.summarize(verbose=False)
    assert results.attempted > 3
    assert results.failed == 0


def run_page(page: str) -> None:
    """Runs the Python of a page in this process, below the working directory."""
    scope: dict[str, object] = {"__name__": "__main__"}
    for block in printed(page):
        exec(compile(block, page, "exec"), scope)


def die_once(flag: Path) -> None:
    """Ends this process as a power cut would, but for the processes that come after."""
    try:
        flag.touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def rows_in(root: Path) -> list[int]:
    """The column ``n`` of all rows that a reader of pyarrow finds, sorted."""
    import pyarrow.dataset

    if not root.exists():
        return []
    found = pyarrow.dataset.dataset(root, format="parquet", partitioning="hive")
    return sorted(found.to_table(columns=["n"])["n"].to_pylist()) if found.files else []


def left_of_writers(root: Path) -> list[Path]:
    """The files in the staging area, but for the receipts that are remembered."""
    area = root.parent / f".{root.name}.atomic"
    files = (path for path in area.rglob("*") if path.is_file())
    return [path for path in files if "writes" not in path.parts and path.name != "lock"]


def assert_clean(root: Path, *, discard: bool = False) -> None:
    """Checks that nothing waits, and that recovery leaves nothing of any writer.

    :param discard: Whether the jobs of a driver that died are discarded first.
    """
    for job in {waiting.write.job for waiting in aa.staged(root)} if discard else ():
        aa.discard(root=root, job=job)
    assert aa.staged(root) == []
    if root.parent.exists():
        recovery = aa.recover(root)
        # A task that its engine gave up ends by itself.
        while recovery.alive:
            time.sleep(0.01)
            recovery = aa.recover(root)
        assert recovery.failed == []
    assert aa.staged(root) == []
    assert left_of_writers(root) == []


@contextmanager
def readers(root: Path, allowed: Callable[[list[int]], bool]) -> Iterator[None]:
    """Scans the data set all the while: no scan fails, and each finds rows that are allowed."""
    ended = threading.Event()
    wrong: list[object] = []

    def scan() -> None:
        while not ended.is_set():
            try:
                found = rows_in(root)
            except Exception as error:
                wrong.append(error)
                return
            if not allowed(found):
                wrong.append(found)
                return
            time.sleep(0.01)

    reader = threading.Thread(target=scan)
    reader.start()
    try:
        yield
    finally:
        ended.set()
        reader.join()
    assert wrong == []


class Driver(AbstractContextManager["Driver"]):
    """A process that runs a script, to be killed with all that it started."""

    def __init__(self, script: Path, *arguments: object) -> None:
        command = [sys.executable, script, *map(str, arguments)]
        self.process = subprocess.Popen(command, start_new_session=True)

    def kill(self) -> None:
        """Ends the process and its children as a power cut would."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def kill_at_random(self, seed: int, within: float) -> None:
        """Kills it at a random time of so many seconds, unless it ends before."""
        try:
            self.process.wait(random.Random(seed).random() * within)
        except subprocess.TimeoutExpired:
            self.kill()

    def __exit__(self, *_: object) -> None:
        self.kill()


def wait_until(happened: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    """Waits for something while a process runs; how long that takes does not matter."""
    while not happened() and process.poll() is None:
        time.sleep(0.002)
