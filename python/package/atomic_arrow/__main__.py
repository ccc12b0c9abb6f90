"""The command ``atomic-arrow``, also as ``python -m atomic_arrow``."""

from __future__ import annotations

import os
import signal
import sys

from . import _lib


def main() -> int:
    """Runs the command, and gives its exit code."""
    # It has its own way with signals: a first one discards, a second one ends it at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        os.fstat(0)
    except OSError:
        # A closed standard input is an error to the command. This stands in for it, as it does in other
        # programs of the same language, lest a file that is opened next be taken for it.
        os.open(os.devnull, os.O_RDWR)
    return _lib.main(["atomic-arrow", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
