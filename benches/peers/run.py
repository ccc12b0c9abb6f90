#!/usr/bin/env python3
"""Writes the same rows with atomic-arrow and with other projects, by turns, and compares.

    benches/peers/run.py --out docs/benchmarks           all works, about half an hour
    benches/peers/run.py --quick                         all works with few rows, once
    benches/peers/run.py --work b --work c --rounds 3 --writer atomic --writer polars

Needs cargo and python3, and npm for the real data; installs the peers, pinned, and makes or fetches the inputs below
`target/`. Each write is a process of its own. A round runs every writer once, and the disk comes to rest
before each. Every output is checked to hold the rows of the input, and then scanned. Prints Markdown, and
writes it with every figure (JSON) and a chart (SVG) into `--out`.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import environment

SHARED_MEMORY = Path("/dev/shm")
SYNC_WORKS = ("a", "c", "d")
SYNC_WRITERS = ("atomic", "unsynced")
QUICK_SCALE = 0.02
GROWTH = "j"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fiftieth of the rows, once: no figure means anything")
    parser.add_argument("--work", action="append", help="a letter; all by default")
    parser.add_argument("--writer", action="append", help="all by default")
    parser.add_argument("--rounds", type=int, help="by default 3 to 5, as the work has it")
    parser.add_argument("--scale", type=float, help="of the number of rows")
    parser.add_argument("--directory", type=Path, help="on the file system to measure; below target/ by default")
    parser.add_argument("--tmpfs", action="store_true", help=f"measure on {SHARED_MEMORY}, where syncs cost nothing")
    parser.add_argument("--binary", type=Path, help="our writers, built of this checkout by default")
    parser.add_argument("--slow", action="store_true", help="also the peers that take minutes")
    parser.add_argument("--timeout", type=float, default=120, help="seconds after which a write is ended")
    parser.add_argument("--memory-cap", type=float, default=0.6, help="of the machine's memory, that a write may take")
    parser.add_argument("--no-scans", action="store_true", help="do not time scans; rows are checked all the same")
    parser.add_argument("--out", type=Path, help="a directory for peers.md, peers.json and peers.svg")
    parser.add_argument("extra", nargs="*", help="options of our writers in Rust, after --")
    given = parser.parse_args()
    if given.quick:
        given.scale, given.rounds = given.scale or QUICK_SCALE, given.rounds or 1
    given.scale = given.scale or 1.0
    if given.tmpfs:
        if not SHARED_MEMORY.is_dir():
            parser.error(f"there is no {SHARED_MEMORY}")
        given.directory = given.directory or SHARED_MEMORY
    return given


def cases_of(names: list[str], writers, settings, slow: bool):
    """What is to be run, by work, and what is left out, with the reasons."""
    import inputs
    import works
    from measure import Case

    cases, left_out = [], {}
    for name in names:
        work = works.WORKS[name]
        try:
            source = works.input_of(work, settings.inputs, settings.scale)
        except inputs.Unavailable as why:
            left_out[name, "all"] = str(why)
            continue
        for writer in writers:
            why = works.LEFT_OUT.get((name, writer))
            if why and not slow:
                left_out[name, writer] = why
            elif why or work.writers is None or writer in work.writers:
                cases.append(Case(name, work, writer, source))
    return cases, left_out


def run_work(names: list[str], writers, settings, given, into: dict) -> None:
    import check
    import measure

    cases, left_out = cases_of(names, writers, settings, given.slow)
    for name, writer in left_out:
        into.setdefault("left out", {}).setdefault(name, {})[writer] = left_out[name, writer]
    if not cases:
        return
    started = time.monotonic()
    measure.rounds(cases, settings)
    for name in names:
        mine = [case for case in cases if case.name == name]
        if not mine:
            continue
        found = check.same_rows(mine, settings)
        holds = f"the same {found['rows']:,} rows in all outputs" if found else "no output"
        print(f"{name}: {holds}", file=sys.stderr)
        scans = {} if given.no_scans else check.time_scans(mine, settings)
        into["works"][name] = {
            "about": mine[0].work.about,
            "rows": found.get("rows"),
            "digest": found.get("digest"),
            "memory limit": mine[0].work.memory_limit,
            "commits": mine[0].work.commits,
            "writers": {case.writer: {"samples": case.samples, "failure": case.failure} for case in mine},
            "scans": scans,
        }
        check.clear(mine)
    print(f"{', '.join(names)} took {time.monotonic() - started:.0f} s", file=sys.stderr)


def sync_on_memory(given, settings, into: dict) -> None:
    """What ours takes where a sync costs nothing."""
    from dataclasses import replace

    import check
    import measure

    settings = replace(settings, directory=place(SHARED_MEMORY))
    for name in SYNC_WORKS:
        if name in into["works"] and into["works"][name]["writers"].keys() >= set(SYNC_WRITERS):
            cases, _ = cases_of([name], SYNC_WRITERS, settings, False)
            measure.rounds(cases, settings)
            check.clear(cases)
            into["tmpfs"][name] = {case.writer: case.samples for case in cases}
    shutil.rmtree(settings.directory)


def place(above: Path) -> Path:
    """A new directory for outputs."""
    above.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="bench-peers-", dir=above))


def main() -> None:
    given = arguments()
    environment.enter()
    import measure
    import report
    import works

    writers = given.writer or measure.WRITERS
    for writer in writers:
        if writer not in measure.WRITERS:
            sys.exit(f"there is no writer {writer}; there are {', '.join(measure.WRITERS)}")
    asked = given.work or [*dict.fromkeys(name[0] for name in works.WORKS)]
    groups = [[name for name in works.WORKS if name == one or (one == GROWTH and name[0] == one)] for one in asked]
    if not all(groups):
        sys.exit(f"there are the works {', '.join(works.WORKS)}")
    binary = given.binary or environment.build_writers()
    if "atomic-py" in writers:
        environment.install_package()
    # Whoever is ended ends what runs, and cleans up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    directory = place(given.directory or environment.HOME)
    settings = measure.Settings(
        binary, directory, environment.HOME / "input", given.scale, given.rounds, given.timeout,
        int(given.memory_cap * environment.memory_total()), given.extra,
    )
    found = {
        "date": time.strftime("%Y-%m-%d"),
        "scale": given.scale,
        "machine": environment.machine(directory),
        "options": given.extra,
        "works": {},
        "tmpfs": {},
    }
    started = time.monotonic()
    try:
        for names in groups:
            run_work(names, writers, settings, given, found)
        if SHARED_MEMORY.is_dir() and not given.tmpfs:
            sync_on_memory(given, settings, found)
    finally:
        shutil.rmtree(directory)
    found["minutes"] = round((time.monotonic() - started) / 60, 1)
    print(report.markdown(found))
    if given.out:
        report.write(found, given.out)


main()
