#!/usr/bin/env python3
"""Writes the same rows to an object store with atomic-arrow and with other projects, by turns, and compares.

    benches/stores/run.py --out docs/benchmarks          all works, about a quarter of an hour
    benches/stores/run.py --quick                        all works with few rows, once
    benches/stores/run.py --work 500 --rounds 3 --writer atomic --writer polars

The store is a server on this machine: SeaweedFS, which `store-servers` installs and starts. Needs cargo and
python3; installs the peers, pinned, and makes the inputs below `target/`, as `benches/peers/run.py` does. Each write is
a process of its own, into a bucket of its own. Every output is downloaded and checked to hold the rows of the input.
One more write of each writer goes through a proxy, which counts its requests. Prints Markdown, and writes it with
every figure (JSON) into `--out`.
"""

import argparse
import functools
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path += [str(PROJECT / "benches" / "peers"), str(PROJECT / "tests" / "peers")]
import ending  # noqa: E402
import environment  # noqa: E402

QUICK_SCALE = 0.02
MEMORY_CAP = 0.6
# Writes to a path, not to the store.
LOCAL = "local"
LARGE = "large"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fiftieth of the rows, once: no figure means anything")
    parser.add_argument("--work", action="append", help=f"{LARGE}, 500 or 5000; all by default")
    parser.add_argument("--writer", action="append", help="all by default")
    parser.add_argument("--rounds", type=int, help="3 by default")
    parser.add_argument("--timeout", type=float, default=120, help="seconds after which a write is ended")
    parser.add_argument("--out", type=Path, help="a directory for stores.md and stores.json")
    return parser.parse_args()


def works() -> dict:
    """What is written, by name."""
    import inputs
    from works import WORKS, Work

    partitioned = {"rounds": 3, "writers": ("atomic", "pyarrow", "polars", "delta-rs")}
    return {
        LARGE: Work(
            "one large file, 1,000,000 rows of 200 columns", inputs.wide, rows=1_000_000, partitions=20, keys=(), rounds=3,
            writers=(LOCAL, "upload", "file", "atomic"),
        ),
        "500": replace(WORKS["c"], about="5,000,000 rows into 500 partitions, shuffled", **partitioned),
        # Fewer rows, so that more of the peers end in time.
        "5000": replace(
            WORKS["d"], about="1,000,000 rows into 5,000 partitions, shuffled", rows=1_000_000, **partitioned,
        ),
    }


def write(case, number: int, settings, server) -> None:
    """Writes once more, into a new bucket."""
    import measure

    if case.writer == LOCAL:
        return measure.write(case, number, settings)
    bucket = f"{case.name}-{case.writer}-{number}"
    root = f"{bucket}/weather"
    server.make_bucket(bucket)
    os.sync()
    command = measure.command(case, f"s3://{root}", settings)
    failure, printed = measure.watched(command, settings.timeout, settings.memory_cap)
    if failure:
        case.failure = failure
    else:
        case.samples.append({"round": number} | json.loads(printed) | server.sizes(root))
        if case.output is None:
            case.output = server.download(root, settings.directory / bucket)
    server.remove_bucket(bucket)


def requests(case, settings, server) -> dict | None:
    """What a write bills, of which no time is told."""
    if case.failure or case.writer == LOCAL:
        return None
    # A case of its own, of which nothing is kept.
    again = replace(case, samples=[])
    made = server.counted(lambda: write(again, len(case.samples), settings, server))
    return made if again.samples else None


def finished_bytes(case, settings) -> Path:
    """The file that ours makes of the rows, whose bytes are uploaded."""
    import measure

    to = settings.directory / "finished"
    command = measure.command(replace(case, writer=LOCAL), to, settings)
    failure, _ = measure.watched(command, settings.timeout, settings.memory_cap)
    if failure:
        sys.exit(f"{LOCAL}: {failure}")
    (file,) = measure.data_files(to)
    return file


def run_work(name: str, work, given, settings, server) -> dict:
    import check
    import measure
    from works import input_of

    source = input_of(work, settings.inputs, settings.scale)
    writers = [writer for writer in work.writers if not given.writer or writer in given.writer]
    cases = [measure.Case(name, work, writer, source) for writer in writers]
    if name == LARGE:
        settings = replace(settings, extra=["--bytes", str(finished_bytes(cases[0], settings))])
    measure.rounds(cases, settings, functools.partial(write, server=server))
    found = check.same_rows(cases, settings)
    check.clear(cases)
    print(f"{name}: {found.get('rows', 'no')} rows in all outputs", file=sys.stderr)
    return {
        "about": work.about,
        "rows": found.get("rows"),
        "digest": found.get("digest"),
        "writers": {
            case.writer: {
                "samples": case.samples, "failure": case.failure, "requests": requests(case, settings, server),
            }
            for case in cases
        },
    }


def main() -> None:
    given = arguments()
    environment.enter()
    import measure
    import server as servers
    import tables

    every = works()
    asked = given.work or [*every]
    if not set(asked) <= every.keys():
        sys.exit(f"there are the works {', '.join(every)}")
    environment.build("-p", "atomic-arrow-store-servers")
    built = environment.build("--example", "stores")
    environment.HOME.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="bench-stores-", dir=environment.HOME))
    # Where ours encodes what it uploads.
    os.environ["TMPDIR"] = str(directory)
    settings = measure.Settings(
        built / "examples" / "stores", directory, environment.HOME / "input",
        QUICK_SCALE if given.quick else 1.0, given.rounds or (1 if given.quick else None), given.timeout,
        int(MEMORY_CAP * environment.memory_total()),
    )
    found = {
        "date": time.strftime("%Y-%m-%d"),
        "scale": settings.scale,
        "machine": environment.machine(directory) | {"SeaweedFS": servers.version()},
        "works": {},
    }
    # Whoever is ended ends what runs, and cleans up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    started = time.monotonic()
    server = servers.Server(built / "atomic-arrow-store-servers")
    try:
        for name in asked:
            if not given.writer or set(given.writer) & set(every[name].writers):
                found["works"][name] = run_work(name, every[name], given, settings, server)
    finally:
        server.end()
        shutil.rmtree(directory)
    found["minutes"] = round((time.monotonic() - started) / 60, 1)
    print(tables.markdown(found))
    if given.out:
        tables.write(found, given.out)


ending.run(main)
