"""Runs writers by turns, each write in a process of its own that is watched, and keeps what each took.

Outputs are emptied, not removed, as soon as they are not needed: for minutes after a removal ext4 passes over
the freed inodes one by one when it makes files, which would cost whoever writes next.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import environment
from works import Work, scaled

RUST = ("atomic", "unsynced", "sketch")
PYTHON = ("atomic-py",)
# The five that ours is measured against, and one more that users have.
PEERS = ("pyarrow", "polars", "duckdb", "datafusion", "delta-rs")
OTHERS = ("pandas",)
WRITERS = (*RUST, *PYTHON, *PEERS, *OTHERS)
# A peer that takes this many times as long as the fastest one is not run again.
FAR_SLOWER = 5


@dataclass
class Settings:
    """How everything is run."""

    binary: Path
    directory: Path
    inputs: Path
    scale: float
    rounds: int | None
    timeout: float
    memory_cap: int
    extra: list[str] = field(default_factory=list)


@dataclass
class Case:
    """One writer at one work, and what it took in each round."""

    name: str
    work: Work
    writer: str
    source: Path
    samples: list[dict] = field(default_factory=list)
    failure: str | None = None
    output: Path | None = None

    # The scan by which the output was compared with the input.
    scanned: dict | None = None

    @property
    def seconds(self) -> float:
        return self.samples[0]["seconds"] if self.samples else float("inf")


def watched(command: list, timeout: float, memory_cap: int) -> tuple[str | None, str]:
    """Runs a process: why it failed, or what it printed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors, stdin=subprocess.DEVNULL)
        try:
            why = wait(process, timeout, memory_cap)
        finally:
            process.kill()
            process.wait()
        if why:
            return why, ""
        out.seek(0)
        errors.seek(0)
        if process.returncode:
            said = errors.read().decode(errors="replace").strip().splitlines()
            return f"failed: {said[-1] if said else process.returncode}", ""
        return None, out.read().decode().strip().splitlines()[-1]


def wait(process: subprocess.Popen, timeout: float, memory_cap: int) -> str | None:
    """Waits for a process, or says why it should not go on."""
    end = time.monotonic() + timeout
    while process.poll() is None:
        if time.monotonic() > end:
            return f"ended after {timeout:.0f} s"
        if resident(process.pid) > memory_cap:
            return f"ended when it took more than {memory_cap / 1e9:.0f} GB"
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            pass
    return None


def resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def command(case: Case, to: Path | str, settings: Settings) -> list:
    work = case.work
    rust = case.writer not in (*PYTHON, *PEERS, *OTHERS)
    writer = [settings.binary] if rust else [sys.executable, environment.HERE / "peer.py"]
    words = [*writer, case.writer, case.source, to, *work.keys]
    words += ["--rows", str(scaled(work, settings.scale, work.rows))]
    words += ["--commits"] if work.commits else []
    words += ["--memory-limit", str(work.memory_limit)] if work.memory_limit else []
    return words + (settings.extra if rust else [])


def write(case: Case, number: int, settings: Settings) -> None:
    """Writes once more, from a disk at rest."""
    to = settings.directory / f"{case.name}-{case.writer}-{number}"
    os.sync()
    failure, printed = watched(command(case, to, settings), settings.timeout, settings.memory_cap)
    if failure:
        case.failure = failure.replace(str(settings.directory), "…")
        empty(to)
        return
    files = data_files(to)
    sizes = {"files": len(files), "bytes": sum(path.stat().st_size for path in files)}
    case.samples.append({"round": number} | json.loads(printed) | sizes)
    if case.output is None:
        case.output = to
    else:
        empty(to)


def rounds(cases: list[Case], settings: Settings, write=write) -> None:
    """Every case by turns, beginning with another one each round."""
    for number in range(settings.rounds or cases[0].work.rounds):
        first = number % len(cases)
        for case in cases[first:] + cases[:first]:
            if case.failure or (number and (case.writer in OTHERS or far_slower(case, cases))):
                continue
            write(case, number, settings)
            took = case.failure or f"{case.samples[-1]['seconds']:.2f} s"
            print(f"{case.name} round {number + 1}: {case.writer} {took}", file=sys.stderr)


def far_slower(case: Case, cases: list[Case]) -> bool:
    """Whether a peer's first round says that it need not be run again."""
    peers = [other.seconds for other in cases if other.name == case.name and other.writer in PEERS]
    return case.writer in PEERS and case.seconds > FAR_SLOWER * min(peers)


def data_files(root: Path) -> list[Path]:
    """Of a data set, without the log of a table format."""
    return [path for path in root.rglob("*.parquet") if "_delta_log" not in path.parts]


def empty(root: Path) -> None:
    for path in root.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)
