"""run.py --out docs/laboratory/peers [--quick] [--only SECTION]... [--ours PATH]

Measures the peers and the command in the same laboratory, and writes OUT.md and OUT.json. The peers
are installed below Cargo's target directory and the command is built first. Power cuts need root,
the states of a crash need strace, and Spark needs Java; what cannot run is said in the report.

--quick does less of everything (minutes), --only kills, watched, cuts, leftovers or values does
just that and keeps what OUT.json has of the others, --kills says how often each writer is killed in each mode (6, or 1), and --ours
measures another build of the command.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

INSIDE = "ATOMIC_ARROW_PEERS_INSIDE"
SECTIONS = ("kills", "watched", "cuts", "leftovers", "values")


def measure(given):
    """One section, in this process; its findings go to the file that was named."""
    import importlib

    import data
    import writers
    from laboratory import Laboratory

    writers.Ours.command = given.ours
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="atomic-arrow-laboratory-") as directory:
        directory = Path(directory)
        lab = Laboratory(directory, data.make(directory), given.quick)
        lab.kills = given.kills or (1 if given.quick else 6)
        try:
            found = importlib.import_module(given.only[0]).measure(lab)
        finally:
            lab.close()
    Path(given.part).write_text(json.dumps(found, default=str))


def measure_all(given):
    """Every section in a process of its own, all at once; exit code 1 if one could not be done."""
    import report
    import writers

    writers.Ours.command = given.ours
    found, processes = {}, {}
    # Who is ended ends those that it has started, and everyone cleans up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="atomic-arrow-laboratory-") as directory:
        for section in given.only or SECTIONS:
            part = Path(directory) / f"{section}.json"
            words = ["--out", given.out, "--ours", given.ours, "--only", section, "--part", part]
            words += ["--quick"] if given.quick else []
            words += ["--kills", given.kills] if given.kills else []
            command = [sys.executable, "-E", "-s", "-B", __file__, *words]
            processes[section] = subprocess.Popen([str(word) for word in command]), part
        try:
            for section, (process, part) in processes.items():
                code = process.wait()
                failed = {"failed": f"exit code {code}"}
                found[section] = json.loads(part.read_text()) if code == 0 else failed
        finally:
            for process, _ in processes.values():
                process.terminate()
            for process, _ in processes.values():
                process.wait()
    report.write(Path(given.out), found, given.quick)
    sys.exit(any("failed" in measured for measured in found.values()))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--out", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=SECTIONS)
    parser.add_argument("--ours", type=Path)
    parser.add_argument("--kills", type=int, help="kills of each writer in each mode")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if INSIDE in os.environ:
        return measure(given) if given.part else measure_all(given)
    import environment

    python = str(environment.python())
    words = [*sys.argv[1:], "--ours", str(given.ours or environment.build())]
    os.environ[INSIDE] = "1"
    # Nothing of the user's Python settings counts, and no bytecode is left among the sources.
    command = [python, "-E", "-s", "-B", __file__, *words]
    # What is mounted here is seen by nobody else, who would keep it mounted, and ends with this.
    if os.geteuid() == 0 and shutil.which("unshare"):
        command = ["unshare", "--mount", "--propagation", "private", "--", *command]
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
