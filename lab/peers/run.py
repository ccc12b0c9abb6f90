"""run.py --out docs/laboratory/peers [--quick] [--only SECTION]... [--ours PATH]

Measures the peers and the command in the same laboratory, and writes OUT.md and OUT.json. The peers
are installed below Cargo's target directory and the command is built first. Power cuts need root,
the states of a crash need strace, and Spark needs Java; what cannot run is said in the report.

--quick does less of everything (minutes), --only kills, watched, cuts, leftovers or values does
just that, --ours measures another build of the command.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

INSIDE = "ATOMIC_ARROW_PEERS_INSIDE"
SECTIONS = ("kills", "watched", "cuts", "leftovers", "values")


def measure(given):
    """Everything that was asked for, in order."""
    import importlib

    import data
    import report
    import writers
    from laboratory import Laboratory

    writers.Ours.command = given.ours
    found = {}
    with tempfile.TemporaryDirectory(prefix="atomic-arrow-laboratory-") as directory:
        directory = Path(directory)
        lab = Laboratory(directory, data.make(directory), given.quick)
        try:
            for section in given.only or SECTIONS:
                print(f"-- {section}", file=sys.stderr)
                found[section] = importlib.import_module(section).measure(lab)
        finally:
            lab.close()
    report.write(Path(given.out), found, given)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--out", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=SECTIONS)
    parser.add_argument("--ours", type=Path)
    given = parser.parse_args()
    if INSIDE in os.environ:
        measure(given)
        return
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
