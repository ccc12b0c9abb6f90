#!/usr/bin/env python3
"""Writes the same rows with atomic-arrow and with other projects, by turns, and compares.

    benches/peers/run.py                    all works, 5 rounds
    benches/peers/run.py --work b --work c --rounds 3 --writer atomic --writer polars

Needs cargo and python3; installs the peers, pinned, below `target/`. Each write is a process of its own.
A round runs every writer once, and the disk comes to rest before each. Prints Markdown: medians, ratios to
the fastest peer within the round, memory; `--json FILE` keeps every figure.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target")).resolve()
OURS = ("atomic", "unsynced", "sketch")
PEERS = ("pyarrow", "polars", "duckdb", "datafusion")
# Slower than these by so much that they would take most of the time.
SLOW = {("d", "pyarrow"), ("d", "datafusion"), ("e", "pyarrow"), ("e", "datafusion")}


def venv() -> Path:
    """The pinned peers' Python, which is made if it is not there."""
    there = sorted(TARGET.glob("peers/*/complete"))
    if there:
        return there[0].parent / "bin" / "python"
    home = TARGET / "peers" / "bench"
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    python = home / "bin" / "python"
    requirements = PROJECT / "tests" / "peers" / "requirements.txt"
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
    (home / "complete").touch()
    return python


def run(writer: str, work, source: Path, to: Path, binary: Path, extra: list[str]) -> dict:
    key = [work.key] if work.key else []
    if writer.split("@")[0] in OURS:
        limit = ["--memory-limit", str(work.memory_limit)] if work.memory_limit else []
        command = [binary, writer, source, to, *key, *limit, *extra]
    else:
        command = [sys.executable, HERE / "peer.py", writer, source, to, *key]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if done.returncode:
        raise RuntimeError(f"{writer}: {done.stderr[-2000:]}")
    figures = json.loads(done.stdout.splitlines()[-1])
    files = [path for path in to.rglob("*.parquet")]
    figures |= {"files": len(files), "bytes": sum(path.stat().st_size for path in files)}
    return figures


def check_rows(to: Path, expected: int) -> None:
    import pyarrow.parquet as pq

    found = sum(pq.read_metadata(path).num_rows for path in to.rglob("*.parquet"))
    if found != expected:
        raise RuntimeError(f"{to}: {found} rows, expected {expected}")


def median(samples: list[dict], field: str) -> float:
    return statistics.median(sample[field] for sample in samples)


def report(name: str, work, samples: dict[str, list[dict]]) -> None:
    peers = [writer for writer in samples if writer in PEERS]
    rounds = min(len(figures) for figures in samples.values())
    print(f"\n**{name}: {work.about}**, {rounds} rounds\n")
    print("| | seconds | user + system | to the fastest peer (least-most) | peak memory | beyond the input | files | MB |")
    print("|---|---|---|---|---|---|---|---|")
    fastest = min(peers, key=lambda peer: median(samples[peer], "seconds"), default=None)
    for writer, figures in samples.items():
        ratio = ""
        if fastest:
            ratios = [a["seconds"] / b["seconds"] for a, b in zip(figures, samples[fastest])]
            ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        beyond = median(figures, "peak") - median(figures, "before")
        print(
            f"| {writer} | {median(figures, 'seconds'):.2f} | {median(figures, 'user'):.2f} + "
            f"{median(figures, 'sys'):.2f} | {ratio} | {median(figures, 'peak') / 1e6:.0f} | {beyond / 1e6:.0f} | "
            f"{figures[-1]['files']} | {figures[-1]['bytes'] / 1e6:.1f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", action="append", help="a letter; all by default")
    parser.add_argument("--writer", action="append", choices=OURS + PEERS, help="all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of rows")
    parser.add_argument("--directory", type=Path, default=TARGET / "bench-peers", help="on the file system to measure")
    parser.add_argument("--binary", type=Path, help="built of this checkout by default")
    parser.add_argument("--slow", action="store_true", help="also the peers that take minutes")
    parser.add_argument("--json", type=Path, help="where to keep every figure")
    parser.add_argument("extra", nargs="*", help="options of our writer, after --")
    arguments = parser.parse_args()
    if Path(sys.prefix).resolve().parent != (TARGET / "peers").resolve():
        os.execv(venv(), [str(venv()), *sys.argv])
    import works

    binary = arguments.binary
    if binary is None:
        subprocess.run(["cargo", "build", "--release", "-q", "--example", "peers"], cwd=PROJECT, check=True)
        binary = TARGET / "release" / "examples" / "peers"
    output = arguments.directory / "output"
    every = {}
    for name in arguments.work or works.WORKS:
        work = works.WORKS[name]
        source = works.input_of(name, arguments.directory / "input", arguments.scale)
        rows = max(int(work.rows * arguments.scale), 1)
        writers = arguments.writer or OURS + PEERS
        if not arguments.slow:
            writers = [writer for writer in writers if (name, writer) not in SLOW]
        samples = {writer: [] for writer in writers}
        for number in range(arguments.rounds):
            for writer in writers:
                to = output / f"{name}-{writer}-{number}"
                os.sync()
                samples[writer].append(run(writer, work, source, to, binary, arguments.extra))
                if number == 0:
                    check_rows(to, rows)
        report(name, work, samples)
        every[name] = samples
        # Not between the rounds: after a removal ext4 is slow at making files for a while.
        shutil.rmtree(output)
    if arguments.json:
        arguments.json.write_text(json.dumps(every, indent=1))


main()
